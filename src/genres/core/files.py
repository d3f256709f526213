"""Read and write files.

Files are written under a temporary name, then renamed, so that a killed process never leaves half a file.
"""

import hashlib
import json
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genres.core.console import UserError, warn
from genres.core.paths import CLIPS, TRACKS, predictions_path

if TYPE_CHECKING:
    import pandas as pd  # takes longer to load than a prediction, which has no tables


class DamagedFileError(UserError, ValueError):
    """A file that is truncated or not of the expected format."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` at the end, or remove it on an error.

    The suffix is kept, since Keras and NumPy depend on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk names no file
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file; other processes print a warning and wait. A killed process releases the lock."""
    from filelock import FileLock, Timeout

    file_lock = FileLock(lock)
    try:
        file_lock.acquire(timeout=0)
    except Timeout:
        warn(f"{what}: waiting for another process to finish it")
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN raises ValueError, since only Python's reader accepts it."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    DamagedFileError
        If it is not valid JSON, most likely truncated. A caller that reads a cache computes the value again.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # both JSON and UTF-8 errors
        raise DamagedFileError(f"{path}: damaged or truncated ({error}); delete it and run `dvc repro`") from None


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a CSV atomically, without the index."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False)


def read_table(path: Path, **options: Any) -> "pd.DataFrame":
    """Read a CSV; empty cells become empty strings, and "NA" stays text (it is the name of an artist).

    Raises
    ------
    UserError
        If the file is missing or not a CSV table in UTF-8.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            # A row has more cells than the header, mostly because a path with a comma is not quoted.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, keep_default_na=False, index_col=False, **options)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro` to create what a stage needs") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        hint = "; a cell with a comma needs quotes" if isinstance(error, pd.errors.ParserWarning) else ""
        raise UserError(f"{path}: cannot be read as a CSV table in UTF-8 ({error}){hint}") from None


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(path: Path) -> str:
    """Return a text that changes with a file: its size and times.

    Raises
    ------
    OSError
        If the file is missing.
    """
    status = path.stat()
    # Includes the change time, which cannot be set back as the modification time can.
    return f"{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"


def read_predictions(architecture: str) -> "pd.DataFrame":
    """Read predictions/<architecture>.csv: track_id, fold, genre, predicted and a probability column a genre.

    Raises
    ------
    UserError
        If it is missing.
    """
    path = predictions_path(architecture)
    if not path.exists():
        raise UserError(f"{path}: no such file; run: dvc repro {shlex.quote(f'evaluate@{architecture}')}")
    return read_table(path, dtype={"track_id": str, "genre": str, "predicted": str})


def read_clips() -> "pd.DataFrame":
    """Read data/clips.csv: clip_id, track_id, start_s, fold, and the genre from data/tracks.csv."""
    clips = read_table(CLIPS, dtype={"track_id": str, "clip_id": str})
    return clips.merge(read_table(TRACKS, dtype=str)[["track_id", "genre"]], on="track_id", validate="many_to_one")
