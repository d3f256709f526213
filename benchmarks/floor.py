"""Least work of any way to compute a mel spectrogram. A separate module, since each worker has to load it."""

import functools
import os
import time
from pathlib import Path

import numpy as np
import scipy.fft
import soxr

from benchmarks.songs import decode
from genres.audio.format import format_of
from genres.audio.mel import spectrogram_of
from genres.core.params import MelParams

# Number of frames that are transformed at a time; as many fit into a core's cache.
BLOCK = 64


def floor(path: Path, settings: MelParams) -> None:
    """Decode a song to mono at the wanted rate, and transform each frame."""
    samples, rate = decode(path)
    mono = samples[0] if len(samples) == 1 else functools.reduce(np.add, samples) / len(samples)  # mean() is slow
    if rate != settings.sample_rate:
        mono = soxr.resample(mono, rate, settings.sample_rate, quality="HQ")
    window = np.hanning(settings.n_fft + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, settings.n_fft // 2), settings.n_fft)
    frames = frames[:: settings.hop_length]
    for start in range(0, len(frames), BLOCK):
        scipy.fft.rfft(frames[start : start + BLOCK] * window, overwrite_x=True)


def warm_up(path: Path, settings: MelParams) -> int:
    """Run everything once in a worker; return its process ID."""
    floor(path, settings)
    spectrogram_of(path, format_of(settings))
    time.sleep(0.2)  # else a fast worker takes all of these tasks while another is starting
    return os.getpid()
