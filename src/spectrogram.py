"""Mel spectrograms: computed from samples, stored as bytes, read back as windows.

A cell is its level in dB below the reference, from 0 down to ``-top_db``, in 255 equal steps; with the default 80 dB
a step is 0.31 dB, so that a stored value is within 0.16 dB of librosa's. The reference is the track's loudest cell
(``peak``), or a fixed distance above its loudness (``loudness``): then all tracks are equally loud, however they were
mastered, and one loud click does not make the rest of its song quieter.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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

# Where 0 dB lies with reference `loudness`: dB of power in 1 Hz, above the loudness in LUFS. Measured on 208 tracks of
# 30 s (148 mp3s of Emotify, 60 wavs of GTZAN; 2048 samples a frame, 128 bands): 0.0008 % of the cells lie higher (and
# are cut off), 7 % of the tracks have one of them, and 8 % of the cells lie more than 80 dB lower (fmax 10 kHz: 7 %).
TOP_ABOVE_LOUDNESS_DB = -6.0

# ITU-R BS.1770: seconds that loudness is measured over at a time.
_LOUDNESS_BLOCK_SECONDS = 0.4


@dataclass(frozen=True)
class Format:
    """What the rows and columns of stored spectrograms mean; travels with the models that learn from them."""

    sample_rate: int  # Hz
    n_fft: int  # samples
    n_mels: int
    frame_rate: float  # frames a second
    top_db: float
    fmin: float = 0.0  # Hz
    fmax: float | None = None  # Hz; None: half the sample rate, or unknown (published spectrograms)
    reference: Literal["peak", "loudness"] = "peak"

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
    """Store levels in dB relative to the reference as uint8 [same shape]; lower than -top_db becomes 0."""
    return np.round((decibels / top_db + 1).clip(0, 1) * STEPS).astype(np.uint8)


def to_decibels(stored: np.ndarray, top_db: float) -> np.ndarray:
    """Levels in dB relative to the reference: float32 [same shape]."""
    return (stored.astype(np.float32) / STEPS - 1) * top_db


def of_samples(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """The spectrogram of a track as it is stored: uint8 [shape=(frames, n_mels)]."""
    if params.reference == "loudness":
        # From here on as loud as it goes: neither the least power nor the gates of the loudness depend on the gain.
        samples = samples / max(float(np.abs(samples).max()), np.finfo(np.float32).tiny)
    decibels = 10 * np.log10(np.maximum(mel_power(samples, params), _LEAST_POWER))
    top = decibels.max() if params.reference == "peak" else _loudness_top(samples, params)
    return to_bytes(decibels - top, params.top_db)


def _loudness_top(samples: np.ndarray, params: MelParams) -> float:
    """The mel power in dB that is 0 dB of the stored scale, for a track of this loudness.

    Noise of power density S (in 1 Hz) has a mel power of ``S * n_fft**2 * 3 / 16``, whatever the bands and the sample
    rate: the Hann window's squares sum up to 3 / 8 n_fft, the triangles' weights to n_fft / sample_rate.
    """
    density_db = 10 * np.log10(params.n_fft**2 * 3 / 16)
    return loudness(samples, params.sample_rate) + TOP_ABOVE_LOUDNESS_DB + density_db


def loudness(samples: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness in LUFS, after ITU-R BS.1770-4; of what is too short or too quiet for its gates, the RMS.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono; full scale is 1.
    sample_rate : int
        Hz.

    Returns
    -------
    float
        Finite, also for silence.
    """
    if len(samples) >= _LOUDNESS_BLOCK_SECONDS * sample_rate:
        from pyloudnorm import Meter  # here: it takes a moment to load, and reference `peak` does without

        measured = float(Meter(sample_rate).integrated_loudness(samples.astype(np.float64)))
        if np.isfinite(measured):
            return measured
    mean_square = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * float(np.log10(max(mean_square, _LEAST_POWER)))


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

    def seconds(self, track_id: str) -> float:
        """How long a track is."""
        return self._runs[track_id][1] / self.format.frame_rate
