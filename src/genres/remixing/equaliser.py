"""Long-term spectra in octaves, and a filter that moves one towards another."""

import numpy as np
import scipy.fft
from scipy import signal

from genres.remixing.beats import RATE
from genres.sources.demo.composition import EQUALISER_HZ

MOST_DB = 9.0  # of the filter, up or down
CROSSOVER_HZ = 110.0  # below it a song gives way to the bass of a style
_FFT = 4096
_FRAMES = 128  # transformed at a time

Curve = tuple[float, ...]  # dB at EQUALISER_HZ


def spectrum(samples: np.ndarray) -> Curve:
    """Return the mean level of each octave around :data:`EQUALISER_HZ` in dB, relative to their mean.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono, at :data:`genres.remixing.beats.RATE`.
    """
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (0, _FFT)), _FFT)[:: _FFT // 2]
    window = np.hanning(_FFT).astype(np.float32)
    power = np.zeros(_FFT // 2 + 1)
    for start in range(0, len(frames), _FRAMES):
        power += np.square(np.abs(scipy.fft.rfft(frames[start : start + _FRAMES] * window))).sum(axis=0)
    octave = np.round(np.log2(np.maximum(np.arange(len(power)) * RATE / _FFT, 1.0) / EQUALISER_HZ[0])).astype(int)
    sums = np.array([power[octave == number].sum() for number in range(len(EQUALISER_HZ))])
    levels = 10 * np.log10(sums + 1e-9 * sums.sum() + 1e-30)
    return tuple(float(level) for level in levels - levels.mean())


def curve(song: Curve, style: Curve) -> np.ndarray:
    """Return the gain in dB at :data:`EQUALISER_HZ` that moves the spectrum of a song towards that of a style."""
    difference = np.subtract(style, song)
    return np.clip(difference - np.median(difference), -MOST_DB, MOST_DB)


def equalised(samples: np.ndarray, rate: int, gain_db: np.ndarray, bass_dose: float) -> np.ndarray:
    """Return samples through a filter without delay.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n), dtype=float32]
    rate : int
        Hz.
    gain_db : np.ndarray
        Gain at :data:`EQUALISER_HZ`.
    bass_dose : float
        From 0 to 1: share by which the amplitude below :data:`CROSSOVER_HZ` is lowered.
    """
    size = 1 << round(np.log2(rate * 0.09))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / rate), 1.0)
    gain = 10 ** (np.interp(np.log2(hz), np.log2(EQUALISER_HZ), gain_db) / 20)
    gain *= 1 - bass_dose / (1 + (hz / CROSSOVER_HZ) ** 6)
    response = (np.roll(np.fft.irfft(gain), size // 2) * np.hanning(size + 1)[:size]).astype(np.float32)
    result = np.empty_like(samples)
    for row, channel in zip(result, samples, strict=True):  # one at a time, for less memory
        row[:] = signal.oaconvolve(channel, response)[size // 2 :][: len(channel)]
    return result
