"""The user's own music: ``<dir>/<genre>/…`` with audio files of any common format, read in place.

``<dir>/tracks.csv`` (path, genre, artist, title, and optionally split and isrc) describes the songs. Without it, the
folder below `dir` is the genre, and artist, title and ISRC come from the tags. ``<dir>/remixes.csv`` (song, original,
remix: paths) lists remix pairs, which are excluded from training. Nothing is written to `dir`.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from genres.audio.walk import NOT_UNICODE, find_music, kinds, readable
from genres.core.console import UserError, progress, warn
from genres.core.names import path_key, same_text
from genres.core.recipes import FolderRecipe
from genres.core.tables import read_user_table
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.source import AudioFiles
from genres.sources.tags import read_tags

# Columns of the tables that have a column for each genre; and the genre of a folder of blanks.
_TAKEN = ("", "artist", "fold", "genre", "predicted", "probability", "probability_of_genre", "track_id")


class Source(AudioFiles[FolderRecipe]):
    """Songs of the user's folder."""

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: see :func:`collect`."""
        return collect(self.recipe, self.folder)


def collect(recipe: FolderRecipe, raw_dir: Path) -> pd.DataFrame:
    """List the songs of a folder.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`; the track_id is the path below `dir`.

    Raises
    ------
    UserError
        If the folder, a requested genre or a required column is missing.
    """
    folder = recipe.dir.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"datasets.folder.dir: {folder}: no such folder")
    table = folder / "tracks.csv"
    if table.exists():
        songs = _from_table(table, recipe)
    else:
        songs = list_songs(folder, recipe.includes)
        _check_is_not_fma(songs, folder)
    songs["genre"] = one_spelling(songs["genre"], recipe.genres)
    missing = [genre for genre in recipe.genres or [] if genre not in set(songs["genre"])]
    if missing:
        raise UserError(f"datasets.folder.genres: no music of genre '{missing[0]}' in {folder}; add some or remove it")
    if songs.empty:
        raise UserError(
            f"{folder}: no music found; put songs into <genre> folders there, or set another folder: "
            "dvc exp run -S dataset=folder -S datasets.folder.dir=/path/to/music"
        )
    songs = _mark_pairs(songs, folder)
    songs["source"] = "folder"
    songs["path"] = [str(folder / path) for path in songs["track_id"]]
    return songs.reindex(columns=CANDIDATE_COLUMNS, fill_value="").fillna("")


def _from_table(table: Path, recipe: FolderRecipe) -> pd.DataFrame:
    songs = read_user_table(table, ("path", "genre"))
    for column, other in (("path", "genre"), ("genre", "path")):
        if (songs[column] == "").any():
            raise UserError(f"{table}: {songs[other][songs[column] == ''].iloc[0]} has no {column}")
    songs["path"] = _existing(songs["path"], table.parent)
    if songs["path"].duplicated().any():
        raise UserError(f"{table}: lists {songs['path'][songs['path'].duplicated()].iloc[0]} twice; remove one")
    songs["genre"] = [genre_of(genre) for genre in songs["genre"]]
    songs = songs[[recipe.includes(genre) for genre in songs["genre"]]]
    return songs.rename(columns={"path": "track_id"}).reset_index(drop=True)


def _existing(names: Iterable[str], folder: Path) -> list[str]:
    """Return the path of each name as it is on disk: Windows' backslashes, Unicode forms and case may differ."""
    by_key: dict[str, str] | None = None
    paths = []
    for name in names:
        if os.path.exists(folder / name):  # noqa: PTH110 (Path.exists raises for names that are too long)
            paths.append(str(Path(name)))
            continue
        if by_key is None:
            by_key = {path_key(path.as_posix()): path.as_posix() for path in find_music(folder).songs}
        paths.append(by_key.get(path_key(name), name.replace("\\", "/")))
    return paths


def list_songs(folder: Path, wants: Callable[[str], bool]) -> pd.DataFrame:
    """List the songs in the genre folders that `wants` accepts; say what is left out.

    Returns
    -------
    pd.DataFrame
        track_id (path below `folder`), genre, and artist, title and isrc from the tags.
    """
    found = find_music(folder)
    for path in found.misnamed:
        warn(f"{readable(folder / path)}: left out: {NOT_UNICODE}")
    beside = [path for path in found.songs if len(path.parts) == 1]
    if beside:
        warn(f"{folder}: left out: {len(beside)} songs that are in no genre folder, such as {beside[0]}")
    paths, others = (
        [path for path in some if len(path.parts) > 1 and wants(genre_of(path.parts[0]))]
        for some in (found.songs, found.others)
    )
    if others:
        silent = {genre_of(path.parts[0]) for path in others} - {genre_of(path.parts[0]) for path in paths}
        nothing = f"; no music of {', '.join(sorted(silent))}" if silent else ""
        warn(f"{folder}: left out: {kinds(others)}{nothing}")
    rows = [
        {"track_id": path.as_posix(), "genre": genre_of(path.parts[0]), **read_tags(folder / path)}
        for path in progress(paths, what="reading tags")
    ]
    return pd.DataFrame(rows, columns=["track_id", "genre", "artist", "title", "isrc"])


def genre_of(name: str) -> str:
    """Return the genre that a folder or cell names: in Unicode's form NFC, without outer and repeated blanks."""
    genre = " ".join(unicodedata.normalize("NFC", name).split())
    return f"{genre} (genre)".strip() if genre in _TAKEN else genre


def one_spelling(names: Iterable[str], wanted: Sequence[str] | None = None) -> list[str]:
    """Return the genre of each name, in the first spelling, or that of `wanted`, where names differ in case only."""
    spelling = {same_text(genre): genre for genre in wanted or []}
    genres = [genre_of(name) for name in names]
    for genre in dict.fromkeys(genres):
        first = spelling.setdefault(same_text(genre), genre)
        if first != genre:
            warn(f"genre '{genre}' counts as '{first}'")
    return [spelling[same_text(genre)] for genre in genres]


def _check_is_not_fma(songs: pd.DataFrame, folder: Path) -> None:
    """Raise an error for the Free Music Archive's data set, whose folders are numbers and no genres."""
    numbers = songs["track_id"].str.extract(r"(?:^|/)(\d{3})/(\d{6})\.mp3$", flags=re.IGNORECASE)
    if len(songs) and (numbers[0] == numbers[1].str[:3]).mean() > 0.5:
        raise UserError(
            f"{folder}: is the FMA data set as it is unzipped, whose folders 000, 001, … are no genres: make a "
            f"{folder / 'tracks.csv'} with path,genre,artist from track/genre_top and artist/name of its "
            "fma_metadata/tracks.csv"
        )


def _mark_pairs(songs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    table = folder / "remixes.csv"
    songs = songs.assign(song="", version="")
    if not table.exists():
        return songs
    pairs = read_user_table(table, ("song", "original", "remix"))
    rows = {track_id: row for row, track_id in enumerate(songs["track_id"])}
    for column in ("original", "remix"):
        pairs[column] = _existing(pairs[column], folder)
    for pair in pairs.to_dict("records"):
        if not pair["song"]:
            raise UserError(f"{table}: {pair['remix']} has no song; give the pair a name")
        for version in ("original", "remix"):
            if pair[version] not in rows:
                raise UserError(f"{table}: {pair[version]} is not among the songs of {folder}")
            previous = list(songs.loc[rows[pair[version]], ["song", "version"]])
            if previous not in (["", ""], [pair["song"], version]):
                raise UserError(
                    f"{table}: {pair[version]} is the {version} of '{pair['song']}' and the {previous[1]} of "
                    f"'{previous[0]}'; give all remixes of one original the same song name"
                )
            songs.loc[rows[pair[version]], ["song", "version"]] = [pair["song"], version]
    return songs
