"""Manifests: songs of playlists as a table, to be ingested on another machine or without an account.

``<songs_dir>/manifest.csv`` is written by `genres spotify export` (spotify_id, isrc, title, artist, artist_id,
duration_s, genre; several artists are separated by ";"), by hand, or by tools such as Exportify. A table
``<songs_dir>/<genre>.csv`` needs no column `genre`: the file name gives it.
"""

import math
import re
from pathlib import Path

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.files import write_table
from genres.core.names import clean_isrc
from genres.core.tables import decimal, read_user_table
from genres.sources.spotify.links import track_id
from genres.sources.spotify.song import Song

NAME = "manifest.csv"
COLUMNS = ["spotify_id", "isrc", "title", "artist", "artist_id", "duration_s", "genre"]

# Other tools' names of the columns, in lower case. Exportify's "Genres" are the artist's, not labels of the song.
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
    """Read the songs of all tables of a folder, each with its genre, in the order of file names and rows.

    Raises
    ------
    UserError
        If a table has neither titles and artists nor ISRCs, or no genre.
    """
    return [row for path in sorted(folder.glob("*.csv")) for row in read_manifest(path)]


def read_manifest(path: Path) -> list[tuple[str, Song]]:
    """Read the songs of a table, each with its genre; incomplete rows are skipped with a warning."""
    table = read_user_table(path)
    columns = {ours: name for ours, names in _NAMES.items() for name in reversed(names) if name in table}
    if not ({"title", "artist"} <= set(columns) or "isrc" in columns):
        raise UserError(f"{path}: needs the columns title and artist, or isrc; it has {', '.join(map(str, table))}")
    genre_of_file = "" if path.name == NAME else path.stem
    if "genre" not in columns and not genre_of_file:
        raise UserError(f"{path}: has no column 'genre'; add one, or name the file after its genre, such as rap.csv")
    in_ms = "ms" in columns.get("duration_s", "")
    songs, unreadable = [], []
    for number, row in enumerate(table.to_dict("records"), 2):
        cells = {ours: str(row[name]).strip() for ours, name in columns.items()}
        try:
            song = _song(cells, in_ms)
        except UserError as error:  # mostly links to episodes
            warn(f"{path}: skipped line {number}: {error}")
            continue
        if _seconds(cells.get("duration_s", ""), in_ms) is None:
            unreadable.append(f"'{cells['duration_s']}' in line {number}")
        genre = genre_of_file or cells["genre"]
        problem = "no genre" if not genre else "neither an ISRC nor a title and an artist"
        if genre and (song.isrc or (song.title and song.artists)):
            songs.append((genre, song))
        else:
            warn(f"{path}: skipped line {number}: {problem}")
    if unreadable:
        warn(f"{path}: {len(unreadable)} durations count as unknown, such as {unreadable[0]}: write 215.3 or 3:35")
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
        duration_s=_seconds(cells.get("duration_s", ""), in_ms) or 0.0,
    )


def _names(text: str) -> tuple[str, ...]:
    """Split artists' names at semicolons, else at commas ("Tyler, The Creator; Kali Uchis" are two)."""
    # Exportify escapes a comma within a name as "\\,".
    separator = ";" if ";" in text else r"(?<!\\),"
    parts = tuple(filter(None, (part.replace("\\,", ",").strip() for part in re.split(separator, text))))
    # The whole text is added as a name, for "Earth, Wind & Fire" is one artist.
    return (*parts, text) if separator != ";" and len(parts) > 1 and "\\," not in text else parts


def _seconds(text: str, in_ms: bool) -> float | None:
    """Parse a duration such as "215.3", "215,3", "3:35" or, if `in_ms`, "215300"; 0 if empty, None if it is none."""
    if match := re.fullmatch(r"(?:(\d+):)?(\d+):(\d\d(?:[.,]\d+)?)", text):
        hours, minutes, seconds = match.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + decimal(seconds)
    if in_ms and re.fullmatch(r"\d{1,3}([.,' ]\d{3})+", text):  # groups of thousands
        text = re.sub(r"\D", "", text)
    number = decimal(text or "0") / (1000 if in_ms else 1)
    return number if 0 <= number < math.inf else None


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
