"""Cache of the tracks' mel spectrograms, keyed by audio and parameters."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genres.audio import published
from genres.audio.decode import AudioError
from genres.audio.format import Format, format_of, to_bytes
from genres.audio.mel import spectrogram_of
from genres.compute.pool import LOCAL, run
from genres.core.console import UserError, progress
from genres.core.files import atomic, sha256_of
from genres.core.params import Compute, MelParams
from genres.core.paths import cache_dir

# Part of the cache key: raise it when the same audio and parameters give other spectrograms.
VERSION = 4


def compute(
    tracks: pd.DataFrame, raw_dir: Path, settings: MelParams, options: Compute = LOCAL, songs: Path | None = None
) -> "Cached":
    """Compute the spectrograms that are not in the cache yet, on all cores or the workers of a cluster.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns path and sha256.
    raw_dir : Path
        Base of relative paths.
    settings : MelParams
        Spectrogram parameters, part of the cache key.
    options, songs
        Where to compute: see :func:`genres.compute.pool.run`.

    Returns
    -------
    Cached
        One spectrogram per track.
    """
    key = hashlib.sha256(f"{VERSION} {settings.model_dump_json()}".encode()).hexdigest()[:16]
    cached = Cached(cache_dir("mels") / key, tracks, raw_dir, settings)
    missing = {file: cached.task(row) for row, file in enumerate(cached.files) if not file.exists()}
    done = run(_compute_one, missing, _store, options, songs)
    for _ in progress(done, total=len(missing), what="mel spectrograms"):
        pass
    return cached


class Cached(Sequence[np.ndarray]):
    """Spectrograms in the cache, read one at a time: uint8 [shape=(frames, n_mels)] each.

    A spectrogram whose file is truncated, as after a crash of the machine, is computed again.
    """

    def __init__(self, folder: Path, tracks: pd.DataFrame, raw_dir: Path, settings: MelParams) -> None:
        self.files = [Path(f"{folder}/{digest[:2]}/{digest}.npy") for digest in tracks["sha256"]]
        self._paths, self._digests = list(tracks["path"]), list(tracks["sha256"])
        self._raw_dir, self._settings = raw_dir, settings

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: Any) -> Any:
        try:
            stored = np.load(self.files[row], mmap_mode="r", allow_pickle=False)
            if stored.ndim == 2:
                return stored
        except (OSError, ValueError, EOFError):
            pass
        stored = _compute_one(*self.task(row))
        _store(self.files[row], stored)
        return stored

    def task(self, row: int) -> tuple[Path, str, MelParams]:
        """Return what the spectrogram of a row is computed from: the song's path, its digest, and the parameters."""
        return self._raw_dir / self._paths[row], self._digests[row], self._settings


def _compute_one(path: Path, digest: str, settings: MelParams) -> np.ndarray:
    try:
        stored = spectrogram_of(path, format_of(settings))
    except AudioError as error:
        raise UserError(f"{path}: {error}; it has changed since it was ingested: run `dvc repro` again") from None
    if sha256_of(path) != digest:  # otherwise another song's spectrogram would stay in the cache under this digest
        raise UserError(f"{path}: has changed since it was ingested: run `dvc repro` again")
    return stored


def _store(target: Path, stored: np.ndarray) -> None:
    with atomic(target) as temporary:
        np.save(temporary, stored)


def published_reader(tracks: pd.DataFrame, form: Format) -> Callable[[int], np.ndarray]:
    """Return a function that reads the published spectrogram of a row of `tracks` in stored form."""
    ids, arrays, ranges_db = published.read(Path(tracks["path"].iloc[0]), form.n_mels)
    rows = {track_id: row for row, track_id in enumerate(ids)}
    missing = [track_id for track_id in tracks["track_id"] if track_id not in rows]
    if missing:
        raise UserError(f"{missing[0]} is missing from mels.npz since it was ingested: run `dvc repro` again")
    chosen = [rows[track_id] for track_id in tracks["track_id"]]

    def read(row: int) -> np.ndarray:
        decibels = published.decibels(arrays[chosen[row]], ranges_db[chosen[row]])
        return to_bytes(np.ascontiguousarray(decibels.T), form.top_db)

    return read
