"""Read a published archive of spectrograms, mels.npz."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from genres.core.console import UserError


def read(archive: Path, n_mels: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Read the track ids, spectrograms and level ranges of a mels.npz.

    Returns
    -------
    track_ids : list of str
    mels : np.ndarray [shape=(n, n_mels, frames), dtype=uint8]
    ranges_db : np.ndarray [shape=(n,), dtype=float32]

    Raises
    ------
    UserError
        If it is no such archive, or its spectrograms do not have `n_mels` bands.
    """
    try:
        with np.load(archive, allow_pickle=False) as arrays:
            ids, mels, ranges = (np.asarray(arrays[name]) for name in ("track_id", "mel", "range_db"))
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{archive}: cannot be read as an npz archive ({error})") from None
    except KeyError as error:
        raise UserError(f"{archive}: {error.args[0]}; it needs track_id, mel and range_db") from None
    lengths_fit = ids.shape == ranges.shape == mels.shape[:1]
    if mels.dtype != np.uint8 or mels.ndim != 3 or not mels.size or not lengths_fit or ranges.dtype.kind not in "fiu":
        raise UserError(
            f"{archive}: mel must be uint8 of shape (tracks, bands, frames) with a track_id and a range_db each; "
            f"it is {mels.dtype} {mels.shape} with {ids.shape} and {ranges.dtype} {ranges.shape}"
        )
    if mels.shape[1] != n_mels:
        raise UserError(f"datasets.mels.n_mels: is {n_mels}, but {archive} holds spectrograms of {mels.shape[1]} bands")
    return [str(track_id) for track_id in ids], mels, ranges.astype(np.float32)


def digest(mel: np.ndarray, range_db: float) -> str:
    """Return a hexadecimal SHA-256 that identifies a spectrogram, as a file's SHA-256 identifies audio."""
    return hashlib.sha256(mel.tobytes() + np.float32(range_db).tobytes()).hexdigest()


def decibels(mel: np.ndarray, range_db: float) -> np.ndarray:
    """Return levels in dB relative to the track's maximum: float32, the shape of `mel`."""
    return -np.float32(range_db) * (1 - mel.astype(np.float32) / 255)
