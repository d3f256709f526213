"""User login at Spotify: Authorization Code flow with PKCE (RFC 7636) and a redirect to this machine.

The redirect must be a numeric loopback address (RFC 8252); Spotify refuses `localhost` since April 2025.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import queue
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from genres.core.params import Services
from genres.sources.spotify.account import REDIRECT_URI, AccountError, explain, read_configuration
from genres.sources.spotify.tokens import TokenRefusedError, hide_secrets, request_token, save_token, token_path
from genres.sources.web import Service, is_loopback

SCOPE = "playlist-read-private playlist-read-collaborative"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Spotify login</title>
<body style="font: 18px sans-serif; margin: 4em auto; max-width: 30em"><h1>{title}</h1><p>{text}</p></body></html>
"""


def login(services: Services, timeout_s: float = 300.0, browse: Callable[[str], object] | None = None) -> Path:
    """Log a user in with a browser, and store the token.

    Parameters
    ----------
    services : Services
        Rate limits and retries.
    timeout_s : float
        Time to wait for the user in seconds.
    browse : callable, optional
        Function that opens a URL in a browser; by default the desktop's browser, if there is a desktop.

    Returns
    -------
    Path
        File of the token.

    Raises
    ------
    AccountError
        If the redirect URL is not usable, the user denies or does not answer, or Spotify refuses.
    """
    hide_secrets()
    app = read_configuration()
    path = token_path(app.client_id)
    _check_writable(path)
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(32)
    with contextlib.closing(_listen(app.redirect_uri, state)) as listener:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": app.client_id,
            "response_type": "code",
            "redirect_uri": listener.redirect_uri,
            "scope": SCOPE,
            "state": state,
            "code_challenge_method": "S256",
            "code_challenge": challenge,
        }
        _show(f"{app.accounts_url}/authorize?{urlencode(query)}", listener.port, timeout_s, browse)
        code = listener.wait(timeout_s)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": listener.redirect_uri,
        "client_id": app.client_id,
        "code_verifier": verifier,
    }
    try:
        token = request_token(Service("spotify", services), app.accounts_url, form)
    except TokenRefusedError as error:
        raise AccountError(explain(error, is_user=True)) from None
    if not token.refresh:
        raise AccountError("Spotify login: Spotify sent no refresh token; try again")
    try:
        save_token(path, token, app.client_id, app.accounts_url)
    except OSError as error:
        raise AccountError(f"{path}: cannot write the login ({error.strerror}); make it writable") from None
    print(f"Logged in to Spotify; the login is stored in {path}")
    return path


def _check_writable(path: Path) -> None:
    """Check before the user logs in that the token can be written."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        probe = path.with_suffix(f".{os.getpid()}.probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise AccountError(f"{path}: cannot write the login there ({error.strerror}); make it writable") from None


def _show(address: str, port: int, timeout_s: float, browse: Callable[[str], object] | None) -> None:
    print(f"Within {timeout_s / 60:.0f} minutes, log in to Spotify and agree in a browser on this machine:\n{address}")
    print(f"No browser here? On a machine with one: ssh -L {port}:127.0.0.1:{port} <this machine>, then open the URL.")
    sys.stdout.flush()
    browse = browse or (webbrowser.open if _has_desktop() else None)
    if browse:
        with contextlib.suppress(webbrowser.Error, OSError):  # the URL is printed above
            browse(address)


def _has_desktop() -> bool:
    """Return True if there is a desktop; without one, a text browser such as lynx would take over the terminal."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Listener(ThreadingHTTPServer):
    """Server of the redirect; threaded, because browsers also open connections that they never use."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, redirect_uri: str, state: str) -> None:
        split = urlsplit(redirect_uri)
        host = split.hostname or ""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.path, self.state = split.path or "/", state
        self.answers: queue.Queue[tuple[str, str]] = queue.Queue()  # ("code", code) or ("error", reason)
        super().__init__((host, split.port or 0), _Handler)
        self.port = self.server_address[1]
        # A redirect URL that is registered without a port may be used with any.
        netloc = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.redirect_uri = split._replace(netloc=netloc).geturl()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def wait(self, timeout_s: float) -> str:
        """Wait for the browser's redirect and return its authorization code."""
        try:
            kind, value = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            raise AccountError(
                f"Spotify login: no answer within {timeout_s:.0f} s; if the browser showed INVALID_CLIENT or "
                f"'redirect_uri: Not matching configuration', add {self.redirect_uri} to your app's redirect URIs at "
                "https://developer.spotify.com/dashboard; then try again"
            ) from None
        if kind == "code":
            return value
        if value == "access_denied":
            raise AccountError("Spotify login: permission was denied in the browser; try again and agree")
        raise AccountError(f"Spotify login: Spotify reports {value[:80]!r}; see docs/spotify.md")

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing when a browser closes the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 10  # seconds, for connections that a browser opens but never uses

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if split.path != self.server.path:
            self._page(404, "Not here", "This address only waits for a login at Spotify.")
        # A wrong state may be a forged login, or an old tab: keep waiting.
        elif not hmac.compare_digest(query.get("state", "").encode(), self.server.state.encode()):
            self._page(400, "Not this login", "Please open the URL that the terminal printed last.")
        elif query.get("code"):
            self._page(200, "Thank you", "You can close this page and go back to the terminal.")
            self.server.answers.put(("code", query["code"]))
        else:
            self._page(200, "Not logged in", "Permission was denied. See the terminal for how to continue.")
            self.server.answers.put(("error", query.get("error", "no code")))

    def _page(self, status: int, title: str, text: str) -> None:
        content = PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Referrer-Policy", "no-referrer")  # the URL contains the code
        self.end_headers()
        with contextlib.suppress(OSError):  # the code has arrived even if the browser hangs up
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Log nothing, because the URL contains the code."""


def _listen(redirect_uri: str, state: str) -> _Listener:
    """Open the port of the redirect URL."""
    try:
        split = urlsplit(redirect_uri)
        usable = split.scheme == "http" and is_loopback(redirect_uri) and not split.query and not split.fragment
        port = split.port
    except ValueError:
        usable, port = False, None
    if not usable:
        raise AccountError(
            f"SPOTIPY_REDIRECT_URI: must be a numeric loopback address such as {REDIRECT_URI}, registered in the app "
            f"in the same form; received {redirect_uri!r}"
        )
    try:
        return _Listener(redirect_uri, state)
    except OSError as error:
        raise AccountError(
            f"Spotify login: port {port} cannot be opened ({error.strerror}); set SPOTIPY_REDIRECT_URI to a URL with "
            "another port, such as http://127.0.0.1:8899/callback, and register it in the app's settings"
        ) from None
