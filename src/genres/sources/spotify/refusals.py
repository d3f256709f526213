"""What the Web API's refusals mean, and their cures: one line each. docs/spotify.md tells more."""

import re

COPY = "copy its songs into a playlist of your own, `make spotify-login`, and give that one's link"


def explain(playlist: str, status: int, message: str, is_user: bool) -> str:
    """Say why a playlist cannot be read.

    Parameters
    ----------
    playlist : str
        Its id.
    status : int
        Of the HTTP answer.
    message : str
        What Spotify says.
    is_user : bool
        Whether a user is logged in; else the app asked for itself.
    """
    cause = _cause(playlist, status, message, is_user)
    return f"playlist {playlist}: {cause} (HTTP {status}: {message or 'no reason'})"


def explain_track(track: str, status: int, message: str) -> str:
    """Say why a track cannot be read."""
    cause = "Spotify has no such track; check the link in a browser" if status in (400, 404) else _app(message)
    return f"track {track}: {cause or 'Spotify refuses it'} (HTTP {status}: {message or 'no reason'})"


def is_of_the_app(message: str) -> bool:
    """Whether a refusal concerns the app or the login, and would be the same for any playlist."""
    return _app(message) != ""


def _cause(playlist: str, status: int, message: str, is_user: bool) -> str:
    if status == 404 and playlist.startswith("37i9dQZ"):
        return f"it is one of Spotify's own, which apps made after November 2024 are not shown; {COPY}"
    if status == 404:
        whose = "private to somebody else" if is_user else "private (`make spotify-login`, if it is yours)"
        return f"it has been deleted or is {whose}; check the link in a browser"
    if status == 400:
        return "Spotify does not take this id; check the link in a browser"
    if status == 401 and "user" in message.lower():
        return "it can only be read by a user who is logged in: `make spotify-login`"
    if status == 403 and _app(message):
        return _app(message)
    if status == 403 and is_user:
        return f"you neither own it nor collaborate on it, and apps made since 2026 may read no others; {COPY}"
    if status == 403:
        return f"this app may read playlists only for a user who is logged in, and only the user's own; {COPY}"
    return "Spotify refuses it; see docs/spotify.md"


def _app(message: str) -> str:
    if re.search(r"premium", message, re.IGNORECASE):
        return (
            "the app's owner has no Spotify Premium, which apps need since 2026; "
            "once it is renewed, it can take some hours until requests are allowed"
        )
    if re.search(r"scope", message, re.IGNORECASE):
        return "the login does not include reading playlists; log in again with `make spotify-login`"
    if re.search(r"registered|allow-?list|user management", message, re.IGNORECASE):
        return (
            "the user who is logged in is not among the app's users; the app's owner adds them under "
            "User Management at https://developer.spotify.com/dashboard"
        )
    return ""
