"""Beats and bars: the mean bar of a song, compared with the drum patterns of known styles.

A tracker of beats may find the pulse between the beats (reggae, tamborzão), and does not know where a bar begins. The
sixteenths of the song, in three frequency bands, are therefore laid over each pattern of the demo's styles at each of
the sixteen shifts.
"""

from functools import lru_cache

import numpy as np

from genres.sources.demo.composition import STROKES
from genres.sources.demo.styles import STYLES

STEPS = 16  # sixteenths of a bar
_LOW, _HIGH = ("kick", "low tom"), ("hat", "open hat", "ride", "crash", "shaker")
_WEIGHTS = np.array([1.0, 0.5, 0.5])  # of the bands: with equal ones fewer of the demo's songs are right
_REACH = 2  # frames about a step


@lru_cache
def patterns() -> np.ndarray:
    """Return the drum patterns of the demo's styles, of norm 1 in each band: float64 [shape=(n, bands, STEPS)]."""
    grooves = [groove for style in STYLES.values() for groove in style.grooves if groove]
    found = np.zeros((len(grooves), len(_WEIGHTS), STEPS))
    for pattern, groove in zip(found, grooves, strict=True):
        for drum, strokes in groove.items():
            band = 0 if drum in _LOW else 2 if drum in _HIGH else 1
            pattern[band] += [STROKES.get(stroke, 0.0) for stroke in strokes]
    found -= found.mean(axis=2, keepdims=True)
    return found / np.maximum(np.linalg.norm(found, axis=2, keepdims=True), 1e-9)


def mean_bar(onsets: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Return the mean onset at each step of a bar, if the first beat begins one.

    Parameters
    ----------
    onsets : np.ndarray [shape=(bands, frames)]
    beats : np.ndarray
        Frames of the beats, at least five, not rounded.

    Returns
    -------
    np.ndarray [shape=(bands, STEPS)]
        In standard deviations over all steps of the song: small where bars differ.
    """
    steps = np.interp(np.arange(4 * (len(beats) - 1)) / 4, np.arange(len(beats)), beats)
    frames = np.round(steps).astype(int)[:, np.newaxis] + np.arange(-_REACH, _REACH + 1)
    near = onsets[:, frames.clip(0, onsets.shape[1] - 1)].max(axis=2)
    near = near - near.mean(axis=1, keepdims=True)
    near /= np.maximum(near.std(axis=1, keepdims=True), 1e-9)
    return np.stack([near[:, step::STEPS].mean(axis=1) for step in range(STEPS)], axis=1)


def first_step(bar: np.ndarray) -> int:
    """Return the step of a mean bar, 0 to 15, at which the pattern begins that fits it best."""
    shifts = np.stack([np.roll(bar, -shift, axis=1) for shift in range(STEPS)])
    return int(np.einsum("b,pbs,kbs->kp", _WEIGHTS, patterns(), shifts).max(axis=1).argmax())
