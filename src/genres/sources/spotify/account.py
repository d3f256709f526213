"""The Spotify app and who uses it: configuration from the environment or .env, and tokens for the Web API.

Two ways to be let in: as the app itself (client credentials), where there is a secret; or as a user who has logged in
with `make spotify-login` (src/genres/sources/spotify/login.py), which is needed for all that only a user may read, and
preferred where there is both.
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

WAY_OUT = "docs/spotify.md says how to get them, and how to go without: list the songs in <songs_dir>/manifest.csv"


class AccountError(UserError):
    """The app or the login is missing or refused, so that no playlist can be read."""


@dataclass(frozen=True)
class Configuration:
    """One app, and the addresses of Spotify's services."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    api_url: str
    accounts_url: str


def read_configuration() -> Configuration:
    """Read the environment, and `.env` in the user's own checkout for what is not in it; an empty value is none.

    Names begin with SPOTIPY_, as spotipy's own, or SPOTIFY_.

    Raises
    ------
    AccountError
        Names the variable that is missing or of no use.
    """
    path = project_root() / ".env"
    try:
        # Taken by their letters: a $ in a secret is a $.
        stored = dotenv.dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise AccountError(f"{path}: cannot be read ({reason})") from None

    def value(name: str, default: str = "") -> str:
        for values in (os.environ, stored):
            for prefix in ("SPOTIPY_", "SPOTIFY_"):
                found = (values.get(prefix + name) or "").strip()
                if found:
                    return found
        return default

    client_id = value("CLIENT_ID")
    if not client_id:
        raise AccountError(
            f"SPOTIPY_CLIENT_ID is set neither in the environment nor in {path} (and older apps need "
            f"SPOTIPY_CLIENT_SECRET): {WAY_OUT}"
        )
    # It becomes part of a file's name.
    if not re.fullmatch(r"[0-9A-Za-z_-]+", client_id):
        raise AccountError("SPOTIPY_CLIENT_ID: is no client id, which has only letters and digits; see docs/spotify.md")
    return Configuration(
        client_id,
        value("CLIENT_SECRET"),
        value("REDIRECT_URI", REDIRECT_URI),
        _service_url("SPOTIFY_API_URL", value("API_URL", API_URL)),
        _service_url("SPOTIFY_ACCOUNTS_URL", value("ACCOUNTS_URL", ACCOUNTS_URL)),
    )


def _service_url(variable: str, url: str) -> str:
    """Check an address that secrets are sent to: encrypted, or on this machine."""
    try:
        split = urlsplit(url)
        usable = bool(split.hostname) and (split.scheme == "https" or (split.scheme == "http" and is_loopback(url)))
    except ValueError:
        usable = False
    if not usable:
        raise AccountError(f"{variable}: must begin with https:// (or http://127.0.0.1 for tests); received {url!r}")
    return url.rstrip("/")


class Account:
    """Gives access tokens for the Web API, new ones when they are due; can be shared by threads.

    Parameters
    ----------
    services : Services
        Pace and patience.
    configuration : Configuration, optional
        The app; by default what :func:`read_configuration` finds.

    Attributes
    ----------
    is_user : bool
        Whether a user is logged in; else the app acts for itself.

    Raises
    ------
    AccountError
        Where there is neither a login nor a secret.
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
                "no one is logged in to Spotify and SPOTIPY_CLIENT_SECRET is not set: `make spotify-login`, or set it "
                f"if your app is from before 2026; {WAY_OUT}"
            )

    def token(self) -> str:
        """An access token that is good for a minute at least.

        Raises
        ------
        AccountError
            Where the app or the login is refused.
        """
        with self._lock:
            if self._token is None or not self._token.is_fresh:
                self._token = self._new()
            return self._token.access

    def renew(self, rejected: str) -> str:
        """Another access token than the one that was rejected; asked for only once however many threads ask."""
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
    """What a refusal of the accounts service means, and its cure."""
    if error.code == "invalid_client":
        names = "SPOTIPY_CLIENT_ID" if is_user else "SPOTIPY_CLIENT_ID or SPOTIPY_CLIENT_SECRET"
        return (
            f"{error}: {names} is wrong, or the app was deleted; compare with https://developer.spotify.com/dashboard"
        )
    if error.code == "invalid_grant":
        return f"{error}: the login has been withdrawn or has expired; log in again with `make spotify-login`"
    return f"{error}; see docs/spotify.md"
