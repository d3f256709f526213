"""Paired sign-flip tests: whether the mean of some differences is zero, and between which values it lies.

Where the two sides of each pair could as well be exchanged, each difference could as well have the other sign; so all
2^n choices of signs are equally likely, and how many of them give as extreme a mean is a p-value (Fisher 1935).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# Up to so many pairs all sign patterns are counted; more pairs are tested against this many random ones.
EXACT_PAIRS = 14
PATTERNS = 1 << EXACT_PAIRS

# Sums that differ by less are equal: rounding must not break ties.
_TIE = 1e-12


class SignFlip(NamedTuple):
    """What a paired sign-flip test says of the mean of the differences."""

    mean: float
    low: float | None  # 95 % interval of the mean; None: so few pairs bound it on no side
    high: float | None
    p: float  # two-sided


def sign_flip(differences: ArrayLike, seed: int = 0) -> SignFlip:
    """Test whether paired differences have mean zero, and give the interval of the means that the test accepts.

    The test is exact up to 14 pairs. The interval is the same test turned round: it accepts a mean m where the
    differences less m pass. Flipping the signs of a subset A keeps the sum as high as it is just where the mean over A
    is at most m, so that the interval's ends are order statistics of the 2^n - 1 means over subsets (Hartigan, "Using
    Subsample Values as Typical Values", JASA 1969).

    Parameters
    ----------
    differences : (pairs,) float
        At least one; finite.
    seed : int
        Of the random sign patterns, where there are more than 14 pairs.

    Returns
    -------
    SignFlip
        With n pairs p is at least :func:`least_p`; below 6 pairs that is above 5 %, and the interval has no ends.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"needs finite differences, one a pair; received {values!r}")
    subsets = _subsets(values.size, seed)
    means = np.sort((subsets @ values) / subsets.sum(axis=1))
    patterns = len(means) + 1  # with the one that flips nothing
    below = (1 + np.sum(means <= _TIE)) / patterns
    above = (1 + np.sum(means >= -_TIE)) / patterns
    beyond = int(0.025 * patterns)  # patterns that one side leaves out
    low, high = (float(means[beyond - 1]), float(means[-beyond])) if beyond else (None, None)
    return SignFlip(float(values.mean()), low, high, float(min(1.0, 2 * min(below, above))))


def least_p(pairs: int) -> float:
    """The smallest p-value that so many pairs can give, were they ever so clear."""
    return min(1.0, 2 / min(2**pairs, PATTERNS))


def _subsets(n: int, seed: int) -> np.ndarray:
    """All non-empty subsets of n pairs, or random ones where those are too many: bool [shape=(patterns - 1, n)]."""
    if n <= EXACT_PAIRS:
        return (np.arange(1, 2**n)[:, np.newaxis] >> np.arange(n) & 1).astype(bool)
    drawn = np.random.default_rng(seed).random((PATTERNS - 1, n)) < 0.5
    drawn[~drawn.any(axis=1), 0] = True  # an empty one has no mean
    return drawn
