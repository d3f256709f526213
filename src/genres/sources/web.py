"""Asking web services politely: at a set pace, again where a fault may pass, later where they say so.

Retries are made here and nowhere else: spotipy's and urllib3's own sleep for hours without a word and lose the reason.
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
TIMEOUTS_S = (5.0, 30.0)  # for the connection, and for the next bytes
FIRST_BACKOFF_S = 1.0

# Statuses that pass by themselves, besides all of 5xx: too slow, too early, too many.
PASSING = (408, 425, 429)

# What requests raises where another try may help: lost connections, and bodies that are damaged on the way.
FAULTS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.TooManyRedirects,
)


class TryAgainError(Exception):
    """A fault that may be gone at the next try.

    Parameters
    ----------
    reason : str
        In a few words.
    after_s : float or None
        When the service says it may be asked again; None: it does not say.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class ComeBackLaterError(UserError):
    """A service asks for more patience than `services.longest_wait_s`: the run stops, what has come is kept."""

    status = 3


class ServiceError(UserError):
    """A service that gives no usable answer however often it is asked.

    Parameters
    ----------
    message : str
        One line for people.
    asks_to_wait : bool
        Whether the service itself asked for more time to the end.
    """

    def __init__(self, message: str, asks_to_wait: bool = False) -> None:
        super().__init__(message)
        self.asks_to_wait = asks_to_wait


class Service:
    """One web service: its pace is shared by all threads, and so is a pause that it asks for.

    Parameters
    ----------
    name : Host
        Whose pace it keeps.
    settings : Services
        Pace, attempts and patience.
    """

    def __init__(self, name: Host, settings: Services) -> None:
        self.name, self._settings = name, settings
        self._interval_s = 1 / settings.requests_per_second[name]
        self._lock, self._free_at = threading.Lock(), 0.0
        self.session = new_session()

    def call(self, ask: Callable[[], T], what: str) -> T:
        """Ask until there is an answer.

        Parameters
        ----------
        ask : callable
            Asks once. Raises TryAgainError, or what requests raises for lost connections, where another try may help.
        what : str
            What is asked for, for people: begins each message.

        Raises
        ------
        ComeBackLaterError
            Where the service asks to wait longer than `longest_wait_s`.
        ServiceError
            After `attempts` failures.
        """
        for attempt in range(1, self._settings.attempts + 1):
            self._take_turn()
            try:
                return ask()
            except TryAgainError as error:
                reason, after_s = str(error), error.after_s
            except FAULTS as error:
                reason, after_s = lost(error), None
            except HTTPError as error:
                reason, after_s = lost(error), None
            if after_s is not None and after_s > self._settings.longest_wait_s:
                raise ComeBackLaterError(come_back(self.name, what, reason, after_s))
            if attempt < self._settings.attempts:
                pause_s = after_s if after_s is not None else FIRST_BACKOFF_S * 2 ** (attempt - 1) * jitter()
                self._hold(pause_s)
                countdown(min(pause_s, self._settings.longest_wait_s), f"{what}: {reason}")
        message = f"{what}: {self.name} gives no answer ({reason}, {self._settings.attempts} times)"
        raise ServiceError(message, asks_to_wait=bool(after_s))

    def get(self, url: str, what: str, params: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:
        """GET with :meth:`call`; statuses that pass are tried again, all others are returned as they are."""
        return self.call(lambda: self.get_once(url, params, **options), what)

    def get_once(self, url: str, params: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:
        """GET, to be used inside of :meth:`call`; raises TryAgainError for statuses that pass."""
        return get_once(self.session, url, params, **options)

    def _take_turn(self) -> None:
        """Wait until this request keeps the pace."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + self._interval_s
        time.sleep(max(0.0, start - now))

    def _hold(self, seconds: float) -> None:
        """Let no thread ask before `seconds` have passed."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + min(seconds, self._settings.longest_wait_s))


def new_session() -> requests.Session:
    """A session that says who asks."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    return session


def get_once(
    session: requests.Session, url: str, params: Mapping[str, Any] | None = None, **options: Any
) -> requests.Response:
    """GET; raises TryAgainError for statuses that pass."""
    response = session.get(url, params=params, timeout=TIMEOUTS_S, **options)
    if response.status_code in PASSING or response.status_code >= 500:
        raise TryAgainError(f"HTTP {response.status_code}", retry_after_s(response.headers))
    return response


def jitter() -> float:
    """A factor of 0.75 to 1.25, so that threads that failed together do not ask together."""
    return random.uniform(0.75, 1.25)


def countdown(seconds: float, reason: str) -> None:
    """Sleep, and say so: a bar that counts down on a terminal, one line elsewhere; nothing below a second."""
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


def come_back(service: str, what: str, reason: str, after_s: float) -> str:
    """The message for a service that asks for a long pause, with the local time at which to go on."""
    at = datetime.fromtimestamp(time.time() + after_s).strftime("%Y-%m-%d %H:%M")
    hours = f"{after_s / 3600:.1f} hours" if after_s >= 3600 else f"{after_s / 60:.0f} minutes"
    return (
        f"{what}: {service} asks to wait {hours} ({reason}). Everything that has come is kept: "
        f"run the same again at {at} or later, and it goes on from here"
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After header asks for, which may be a number or a date; None: absent or unreadable."""
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


def lost(error: Exception) -> str:
    """A lost connection in a few words."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    if "resolve" in str(error) or "resolution" in str(error):
        return "the host's name is not known: offline?"
    return "connection lost"


def base_url(variable: str, default: str) -> str:
    """A service's address: the environment's if it names another one; without a slash at its end."""
    return (os.environ.get(variable) or default).rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine by its number; no name is trusted to be."""
    # Of "http://a\\@127.0.0.1" this reads the second as the host, and requests the first.
    return "\\" not in url and urlsplit(url).hostname in ("127.0.0.1", "::1")
