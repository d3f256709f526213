"""Selective prediction: the least confidence above which at most a given share of predictions is wrong, with certainty.

An upper bound of the share of wrong predictions is Clopper and Pearson's (1934), with the effective number of songs of
Korn and Graubard (1998), since songs of one artist are not independent. Thresholds are tested from the most confident
song down, and the first that fails ends the search: fixed-sequence testing, which keeps the certainty although the
threshold is chosen (Angelopoulos et al., "Learn then Test", 2021). Input: one entry per held-out song.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]

# Promises that `least_error` tries.
ERRORS = np.arange(1, 51) / 100


class Curve(NamedTuple):
    """Held-out songs in the order of their confidence, at each confidence that occurs [shape=(n,)]."""

    confidence: Floats  # of the least confident song that is kept, descending
    kept: Floats  # share of the songs with at least this confidence
    wrong: Floats  # share of these that is wrong
    effective: Floats  # number of independent songs that these are worth


class Promise(NamedTuple):
    """A threshold that keeps a promise on the share of wrong predictions."""

    threshold: float  # least confidence of a prediction that is kept
    highest: float  # up to which a higher threshold keeps the promise, too; above it songs are too few to tell
    bound: float  # upper bound of the share of wrong predictions among those that are kept
    kept: float  # share of the held-out songs that is kept
    songs: int  # held-out songs
    artists: int


def curve(confidence: ArrayLike, wrong: ArrayLike, artists: ArrayLike) -> Curve:
    """Return risk against coverage.

    Parameters
    ----------
    confidence : (songs,) float
        Probability of the predicted genre.
    wrong : (songs,) bool
    artists : (songs,) int
        Number of the artist of each song.

    Raises
    ------
    ValueError
        If they are of different songs or of none, or a confidence is no number.
    """
    values, flags = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=bool)
    numbers = np.unique(np.asarray(artists), return_inverse=True)[1]
    if values.size == 0 or not values.shape == flags.shape == numbers.shape or not np.isfinite(values).all():
        raise ValueError(f"needs entries of the same songs: {values.shape}, {flags.shape}, {numbers.shape}")
    correlation = intraclass_correlation(flags, numbers)
    order = np.argsort(-values, kind="stable")
    sizes, squares, effective = np.zeros(numbers.max() + 1), 0.0, np.empty(len(order))
    for place, artist in enumerate(numbers[order]):
        squares += 2 * sizes[artist] + 1
        sizes[artist] += 1
        songs = place + 1
        effective[place] = songs / (1 + correlation * (squares / songs - 1))
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # songs of equal confidence stay together
    counts = ends + 1
    return Curve(values[order][ends], counts / len(order), np.cumsum(flags[order])[ends] / counts, effective[ends])


def intraclass_correlation(wrong: ArrayLike, artists: ArrayLike) -> float:
    """Return the correlation of being wrong between songs of one artist, 0 to 1, estimated by analysis of variance.

    1 where nothing can be said, because all songs are right, or all are wrong, or each is of another artist.
    """
    flags = np.asarray(wrong, dtype=np.float64)
    numbers = np.unique(np.asarray(artists), return_inverse=True)[1]
    sizes = np.bincount(numbers)
    n, groups = len(flags), len(sizes)
    if groups in (1, n) or np.ptp(flags) == 0:
        return 1.0
    means = np.bincount(numbers, flags) / sizes
    between = np.sum(sizes * np.square(means - flags.mean())) / (groups - 1)
    within = np.sum(sizes * means * (1 - means)) / (n - groups)
    size = (n - np.sum(np.square(sizes)) / n) / (groups - 1)
    return float(np.clip((between - within) / (between + (size - 1) * within), 0, 1))


def upper_bound(wrong: ArrayLike, effective: ArrayLike, certainty: float) -> Floats:
    """Return Clopper and Pearson's one-sided upper bound of shares of wrong predictions among `effective` songs."""
    n = np.asarray(effective, dtype=np.float64)
    errors = np.asarray(wrong) * n
    return np.where(errors >= n, 1.0, betaincinv(errors + 1, np.maximum(n - errors, 1e-9), certainty))


def promise(
    confidence: ArrayLike, wrong: ArrayLike, artists: ArrayLike, *, error: float, certainty: float = 0.95
) -> Promise | None:
    """Choose the least confidence above which at most the share `error` of predictions is wrong.

    The tests begin where enough songs are kept to show it if none of them were wrong.

    Parameters
    ----------
    confidence, wrong, artists
        See :func:`curve`.
    error, certainty : float
        Between 0 and 1.

    Returns
    -------
    Promise or None
        None if the songs do not support it. In at most a share 1 - `certainty` of sets of held-out artists the chosen
        threshold lets more wrong predictions through.
    """
    along = curve(confidence, wrong, artists)
    begin = np.flatnonzero((1 - error) ** along.effective <= 1 - certainty)
    if not len(begin):
        return None
    bounds = upper_bound(along.wrong, along.effective, certainty)
    failed = np.flatnonzero(bounds[begin[0] :] > error)
    last = (begin[0] + failed[0] if len(failed) else len(bounds)) - 1
    if last < begin[0]:
        return None
    songs, groups = np.size(confidence), len(np.unique(np.asarray(artists)))
    threshold, highest = (float(along.confidence[place]) for place in (last, begin[0]))
    return Promise(threshold, highest, float(bounds[last]), float(along.kept[last]), songs, groups)


def least_error(confidence: ArrayLike, wrong: ArrayLike, artists: ArrayLike, *, certainty: float = 0.95) -> float:
    """Return the smallest whole percentage, as a share, that :func:`promise` supports; NaN if that is above 50 %."""
    found = (error for error in ERRORS if promise(confidence, wrong, artists, error=float(error), certainty=certainty))
    return float(next(found, np.nan))
