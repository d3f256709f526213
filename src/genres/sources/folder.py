"""The user's own music: ``<dir>/<genre>/…`` with wav, au, flac, ogg, mp3 or m4a files, read in place.

``<dir>/tracks.csv`` (path, genre, artist, title, and optionally split and isrc) describes the songs. Without it, the
folder below `dir` is the genre, and artist, title and ISRC come from the tags. ``<dir>/remixes.csv`` (song, original,
remix: paths) lists remix pairs, which are excluded from training. Nothing is written to `dir`.
"""

from collections.abc import Callable
from pathlib import Path

import mutagen
import pandas as pd

from genres.audio.decode import EXTENSIONS
from genres.core.console import UserError, progress, warn
from genres.core.files import read_table
from genres.core.params import FolderRecipe
from genres.sources import CANDIDATE_COLUMNS


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
    songs = _from_table(table, recipe) if table.exists() else _from_folders(folder, recipe)
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
    songs = read_table(table, dtype=str)
    for column in ("path", "genre"):
        if column not in songs:
            raise UserError(f"{table}: has no column '{column}'")
    if songs["path"].duplicated().any():
        raise UserError(f"{table}: lists {songs['path'][songs['path'].duplicated()].iloc[0]} twice")
    songs["genre"] = songs["genre"].str.strip()
    if (songs["genre"] == "").any():
        raise UserError(f"{table}: {songs['path'][songs['genre'] == ''].iloc[0]} has no genre")
    songs = songs[[recipe.includes(genre) for genre in songs["genre"]]]
    return songs.rename(columns={"path": "track_id"}).reset_index(drop=True)


def _from_folders(folder: Path, recipe: FolderRecipe) -> pd.DataFrame:
    return list_songs(folder, recipe.includes)


def list_songs(folder: Path, wants: Callable[[str], bool]) -> pd.DataFrame:
    """List the audio files in the genre folders that `wants` accepts.

    Returns
    -------
    pd.DataFrame
        track_id (path below `folder`), genre, and artist, title and isrc from the tags.
    """
    paths = [
        path.relative_to(folder)
        for path in sorted(folder.glob("*/**/*"))
        if path.suffix.lower() in EXTENSIONS and path.is_file()
    ]
    paths = [path for path in paths if wants(path.parts[0]) and not _is_hidden(path) and _has_unicode_name(path)]
    rows = [
        {"track_id": path.as_posix(), "genre": path.parts[0], **_tags(folder / path)}
        for path in progress(paths, what="reading tags")
    ]
    return pd.DataFrame(rows, columns=["track_id", "genre", "artist", "title", "isrc"])


def _is_hidden(path: Path) -> bool:
    """Return True for paths such as ._song.mp3, .AppleDouble/song.mp3 or .Trash/song.mp3."""
    return any(part.startswith(".") for part in path.parts)


def _has_unicode_name(path: Path) -> bool:
    """Return True if the name can be written to a table; warn otherwise, as for names from old Latin-1 systems."""
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        warn(f"skipped {path.as_posix().encode(errors='surrogateescape')!r}: its name is not UTF-8, rename it")
        return False
    return True


# Mutagen's easy names do not cover the ID3 frames of wav files.
_TAGS = {"artist": "TPE1", "title": "TIT2", "isrc": "TSRC"}


def _tags(path: Path) -> dict[str, str]:
    """Read artist, title and ISRC from the file's tags; empty if missing or unreadable."""
    try:
        tags = mutagen.File(path, easy=True) or {}
    except (mutagen.MutagenError, OSError):
        tags = {}
    return {key: str((tags.get(key) or tags.get(frame) or [""])[0]).strip() for key, frame in _TAGS.items()}


def _mark_pairs(songs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    table = folder / "remixes.csv"
    songs = songs.assign(song="", version="")
    if not table.exists():
        return songs
    pairs = read_table(table, dtype=str)
    for column in ("song", "original", "remix"):
        if column not in pairs:
            raise UserError(f"{table}: has no column '{column}'")
    rows = {track_id: row for row, track_id in enumerate(songs["track_id"])}
    for pair in pairs.to_dict("records"):
        if not pair["song"].strip():
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
