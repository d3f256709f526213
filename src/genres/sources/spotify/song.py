"""Metadata of a song from playlists and manifests, by which its audio is searched."""

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Song:
    """One track of Spotify's catalogue; fields that a manifest does not give are empty or 0."""

    spotify_id: str
    title: str
    artists: tuple[str, ...]  # names, the main one first
    artist_ids: tuple[str, ...] = ()  # Spotify's ids, in the same order
    isrc: str = ""  # International Standard Recording Code: twelve capitals and digits
    duration_s: float = 0.0
    preview_url: str = ""  # preview of 30 s, if Spotify still gives it


def clean_isrc(text: str | None) -> str:
    """Return an ISRC in its normal form: GBDUW0000059 for "gb-duw-00-00059"; empty if invalid."""
    letters = (text or "").replace("-", "").replace(" ", "").upper()
    return letters if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", letters) else ""


def name_of(song: Song) -> str:
    """Return a song's name in tables and file names: Spotify id, else ISRC, else a hash of title and artists."""
    if song.spotify_id or song.isrc:
        return song.spotify_id or song.isrc
    digest = hashlib.sha256("\0".join([song.title, *song.artists]).casefold().encode()).hexdigest()
    return f"song-{digest[:16]}"
