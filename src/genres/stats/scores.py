"""Scores of predictions and their uncertainty: accuracy with its interval, F1, log loss, reliability, paired tests.

Input: class probabilities (tracks, genres), true labels (tracks,) as indices, or correctness flags (tracks,). Output:
plain numbers and small arrays. All functions are pure. One row is one track, since the clips of a track are not
independent samples.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Smaller probabilities are clipped to float64's machine epsilon, as in scikit-learn's log_loss: a wrong prediction of
# probability 0 then adds 36 nats, not infinity.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)

CI95 = (0.025, 0.975)


class Reliability(NamedTuple):
    """Bins of equal width over the confidence 0 to 1; all zeros for a bin without tracks."""

    confidence: Floats  # (bins,) mean confidence of the bin's tracks
    accuracy: Floats  # (bins,) share of the bin's tracks that is right
    counts: Ints  # (bins,) tracks


class PerGenre(NamedTuple):
    """Scores of each genre [shape=(genres,)]."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints  # number of tracks


def accuracy_interval(correct: ArrayLike, resamples: int, seed: int) -> tuple[float, float]:
    """Compute the 95 % interval of an accuracy by a percentile bootstrap over tracks (Efron 1979).

    If all tracks are right (or wrong) so are all resamples, and an interval of zero width would suggest certainty. Then
    Wilson's interval (1927) is returned, which for n tracks without an error begins at n / (n + 3.84).

    Parameters
    ----------
    correct : (tracks,) bool
        Flags of the tracks that were right; at least one track.
    resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the resampling.

    Returns
    -------
    low, high : float
        Between 0 and 1.
    """
    right = _flags(correct)
    if right.all() or not right.any():
        interval = binomtest(int(right.sum()), right.size).proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)
    # The number of right tracks among n drawn with replacement is binomial, so the tracks need not be drawn.
    accuracies = np.random.default_rng(seed).binomial(right.size, right.mean(), resamples) / right.size
    low, high = np.quantile(accuracies, CI95)
    return float(low), float(high)


def paired_difference(
    correct_a: ArrayLike, correct_b: ArrayLike, resamples: int, seed: int
) -> tuple[float, float, float]:
    """Compute the accuracy of a less that of b on the same tracks, with its 95 % paired percentile bootstrap interval.

    A track is drawn with both predictions, so tracks that are hard for both do not widen the interval.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Flags of the tracks that each was right on, in the same order.
    resamples, seed : int
        As in :func:`accuracy_interval`.

    Returns
    -------
    difference, low, high : float
        Accuracy of a less that of b, between -1 and 1.
    """
    only_a, only_b, tracks = _discordant(correct_a, correct_b)
    shares = np.array([only_a, only_b, tracks - only_a - only_b]) / tracks
    # As above: the counts among n tracks drawn with replacement are multinomial.
    drawn = np.random.default_rng(seed).multinomial(tracks, shares, resamples)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / tracks, CI95)
    return (only_a - only_b) / tracks, float(low), float(high)


def unpaired_difference(
    correct_a: ArrayLike, correct_b: ArrayLike, resamples: int, seed: int
) -> tuple[float, float, float]:
    """Compute the accuracy of a less that of b on different tracks, with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Flags of the tracks that each was right on.
    resamples, seed : int
        As in :func:`accuracy_interval`.

    Returns
    -------
    difference, low, high : float
        Accuracy of a less that of b, between -1 and 1.
    """
    rng, (a, b) = np.random.default_rng(seed), (_flags(correct_a), _flags(correct_b))
    drawn = [rng.binomial(right.size, right.mean(), resamples) / right.size for right in (a, b)]
    low, high = np.quantile(drawn[0] - drawn[1], CI95)
    return float(a.mean() - b.mean()), float(low), float(high)


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Return the exact two-sided p-value of McNemar's test (1947) that a and b are equally often right.

    It is a binomial test that each has half of the tracks that only one of the two has right.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Flags of the tracks that each was right on, in the same order.

    Returns
    -------
    float
        1.0 if both are right on the same tracks.
    """
    only_a, only_b, _ = _discordant(correct_a, correct_b)
    if only_a + only_b == 0:
        return 1.0
    # The smaller count, so that swapping a and b gives a bit-identical result.
    return float(binomtest(min(only_a, only_b), only_a + only_b, 0.5).pvalue)


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> Reliability:
    """Compute the accuracy and mean confidence in bins of equal width, as a reliability diagram shows them.

    The confidence is the probability of the predicted genre; bin m of M holds the confidences in
    ((m - 1) / M, m / M], as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1.
    labels : (tracks,) int
        Column of the true genre.
    bins : int
        Number of bins, at least 1.
    """
    probabilities, labels = checked(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # k / bins is the float nearest to the edge (linspace may be off by one bit), so that 0.7 falls below the edge 0.7.
    position = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    count = np.bincount(position, minlength=bins)
    divisor = np.maximum(count, 1)
    return Reliability(
        confidence=np.bincount(position, weights=confidence, minlength=bins) / divisor,
        accuracy=np.bincount(position, weights=right, minlength=bins) / divisor,
        counts=count,
    )


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Return the mean difference of confidence and accuracy over the bins of :func:`reliability`, weighted by tracks.

    Equation 3 of Guo et al. 2017; 0 is perfectly calibrated, 1 is fully confident and always wrong. It is biased
    upwards if bins hold few tracks.
    """
    confidence, accuracy, count = reliability(probabilities, labels, bins)
    return float(np.average(np.abs(confidence - accuracy), weights=count))


