"""Spotify's access tokens: request, renew, store in a file that only its owner can read, and hide from logs."""

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
from genres.sources.web import PASSING, TIMEOUTS_S, RetryableError, Service, retry_after_s

# Tokens are renewed this long before they expire, so that no request in flight meets the expiry.
MARGIN_S = 60.0
USUAL_LIFE_S = 3600.0


@dataclass(frozen=True)
class Token:
    """Access token of the accounts service; `refresh` is empty for an app's own token."""

    access: str = field(repr=False)
    expires_at: float  # seconds since 1970
    refresh: str = field(default="", repr=False)
    scope: str = ""

    @property
    def is_fresh(self) -> bool:
        return self.expires_at - time.time() > MARGIN_S


class TokenRefusedError(UserError):
    """The accounts service refuses a token for good; `code` is OAuth's error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def request_token(
    service: Service, accounts_url: str, form: Mapping[str, str], secret: tuple[str, str] | None = None
) -> Token:
    """Request a token from the accounts service.

    Parameters
    ----------
    service : Service
        Service with the rate limit and the retries.
    accounts_url : str
        URL of the accounts service.
    form : mapping
        Fields of an OAuth grant.
    secret : tuple of str, optional
        Client id and secret, to authenticate the app.

    Raises
    ------
    TokenRefusedError
        If the service refuses.
    UnavailableError, ServiceError
        If the service does not answer.
    """
    # As bytes, because requests encodes text as Latin-1 and fails on secrets pasted with other characters.
    credentials = HTTPBasicAuth(secret[0].encode(), secret[1].encode()) if secret else None

    def ask() -> Token:
        # No redirects: they would send the secret to another host.
        response = service.session.post(
            f"{accounts_url}/api/token", data=dict(form), auth=credentials, timeout=TIMEOUTS_S, allow_redirects=False
        )
        if response.status_code in PASSING or response.status_code >= 500:
            raise RetryableError(f"HTTP {response.status_code}", retry_after_s(response.headers) or None)
        answer = _json(response)
        if response.status_code != 200:
            code = str(answer.get("error") or "no reason given")[:80]
            raise TokenRefusedError(f"Spotify login: refused (HTTP {response.status_code}: {code})", code)
        # Only visible ASCII can be sent in a header.
        access = answer.get("access_token")
        if not (isinstance(access, str) and re.fullmatch(r"[!-~]+", access)):
            raise RetryableError("an answer without a token")
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
    """Return a token's lifetime in seconds; the usual one if missing, for a refused token is renewed anyway."""
    return float(value) if isinstance(value, int | float) and 0 < value < 1e7 else USUAL_LIFE_S


def token_path(client_id: str) -> Path:
    """Return the file of an app's login, in the user's checkout, also for DVC's temporary experiments."""
    return project_root() / ".spotify" / f"token-{client_id[:8]}.json"


def load_token(path: Path, client_id: str, accounts_url: str) -> Token | None:
    """Read the token of an earlier login of this app; None if missing, or, with a warning, if not usable."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if (stored["client_id"], stored["accounts_url"]) != (client_id, accounts_url):
            problem = "it belongs to another app"
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
    warn(f"{path}: this Spotify login is not used ({problem}); run `make spotify-login` for a new one")
    return None


def save_token(path: Path, token: Token, client_id: str, accounts_url: str) -> None:
    """Write a token with its app and service; the file is never readable by other users.

    Raises
    ------
    OSError
        If the file cannot be written.
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
        temporary.unlink(missing_ok=True)  # left by a killed process with the same id
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=2)


@contextmanager
def renewal_lock(path: Path) -> Iterator[None]:
    """Hold the lock for renewing a token: a renewal may invalidate the refresh token of other processes."""
    try:
        lock = filelock.FileLock(path.with_suffix(".lock"), mode=0o600)
        lock.acquire()
    except OSError:  # read-only: the token is renewed for this run only
        yield
        return
    try:
        yield
    finally:
        lock.release()


def renew_token(service: Service, path: Path, token: Token, client_id: str, accounts_url: str) -> Token:
    """Renew a login's token and store it, or return the one that another process has just stored.

    Raises
    ------
    TokenRefusedError
        If the login was revoked, with code "invalid_grant".
    """
    with renewal_lock(path):
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
    """Filter that masks secrets in logs; spotipy logs whole headers at level DEBUG."""

    SECRETS = re.compile(
        r"""((?:Bearer|Basic)\s+|\b(?:access_token|refresh_token|client_secret|code_verifier|code)['"]?\s?[=:]\s?['"]?)"""
        r"""[^\s'"&,}]+"""
    )

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.SECRETS.sub(r"\1***", record.getMessage()), None
        return True


_hide = _HideSecrets()


def hide_secrets() -> None:
    """Mask secrets in the logs of spotipy and urllib3 at every level; idempotent."""
    for name in ("spotipy", "spotipy.client", "spotipy.oauth2", "urllib3.connectionpool"):
        logging.getLogger(name).addFilter(_hide)  # a logger adds the same filter only once
    # Without a handler, spotipy's errors would be printed in addition to the project's messages.
    spotipy = logging.getLogger("spotipy")
    if not spotipy.handlers:
        spotipy.addHandler(logging.NullHandler())
