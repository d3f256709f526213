"""Spotify's access tokens: asked for, kept in a file that only its owner reads, and never shown."""

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock
import requests
from requests.auth import HTTPBasicAuth

from genres.core.console import UserError, warn
from genres.core.files import atomic
from genres.core.paths import project_root
from genres.sources.web import PASSING, TIMEOUTS_S, Service, TryAgainError, retry_after_s

# Renewed so long before its end that no request on its way meets it.
MARGIN_S = 60.0
USUAL_LIFE_S = 3600.0


@dataclass(frozen=True)
class Token:
    """What the accounts service gives; `refresh` is empty for an app's own token."""

    access: str = field(repr=False)
    expires_at: float  # seconds since 1970
    refresh: str = field(default="", repr=False)
    scope: str = ""

    @property
    def is_fresh(self) -> bool:
        return self.expires_at - time.time() > MARGIN_S


class TokenRefusedError(UserError):
    """The accounts service will give no token, however often it is asked; `code` is OAuth's word for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def request_token(
    service: Service, accounts_url: str, form: Mapping[str, str], secret: tuple[str, str] | None = None
) -> Token:
    """Ask the accounts service for a token.

    Parameters
    ----------
    service : Service
        For pace and retries.
    accounts_url : str
        Its address.
    form : mapping
        The fields of an OAuth grant.
    secret : tuple of str, optional
        Client id and secret, where the app proves who it is.

    Raises
    ------
    TokenRefusedError
        Where it says no.
    ComeBackLaterError, ServiceError
        Where it gives no answer.
    """
    # As bytes, since requests encodes text as Latin-1, and fails where a secret was pasted with more around it.
    proof = HTTPBasicAuth(secret[0].encode(), secret[1].encode()) if secret else None

    def ask() -> Token:
        # A redirect would send the secret on to wherever it leads.
        response = service.session.post(
            f"{accounts_url}/api/token", data=dict(form), auth=proof, timeout=TIMEOUTS_S, allow_redirects=False
        )
        if response.status_code in PASSING or response.status_code >= 500:
            raise TryAgainError(f"HTTP {response.status_code}", retry_after_s(response.headers) or None)
        answer = _json(response)
        if response.status_code != 200:
            code = str(answer.get("error") or "no reason given")[:80]
            raise TokenRefusedError(f"Spotify login: refused (HTTP {response.status_code}: {code})", code)
        # Whatever is no visible ASCII could not be sent in a header.
        access = answer.get("access_token")
        if not (isinstance(access, str) and re.fullmatch(r"[!-~]+", access)):
            raise TryAgainError("an answer without a token")
        return Token(
            access,
            time.time() + _seconds(answer.get("expires_in")),
            str(answer.get("refresh_token") or form.get("refresh_token", "")),
            str(answer.get("scope") or ""),
        )

    return service.call(ask, "Spotify login")


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: Any) -> float:
    """How long a token lives; the usual time where the answer does not say, as a refused one is renewed anyway."""
    return float(value) if isinstance(value, int | float) and 0 < value < 1e7 else USUAL_LIFE_S


def token_path(client_id: str) -> Path:
    """Where the login of an app is kept: in the user's own checkout, also for DVC's temporary experiments."""
    return project_root() / ".spotify" / f"token-{client_id[:8]}.json"


def load_token(path: Path, client_id: str, accounts_url: str) -> Token | None:
    """The token of an earlier login of this app; None, with a warning where there is a file, if it is of no use."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if (stored["client_id"], stored["accounts_url"]) != (client_id, accounts_url):
            problem = "it is another app's"
        elif not (isinstance(stored["access"], str) and isinstance(stored["refresh"], str) and stored["refresh"]):
            problem = "it is damaged"
        else:
            return Token(stored["access"], float(stored["expires_at"]), stored["refresh"], str(stored["scope"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except (ValueError, KeyError, TypeError):
        problem = "it is damaged"
    warn(f"{path}: this Spotify login is not used ({problem}); `make spotify-login` makes a new one")
    return None


def save_token(path: Path, token: Token, client_id: str, accounts_url: str) -> None:
    """Keep a token for the app and the service that it belongs to; no one else can read it at any moment.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    stored = {
        "client_id": client_id,
        "accounts_url": accounts_url,
        "access": token.access,
        "refresh": token.refresh,
        "expires_at": token.expires_at,
        "scope": token.scope,
    }
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with atomic(path) as temporary:
        temporary.unlink(missing_ok=True)  # of a killed process that had the same number
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=2)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let only one process at a time renew a token: the first renewal may end the others' refresh token."""
    try:
        lock = filelock.FileLock(path.with_suffix(".lock"), mode=0o600)
        lock.acquire()
    except OSError:  # read-only: renewed all the same, for this run alone
        yield
        return
    try:
        yield
    finally:
        lock.release()


def renew_token(service: Service, path: Path, token: Token, client_id: str, accounts_url: str) -> Token:
    """Exchange a login's token for a new one and keep that; or take the one that another process has just brought.

    Raises
    ------
    TokenRefusedError
        With code "invalid_grant" where the login has been withdrawn.
    """
    with only_one(path):
        stored = load_token(path, client_id, accounts_url) or token
        if stored.access != token.access and stored.is_fresh:
            return stored
        form = {"grant_type": "refresh_token", "refresh_token": stored.refresh, "client_id": client_id}
        renewed = request_token(service, accounts_url, form)
        renewed = replace(renewed, scope=renewed.scope or stored.scope)
        try:
            save_token(path, renewed, client_id, accounts_url)
        except OSError as error:
            warn(f"{path}: cannot be written ({error.strerror}); the next run may need `make spotify-login`")
        return renewed


class _HideSecrets(logging.Filter):
    """Blacks out what must not be read in logs; spotipy writes whole headers at level DEBUG."""

    SECRETS = re.compile(
        r"""((?:Bearer|Basic)\s+|\b(?:access_token|refresh_token|client_secret|code_verifier|code)['"]?\s?[=:]\s?['"]?)"""
        r"""[^\s'"&,}]+"""
    )

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.SECRETS.sub(r"\1***", record.getMessage()), None
        return True


_hide = _HideSecrets()


def hide_secrets() -> None:
    """Keep secrets out of the logs of the libraries below, at every level; doing it twice does no harm."""
    for name in ("spotipy", "spotipy.client", "spotipy.oauth2", "urllib3.connectionpool"):
        logging.getLogger(name).addFilter(_hide)  # a logger takes the same filter only once
    # Else spotipy's errors would be printed beside the project's own lines.
    spotipy = logging.getLogger("spotipy")
    if not spotipy.handlers:
        spotipy.addHandler(logging.NullHandler())
