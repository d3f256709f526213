"""The undo file: what restores each changed file to its former bytes and times.

JSON lines. The first names the folder; each other one is a file: `path` (relative to the folder), `file` (absolute),
the digests `before` and `after` of its bytes, `times_ns`, and `edits`: parts of the changed file, from the last to the
first, with the bytes (base64) that were in their place. A line is on the disk before its file is changed.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.library.error import LeftAloneError
from genres.library.form import splice
from genres.library.replace import copy_beside, refuse_unwritable, rename, signature

FORMAT = "music-genres undo 1"
NEAR = 32  # differing bytes with fewer equal ones between them are one edit
CHUNK = 1 << 22  # bytes that are compared at once
ANCHOR, SAMPLES = 256, 64  # bytes that are searched for where music moved; such pieces that are compared


class Journal:
    """An undo file that is being written; it is made with its first line, and never replaces a file.

    Parameters
    ----------
    path, folder : Path
        The undo file, and the folder of the music.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self._folder, self._is_new = path, folder, True

    def add(self, song: Path, changed: Path, before: str) -> None:
        """Write the line of a song that is about to be replaced by a changed copy; `before` is the digest it had."""
        status = song.stat()
        entry = {
            "path": os.path.relpath(song, self._folder),
            "file": str(song),
            "before": before,
            "after": sha256_of(changed),
            "times_ns": [status.st_atime_ns, status.st_mtime_ns],
            "edits": edits(song, changed),
        }
        lines = [{"format": FORMAT, "folder": str(self._folder)}] * self._is_new + [entry]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("x" if self._is_new else "a", encoding="utf-8") as file:
                self._is_new = False
                file.write("".join(json.dumps(line) + "\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise UserError(f"{self.path}: exists already; name another file by --undo-file") from None
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}; name another file by --undo-file") from None

    @property
    def is_empty(self) -> bool:
        return self._is_new


def edits(old: Path, new: Path) -> list[list[Any]]:
    """Return start, end and former bytes (base64) of the parts of `new` that differ from `old`, the last first."""
    before, after = (np.memmap(path, mode="r") for path in (old, new))
    head = _equal(before, after)
    tail = _equal(before[head:][::-1], after[head:][::-1])
    a, b = before[head : len(before) - tail], after[head : len(after) - tail]
    # Music that moved is compared where it is now: by its end, its beginning, or its middle.
    shift = max((0, len(b) - len(a), _shift_of_middle(a, b)), key=lambda shift: _equal_at(a, b, shift))
    return [
        [head + start, head + end, base64.b64encode(former.tobytes()).decode()]
        for start, end, former in reversed(_differences(a, b, shift))
        if len(former) or end > start
    ]


def _equal_at(a: np.ndarray, b: np.ndarray, shift: int) -> int:
    """Return the number of equal bytes in samples of both, where a has moved by `shift`."""
    low, high = max(0, -shift), min(len(a), len(b) - shift)
    if low >= high:
        return 0
    starts = np.linspace(low, max(low, high - ANCHOR), SAMPLES).astype(int)
    samples = (slice(start, min(start + ANCHOR, high)) for start in starts)
    return sum(int(np.sum(a[each] == b[each.start + shift : each.stop + shift])) for each in samples)


def _shift_of_middle(a: np.ndarray, b: np.ndarray) -> int:
    """Return the distance by which the bytes in the middle of a have moved in b; 0 if they are not near."""
    middle = len(a) // 2
    anchor = a[middle : middle + ANCHOR].tobytes()
    if (further := b[middle : middle + CHUNK].tobytes().find(anchor)) >= 0:
        return further
    start = max(0, middle - CHUNK)
    nearer = b[start : middle + ANCHOR].tobytes().rfind(anchor)
    return start + nearer - middle if nearer >= 0 else 0


def _differences(a: np.ndarray, b: np.ndarray, shift: int) -> list[tuple[int, int, np.ndarray]]:
    """Return start and end of the parts of b that differ from a, which has moved by `shift`, and what a has there."""
    low, high = max(0, -shift), min(len(a), len(b) - shift)
    if low >= high:
        return [(0, len(b), a)]
    runs: list[list[int]] = []
    for first in range(low, high, CHUNK):
        last = min(first + CHUNK, high)
        different = first + np.flatnonzero(a[first:last] != b[first + shift : last + shift])
        for run in np.split(different, np.flatnonzero(np.diff(different) > NEAR) + 1) if len(different) else ():
            if runs and run[0] - runs[-1][1] < NEAR:
                runs[-1][1] = int(run[-1]) + 1
            else:
                runs.append([int(run[0]), int(run[-1]) + 1])
    inner = [(start + shift, end + shift, a[start:end]) for start, end in runs]
    return [(0, low + shift, a[:low]), *inner, (high + shift, len(b), a[high:])]


def _equal(a: np.ndarray, b: np.ndarray) -> int:
    """Return the number of equal bytes at the beginning."""
    n = min(len(a), len(b))
    for start in range(0, n, CHUNK):
        end = min(start + CHUNK, n)
        different = np.flatnonzero(a[start:end] != b[start:end])
        if len(different):
            return start + int(different[0])
    return n


def take_back(path: Path, changes: list[list[Any]]) -> None:
    """Give a changed file its former bytes."""
    with path.open("r+b") as file:
        for start, end, former in changes:
            splice(file, start, end, base64.b64decode(former))


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the files of an undo file, the last first; a last line that was cut off is left out.

    Raises
    ------
    UserError
        If it is no undo file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such undo file") from None
    except UnicodeDecodeError:
        lines = []
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        try:
            entry = json.loads(line)
            is_known = "format" in entry if number == 0 else {"path", "file", "before", "after"} <= set(entry)
        except (ValueError, TypeError):
            is_known = False
        if not is_known:
            if number == len(lines) - 1 > 0:  # its file was not changed yet
                break
            found = []
            break
        found.append(entry)
    if not found or found[0]["format"] != FORMAT:
        raise UserError(f"{path}: is no undo file of genres tag")
    yield from reversed(found[1:])


def restore(entry: dict[str, Any], folder: Path | None = None) -> bool:
    """Restore one file; return False if it is as it was already.

    Parameters
    ----------
    entry : dict
        A line of the undo file.
    folder : Path or None
        Where the music is now, if it was moved.

    Raises
    ------
    LeftAloneError
        If the file is gone, was changed since, or cannot be written.
    """
    is_inside = not entry["path"].startswith("..")  # else a link led out of the folder
    song = folder / entry["path"] if folder and is_inside else Path(entry["file"])
    if not song.is_file():
        raise LeftAloneError("no such file")
    song = song.resolve()
    seen = signature(song)
    digest = sha256_of(song)
    if digest == entry["before"]:
        return False
    if digest != entry["after"]:
        raise LeftAloneError("it was changed since, so it is left as it is")
    refuse_unwritable(song)
    with copy_beside(song) as temporary:
        shutil.copyfile(song, temporary)
        take_back(temporary, entry["edits"])
        if sha256_of(temporary) != entry["before"]:
            raise LeftAloneError("the undo file is damaged, so it is left as it is")
        if signature(song) != seen:
            raise LeftAloneError("it is being changed by another program")
        rename(temporary, song, tuple(entry["times_ns"]))
    return True
