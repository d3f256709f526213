"""A song as Spotify knows it: what playlists and manifests give, and what audio is looked for by."""

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Song:
    """One track of Spotify's catalogue; in a manifest made by hand, some of it may be unknown (empty, 0)."""

    spotify_id: str
    title: str
    artists: tuple[str, ...]  # names, the main one first
    artist_ids: tuple[str, ...] = ()  # Spotify's, in the same order
    isrc: str = ""  # International Standard Recording Code: twelve capitals and digits
    duration_s: float = 0.0
    preview_url: str = ""  # of 30 s, where Spotify still gives it


def clean_isrc(text: str | None) -> str:
    """An ISRC as it is compared: "gb-duw-00-00059" is GBDUW0000059; empty where it is none."""
    letters = (text or "").replace("-", "").replace(" ", "").upper()
    return letters if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", letters) else ""


def name_of(song: Song) -> str:
    """What a song is called in tables and file names: its Spotify id, else its ISRC, else a digest of who and what."""
    if song.spotify_id or song.isrc:
        return song.spotify_id or song.isrc
    digest = hashlib.sha256("\0".join([song.title, *song.artists]).casefold().encode()).hexdigest()
    return f"song-{digest[:16]}"
