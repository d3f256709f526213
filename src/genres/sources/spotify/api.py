"""Requests to the Spotify Web API through spotipy, with classified errors.

spotipy's own retries sleep silently for hours and lose the reason. So it gets a session without retries, and
:class:`genres.sources.web.Service` retries instead.
"""

import threading
from collections.abc import Callable
from typing import Any

import requests
import spotipy

from genres.core.params import Services
from genres.sources.spotify.account import Account, AccountError
from genres.sources.web import (
    PASSING,
    TIMEOUTS_S,
    RetryableError,
    Service,
    UnavailableError,
    retry_after_s,
    wait_message,
)

DAY_S = 86_400.0  # period of the quota, if Spotify does not say when it is reset


class RefusedError(Exception):
    """A refusal of the Web API: an HTTP status and a message, which may be empty."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


class Api:
    """Client of the Web API for one account.

    Parameters
    ----------
    services : Services
        Rate limits and retries.
    account : Account
        Account that makes the requests.
    """

    def __init__(self, services: Services, account: Account) -> None:
        self._account = account
        self._service = Service("spotify", services)
        self._last = threading.local()  # the last response, of which spotipy's errors lose parts
        self._service.session.hooks["response"].append(self._remember)
        self._spotify = spotipy.Spotify(requests_session=self._service.session, requests_timeout=TIMEOUTS_S)
        self._spotify.prefix = account.configuration.api_url + "/"

    def get(self, path: str, what: str, is_right: Callable[[Any], bool], **query: Any) -> dict[str, Any]:
        """Return the answer to a GET request, retrying temporary faults.

        Parameters
        ----------
        path : str
            Path below the API's URL.
        what : str
            Name of the request, at the start of messages.
        is_right : callable
            Check of the answer's structure.
        **query
            Query parameters; None is left out.

        Raises
        ------
        RefusedError
            If a retry would not help.
        AccountError, UnavailableError, ServiceError
            If other requests would fail now, too.
        """
        renewed = False

        def ask() -> dict[str, Any]:
            nonlocal renewed
            token = self._account.token()
            try:
                return self._once(token, path, what, is_right, query)
            except RefusedError as refusal:
                # A 401 for data that only a user may read: a new token would not help.
                if refusal.status != 401 or "user authentication" in refusal.message.lower():
                    raise
                if renewed:
                    reason = f"Spotify refuses a token that it has just issued ({refusal.message}); try again later"
                    raise AccountError(f"{what}: {reason}") from None
            renewed = True
            self._account.renew(token)
            raise RetryableError("the token has expired", 0.0)

        return self._service.call(ask, what)

    def _once(
        self, token: str, path: str, what: str, is_right: Callable[[Any], bool], query: dict[str, Any]
    ) -> dict[str, Any]:
        self._spotify.set_auth(token)
        self._last.response = None
        try:
            # Not spotipy's playlist methods, which lack the older endpoint and have other limits.
            answer = self._spotify._get(path, **query)
        except (spotipy.SpotifyException, AttributeError):  # AttributeError for error bodies of unusual form
            response = self._last.response
            if response is None or response.status_code < 400:
                raise
            raise _fault(what, response) from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            raise
        except requests.RequestException:
            raise RetryableError("unreadable answer") from None
        if not is_right(answer):  # spotipy returns None if the body is not JSON
            raise RetryableError("unreadable answer")
        return answer

    def _remember(self, response: requests.Response, *arguments: Any, **options: Any) -> None:
        self._last.response = response


def _fault(what: str, response: requests.Response) -> Exception:
    """Return the exception for an error response: exhausted quota, temporary fault, or refusal."""
    message, reason = _error_fields(response)
    after_s = retry_after_s(response.headers) or None  # 0 would mean no wait
    if reason == "QUOTA_EXCEEDED":
        reason = "the quota of all apps of the developer account is used up"
        return UnavailableError(wait_message("spotify", what, reason, after_s or DAY_S))
    if response.status_code in PASSING or response.status_code >= 500:
        return RetryableError(f"HTTP {response.status_code}", after_s, is_limit=response.status_code == 429)
    return RefusedError(response.status_code, message)


def _error_fields(response: requests.Response) -> tuple[str, str]:
    """Return the message and the reason of an error response, for any form of body."""
    try:
        error = response.json()
    except ValueError:
        error = response.text
    if isinstance(error, dict):
        error = error.get("error", error)
    message, reason = (error.get("message"), error.get("reason")) if isinstance(error, dict) else (error, "")
    return " ".join(str(message or "").split())[:120], str(reason or "")
