"""Store the spectrograms of a data set as shards, memory-mapped arrays of bytes, with an index of the tracks.

A shard is an array of about 64 MB of concatenated tracks. The digest of a track's audio determines its shard, and the
content of a shard determines its file name. Adding or removing a song thus replaces one file, and DVC hashes, copies
and sends only that file, however many songs there are. The number of shards is a power of two: it doubles now and then
as songs are added, and only then are all shards written again.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from genres.audio.format import Format
from genres.core.console import UserError
from genres.core.files import atomic, read_json, read_table, write_json, write_table

INDEX, FORMAT = "index.csv", "format.json"
_COLUMNS = ["track_id", "sha256", "shard", "start", "frames"]

SHARD_BYTES = 64 << 20
MOST_SHARDS = 256  # each one that is read keeps a file open, and the limit of a process is often 1024

# The header is rewritten when all frames of a shard are written and counted; NumPy pads it to 128 bytes.
_HEADER_BYTES = 128


class Spectrograms:
    """Reader of the stored spectrograms of a data set; a track is a range of frames in a memory-mapped array."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).exists():
            raise UserError(f"{folder}: no spectrograms here; make them with: dvc repro mels")
        self._folder = folder
        self.format = Format(**read_json(folder / FORMAT))
        index = read_table(folder / INDEX, dtype={"track_id": str, "shard": str})
        columns = (index[column] for column in ("shard", "start", "frames"))
        self._runs = dict(zip(index["track_id"], zip(*columns, strict=True), strict=True))
        self._arrays: dict[str, np.ndarray] = {}

    def track(self, track_id: str) -> np.ndarray:
        """Return a track's spectrogram: uint8 [shape=(frames, n_mels)], a view of the memory-mapped file."""
        shard, start, frames = self._runs[track_id]
        if shard not in self._arrays:
            try:
                # A plain array on the mapped memory: slices of numpy.memmap take ten times the memory and time.
                self._arrays[shard] = np.load(self._folder / shard, mmap_mode="r").view(np.ndarray)
            except (OSError, ValueError) as error:
                raise UserError(f"{self._folder / shard}: cannot be read ({error}); {_REMAKE}") from None
        return self._arrays[shard][start : start + frames]

    def seconds(self, track_id: str) -> float:
        """Return the duration of a track."""
        return self._runs[track_id][2] / self.format.frame_rate


_REMAKE = "make it again: rm -r data/mels && dvc repro mels"


def count(total_frames: float, n_mels: int) -> int:
    """Return the number of shards of a data set, a power of two."""
    n_full = max(1.0, total_frames * n_mels / SHARD_BYTES)
    return int(min(MOST_SHARDS, 2 ** np.ceil(np.log2(n_full))))


def write(
    folder: Path,
    tracks: pd.DataFrame,
    read: Callable[[int], np.ndarray],
    form: Format,
    *,
    key: str,
    n_shards: int,
) -> None:
    """Update the shards and the index in `folder`; shards that are up to date are not touched.

    A killed process leaves the old index and all shards that it lists.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    tracks : pd.DataFrame
        Columns track_id and sha256; equal digests are stored once.
    read : callable
        Returns the spectrogram of a row of `tracks`, by position: uint8 [shape=(frames, n_mels)].
    form : Format
        Format of the spectrograms.
    key : str
        Key of all that the spectrograms depend on apart from the track's digest.
    n_shards : int
        Number of shards: see :func:`count`.
    """
    row_of = {digest: row for row, digest in reversed(list(enumerate(tracks["sha256"])))}
    digests: list[list[str]] = [[] for _ in range(n_shards)]
    for digest in sorted(row_of):
        digests[_shard_of(digest, n_shards)].append(digest)
    stored_lengths = _lengths(folder)
    runs: dict[str, tuple[str, int, int]] = {}
    for number, members in enumerate(digests):
        if not members:
            continue
        name = f"{number:03d}-{hashlib.sha256(' '.join([key, *members]).encode()).hexdigest()[:16]}.npy"
        path = folder / name
        lengths = [stored_lengths.get((name, digest), 0) for digest in members]
        if 0 in lengths or not _is_whole(path, sum(lengths), form.n_mels):
            lengths = _write_shard(path, (read(row_of[digest]) for digest in members), form.n_mels)
        start = 0
        for digest, frames in zip(members, lengths, strict=True):
            runs[digest] = (name, start, frames)
            start += frames
    rows = [
        (track_id, digest, *runs[digest]) for track_id, digest in zip(tracks["track_id"], tracks["sha256"], strict=True)
    ]
    write_json(folder / FORMAT, vars(form))
    write_table(folder / INDEX, pd.DataFrame(rows, columns=_COLUMNS))
    current = {name for name, _, _ in runs.values()}
    for path in folder.glob("*.npy"):
        if path.name not in current:
            path.unlink()


def _shard_of(digest: str, n_shards: int) -> int:
    """Return the shard of a track, from the first bits of the hash of its digest, which may be any text."""
    return int.from_bytes(hashlib.sha256(digest.encode()).digest()[:4]) * n_shards >> 32


def _lengths(folder: Path) -> dict[tuple[str, str], int]:
    """Return the frames of each track by shard and digest from the index of an earlier run; empty without one."""
    try:
        index = read_table(folder / INDEX, dtype={"sha256": str, "shard": str})
        return dict(zip(zip(index["shard"], index["sha256"], strict=True), index["frames"].astype(int), strict=True))
    except (UserError, KeyError, ValueError):
        return {}


def _is_whole(path: Path, frames: int, n_mels: int) -> bool:
    return path.exists() and path.stat().st_size == _HEADER_BYTES + frames * n_mels


def _write_shard(path: Path, spectrograms: Iterable[np.ndarray], n_mels: int) -> list[int]:
    lengths = []
    with atomic(path) as temporary, temporary.open("wb") as file:
        _write_header(file, 0, n_mels)
        for frames in spectrograms:
            file.write(np.ascontiguousarray(frames).data)
            lengths.append(len(frames))
        file.seek(0)
        _write_header(file, sum(lengths), n_mels)
    return lengths


def _write_header(file: BinaryIO, frames: int, n_mels: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (frames, n_mels)})
    assert file.tell() == _HEADER_BYTES
