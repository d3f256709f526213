"""Spotify app and user: configuration from the environment or .env, and access tokens of the Web API.

There are two ways to authenticate: as the app (client credentials), if there is a secret; or as a user who has logged
in with `make spotify-login` (src/genres/sources/spotify/login.py). A login is needed for data that only a user may read
and is preferred if both are available.
"""

import os
import re
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import dotenv

from genres.core.console import UserError
from genres.core.params import Services
from genres.core.paths import project_root
from genres.sources.spotify.tokens import (
    Token,
    TokenRefusedError,
    hide_secrets,
    load_token,
    renew_token,
    request_token,
    token_path,
)
from genres.sources.web import Service, is_loopback

API_URL = "https://api.spotify.com/v1"
ACCOUNTS_URL = "https://accounts.spotify.com"
REDIRECT_URI = "http://127.0.0.1:8888/callback"

REMEDY = "docs/spotify.md explains how to get them; or list the songs in <songs_dir>/manifest.csv without an account"


class AccountError(UserError):
    """The app or the login is missing or refused: no playlist can be read."""


@dataclass(frozen=True)
class Configuration:
    """Credentials of an app, and the URLs of Spotify's services."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    api_url: str
    accounts_url: str


def read_configuration() -> Configuration:
    """Read the configuration from the environment, else from `.env` in the user's checkout; empty values do not count.

    Names begin with SPOTIPY_, as spotipy's own, or SPOTIFY_.

    Raises
    ------
    AccountError
        If a variable is missing or invalid; names it.
    """
    path = project_root() / ".env"
    try:
        # No interpolation: a secret may contain a $.
        stored = dotenv.dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise AccountError(f"{path}: cannot be read ({reason})") from None

    def value(name: str, default: str = "") -> str:
        for values in (os.environ, stored):
            for prefix in ("SPOTIPY_", "SPOTIFY_"):
                text = (values.get(prefix + name) or "").strip()
                if text:
                    return text
        return default

    client_id = value("CLIENT_ID")
    if not client_id:
        raise AccountError(
            f"SPOTIPY_CLIENT_ID is set neither in the environment nor in {path} (older apps also need "
            f"SPOTIPY_CLIENT_SECRET): {REMEDY}"
        )
    # The client id becomes part of a file name.
    if not re.fullmatch(r"[0-9A-Za-z_-]+", client_id):
        raise AccountError("SPOTIPY_CLIENT_ID: must have only letters and digits; see docs/spotify.md")
    return Configuration(
        client_id,
        value("CLIENT_SECRET"),
        value("REDIRECT_URI", REDIRECT_URI),
        _service_url("SPOTIFY_API_URL", value("API_URL", API_URL)),
        _service_url("SPOTIFY_ACCOUNTS_URL", value("ACCOUNTS_URL", ACCOUNTS_URL)),
    )


def _service_url(variable: str, url: str) -> str:
    """Check a URL to which secrets are sent: it must be encrypted or on this machine."""
    try:
        split = urlsplit(url)
        usable = bool(split.hostname) and (split.scheme == "https" or (split.scheme == "http" and is_loopback(url)))
    except ValueError:
        usable = False
    if not usable:
        raise AccountError(f"{variable}: must begin with https:// (or http://127.0.0.1 for tests); received {url!r}")
    return url.rstrip("/")


class Account:
    """Provider of access tokens of the Web API, renewed before they expire; thread-safe.

    Parameters
    ----------
    services : Services
        Rate limits and retries.
    configuration : Configuration, optional
        Configuration of the app; by default from :func:`read_configuration`.

    Attributes
    ----------
    is_user : bool
        True if a user is logged in; else requests are made as the app.

    Raises
    ------
    AccountError
        If there is neither a login nor a secret.
    """

    def __init__(self, services: Services, configuration: Configuration | None = None) -> None:
        hide_secrets()
        self.configuration = configuration or read_configuration()
        self._service = Service("spotify", services)
        self._lock = threading.Lock()
        self._path = token_path(self.configuration.client_id)
        self._token = load_token(self._path, self.configuration.client_id, self.configuration.accounts_url)
        self.is_user = self._token is not None
        if not self.is_user and not self.configuration.client_secret:
            raise AccountError(
                "no Spotify login and SPOTIPY_CLIENT_SECRET is not set: run `make spotify-login`, or set the secret if "
                f"your app is from before 2026; {REMEDY}"
            )

    def token(self) -> str:
        """Return an access token that is valid for at least a minute.

        Raises
        ------
        AccountError
            If the app or the login is refused.
        """
        with self._lock:
            if self._token is None or not self._token.is_fresh:
                self._token = self._new()
            return self._token.access

    def renew(self, rejected: str) -> str:
        """Return another access token than the rejected one; requested once for all threads."""
        with self._lock:
            if self._token is None or self._token.access == rejected:
                self._token = self._new()
            return self._token.access

    def _new(self) -> Token:
        app = self.configuration
        try:
            if self.is_user and self._token is not None:
                return renew_token(self._service, self._path, self._token, app.client_id, app.accounts_url)
            form = {"grant_type": "client_credentials"}
            return request_token(self._service, app.accounts_url, form, (app.client_id, app.client_secret))
        except TokenRefusedError as error:
            raise AccountError(explain(error, self.is_user)) from None


def explain(error: TokenRefusedError, is_user: bool) -> str:
    """Return the cause of a refusal of the accounts service, and its remedy."""
    if error.code == "invalid_client":
        names = "SPOTIPY_CLIENT_ID" if is_user else "SPOTIPY_CLIENT_ID or SPOTIPY_CLIENT_SECRET"
        return (
            f"{error}: {names} is wrong, or the app was deleted; check them at https://developer.spotify.com/dashboard"
        )
    if error.code == "invalid_grant":
        return f"{error}: the login was revoked or has expired; log in again with `make spotify-login`"
    return f"{error}; see docs/spotify.md"
