"""Paired sign-flip test: test that the mean of paired differences is zero, and bound it.

If the two sides of each pair are exchangeable, all 2^n choices of the signs of the differences are equally likely. The
share of them that gives as extreme a mean is the p-value (Fisher 1935).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# Up to this many pairs, all sign patterns are enumerated; for more pairs, `PATTERNS` random ones are drawn.
EXACT_PAIRS = 14
PATTERNS = 1 << EXACT_PAIRS

# Means this close to zero count as ties, since rounding must not break ties.
_TIE = 1e-12


class SignFlip(NamedTuple):
    """Result of a paired sign-flip test of the mean difference."""

    mean: float
    low: float | None  # 95 % interval of the mean; None if there are too few pairs to bound it
    high: float | None
    p: float  # two-sided


def sign_flip(differences: ArrayLike, seed: int = 0) -> SignFlip:
    """Test whether paired differences have mean zero, and compute the interval of the means that the test accepts.

    The test is exact up to 14 pairs. The interval inverts the test: it holds the means m for which the differences less
    m pass. Flipping the signs of a subset A does not lower their sum exactly if the mean over A is at most m, so the
    interval's ends are order statistics of the 2^n - 1 means over subsets (Hartigan, "Using Subsample Values as Typical
    Values", JASA 1969).

    Parameters
    ----------
    differences : (pairs,) float
        At least one; finite.
    seed : int
        Seed of the random sign patterns, for more than 14 pairs.

    Returns
    -------
    SignFlip
        With n pairs p is at least :func:`least_p`; below 6 pairs that exceeds 5 %, and the interval is unbounded.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"needs finite differences, one per pair; received {values!r}")
    subsets = _subsets(values.size, seed)
    means = np.sort((subsets @ values) / subsets.sum(axis=1))
    patterns = len(means) + 1  # including the one that flips nothing
    below = (1 + np.sum(means <= _TIE)) / patterns
    above = (1 + np.sum(means >= -_TIE)) / patterns
    beyond = int(0.025 * patterns)  # number of patterns outside the interval on each side
    low, high = (float(means[beyond - 1]), float(means[-beyond])) if beyond else (None, None)
    return SignFlip(float(values.mean()), low, high, float(min(1.0, 2 * min(below, above))))


def least_p(pairs: int) -> float:
    """Return the smallest p-value that is possible with this many pairs."""
    return min(1.0, 2 / min(2**pairs, PATTERNS))


def _subsets(n: int, seed: int) -> np.ndarray:
    """Return all non-empty subsets of n pairs, or random ones for more than 14: bool [shape=(patterns - 1, n)]."""
    if n <= EXACT_PAIRS:
        return (np.arange(1, 2**n)[:, np.newaxis] >> np.arange(n) & 1).astype(bool)
    drawn = np.random.default_rng(seed).random((PATTERNS - 1, n)) < 0.5
    drawn[~drawn.any(axis=1), 0] = True  # an empty subset has no mean
    return drawn
