"""Random augmentation of training clips, applied to stored spectrograms.

Masks follow SpecAugment (Park et al. 2019), mixup Zhang et al. (2018); pitch shifts along the mel axis, time stretching
and random equalisers are common for audio. All random numbers come from the caller's generator.
"""

from collections.abc import Sequence

import numpy as np

from genres.audio.format import STEPS
from genres.core.params import Augment

# Number of points of the random equaliser, which is linear between them.
_KNOTS = 5


def window(track: np.ndarray, start: int, frames: int, factor: float) -> np.ndarray:
    """Return a window of `factor` times `frames` frames, resampled to `frames`.

    The nearest frames are taken, since interpolation would blur neighbouring harmonic and percussive parts.

    Parameters
    ----------
    track : np.ndarray [shape=(n, n_mels)]
    start : int
        First frame; moved back if the window does not fit otherwise.
    frames : int
        Length of the result.
    factor : float
        Tempo: 1 keeps the frames, 1.1 makes the music faster by a tenth.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
    """
    first = min(start, max(0.0, len(track) - 1 - (frames - 1) * factor))
    places = np.minimum(first + np.arange(frames) * factor, len(track) - 1)
    return track[np.round(places).astype(int)].astype(np.float32)


def shifted(clip: np.ndarray, bands: int) -> np.ndarray:
    """Shift a clip up (down if negative) by `bands` mel bands, repeating the outermost band."""
    places = np.clip(np.arange(clip.shape[1]) - bands, 0, clip.shape[1] - 1)
    return clip[:, places]


def augmented(
    clip: np.ndarray, options: Augment, rng: np.random.Generator, *, frame_rate: float, top_db: float
) -> np.ndarray:
    """Return a copy with a random pitch shift, a random equaliser and random masks.

    Parameters
    ----------
    clip : np.ndarray [shape=(frames, n_mels)]
        Stored levels, 0 to 255.
    options : Augment
        Range of each change.
    frame_rate, top_db : float
        Frame rate and level range of the spectrograms.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
        0 to 255.
    """
    clip = np.array(clip, dtype=np.float32)
    n_frames, n_mels = clip.shape
    if options.shift_bands:
        clip = shifted(clip, int(rng.integers(-options.shift_bands, options.shift_bands + 1)))
    if options.equalizer_db:
        knots = rng.normal(0, options.equalizer_db * STEPS / top_db, _KNOTS)
        curve = np.interp(np.linspace(0, _KNOTS - 1, n_mels), np.arange(_KNOTS), knots)
        np.clip(np.add(clip, curve.astype(np.float32), out=clip), 0, STEPS, out=clip)
    mean = clip.mean()
    if options.mask_bands:
        width = min(int(rng.integers(0, options.mask_bands + 1)), n_mels)
        first = rng.integers(0, n_mels - width + 1)
        clip[:, first : first + width] = mean
    if options.mask_s:
        width = min(round(rng.uniform(0, options.mask_s) * frame_rate), n_frames)
        first = rng.integers(0, n_frames - width + 1)
        clip[first : first + width] = mean
    return clip


def mixup(
    clips: Sequence[np.ndarray], targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Mix each clip of a batch and its target with another's by a share from Beta(alpha, alpha).

    Parameters
    ----------
    clips : sequence of n np.ndarray [shape=(frames, n_mels), dtype=float32]
    targets : np.ndarray [shape=(n, n_genres)]
        Rows sum to 1, also in the result.
    """
    shares = rng.beta(alpha, alpha, len(clips)).astype(np.float32)
    partners = rng.permutation(len(clips))
    columns = shares[:, np.newaxis]
    return (
        # One by one, since a clip fits in a core's cache and a batch does not.
        [share * clip + (1 - share) * clips[other] for share, clip, other in zip(shares, clips, partners, strict=True)],
        columns * targets + (1 - columns) * targets[partners],
    )
