"""Read the tags of very many files, once: later runs open new and changed files only."""

import json
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genres.core.console import progress
from genres.core.files import stamp
from genres.core.paths import cache_dir
from genres.sources.tags import SongTags, read_song_tags

# Part of each record: raise it when more or other tags are read.
VERSION = 1

_BATCH = 500  # files after which the index is written, so that a killed run goes on from there
_THREADS = 8  # for disks and network shares that answer late
_WAIT_S = 60  # for another process that writes


def read_all(paths: list[Path]) -> list[SongTags | None]:
    """Return the tags of each file, None for one that is empty or cannot be opened.

    Those of unchanged files come from the index, .cache/library/tags.sqlite.
    """
    index = cache_dir("library") / "tags.sqlite"
    stamps = {str(path): _stamp(path) for path in paths}
    tags: dict[str, SongTags | None] = {
        path: read for path, (at, read) in _load(index).items() if stamps.get(path) == at
    }
    new = [path for path in stamps if path not in tags]
    bar = progress(range(0, len(new), _BATCH), what="reading tags", unit=f"{_BATCH} songs")
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in bar:
            batch = new[start : start + _BATCH]
            read = dict(zip(batch, pool.map(_read, map(Path, batch)), strict=True))
            _save(index, [(path, stamps[path], json.dumps(asdict(own))) for path, own in read.items() if own])
            tags |= read
    return [tags[str(path)] for path in paths]


def _stamp(path: Path) -> str:
    try:
        return f"{VERSION}\0{stamp(path)}"
    except OSError:  # gone since the folder was listed
        return ""


def _read(path: Path) -> SongTags | None:
    try:
        with path.open("rb") as file:
            return read_song_tags(path) if file.read(1) else None
    except OSError:
        return None


def _load(index: Path) -> dict[str, tuple[str, SongTags]]:
    """Return stamp and tags by path; nothing, and remove the file, if it is damaged."""
    try:
        with closing(sqlite3.connect(index, timeout=_WAIT_S)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS tags (path TEXT PRIMARY KEY, stamp TEXT, tags TEXT)")
            rows = database.execute("SELECT path, stamp, tags FROM tags").fetchall()
        return {path: (at, _tags_of(text)) for path, at, text in rows if at.startswith(f"{VERSION}\0")}
    except (sqlite3.Error, TypeError, ValueError):
        index.unlink(missing_ok=True)
        return {}


def _tags_of(text: str) -> SongTags:
    values = json.loads(text).items()
    tags: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values}
    return SongTags(**tags)


def _save(index: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    # What cannot be kept, on a full disk or where locks fail, is read again.
    with suppress(sqlite3.Error), closing(sqlite3.connect(index, timeout=_WAIT_S)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS tags (path TEXT PRIMARY KEY, stamp TEXT, tags TEXT)")
        database.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", rows)
