"""Tests of repeated experiments that account for the data that the repetitions share.

Repetitions (other seeds, other folds) use the same songs, so they are not independent. Student's test assumes that they
are, and finds differences where there are none.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as f_distribution
from scipy.stats import friedmanchisquare, rankdata, studentized_range, t

ALPHA = 0.05
# With fewer repetitions, even the same order in each of them says little about the ranks.
MIN_REPETITIONS = 5


class Folds(NamedTuple):
    """Training and test clips of one repetition."""

    train: frozenset[str]
    test: frozenset[str]


class Overlap(NamedTuple):
    """Mean shares of the training and of the test clips that two repetitions have in common.

    `correction` is the number of test clips per training clip, or 0 if all repetitions test on the same clips: then the
    tracks do not vary, and the repetitions measure the randomness of training only.
    """

    train: float
    test: float
    correction: float


def overlap(repetitions: Sequence[Folds]) -> Overlap | None:
    """Measure the mean overlap of pairs of repetitions; None for a single repetition."""
    pairs = list(combinations(repetitions, 2))
    if not pairs:
        return None
    train, test = (
        float(np.mean([2 * len(a[fold] & b[fold]) / (len(a[fold]) + len(b[fold])) for a, b in pairs]))
        for fold in (0, 1)
    )
    ratio = float(np.mean([len(folds.test) / len(folds.train) for folds in repetitions]))
    return Overlap(train, test, 0.0 if test == 1 else ratio)


class Interval(NamedTuple):
    """Mean over repetitions, their standard deviation, the mean's 95 % interval, and p for a mean of zero."""

    mean: float
    deviation: float
    low: float
    high: float
    p: float


def interval(values: ArrayLike, correction: float = 0.0) -> Interval:
    """Compute the interval and test of a mean over repetitions that share training data.

    This is the corrected resampled t-test of Nadeau and Bengio (2003, Inference for the generalization error): the
    variance of the mean is (1 / n + correction) times that of one repetition, instead of 1 / n.

    Parameters
    ----------
    values : (repetitions,) float
        At least two accuracies, or differences of two networks' accuracies in the same repetition.
    correction : float
        Test clips per training clip; 0 gives Student's interval.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size < 2:
        raise ValueError(f"needs at least two repetitions; received shape {sample.shape}")
    freedom = sample.size - 1
    mean, deviation = float(sample.mean()), float(sample.std(ddof=1))
    # Rounding gives equal values a deviation of 1e-17 rather than 0.
    error = deviation * (1 / sample.size + correction) ** 0.5 if np.ptp(sample) > 0 else 0.0
    reach = float(t.ppf(1 - ALPHA / 2, freedom)) * error
    # Without spread t is undefined: p is 1 if all values are zero, else 0.
    p = 2 * float(t.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    return Interval(mean, deviation, mean - reach, mean + reach, p)


class Ranks(NamedTuple):
    """Mean ranks (1 is the best), their critical difference, and p for all being equal."""

    means: list[float]
    critical_difference: float
    p: float


def ranks(accuracies: ArrayLike) -> Ranks:
    """Compute Friedman's test of several networks and Nemenyi's critical difference of their mean ranks.

    As in Demšar (2006, Statistical comparisons of classifiers over multiple data sets), with Iman and Davenport's F
    instead of the chi-square, which is too conservative. The test assumes independent repetitions.

    Parameters
    ----------
    accuracies : (repetitions, networks) float
        At least three networks, and `MIN_REPETITIONS` repetitions.
    """
    values = np.asarray(accuracies, dtype=np.float64)
    n, k = values.shape
    if n < MIN_REPETITIONS or k < 3:
        raise ValueError(f"needs at least {MIN_REPETITIONS} repetitions of 3 networks; received {n} of {k}")
    means = rankdata(-values, axis=1).mean(axis=0)
    if np.ptp(means) == 0:
        return Ranks(means.tolist(), critical_difference(n, k), 1.0)
    chi_square = float(friedmanchisquare(*values.T).statistic)
    rest = n * (k - 1) - chi_square  # zero if all repetitions have the same order
    p = float(f_distribution.sf((n - 1) * chi_square / rest, k - 1, (k - 1) * (n - 1))) if rest > 1e-9 else 0.0
    return Ranks(means.tolist(), critical_difference(n, k), p)


def critical_difference(repetitions: int, networks: int) -> float:
    """Return the difference of any two mean ranks that is significant at 5 % (Nemenyi's test)."""
    quantile = float(studentized_range.ppf(1 - ALPHA, networks, np.inf)) / 2**0.5
    return quantile * (networks * (networks + 1) / (6 * repetitions)) ** 0.5
