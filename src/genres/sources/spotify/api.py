"""Requests to the Spotify Web API through spotipy; what goes wrong there is told apart here.

spotipy's own retries sleep for hours without a word and lose the reason, so it gets a session without any, and
:class:`genres.sources.web.Service` asks again where that helps.
"""

import threading
from collections.abc import Callable
from typing import Any

import requests
import spotipy

from genres.core.params import Services
from genres.sources.spotify.account import Account, AccountError
from genres.sources.web import PASSING, TIMEOUTS_S, ComeBackLaterError, Service, TryAgainError, come_back, retry_after_s

DAY_S = 86_400.0  # the quota's period, where Spotify does not say when it begins anew


class RefusedError(Exception):
    """The Web API says no: an HTTP status, and a message, which may be empty."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


class Api:
    """Asks the Web API as an account.

    Parameters
    ----------
    services : Services
        Pace and patience.
    account : Account
        Who asks.
    """

    def __init__(self, services: Services, account: Account) -> None:
        self._account = account
        self._service = Service("spotify", services)
        self._last = threading.local()  # the response that spotipy makes its errors of, and loses parts of
        self._service.session.hooks["response"].append(self._remember)
        self._spotify = spotipy.Spotify(requests_session=self._service.session, requests_timeout=TIMEOUTS_S)
        self._spotify.prefix = account.configuration.api_url + "/"

    def get(self, path: str, what: str, is_right: Callable[[Any], bool], **query: Any) -> dict[str, Any]:
        """Ask until there is an answer.

        Parameters
        ----------
        path : str
            Below the API's address.
        what : str
            What is asked for, for people: begins each message.
        is_right : callable
            Whether an answer has the shape that is needed.
        **query
            None is left out.

        Raises
        ------
        RefusedError
            Where another try would not help.
        AccountError, ComeBackLaterError, ServiceError
            Where nothing else could be read now, either.
        """
        renewed = False

        def ask() -> dict[str, Any]:
            nonlocal renewed
            token = self._account.token()
            try:
                return self._once(token, path, what, is_right, query)
            except RefusedError as refusal:
                # The other 401 is for what only a user may read: no new token would change it.
                if refusal.status != 401 or "user authentication" in refusal.message.lower():
                    raise
                if renewed:
                    reason = f"Spotify refuses the token that it has just given ({refusal.message})"
                    raise AccountError(f"{what}: {reason}") from None
            renewed = True
            self._account.renew(token)
            raise TryAgainError("the token has expired", 0.0)

        return self._service.call(ask, what)

    def _once(
        self, token: str, path: str, what: str, is_right: Callable[[Any], bool], query: dict[str, Any]
    ) -> dict[str, Any]:
        self._spotify.set_auth(token)
        self._last.response = None
        try:
            # Not its methods of the playlist's own: they know no older endpoint, and other limits.
            answer = self._spotify._get(path, **query)
        except (spotipy.SpotifyException, AttributeError):  # the latter where an error has another form than usual
            response = self._last.response
            if response is None or response.status_code < 400:
                raise
            raise _fault(what, response) from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            raise
        except requests.RequestException:
            raise TryAgainError("an answer that cannot be read") from None
        if not is_right(answer):  # spotipy makes None of what is no JSON
            raise TryAgainError("an answer that cannot be read")
        return answer

    def _remember(self, response: requests.Response, *arguments: Any, **options: Any) -> None:
        self._last.response = response


def _fault(what: str, response: requests.Response) -> Exception:
    """What an error's answer means: come back later, try again, or no."""
    message, reason = _said(response)
    after_s = retry_after_s(response.headers) or None  # 0 would be no wait at all
    if reason == "QUOTA_EXCEEDED":
        reason = "the quota of all apps of the developer account is used up"
        return ComeBackLaterError(come_back("spotify", what, reason, after_s or DAY_S))
    if response.status_code in PASSING or response.status_code >= 500:
        return TryAgainError(f"HTTP {response.status_code}", after_s)
    return RefusedError(response.status_code, message)


def _said(response: requests.Response) -> tuple[str, str]:
    """An error's message and reason, whatever form its body has."""
    try:
        error = response.json()
    except ValueError:
        error = response.text
    if isinstance(error, dict):
        error = error.get("error", error)
    message, reason = (error.get("message"), error.get("reason")) if isinstance(error, dict) else (error, "")
    return " ".join(str(message or "").split())[:120], str(reason or "")
