"""Loudness after ITU-R BS.1770 of any number of channels, and a limiter."""

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from genres.audio.loudness import BLOCK_SECONDS, STEPS_PER_BLOCK, Filter, gated

CEILING = 0.98
SURROUND = 1.41  # weight of channels behind the listener
_LOOK_AHEAD_S = 0.005
_BLOCK = 1 << 16  # samples filtered at a time, in float64
_TOLERANCE = 0.03  # LU
_ROUNDS = 6


def weighted_squares(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the K-weighted power at each sample, summed over the channels as BS.1770 says.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n)]
        Up to five channels are left, right, centre, left and right surround; more have the bass as the fourth, which
        does not count.
    rate : int
        Hz.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
    """
    channels = samples if len(samples) <= 5 else samples[[0, 1, 2, 4, 5]]
    total = np.zeros(samples.shape[1], np.float32)
    for number, channel in enumerate(channels):
        weighting = Filter(rate)
        for start in range(0, len(channel), _BLOCK):
            weighted = np.square(weighting(channel[start : start + _BLOCK]))
            total[start : start + _BLOCK] += weighted * (SURROUND if number >= 3 else 1.0)
    return total


def loudness(squares: np.ndarray, rate: int) -> float:
    """Return the integrated loudness in LUFS of :func:`weighted_squares`; -inf if nothing passes the gates."""
    step_s = BLOCK_SECONDS / STEPS_PER_BLOCK
    n_steps = max(STEPS_PER_BLOCK, round(len(squares) / rate / step_s))  # the last block may lack half a step
    bounds = np.round(np.arange(n_steps) * step_s * rate).astype(int)
    end = min(len(squares), round(n_steps * step_s * rate))
    steps = np.add.reduceat(squares[:end], bounds[bounds < end], dtype=np.float64)
    energies = np.convolve(steps, np.ones(STEPS_PER_BLOCK), "valid") / (BLOCK_SECONDS * rate)
    return gated(energies)


def mastered(mix: np.ndarray, rate: int, target: float) -> np.ndarray:
    """Return a mix [shape=(channels, n)] at a loudness in LUFS, with no peak above :data:`CEILING`.

    All channels are lowered together from 5 ms before to 5 ms after a peak.
    """
    peaks = np.abs(mix[0])
    for channel in mix[1:]:
        np.maximum(peaks, np.abs(channel), out=peaks)
    squares = weighted_squares(mix, rate)
    window = 2 * round(_LOOK_AHEAD_S * rate) + 1
    gain, step, result = 1.0, target - loudness(squares, rate), mix
    for _ in range(_ROUNDS):
        for _ in range(_ROUNDS):
            gain *= 10 ** (step / 20)
            lowered = _lowered(peaks, gain, window)
            # As if the limiter came after the weighting, which is nearly so, and quick.
            step = target - loudness(squares * np.square(lowered), rate)
            if abs(step) < _TOLERANCE:
                break
        result = mix * lowered
        if gain * float(peaks.max()) <= CEILING:
            break
        missing = target - loudness(weighted_squares(result, rate), rate)
        if abs(missing) < _TOLERANCE:
            break
        squares *= 10 ** ((step - missing) / 10)
        step = missing
    return result


def _lowered(peaks: np.ndarray, gain: float, window: int) -> np.ndarray:
    """Return the gain at each sample that keeps the peaks below the ceiling: float32 [same shape]."""
    if gain * float(peaks.max()) <= CEILING:
        return np.full(len(peaks), gain, np.float32)
    needed = np.minimum(np.float32(gain), CEILING / np.maximum(peaks, np.float32(1e-9)))
    return uniform_filter1d(minimum_filter1d(needed, window), window)
