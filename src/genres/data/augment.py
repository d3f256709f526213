"""Random changes of training clips, made on stored spectrograms: what should not matter to a genre is varied.

After SpecAugment (Park et al. 2019) for the masks, mixup (Zhang et al. 2018), and the mel warps and random equalisers
that are common for audio. All random numbers come from the generator that is handed in.
"""

from collections.abc import Sequence

import numpy as np

from genres.audio.format import STEPS
from genres.core.params import Augment

# Points of the random equaliser between which it is straight.
_KNOTS = 5


def window(track: np.ndarray, start: int, frames: int, factor: float) -> np.ndarray:
    """A window that lasts `factor` times as long as it should, squeezed into `frames`.

    The nearest frames are taken: between them, interpolation would blur what lies beside the lasting and the broad.

    Parameters
    ----------
    track : np.ndarray [shape=(n, n_mels)]
    start : int
        First frame; moved back where the window would not fit otherwise.
    frames : int
        Length of the result.
    factor : float
        1 takes the frames as they are, 1.1 makes the music faster by a tenth.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
    """
    first = min(start, max(0.0, len(track) - 1 - (frames - 1) * factor))
    places = np.minimum(first + np.arange(frames) * factor, len(track) - 1)
    return track[np.round(places).astype(int)].astype(np.float32)


def shifted(clip: np.ndarray, bands: int) -> np.ndarray:
    """The clip so many mel bands higher (or lower, if negative), the outermost band repeated."""
    places = np.clip(np.arange(clip.shape[1]) - bands, 0, clip.shape[1] - 1)
    return clip[:, places]


def varied(clip: np.ndarray, how: Augment, rng: np.random.Generator, *, frame_rate: float, top_db: float) -> np.ndarray:
    """Another pitch, another equaliser, masks.

    Parameters
    ----------
    clip : np.ndarray [shape=(frames, n_mels)]
        Stored levels, 0 to 255.
    how : Augment
        How much of each.
    frame_rate, top_db : float
        Of the spectrograms.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
        0 to 255.
    """
    clip = np.array(clip, dtype=np.float32)
    n_frames, n_mels = clip.shape
    if how.shift_bands:
        clip = shifted(clip, int(rng.integers(-how.shift_bands, how.shift_bands + 1)))
    if how.equalizer_db:
        knots = rng.normal(0, how.equalizer_db * STEPS / top_db, _KNOTS)
        curve = np.interp(np.linspace(0, _KNOTS - 1, n_mels), np.arange(_KNOTS), knots)
        np.clip(np.add(clip, curve.astype(np.float32), out=clip), 0, STEPS, out=clip)
    mean = clip.mean()
    if how.mask_bands:
        width = min(int(rng.integers(0, how.mask_bands + 1)), n_mels)
        first = rng.integers(0, n_mels - width + 1)
        clip[:, first : first + width] = mean
    if how.mask_s:
        width = min(round(rng.uniform(0, how.mask_s) * frame_rate), n_frames)
        first = rng.integers(0, n_frames - width + 1)
        clip[first : first + width] = mean
    return clip


def mixed(
    clips: Sequence[np.ndarray], targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Each clip of a batch, and its target, mixed with another one's by a share from Beta(alpha, alpha).

    Parameters
    ----------
    clips : sequence of n np.ndarray [shape=(frames, n_mels), dtype=float32]
    targets : np.ndarray [shape=(n, n_genres)]
        Rows sum to 1, and do so afterwards.
    """
    shares = rng.beta(alpha, alpha, len(clips)).astype(np.float32)
    partners = rng.permutation(len(clips))
    of_targets = shares[:, np.newaxis]
    return (
        # One by one, for a clip fits in a core's cache, and a batch does not.
        [share * clip + (1 - share) * clips[other] for share, clip, other in zip(shares, clips, partners, strict=True)],
        of_targets * targets + (1 - of_targets) * targets[partners],
    )
