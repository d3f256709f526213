"""Metadata of a song from playlists and manifests, by which its audio is searched."""

import hashlib
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


def name_of(song: Song) -> str:
    """Return a song's name in tables and file names: Spotify id, else ISRC, else a hash of title and artists."""
    if song.spotify_id or song.isrc:
        return song.spotify_id or song.isrc
    digest = hashlib.sha256("\0".join([song.title, *song.artists]).casefold().encode()).hexdigest()
    return f"song-{digest[:16]}"
