"""Random augmentation of training clips, applied to stored spectrograms, for a whole batch at once.

Masks follow SpecAugment (Park et al. 2019), mixup Zhang et al. (2018); pitch shifts along the mel axis, time stretching
and random equalisers are common for audio. All random numbers come from the caller's generator.
"""

from collections.abc import Iterator

import numpy as np

from genres.audio.format import STEPS
from genres.core.params import Augment

# Number of points of the random equaliser, which is linear between them.
_KNOTS = 5


def window(track: np.ndarray, start: int, offsets: np.ndarray, factor: float) -> np.ndarray:
    """Return the frames of a track at `factor` times the offsets behind a start.

    The nearest frames are taken, since interpolation would blur neighbouring harmonic and percussive parts.

    Parameters
    ----------
    track : np.ndarray [shape=(n, n_mels)]
    start : int
        First frame; moved back if the window does not fit otherwise.
    offsets : np.ndarray [shape=(frames,)]
        Ascending, from 0 on.
    factor : float
        Tempo: 1 keeps the frames, 1.1 makes the music faster by a tenth.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels)]
    """
    first = min(start, max(0.0, len(track) - 1 - offsets[-1] * factor))
    places = np.minimum(first + offsets * factor, len(track) - 1)
    return track[np.round(places).astype(int)]


def shift(clip: np.ndarray, bands: int, out: np.ndarray) -> None:
    """Write a clip to `out`, shifted up (down if negative) by `bands` mel bands, repeating the outermost band."""
    n_mels = clip.shape[1]
    bands = min(max(bands, 1 - n_mels), n_mels - 1)
    first, behind = max(0, bands), n_mels + min(0, bands)
    out[:, first:behind] = clip[:, first - bands : behind - bands]
    out[:, :first] = clip[:, :1]
    out[:, behind:] = clip[:, -1:]


def augmented(
    clips: np.ndarray, options: Augment, rng: np.random.Generator, *, frame_rate: float, top_db: float
) -> np.ndarray:
    """Return copies of clips, each with a random pitch shift, a random equaliser and random masks.

    Parameters
    ----------
    clips : np.ndarray [shape=(n, frames, n_mels)]
        Stored levels, 0 to 255.
    options : Augment
        Range of each change.
    frame_rate, top_db : float
        Frame rate and level range of the clips.

    Returns
    -------
    np.ndarray [shape=(n, frames, n_mels), dtype=float32]
        0 to 255.
    """
    n, n_frames, n_mels = clips.shape
    shifts = rng.integers(-options.shift_bands, options.shift_bands + 1, (n,))
    knots = rng.normal(0, options.equalizer_db * STEPS / top_db, (n, _KNOTS))
    widths = np.minimum(rng.integers(0, options.mask_bands + 1, n), n_mels)
    bands = rng.integers(0, n_mels - widths + 1, n)
    lengths = np.minimum(np.round(rng.uniform(0, options.mask_s, n) * frame_rate).astype(int), n_frames)
    frames = rng.integers(0, n_frames - lengths + 1, n)
    near = 1 - np.abs(np.linspace(0, _KNOTS - 1, n_mels) - np.arange(_KNOTS)[:, np.newaxis])
    curves = (knots @ near.clip(min=0)).astype(np.float32)
    levels = np.empty(clips.shape, np.float32)
    for row, level in enumerate(levels):  # one by one, since a clip fits in a core's cache and a batch does not
        shift(clips[row], shifts[row], level)
        np.clip(np.add(level, curves[row], out=level), 0, STEPS, out=level)
        mean = level.mean()
        level[:, bands[row] : bands[row] + widths[row]] = mean
        level[frames[row] : frames[row] + lengths[row]] = mean
    return levels


def mixup(
    clips: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """Mix each clip of a batch and its target with another's by a share from Beta(alpha, alpha).

    Parameters
    ----------
    clips : np.ndarray [shape=(n, frames, n_mels), dtype=float32]
    targets : np.ndarray [shape=(n, n_genres)]
        Rows sum to 1, also in the result.

    Returns
    -------
    mixed : iterator of np.ndarray [shape=(frames, n_mels), dtype=float32]
        The clips; each is overwritten by the next.
    targets : np.ndarray [shape=(n, n_genres)]
    """
    shares = rng.beta(alpha, alpha, len(clips)).astype(np.float32)
    partners = rng.permutation(len(clips))
    columns = shares[:, np.newaxis]
    return _mixed(clips, shares, partners), columns * targets + (1 - columns) * targets[partners]


def _mixed(clips: np.ndarray, shares: np.ndarray, partners: np.ndarray) -> Iterator[np.ndarray]:
    mixed, other = np.empty_like(clips[:2])  # memory in a core's cache, which a new batch would not be
    for clip, share, partner in zip(clips, shares, partners, strict=True):
        np.multiply(clip, share, out=mixed)
        mixed += np.multiply(clips[partner], 1 - share, out=other)
        yield mixed
