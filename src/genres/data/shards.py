"""How the spectrograms of a data set lie on disk: some memory-mapped arrays of bytes, and an index of whose is what.

A shard is an array of about 64 MB in which tracks follow each other; which one a track is in follows from the digest of
its audio, and the name of a shard's file from all that is in it. So a song more, or one less, makes one new file, and
DVC hashes, copies and sends one file, however many songs there are. Their number is a power of two: as songs are added
it doubles now and then, and only then is all of it written anew.
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
MOST_SHARDS = 256  # each one that is read holds an open file, of which a process may often have no more than 1024

# The header is written again at the end of a shard, when the number of frames is known; NumPy pads it to 128 bytes.
_HEADER_BYTES = 128


class Spectrograms:
    """The stored spectrograms of a data set: each track is a run of frames in a memory-mapped array."""

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
        """A whole track: uint8 [shape=(frames, n_mels)], a view of the memory-mapped file."""
        shard, start, frames = self._runs[track_id]
        if shard not in self._arrays:
            try:
                # A plain array that looks into the map: a slice of numpy.memmap takes ten times the memory and time.
                self._arrays[shard] = np.load(self._folder / shard, mmap_mode="r").view(np.ndarray)
            except (OSError, ValueError) as error:
                raise UserError(f"{self._folder / shard}: cannot be read ({error}); {_REMAKE}") from None
        return self._arrays[shard][start : start + frames]

    def seconds(self, track_id: str) -> float:
        """How long a track is."""
        return self._runs[track_id][2] / self.format.frame_rate


_REMAKE = "make it again: rm -r data/mels && dvc repro mels"


def count(total_frames: float, n_mels: int) -> int:
    """The number of shards of a data set: a power of two."""
    wanted = max(1.0, total_frames * n_mels / SHARD_BYTES)
    return int(min(MOST_SHARDS, 2 ** np.ceil(np.log2(wanted))))


def write(
    folder: Path,
    tracks: pd.DataFrame,
    read: Callable[[int], np.ndarray],
    form: Format,
    *,
    key: str,
    n_shards: int,
) -> None:
    """Bring `folder` up to date; shards that are as they should be are not touched.

    A process that is killed leaves the old index and all that it lists.

    Parameters
    ----------
    folder : Path
        Is made where needed.
    tracks : pd.DataFrame
        Columns track_id and sha256; equal digests are stored once.
    read : callable
        Gives the spectrogram of the track in a row of `tracks`, by position: uint8 [shape=(frames, n_mels)].
    form : Format
        What a cell means.
    key : str
        What the cells depend on beside the track's digest.
    n_shards : int
        See :func:`count`.
    """
    row_of = {digest: row for row, digest in reversed(list(enumerate(tracks["sha256"])))}
    digests: list[list[str]] = [[] for _ in range(n_shards)]
    for digest in sorted(row_of):
        digests[_shard_of(digest, n_shards)].append(digest)
    known = _lengths(folder)
    runs: dict[str, tuple[str, int, int]] = {}
    for number, members in enumerate(digests):
        if not members:
            continue
        name = f"{number:03d}-{hashlib.sha256(' '.join([key, *members]).encode()).hexdigest()[:16]}.npy"
        path = folder / name
        lengths = [known.get((name, digest), 0) for digest in members]
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
    wanted = {name for name, _, _ in runs.values()}
    for path in folder.glob("*.npy"):
        if path.name not in wanted:
            path.unlink()


def _shard_of(digest: str, n_shards: int) -> int:
    """The shard of a track: by the first bits of a digest of its digest, which may be any text."""
    return int.from_bytes(hashlib.sha256(digest.encode()).digest()[:4]) * n_shards >> 32


def _lengths(folder: Path) -> dict[tuple[str, str], int]:
    """Frames of each track by shard and digest, as the index of an earlier run has it."""
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
