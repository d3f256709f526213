"""Messages for the Web API's refusals: cause and remedy in one line each. docs/spotify.md has details."""

import re

COPY = "copy its songs into your own playlist, run `make spotify-login`, and use that playlist's link"


def explain(playlist: str, status: int, message: str, is_user: bool) -> str:
    """Return the message for a playlist that cannot be read.

    Parameters
    ----------
    playlist : str
        Id of the playlist.
    status : int
        HTTP status.
    message : str
        Spotify's error message.
    is_user : bool
        True if a user is logged in; else the request was made as the app.
    """
    cause = _cause(playlist, status, message, is_user)
    return f"playlist {playlist}: {cause} (HTTP {status}: {message or 'no reason'})"


def explain_track(track: str, status: int, message: str) -> str:
    """Return the message for a track that cannot be read."""
    cause = "Spotify has no such track; check the link in a browser" if status in (400, 404) else _app(message)
    return f"track {track}: {cause or 'Spotify refuses it'} (HTTP {status}: {message or 'no reason'})"


def is_of_the_app(message: str) -> bool:
    """Return True if a refusal concerns the app or the login, and so applies to all playlists."""
    return _app(message) != ""


def _cause(playlist: str, status: int, message: str, is_user: bool) -> str:
    if status == 404 and playlist.startswith("37i9dQZ"):
        return f"it is one of Spotify's own, which apps made after November 2024 cannot read; {COPY}"
    if status == 404:
        whose = "another user's private playlist" if is_user else "private (if it is yours, run `make spotify-login`)"
        return f"it was deleted or is {whose}; check the link in a browser"
    if status == 400:
        return "Spotify does not accept this id; check the link in a browser"
    if status == 401 and "user" in message.lower():
        return "only a logged-in user can read it; run `make spotify-login`"
    if status == 403 and _app(message):
        return _app(message)
    if status == 403 and is_user:
        return f"apps made since 2026 may read only playlists that you own or collaborate on; {COPY}"
    if status == 403:
        return f"this app may read playlists only for a logged-in user, and only the user's own; {COPY}"
    return "Spotify refuses it; see docs/spotify.md"


def _app(message: str) -> str:
    if re.search(r"premium", message, re.IGNORECASE):
        return (
            "the app's owner has no Spotify Premium, which apps need since 2026; "
            "after a renewal it can take some hours until requests are allowed"
        )
    if re.search(r"scope", message, re.IGNORECASE):
        return "the login does not include reading playlists; log in again with `make spotify-login`"
    if re.search(r"registered|allow-?list|user management", message, re.IGNORECASE):
        return (
            "the logged-in user is not among the app's users; the app's owner can add them under "
            "User Management at https://developer.spotify.com/dashboard"
        )
    return ""
