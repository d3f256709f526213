"""Parsing of links to playlists and tracks: URLs, URIs and bare ids."""

import re
import reprlib
from urllib.parse import urlsplit

from genres.core.console import UserError

ID = re.compile(r"[0-9A-Za-z]{22}")  # base62

KINDS = ("playlist", "track", "album", "artist", "episode", "show", "audiobook", "user")
HOSTS = ("open.spotify.com", "play.spotify.com")
SHORT_HOSTS = ("spotify.link", "spotify.app.link", "spoti.fi")

_shown = reprlib.Repr()
_shown.maxstring = 120


def playlist_id(text: str) -> str:
    """Return the id of the playlist of a link, a URI or a bare id.

    Raises
    ------
    UserError
        If the text is not understood; names the accepted forms.
    """
    return _id("playlist", text)


def track_id(text: str) -> str:
    """Return the id of a track: see :func:`playlist_id`."""
    return _id("track", text)


def _id(kind: str, text: str) -> str:
    received = f"{kind} link: {_shown.repr(text)}"
    text = text.strip() if isinstance(text, str) else ""
    if ID.fullmatch(text):
        return text
    if _host(text) in SHORT_HOSTS:
        raise UserError(f"{received} is a short link; open it in a browser and paste the long URL that it leads to")
    parts = _parts(text)
    # Legacy forms name the owner before the playlist: user/NAME/playlist/ID.
    if len(parts) >= 4 and parts[0] == "user" and parts[2] in KINDS:
        parts = parts[2:]
    if len(parts) == 2 and parts[0] == kind and ID.fullmatch(parts[1]):
        return parts[1]
    if parts and parts[0] in KINDS and parts[0] != kind:
        raise UserError(f"{received} leads to {_a(parts[0])}; a link to {_a(kind)} is needed here")
    raise UserError(
        f"{received} is not understood; write https://open.spotify.com/{kind}/ID, spotify:{kind}:ID, or the ID alone, "
        "which has 22 letters and digits"
    )


def _parts(text: str) -> list[str]:
    """Split a URL or URI into kind and id; empty if it is neither."""
    if text.lower().startswith("spotify:"):
        return text.split(":")[1:]
    if _host(text) not in HOSTS:
        return []
    path = urlsplit(text if "://" in text else f"https://{text}").path
    parts = [part for part in path.split("/") if part]
    # The path may begin with the page's language, and with /embed/ for embedded pages.
    while parts and (parts[0] in ("embed", "embed-legacy") or re.fullmatch(r"intl-[A-Za-z-]+", parts[0])):
        parts = parts[1:]
    return parts


def _host(text: str) -> str:
    """Return the host of a URL, whose https:// may be missing; empty if there is none."""
    try:
        split = urlsplit(text if "://" in text else f"https://{text}")
        return (split.hostname or "") if split.scheme in ("http", "https") else ""
    except ValueError:  # for example an unclosed [
        return ""


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"
