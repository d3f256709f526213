"""Scores of predictions, and how sure they are: accuracy with its interval, F1, log loss, calibration, paired tests.

In: class probabilities (tracks, genres), true labels (tracks,) as indices, or which tracks were right (tracks,).
Out: plain numbers and small arrays. Everything here is a pure function; one row is one track, since the clips of a
track are no independent samples.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A probability below this counts as this, so that one impossible answer costs 36 nats and not infinity:
# float64's machine epsilon, which is where scikit-learn's log_loss clips too.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)

CI95 = (0.025, 0.975)


class Reliability(NamedTuple):
    """Bins of equal width over the confidence 0 to 1; all zeros where a bin holds no track."""

    confidence: Floats  # (bins,) mean confidence of the bin's tracks
    accuracy: Floats  # (bins,) share of them that is right
    counts: Ints  # (bins,) tracks


class PerGenre(NamedTuple):
    """One entry a genre."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints  # tracks of this genre


def accuracy_interval(correct: ArrayLike, resamples: int, seed: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy: percentile bootstrap over tracks (Efron 1979).

    Where every track is right (or wrong) so is every resample, and an interval without width would look like
    certainty: there it is Wilson's (1927), which for n tracks without an error begins at n / (n + 3.84).

    Parameters
    ----------
    correct : (tracks,) bool
        Which tracks were right; at least one.
    resamples : int
        Bootstrap samples.
    seed : int
        The same seed gives the same interval.

    Returns
    -------
    low, high : float
        Between 0 and 1.
    """
    right = _flags(correct)
    if right.all() or not right.any():
        interval = binomtest(int(right.sum()), right.size).proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)
    # The number of right ones among n tracks drawn with replacement is binomial: no need to draw the tracks.
    accuracies = np.random.default_rng(seed).binomial(right.size, right.mean(), resamples) / right.size
    low, high = np.quantile(accuracies, CI95)
    return float(low), float(high)


def paired_difference(
    correct_a: ArrayLike, correct_b: ArrayLike, resamples: int, seed: int
) -> tuple[float, float, float]:
    """How much more accurate a is than b on the same tracks, with its 95 % interval: paired percentile bootstrap.

    A track is drawn with both its answers, so what is hard for both widens nothing.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Which tracks each was right on, in the same order.
    resamples, seed : int
        As in :func:`accuracy_interval`.

    Returns
    -------
    difference, low, high : float
        Accuracy of a less that of b, between -1 and 1.
    """
    only_a, only_b, tracks = _discordant(correct_a, correct_b)
    shares = np.array([only_a, only_b, tracks - only_a - only_b]) / tracks
    # As above: of n tracks drawn with replacement, these are multinomial.
    drawn = np.random.default_rng(seed).multinomial(tracks, shares, resamples)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / tracks, CI95)
    return (only_a - only_b) / tracks, float(low), float(high)


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Exact two-sided p-value of McNemar's test (1947) that a and b are equally often right.

    Of the tracks that only one of the two has right, each should have half: a binomial test on these.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Which tracks each was right on, in the same order.

    Returns
    -------
    float
        1.0 where no track tells them apart.
    """
    only_a, only_b, _ = _discordant(correct_a, correct_b)
    if only_a + only_b == 0:
        return 1.0
    # The smaller of the two, so that swapping a and b gives the same bits.
    return float(binomtest(min(only_a, only_b), only_a + only_b, 0.5).pvalue)


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> Reliability:
    """What a reliability diagram shows: accuracy against confidence, in bins of equal width.

    The confidence is the probability of the genre that is predicted; bin m of M holds the confidences in
    ((m - 1) / M, m / M], as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1.
    labels : (tracks,) int
        The true genre's column.
    bins : int
        At least 1.
    """
    probabilities, labels = _checked(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # k / bins is the nearest number to the edge (linspace's may be off by one bit), so that 0.7 falls below 0.7.
    position = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    count = np.bincount(position, minlength=bins)
    divisor = np.maximum(count, 1)
    return Reliability(
        confidence=np.bincount(position, weights=confidence, minlength=bins) / divisor,
        accuracy=np.bincount(position, weights=right, minlength=bins) / divisor,
        counts=count,
    )


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Mean distance of confidence and accuracy over the bins of :func:`reliability`, weighted by their tracks.

    Equation 3 of Guo et al. 2017; 0 is perfectly calibrated, 1 is sure of itself and always wrong. With few tracks
    a bin it is biased upwards.
    """
    confidence, accuracy, count = reliability(probabilities, labels, bins)
    return float(np.average(np.abs(confidence - accuracy), weights=count))


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative natural logarithm of the true genre's probability, in nats; always finite.

    Probabilities are clipped from below at `SMALLEST_PROBABILITY`. Uniform guessing among k genres scores log(k).
    """
    probabilities, labels = _checked(probabilities, labels)
    of_truth = probabilities[np.arange(labels.size), labels]
    return float(-np.log(np.clip(of_truth, SMALLEST_PROBABILITY, 1)).mean())


def per_genre(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> PerGenre:
    """Precision, recall, F1 and support of each genre; 0 where a ratio has nothing to divide by.

    Parameters
    ----------
    labels, predicted : (tracks,) int
        Indices of genres.
    n_classes : int
        Genres in all, also those that do not occur: the arrays have this length.
    """
    found = precision_recall_fscore_support(labels, predicted, labels=np.arange(n_classes), zero_division=0)
    return PerGenre(*found)


def summary(probabilities: ArrayLike, labels: ArrayLike, *, resamples: int, bins: int, seed: int) -> dict[str, float]:
    """The numbers of a metrics file that follow from the tracks' probabilities.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1.
    labels : (tracks,) int
        The true genre's column.
    resamples, seed : int
        Of the interval: see :func:`accuracy_interval`.
    bins : int
        Of the expected calibration error.

    Returns
    -------
    dict
        track_accuracy, track_accuracy_ci95_low, track_accuracy_ci95_high, macro_f1, log_loss, ece. The macro F1 is
        the plain mean over the genres that occur among the labels or the predictions, as scikit-learn's: a genre
        that the test fold lacks and nobody predicts does not count.
    """
    probabilities, labels = _checked(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    low, high = accuracy_interval(predicted == labels, resamples, seed)
    return {
        "track_accuracy": float(np.mean(predicted == labels)),
        "track_accuracy_ci95_low": low,
        "track_accuracy_ci95_high": high,
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "log_loss": log_loss(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels, bins),
    }


def _flags(correct: ArrayLike) -> NDArray[np.bool_]:
    flags = np.asarray(correct, dtype=bool)
    if flags.ndim != 1 or flags.size == 0:
        raise ValueError(f"needs one flag a track and at least one track; received shape {flags.shape}")
    return flags


def _discordant(correct_a: ArrayLike, correct_b: ArrayLike) -> tuple[int, int, int]:
    """The number of tracks that only a has right, that only b has right, and of all tracks."""
    a, b = _flags(correct_a), _flags(correct_b)
    if a.size != b.size:
        raise ValueError(f"needs the same tracks twice; received {a.size} and {b.size}")
    return int(np.sum(a & ~b)), int(np.sum(b & ~a)), a.size


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[Any]]:
    rows = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(labels)
    if rows.ndim != 2 or truth.shape != rows.shape[:1] or truth.size == 0:
        raise ValueError(f"needs (tracks, genres) and (tracks,), not empty; received {rows.shape} and {truth.shape}")
    if not np.allclose(rows.sum(axis=1), 1, atol=1e-3) or rows.min() < 0:  # also where there is a NaN
        raise ValueError("probabilities must be finite, not negative, and sum to 1 in each row")
    if truth.min() < 0 or truth.max() >= rows.shape[1]:
        raise ValueError(f"labels must be columns of the probabilities, 0 to {rows.shape[1] - 1}")
    return rows, truth
