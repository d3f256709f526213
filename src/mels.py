"""Stage `mels`: data/raw/<dataset>/ → data/mels/, one mel spectrogram a track.

    python -m src.mels

The spectrograms lie in memory-mapped arrays of bytes (src/shards.py), index.csv says which frames are whose, and
format.json what a cell means. What was computed once, for the same audio and the same parameters, is taken from
.cache/mels/, and shards that hold the same as before are left alone, so that adding a song computes one song and writes
one shard.
"""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from src import params, shards
from src.audio import AudioError
from src.console import UserError, command, progress
from src.files import MELS, atomic, cache_dir, read_json, read_table, sha256_of
from src.ingest import mels as published
from src.params import MelParams
from src.song import spectrogram_of
from src.spectrogram import Format, format_of, to_bytes

# Part of the cache key: raise it when the same audio and parameters give other spectrograms.
VERSION = 3


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m src.mels", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    mel_params = settings.mels_of_dataset()
    raw_dir = Path("data/raw") / settings.dataset
    tracks = read_table(raw_dir / "tracks.csv", dtype=str)
    description = raw_dir / "spectrogram.json"
    if description.exists():
        form = Format(**read_json(description), top_db=mel_params.top_db)
        read, key = published_ones(tracks, form), "published"
    else:
        form = format_of(mel_params)
        cached = compute(tracks, raw_dir, mel_params)
        read, key = (lambda row: load(cached[row])), f"{VERSION}"
    seconds = tracks["duration_s"].astype(float).sum()
    n_shards = shards.count(seconds * form.frame_rate, form.n_mels)
    shards.write(MELS, tracks, read, form, key=f"{key} {vars(form)}", n_shards=n_shards)


def compute(tracks: pd.DataFrame, raw_dir: Path, settings: MelParams) -> list[Path]:
    """Compute what is not in the cache yet, over all cores.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns path and sha256.
    raw_dir : Path
        What relative paths start from.
    settings : MelParams
        Part of the cache key.

    Returns
    -------
    list of Path
        One .npy a track: uint8 [shape=(frames, n_mels)].
    """
    key = hashlib.sha256(f"{VERSION} {settings.model_dump_json()}".encode()).hexdigest()[:16]
    cached = [cache_dir("mels") / key / digest[:2] / f"{digest}.npy" for digest in tracks["sha256"]]
    missing = {
        target: (raw_dir / path, digest)
        for target, path, digest in zip(cached, tracks["path"], tracks["sha256"], strict=True)
        if not target.exists()
    }
    run = joblib.Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=4)
    done = run(joblib.delayed(_compute_one)(*source, target, settings) for target, source in missing.items())
    for _ in progress(done, total=len(missing), what="mel spectrograms"):
        pass
    return cached


def _compute_one(path: Path, digest: str, target: Path, settings: MelParams) -> None:
    try:
        stored = spectrogram_of(path, format_of(settings))
    except AudioError as error:
        raise UserError(f"{path}: {error}; it has changed since it was ingested: run `dvc repro` again") from None
    if sha256_of(path) != digest:  # else another song's spectrogram would be kept under this one's name for good
        raise UserError(f"{path}: has changed since it was ingested: run `dvc repro` again")
    with atomic(target) as temporary:
        np.save(temporary, stored)


def load(path: Path) -> np.ndarray:
    """A cached spectrogram: uint8 [shape=(frames, n_mels)].

    Raises
    ------
    UserError
        Where the file is damaged; it is removed, so that the next run computes it again.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        path.unlink()
        raise UserError(f"{path}: is damaged ({error}) and was removed: run `dvc repro` again") from None


def published_ones(tracks: pd.DataFrame, form: Format) -> Callable[[int], np.ndarray]:
    """A function that gives the published spectrogram of a row of `tracks` as it is stored."""
    ids, arrays, ranges_db = published.read(Path(tracks["path"].iloc[0]), form.n_mels)
    rows = {track_id: row for row, track_id in enumerate(ids)}
    gone = [track_id for track_id in tracks["track_id"] if track_id not in rows]
    if gone:
        raise UserError(f"{gone[0]} is gone from mels.npz since it was ingested: run `dvc repro` again")
    chosen = [rows[track_id] for track_id in tracks["track_id"]]

    def read(row: int) -> np.ndarray:
        decibels = published.decibels(arrays[chosen[row]], ranges_db[chosen[row]])
        return to_bytes(np.ascontiguousarray(decibels.T), form.top_db)

    return read


if __name__ == "__main__":
    main()
