"""Mel spectrograms: computed from samples, stored as bytes, read back as windows.

A cell is its level in dB below the track's loudest cell, from 0 down to ``-top_db``, in 255 equal steps; with the
default 80 dB a step is 0.31 dB, so that a stored value is within 0.16 dB of librosa's.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import librosa
import librosa.filters as librosa_filters
import numpy as np
import scipy.fft

from src.files import read_json, read_table
from src.params import MelParams

STEPS = 255

# Frames that are transformed at a time: their spectra (256 kB) stay in a core's cache.
_BLOCK_FRAMES = 32


@dataclass(frozen=True)
class Format:
    """What the rows and columns of stored spectrograms mean; travels with the models that learn from them."""

    sample_rate: int  # Hz
    n_fft: int  # samples
    n_mels: int
    frame_rate: float  # frames a second
    top_db: float

    def frames(self, seconds: float) -> int:
        """The number of frames nearest to a duration, at least one."""
        return max(1, round(seconds * self.frame_rate))


def mel_power(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """Mel power spectrogram, as ``librosa.feature.melspectrogram`` (centred, zero-padded, Hann, Slaney) makes it.

    Transforming a few frames at a time and squaring without a square root in between takes about half of librosa's
    time.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at ``params.sample_rate``.
    params : MelParams
        Sizes, band and number of mel bands.

    Returns
    -------
    np.ndarray [shape=(1 + n // hop_length, n_mels), dtype=float32]
        Frames first, so that a window in time is one piece of memory.
    """
    window, filters = _window_and_filters(
        params.sample_rate, params.n_fft, params.n_mels, params.fmin, params.fmax or params.sample_rate / 2
    )
    padded = np.pad(samples, params.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, params.n_fft)[:: params.hop_length]
    power = np.empty((len(frames), params.n_mels), np.float32)
    for start in range(0, len(frames), _BLOCK_FRAMES):
        spectra = scipy.fft.rfft(frames[start : start + _BLOCK_FRAMES] * window, overwrite_x=True)
        power[start : start + _BLOCK_FRAMES] = (spectra.real**2 + spectra.imag**2) @ filters
    return power


@functools.lru_cache(maxsize=4)
def _window_and_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> tuple[np.ndarray, np.ndarray]:
    window = librosa_filters.get_window("hann", n_fft, fftbins=True).astype(np.float32)
    filters = librosa_filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, dtype=np.float32)
    return window, np.ascontiguousarray(filters.T)


def to_bytes(decibels: np.ndarray, top_db: float) -> np.ndarray:
    """Store levels in dB relative to the track's maximum as uint8 [same shape]; lower than -top_db becomes 0."""
    return np.round((decibels / top_db + 1).clip(0, 1) * STEPS).astype(np.uint8)


def to_decibels(stored: np.ndarray, top_db: float) -> np.ndarray:
    """Levels in dB relative to the track's maximum: float32 [same shape]."""
    return (stored.astype(np.float32) / STEPS - 1) * top_db


def of_samples(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """The spectrogram of a track as it is stored: uint8 [shape=(frames, n_mels)]."""
    return to_bytes(librosa.power_to_db(mel_power(samples, params), ref=np.max, top_db=params.top_db), params.top_db)


class Spectrograms:
    """The stored spectrograms of a data set: one memory-mapped array, in which each track is a run of frames."""

    ARRAY, INDEX, FORMAT = "mels.npy", "index.csv", "format.json"

    def __init__(self, folder: Path) -> None:
        self.format = Format(**read_json(folder / self.FORMAT))
        index = read_table(folder / self.INDEX, dtype={"track_id": str})
        self._runs = {
            track_id: (start, frames)
            for track_id, start, frames in zip(index["track_id"], index["start"], index["frames"], strict=True)
        }
        self._frames = np.load(folder / self.ARRAY, mmap_mode="r")

    def track(self, track_id: str) -> np.ndarray:
        """A whole track: uint8 [shape=(frames, n_mels)], memory-mapped."""
        start, frames = self._runs[track_id]
        return self._frames[start : start + frames]
