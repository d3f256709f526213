"""Manifests: songs of playlists as a table, so that another machine, or a person without an account, can ingest them.

``<songs_dir>/manifest.csv`` as `genres spotify export` writes it (spotify_id, isrc, title, artist,
artist_id, duration_s, genre; several artists are separated by ";"), made by hand, or as Exportify and its like save a
playlist. A table ``<songs_dir>/<genre>.csv`` needs no column `genre`: its name says it.
"""

import re
from pathlib import Path

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.files import read_table, write_table
from genres.sources.spotify.links import track_id
from genres.sources.spotify.song import Song, clean_isrc

NAME = "manifest.csv"
COLUMNS = ["spotify_id", "isrc", "title", "artist", "artist_id", "duration_s", "genre"]

# What others call our columns, in lower case. Exportify's "Genres" are the artist's and no label of the song.
_NAMES = {
    "spotify_id": ("spotify_id", "spotify id", "track uri", "spotify uri", "track id", "uri", "id"),
    "isrc": ("isrc",),
    "title": ("title", "track name", "song", "name"),
    "artist": ("artist", "artist name(s)", "artist name", "artists"),
    "artist_id": ("artist_id", "artist uri(s)", "artist uri", "artist ids"),
    "duration_s": ("duration_s", "duration", "track duration (ms)", "duration (ms)", "duration_ms"),
    "genre": ("genre",),
}


def read_manifests(folder: Path) -> list[tuple[str, Song]]:
    """The songs of all tables of a folder, each with its genre, in the order of the files' names and rows.

    Raises
    ------
    UserError
        Where a table has neither titles and artists nor ISRCs, or no genre.
    """
    return [row for path in sorted(folder.glob("*.csv")) for row in read_manifest(path)]


def read_manifest(path: Path) -> list[tuple[str, Song]]:
    """The songs of one table, each with its genre; rows that say too little are left out with a warning."""
    table = read_table(path, dtype=str)
    columns = {str(name).lstrip("\ufeff").strip().casefold(): str(name) for name in table}
    found = {ours: columns[name] for ours, names in _NAMES.items() for name in reversed(names) if name in columns}
    if not ({"title", "artist"} <= set(found) or "isrc" in found):
        raise UserError(
            f"{path}: has neither the columns title and artist nor isrc; it has {', '.join(map(str, table))}"
        )
    genre_of_file = "" if path.name == NAME else path.stem
    if "genre" not in found and not genre_of_file:
        raise UserError(f"{path}: has no column 'genre'; add one, or name the file after its genre, such as rap.csv")
    in_ms = "ms" in found.get("duration_s", "")
    songs = []
    for number, row in enumerate(table.to_dict("records"), 2):
        cells = {ours: str(row[name]).strip() for ours, name in found.items()}
        try:
            song = _song(cells, in_ms)
        except UserError as error:  # an episode's, mostly
            warn(f"{path}: line {number} is left out: {error}")
            continue
        genre = genre_of_file or cells["genre"]
        problem = "no genre" if not genre else "neither an ISRC nor a title and an artist"
        if genre and (song.isrc or (song.title and song.artists)):
            songs.append((genre, song))
        else:
            warn(f"{path}: line {number} is left out: {problem}")
    return songs


def _song(cells: dict[str, str], in_ms: bool) -> Song:
    link = cells.get("spotify_id", "")
    is_local = link.startswith("spotify:local")
    return Song(
        spotify_id=track_id(link) if link and not is_local else "",
        title=cells.get("title", ""),
        artists=_names(cells.get("artist", "")),
        artist_ids=tuple(re.findall(r"[0-9A-Za-z]{22}", cells.get("artist_id", ""))),
        isrc=clean_isrc(cells.get("isrc", "")),
        duration_s=_seconds(cells.get("duration_s", ""), in_ms),
    )


def _names(text: str) -> tuple[str, ...]:
    """Names of artists; a comma separates them only where there is no semicolon ("Tyler, The Creator; Kali Uchis")."""
    # Exportify writes a comma that belongs to a name as "\\,".
    separator = ";" if ";" in text else r"(?<!\\),"
    parts = tuple(filter(None, (part.replace("\\,", ",").strip() for part in re.split(separator, text))))
    # The whole is tried as a name, too: "Earth, Wind & Fire" is one.
    return (*parts, text) if separator != ";" and len(parts) > 1 and "\\," not in text else parts


def _seconds(text: str, in_ms: bool) -> float:
    """A duration as "215.3", "3:35" or, `in_ms`, "215300"; 0 where it is unknown."""
    if match := re.fullmatch(r"(?:(\d+):)?(\d+):(\d\d)", text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return 3600.0 * hours + 60 * minutes + seconds
    try:
        return max(0.0, float(text) / (1000 if in_ms else 1))
    except ValueError:
        return 0.0


def write_manifest(path: Path, songs: list[tuple[str, Song]]) -> None:
    """Write a table that :func:`read_manifest` reads."""
    rows = [
        [
            song.spotify_id,
            song.isrc,
            song.title,
            ";".join(song.artists),
            ";".join(song.artist_ids),
            f"{song.duration_s:g}" if song.duration_s else "",
            genre,
        ]
        for genre, song in songs
    ]
    write_table(path, pd.DataFrame(rows, columns=COLUMNS))
