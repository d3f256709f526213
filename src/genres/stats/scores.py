"""Scores of predictions, and how sure they are: accuracy with its interval, F1, log loss, calibration, paired tests.

In: class probabilities (tracks, genres), true labels (tracks,) as indices, or which tracks were right (tracks,).
Out: plain numbers and small arrays. Everything here is a pure function; one row is one track, since the clips of a
track are no independent samples.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A probability below this counts as this, so that one impossible answer costs 36 nats and not infinity:
# float64's machine epsilon, which is where scikit-learn's log_loss clips too.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)

CI95 = (0.025, 0.975)

# Between which a temperature is sought: where each validation track is right (or wrong), the best would be 0 (or
# infinite), and no test set is as easy as that.
TEMPERATURES = (0.05, 20.0)


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


def unpaired_difference(
    correct_a: ArrayLike, correct_b: ArrayLike, resamples: int, seed: int
) -> tuple[float, float, float]:
    """How much more accurate a is than b, each on tracks of its own, with its 95 % interval: percentile bootstrap.

    Parameters
    ----------
    correct_a, correct_b : (tracks,) bool
        Which tracks each was right on; not the same tracks.
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


def temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The temperature that makes the log loss of these tracks smallest; above 1 where they were too sure of themselves.

    Guo et al. 2017, with the logarithms of the probabilities for logits. To be fitted on validation and used on test.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1.
    labels : (tracks,) int
        The true genre's column.
    """
    rows, truth = _checked(probabilities, labels)

    def loss(log_temperature: float) -> float:
        return log_loss(tempered(rows, float(np.exp(log_temperature))), truth)

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def tempered(probabilities: ArrayLike, temperature: float) -> Floats:
    """Probabilities to the power of 1 / temperature, rows summing to 1 again; the order within a row is kept."""
    logarithms = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, 1))
    scaled: Floats = softmax(logarithms / temperature, axis=1)
    return scaled


def calibration(val: tuple[ArrayLike, ArrayLike], test: tuple[ArrayLike, ArrayLike], bins: int) -> dict[str, float]:
    """What temperature scaling does: the temperature fitted on validation, log loss and ECE of the test set with it.

    Parameters
    ----------
    val, test : (probabilities, labels)
        As in :func:`log_loss`.
    bins : int
        Of the expected calibration error.
    """
    fitted = temperature(*val)
    probabilities, labels = tempered(test[0], fitted), test[1]
    return {
        "temperature": fitted,
        "log_loss_calibrated": log_loss(probabilities, labels),
        "ece_calibrated": expected_calibration_error(probabilities, labels, bins),
    }


def holm(p_values: ArrayLike) -> Floats:
    """Holm's (1979) step-down correction: p-values for as many tests at once, in the order given.

    With each test at 5 %, the chance that any true hypothesis is rejected stays below 5 %.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1)
    corrected = np.empty_like(p)
    corrected[order] = steps
    return corrected


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
