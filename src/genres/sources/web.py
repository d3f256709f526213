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
LONGEST_WAIT_S = 60.0  # longest Retry-After that is waited for; a longer one stops the run, which keeps its downloads

UNSAID_S = 3600.0  # pause that is proposed where a service limits requests without naming one

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
    is_limit : bool
        True if the service limits the number of requests.
    """

    def __init__(self, reason: str, after_s: float | None = None, *, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.after_s, self.is_limit = after_s, is_limit


class UnavailableError(UserError):
    """A service asks to wait longer than `LONGEST_WAIT_S`, or limits requests in all attempts.

    The run stops and keeps its downloads.
    """

    status = 3


class ServiceError(UserError):
    """A service gave no usable answer in all attempts."""


class Service:
    """One web service, whose rate limit and requested pauses are shared by all threads.

    Parameters
    ----------
    name : Host
        Name of the service, for its rate limit.
    settings : Services
        Rate limits and number of attempts.
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
            If the service asks to wait longer than `LONGEST_WAIT_S`, or still limits requests after `attempts`.
        ServiceError
            After `attempts` failures of another kind.
        """
        for attempt in range(1, self._settings.attempts + 1):
            self._take_turn()
            try:
                return ask()
            except RetryableError as error:
                reason, after_s, is_limit = str(error), error.after_s, error.is_limit or bool(error.after_s)
            except (*FAULTS, HTTPError) as error:
                reason, after_s, is_limit = connection_fault(error), None, False
            if after_s is not None and after_s > LONGEST_WAIT_S:
                raise UnavailableError(wait_message(self.name, what, reason, after_s))
            if attempt < self._settings.attempts:
                pause_s = after_s if after_s is not None else FIRST_BACKOFF_S * 2 ** (attempt - 1) * jitter()
                self._hold(pause_s)
                countdown(min(pause_s, LONGEST_WAIT_S), f"{what}: {reason}")
        if is_limit:
            raise UnavailableError(wait_message(self.name, what, reason))
        raise ServiceError(f"{what}: no answer from {self.name} in {self._settings.attempts} attempts ({reason})")

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
            self._free_at = max(self._free_at, time.monotonic() + min(seconds, LONGEST_WAIT_S))


def new_session() -> requests.Session:
    """Return a session with the project's User-Agent."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    return session


def get_once(
    session: requests.Session, url: str, params: Mapping[str, Any] | None = None, **options: Any
) -> requests.Response:
    """GET once; raises RetryableError for temporary statuses."""
    response = session.get(url, params=params, **{"timeout": TIMEOUTS_S} | options)
    if response.status_code in PASSING or response.status_code >= 500:
        raise RetryableError(
            f"HTTP {response.status_code}", retry_after_s(response.headers), is_limit=response.status_code == 429
        )
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


def wait_message(service: str, what: str, reason: str, after_s: float | None = None) -> str:
    """Return the message for a service that asks for a long pause, with the local time at which to continue.

    Without `after_s` the service limits requests and does not say for how long.
    """
    at = datetime.fromtimestamp(time.time() + (after_s or UNSAID_S)).strftime("%Y-%m-%d %H:%M")
    asks = "limits requests without saying for how long"
    if after_s is not None:
        asks = "asks to wait " + (f"{after_s / 3600:.1f} hours" if after_s >= 3600 else f"{after_s / 60:.0f} minutes")
    return (
        f"{what}: {service} {asks} ({reason}). All downloads are kept: "
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
    """Return a short reason for a lost connection, without the object addresses in the libraries' messages."""
    text = str(error)
    for sign, reason in (
        ("timed out", "no answer in time"),
        ("NameResolutionError", "the host's name cannot be resolved: offline?"),
        ("refused", "connection refused: offline?"),
        ("unreachable", "the network is unreachable: offline?"),
        ("CERTIFICATE", "the host's certificate cannot be verified"),
        ("ProxyError", "the proxy does not answer"),
    ):
        if sign in text:
            return reason
    return "no answer in time" if isinstance(error, requests.Timeout) else "connection lost"


def base_url(variable: str, default: str) -> str:
    """Return a service's URL without a trailing slash: that of the environment variable, else the default."""
    return (os.environ.get(variable) or default).rstrip("/")


def is_loopback(url: str) -> bool:
    """Return True if a URL's host is a numeric loopback address; names are not trusted."""
    # In "http://a\\@127.0.0.1" urlsplit takes the second as the host, and requests the first.
    return "\\" not in url and urlsplit(url).hostname in ("127.0.0.1", "::1")
