"""Conversion of the Web API's playlist entries to songs, or to the reason why an entry is not a song.

An entry holds its track under `item` (since 2026), `track` (before), or both. Other entries are empty, podcast
episodes, local files of the owner, or delisted tracks without id or name.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from genres.core.names import clean_isrc
from genres.sources.spotify.links import ID
from genres.sources.spotify.song import Song

LOCAL = "local file"
EPISODE = "episode"
GONE = "not available any more"
UNPLAYABLE = "unplayable"
TWICE = "asked for twice"
NOT_SENT = "not sent by Spotify"


def songs_of(entries: Iterable[Any]) -> tuple[list[Song], dict[str, int]]:
    """Return the songs of a playlist without duplicates, and the number of excluded entries by reason."""
    songs: dict[str, Song] = {}
    left_out: Counter[str] = Counter()
    for entry in entries:
        song = song_of_entry(entry)
        if isinstance(song, str):
            left_out[song] += 1
        elif song.spotify_id in songs:
            left_out[TWICE] += 1
        else:
            songs[song.spotify_id] = song
    return list(songs.values()), dict(left_out)


def names_of_others(entries: Iterable[Any]) -> dict[str, list[str]]:
    """Return the names, "artists - title", of entries that are no songs but have a title, by the reason."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        reason, track = song_of_entry(entry), _track(entry) or {}
        if isinstance(reason, str) and (title := _text(track.get("name"))):
            artists = ", ".join(filter(None, (_text(artist.get("name")) for artist in _artists(track))))
            names.setdefault(reason, []).append(f"{artists} - {title}" if artists else title)
    return names


def _track(entry: Any) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        return None
    return next((entry[key] for key in ("item", "track") if isinstance(entry.get(key), dict)), None)


def _artists(track: dict[str, Any]) -> list[dict[str, Any]]:
    return [artist for artist in _list(track.get("artists")) if isinstance(artist, dict)]


def song_of_entry(entry: Any) -> Song | str:
    """Return the song of an entry, or the reason why there is none."""
    if not isinstance(entry, dict):
        return GONE
    track = _track(entry)
    if entry.get("is_local") is True:
        return LOCAL
    return GONE if track is None else song_of_track(track)


def song_of_track(track: dict[str, Any]) -> Song | str:
    """Return the song of a track object, or the reason why there is none.

    Track objects of playlists also have boolean keys `track` and `episode`.
    """
    if track.get("is_local") is True:
        return LOCAL
    if track.get("type", "track") != "track" or track.get("episode") is True:
        return EPISODE
    identity, title = _text(track.get("id")), _text(track.get("name"))
    external = track.get("external_ids")
    isrc = clean_isrc(_text(external.get("isrc")) if isinstance(external, dict) else "")
    # Some delisted tracks keep the id but lose the name.
    if not ID.fullmatch(identity) or not (title or isrc):
        return GONE
    if track.get("is_playable") is False or track.get("restrictions"):
        return UNPLAYABLE
    named = [(name, _text(artist.get("id"))) for artist in _artists(track) if (name := _text(artist.get("name")))]
    duration = track.get("duration_ms")
    return Song(
        spotify_id=identity,
        title=title,
        artists=tuple(name for name, _ in named),
        artist_ids=tuple(artist for _, artist in named),
        isrc=isrc,
        duration_s=max(0.0, duration / 1000) if isinstance(duration, int | float) else 0.0,
        preview_url=_text(track.get("preview_url")),
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