def holm(p_values: ArrayLike) -> Floats:
    """Correct p-values for multiple tests by Holm's (1979) step-down procedure, in the order given.

    Rejecting at 5 % keeps the chance that any true hypothesis is rejected below 5 %.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1)
    corrected = np.empty_like(p)
    corrected[order] = steps
    return corrected


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean negative natural logarithm of the true genre's probability, in nats; always finite.

    Probabilities are clipped from below at `SMALLEST_PROBABILITY`. Uniform guessing among k genres scores log(k).
    """
    probabilities, labels = checked(probabilities, labels)
    true_probability = probabilities[np.arange(labels.size), labels]
    return float(-np.log(np.clip(true_probability, SMALLEST_PROBABILITY, 1)).mean())


def per_genre(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> PerGenre:
    """Compute precision, recall, F1 and support of each genre; a ratio with denominator 0 is 0.

    Parameters
    ----------
    labels, predicted : (tracks,) int
        Indices of genres.
    n_classes : int
        Number of genres, including those that do not occur; the length of the arrays.
    """
    by_genre = precision_recall_fscore_support(labels, predicted, labels=np.arange(n_classes), zero_division=0)
    return PerGenre(*by_genre)


def summary(probabilities: ArrayLike, labels: ArrayLike, *, resamples: int, bins: int, seed: int) -> dict[str, float]:
    """Compute the numbers of a metrics file that follow from the tracks' probabilities.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1.
    labels : (tracks,) int
        Column of the true genre.
    resamples, seed : int
        As in :func:`accuracy_interval`.
    bins : int
        Number of bins of the expected calibration error.

    Returns
    -------
    dict
        track_accuracy, track_accuracy_ci95_low, track_accuracy_ci95_high, macro_f1, log_loss, ece. The macro F1 is
        the unweighted mean over the genres that occur among the labels or the predictions, as in scikit-learn: a
        genre that the test fold lacks and that is never predicted does not count.
    """
    probabilities, labels = checked(probabilities, labels)
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
        raise ValueError(f"needs one flag per track and at least one track; received shape {flags.shape}")
    return flags


def _discordant(correct_a: ArrayLike, correct_b: ArrayLike) -> tuple[int, int, int]:
    """Return the number of tracks that only a has right, that only b has right, and of all tracks."""
    a, b = _flags(correct_a), _flags(correct_b)
    if a.size != b.size:
        raise ValueError(f"needs flags of the same tracks; received {a.size} and {b.size}")
    return int(np.sum(a & ~b)), int(np.sum(b & ~a)), a.size


def checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[Any]]:
    """Return probabilities (tracks, genres) and labels (tracks,) as arrays.

    Raises
    ------
    ValueError
        If they are of different tracks or of none, the probabilities are none, or a label is no column of theirs.
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(labels)
    if rows.ndim != 2 or truth.shape != rows.shape[:1] or truth.size == 0:
        raise ValueError(f"needs (tracks, genres) and (tracks,), not empty; received {rows.shape} and {truth.shape}")
    if not np.allclose(rows.sum(axis=1), 1, atol=1e-3) or rows.min() < 0:  # also catches NaN
        raise ValueError("probabilities must be finite, not negative, and sum to 1 in each row")
    if truth.min() < 0 or truth.max() >= rows.shape[1]:
        raise ValueError(f"labels must be columns of the probabilities, 0 to {rows.shape[1] - 1}")
    return rows, truth
