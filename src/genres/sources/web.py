"""Requests to web services: rate limits, retries of temporary faults, and Retry-After.

All retries are made here, for those of spotipy and urllib3 sleep silently for hours and lose the reason.
"""

import email.utils
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from genres.core.console import UserError
from genres.core.params import Host, Services

T = TypeVar("T")

USER_AGENT = "music-genre-experiments/1.0 (python-requests)"
TIMEOUTS_S = (5.0, 30.0)  # of the connection, and of each read
FIRST_BACKOFF_S = 1.0

# Temporary statuses, besides 5xx: request timeout, too early, too many requests.
PASSING = (408, 425, 429)

# Exceptions of requests after which a retry may help: lost connections and damaged bodies.
FAULTS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.TooManyRedirects,
)


class RetryableError(Exception):
    """A temporary fault: the request may be retried.

    Parameters
    ----------
    reason : str
        Short reason.
    after_s : float or None
        Seconds that the service asks to wait; None if it does not say.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class UnavailableError(UserError):
    """A service asks to wait longer than `services.longest_wait_s`; the run stops and keeps its downloads."""

    status = 3


class ServiceError(UserError):
    """A service gave no usable answer in all attempts.

    Parameters
    ----------
    message : str
        Message of one line.
    asks_to_wait : bool
        True if the service asked to wait in its last answer.
    """

    def __init__(self, message: str, asks_to_wait: bool = False) -> None:
        super().__init__(message)
        self.asks_to_wait = asks_to_wait


class Service:
    """One web service, whose rate limit and requested pauses are shared by all threads.

    Parameters
    ----------
    name : Host
        Name of the service, for its rate limit.
    settings : Services
        Rate limits, number of attempts and longest wait.
    """

    def __init__(self, name: Host, settings: Services) -> None:
        self.name, self._settings = name, settings
        self._interval_s = 1 / settings.requests_per_second[name]
        self._lock, self._free_at = threading.Lock(), 0.0
        self.session = new_session()

    def call(self, ask: Callable[[], T], what: str) -> T:
        """Return the answer to a request, retrying temporary faults.

        Parameters
        ----------
        ask : callable
            Function that sends one request. It raises RetryableError or an exception of `FAULTS` to be retried.
        what : str
            Name of the request, at the start of messages.

        Raises
        ------
        UnavailableError
            If the service asks to wait longer than `longest_wait_s`.
        ServiceError
            After `attempts` failures.
        """
        for attempt in range(1, self._settings.attempts + 1):
            self._take_turn()
            try:
                return ask()
            except RetryableError as error:
                reason, after_s = str(error), error.after_s
            except FAULTS as error:
                reason, after_s = connection_fault(error), None
            except HTTPError as error:
                reason, after_s = connection_fault(error), None
            if after_s is not None and after_s > self._settings.longest_wait_s:
                raise UnavailableError(wait_message(self.name, what, reason, after_s))
            if attempt < self._settings.attempts:
                pause_s = after_s if after_s is not None else FIRST_BACKOFF_S * 2 ** (attempt - 1) * jitter()
                self._hold(pause_s)
                countdown(min(pause_s, self._settings.longest_wait_s), f"{what}: {reason}")
        message = f"{what}: no answer from {self.name} in {self._settings.attempts} attempts ({reason})"
        raise ServiceError(message, asks_to_wait=bool(after_s))

    def get(self, url: str, what: str, params: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:
        """GET with :meth:`call`: retry temporary statuses and return responses of any other status."""
        return self.call(lambda: self.get_once(url, params, **options), what)

    def get_once(self, url: str, params: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:
        """GET once, for use inside of :meth:`call`; raises RetryableError for temporary statuses."""
        return get_once(self.session, url, params, **options)

    def _take_turn(self) -> None:
        """Wait for this request's turn under the rate limit."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + self._interval_s
        time.sleep(max(0.0, start - now))

    def _hold(self, seconds: float) -> None:
        """Delay the requests of all threads by `seconds`."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + min(seconds, self._settings.longest_wait_s))


def new_session() -> requests.Session:
    """Return a session with the project's User-Agent."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    return session


def get_once(
    session: requests.Session, url: str, params: Mapping[str, Any] | None = None, **options: Any
) -> requests.Response:
    """GET once; raises RetryableError for temporary statuses."""
    response = session.get(url, params=params, timeout=TIMEOUTS_S, **options)
    if response.status_code in PASSING or response.status_code >= 500:
        raise RetryableError(f"HTTP {response.status_code}", retry_after_s(response.headers))
    return response


def jitter() -> float:
    """Return a random factor of 0.75 to 1.25, so that threads that failed together do not retry together."""
    return random.uniform(0.75, 1.25)


def countdown(seconds: float, reason: str) -> None:
    """Sleep, with a progress bar on a terminal and one printed line elsewhere; silent below a second."""
    if seconds < 1:
        time.sleep(seconds)
        return
    if not sys.stderr.isatty():
        print(f"{reason}: waiting {seconds:.0f} s", file=sys.stderr, flush=True)
        time.sleep(seconds)
        return
    with tqdm(total=round(seconds), desc=f"{reason}: waiting", unit="s", leave=False) as bar:
        for _ in range(round(seconds)):
            time.sleep(1)
            bar.update()


def wait_message(service: str, what: str, reason: str, after_s: float) -> str:
    """Return the message for a service that asks for a long pause, with the local time at which to continue."""
    at = datetime.fromtimestamp(time.time() + after_s).strftime("%Y-%m-%d %H:%M")
    hours = f"{after_s / 3600:.1f} hours" if after_s >= 3600 else f"{after_s / 60:.0f} minutes"
    return (
        f"{what}: {service} asks to wait {hours} ({reason}). All downloads are kept: "
        f"run the same command again at {at} or later to continue"
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date; None if absent or unreadable."""
    value = (headers.get("Retry-After") or "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at - datetime.now(UTC if at.tzinfo else None)).total_seconds()
    return max(0.0, seconds) if seconds == seconds and abs(seconds) != float("inf") else None


def connection_fault(error: Exception) -> str:
    """Return a short reason for a lost connection."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    if "resolve" in str(error) or "resolution" in str(error):
        return "the host's name cannot be resolved: offline?"
    return "connection lost"


def base_url(variable: str, default: str) -> str:
    """Return a service's URL without a trailing slash: that of the environment variable, else the default."""
    return (os.environ.get(variable) or default).rstrip("/")


def is_loopback(url: str) -> bool:
    """Return True if a URL's host is a numeric loopback address; names are not trusted."""
    # In "http://a\\@127.0.0.1" urlsplit takes the second as the host, and requests the first.
    return "\\" not in url and urlsplit(url).hostname in ("127.0.0.1", "::1")
