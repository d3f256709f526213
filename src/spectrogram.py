"""Mel spectrograms: computed from samples, stored as bytes, read back as windows.

A cell is its level in dB below the track's loudest cell, from 0 down to ``-top_db``, in 255 equal steps; with the
default 80 dB a step is 0.31 dB, so that a stored value is within 0.16 dB of librosa's.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft

from src.console import UserError
from src.files import read_json, read_table
from src.params import MelParams

STEPS = 255

# Frames that are transformed at a time: their spectra (512 kB) stay in a core's cache.
_BLOCK_FRAMES = 64

# Mel bands that are summed up at a time, from the few bins that any of them covers.
_GROUP_BANDS = 16

# The floor of librosa.power_to_db, where a logarithm would have none.
_LEAST_POWER = 1e-10


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

    Takes about a third of librosa's time: a few frames at a time, squares without a square root in between, and
    products of small matrices instead of one that is nearly all zeros.

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
    window, groups = _window_and_filters(
        params.sample_rate, params.n_fft, params.n_mels, params.fmin, params.fmax or params.sample_rate / 2
    )
    padded = np.pad(samples, params.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, params.n_fft)[:: params.hop_length]
    mels = np.empty((len(frames), params.n_mels), np.float32)
    for start in range(0, len(frames), _BLOCK_FRAMES):
        spectra = scipy.fft.rfft(frames[start : start + _BLOCK_FRAMES] * window, overwrite_x=True)
        power = spectra.real**2 + spectra.imag**2
        for bands, bins, weights in groups:
            mels[start : start + _BLOCK_FRAMES, bands] = power[:, bins] @ weights
    return mels


@functools.lru_cache(maxsize=4)
def _window_and_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> tuple[np.ndarray, list[tuple[slice, slice, np.ndarray]]]:
    """The Hann window; for each group of bands: which, from which bins, with which weights [shape=(bins, bands)]."""
    window = (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_fft + 1)[:-1])).astype(np.float32)
    filters = mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    groups = []
    for first in range(0, n_mels, _GROUP_BANDS):
        bands = slice(first, first + _GROUP_BANDS)
        covered = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 1)
        groups.append((bands, bins, np.ascontiguousarray(filters[bands, bins].T)))
    return window, groups


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, equal to ``librosa.filters.mel``: float32 [shape=(n_mels, bins)].

    Not taken from there, since loading librosa takes each worker two seconds, the time of fifty tracks. The scale is
    that of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.
    """
    hz_a_mel, knee_hz, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    knee = knee_hz / hz_a_mel

    def to_mel(hz: float) -> float:
        return hz / hz_a_mel if hz < knee_hz else knee + np.log(hz / knee_hz) / log_step

    mels = np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)
    edges = np.where(mels < knee, mels * hz_a_mel, knee_hz * np.exp(log_step * (mels - knee)))
    distances = edges[:, np.newaxis] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)[:, np.newaxis]
    triangles = np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:]).clip(min=0).astype(np.float32)
    triangles *= (2 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return triangles


def to_bytes(decibels: np.ndarray, top_db: float) -> np.ndarray:
    """Store levels in dB relative to the track's maximum as uint8 [same shape]; lower than -top_db becomes 0."""
    return np.round((decibels / top_db + 1).clip(0, 1) * STEPS).astype(np.uint8)


def to_decibels(stored: np.ndarray, top_db: float) -> np.ndarray:
    """Levels in dB relative to the track's maximum: float32 [same shape]."""
    return (stored.astype(np.float32) / STEPS - 1) * top_db


def of_samples(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """The spectrogram of a track as it is stored: uint8 [shape=(frames, n_mels)]."""
    decibels = 10 * np.log10(np.maximum(mel_power(samples, params), _LEAST_POWER))
    return to_bytes(decibels - decibels.max(), params.top_db)


class Spectrograms:
    """The stored spectrograms of a data set: one memory-mapped array, in which each track is a run of frames."""

    ARRAY, INDEX, FORMAT = "mels.npy", "index.csv", "format.json"

    def __init__(self, folder: Path) -> None:
        if not (folder / self.ARRAY).exists():
            raise UserError(f"{folder}: no spectrograms here; make them with: dvc repro mels")
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
