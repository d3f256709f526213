"""Stage `mels`: data/raw/<dataset>/ → data/mels/, one mel spectrogram a track.

    python -m src.mels

All spectrograms lie in one memory-mapped array of bytes (mels.npy), index.csv says which frames are whose, and
format.json what a cell means. What was computed once, for the same audio and the same parameters, is taken from
.cache/mels/, so that adding a song computes one song.
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from src import params
from src.audio import AudioError
from src.console import UserError, command, progress
from src.files import MELS, atomic, cache_dir, read_json, read_table, sha256_of, write_json, write_table
from src.ingest import mels as published
from src.params import MelParams
from src.song import spectrogram_of
from src.spectrogram import Format, Spectrograms, format_of, to_bytes

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
        spectrograms = convert(tracks, form)
    else:
        form = format_of(mel_params)
        spectrograms = (np.load(path) for path in compute(tracks, raw_dir, mel_params))
    MELS.mkdir(parents=True, exist_ok=True)
    store(spectrograms, tracks, form)


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
        if not _is_whole(target)
    }
    run = joblib.Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=4)
    done = run(joblib.delayed(_compute_one)(*source, target, settings) for target, source in missing.items())
    for _ in progress(done, total=len(missing), what="mel spectrograms"):
        pass
    return cached


def _is_whole(cached: Path) -> bool:
    """Whether a spectrogram is in the cache, and not cut off, as a crash of the machine may leave it."""
    try:
        return np.lib.format.open_memmap(cached, mode="r").ndim == 2
    except (OSError, EOFError, ValueError):
        return False


def _compute_one(path: Path, digest: str, target: Path, settings: MelParams) -> None:
    try:
        stored = spectrogram_of(path, format_of(settings))
    except AudioError as error:
        raise UserError(f"{path}: {error}; it has changed since it was ingested: run `dvc repro` again") from None
    if sha256_of(path) != digest:  # else another song's spectrogram would be kept under this one's name for good
        raise UserError(f"{path}: has changed since it was ingested: run `dvc repro` again")
    with atomic(target) as temporary:
        np.save(temporary, stored)


def convert(tracks: pd.DataFrame, form: Format) -> Iterator[np.ndarray]:
    """Published spectrograms as stored ones: uint8 [shape=(frames, n_mels)] each."""
    ids, arrays, ranges_db = published.read(Path(tracks["path"].iloc[0]), form.n_mels)
    rows = {track_id: row for row, track_id in enumerate(ids)}
    for track_id in progress(list(tracks["track_id"]), what="mel spectrograms"):
        if track_id not in rows:
            raise UserError(f"{track_id} is gone from mels.npz since it was ingested: run `dvc repro` again")
        decibels = published.decibels(arrays[rows[track_id]], ranges_db[rows[track_id]])
        yield to_bytes(np.ascontiguousarray(decibels.T), form.top_db)


def store(spectrograms: Iterator[np.ndarray], tracks: pd.DataFrame, form: Format) -> None:
    """Write the array, its index and its format to `MELS`, one track in memory at a time."""
    rows, start = [], 0
    with atomic(MELS / Spectrograms.ARRAY) as temporary, temporary.open("wb") as file:
        # The header is written again at the end, when the number of frames is known; NumPy pads it to 128 bytes,
        # which hold any number.
        _write_header(file, 0, form.n_mels)
        for track_id, digest, frames in zip(tracks["track_id"], tracks["sha256"], spectrograms, strict=True):
            file.write(np.ascontiguousarray(frames).data)
            rows.append({"track_id": track_id, "sha256": digest, "start": start, "frames": len(frames)})
            start += len(frames)
        file.seek(0)
        _write_header(file, start, form.n_mels)
    write_table(MELS / Spectrograms.INDEX, pd.DataFrame(rows))
    write_json(MELS / Spectrograms.FORMAT, vars(form))


def _write_header(file, frames: int, n_mels: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (frames, n_mels)})


if __name__ == "__main__":
    main()
