"""Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017) for small validation sets.

The temperature of the lowest log loss is 6.7 for 22 tracks of which one is wrong with certainty, and 0 where all are
right. So it has a prior around 1, and is applied only if it improves the log loss of artists that it was not fitted on,
beyond chance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import ttest_1samp

from genres.stats.scores import SMALLEST_PROBABILITY, checked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Standard deviation of the prior of log(temperature), whose mean is 0; chosen by simulation.
PRIOR_DEVIATION = 0.35

# Bounds of log(temperature), far outside of the prior.
_BOUNDS = (-3.0, 3.0)

# Fewest artists that can show an improvement: the one-sided p-value of n equal signs is 1/2^n.
LEAST_ARTISTS = 5

# Largest number of parts of the cross-validation; up to as many artists are left out one by one.
PARTS = 20

# Largest one-sided p-value of an improvement beyond chance.
SIGNIFICANCE = 0.05


class Temperature(NamedTuple):
    """A temperature, and the reason if it stays at 1."""

    value: float  # above 1 for overconfident predictions
    reason: str  # empty if it is applied


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike, artists: ArrayLike) -> Temperature:
    """Fit the temperature to validation tracks, and keep it at 1 where they do not support it.

    It minimises the log loss with log probabilities as logits, plus the prior's. An artist's tracks are alike, so that
    they are no independent observations: the loss is scaled as if there were as many tracks as artists. The decision is
    a t-test over artists of the gain in log loss by temperatures fitted to the other artists.

    Parameters
    ----------
    probabilities : (tracks, genres) float
        Rows sum to 1; of tracks that the network was not trained on.
    labels : (tracks,) int
        Column of the true genre.
    artists : (tracks,) int
        Number of the artist of each track.
    """
    rows, truth = checked(probabilities, labels)
    logits = np.log(np.clip(rows, SMALLEST_PROBABILITY, 1))
    numbers = np.unique(np.asarray(artists), return_inverse=True)[1]
    n_artists = len(np.unique(numbers))
    about = f"{len(truth)} validation tracks of {n_artists} artist{'s' * (n_artists > 1)}"
    if n_artists < LEAST_ARTISTS:
        return Temperature(1.0, f"{about} cannot show an improvement; it takes {LEAST_ARTISTS} artists")
    weight = n_artists / len(truth)
    parts = numbers % min(PARTS, n_artists)
    gain = np.empty(len(truth))
    for part in range(parts.max() + 1):
        out = parts == part
        fitted = _most_probable(logits[~out], truth[~out], weight)
        gain[out] = _losses(logits[out], truth[out], 0.0) - _losses(logits[out], truth[out], fitted)
    by_artist = np.bincount(numbers, gain)
    if np.ptp(by_artist) == 0:  # the test is not defined without variance
        p = float(by_artist[0] <= 0)
    else:
        p = float(ttest_1samp(by_artist, 0, alternative="greater").pvalue)
    if p > SIGNIFICANCE:
        return Temperature(1.0, f"no improvement beyond chance on {about}, p = {p:.2g}")
    return Temperature(float(np.exp(_most_probable(logits, truth, weight))), "")


def tempered(probabilities: ArrayLike, temperature: float) -> Floats:
    """Raise probabilities to the power of 1 / temperature and normalise the rows; keeps the order within a row."""
    logits = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, 1))
    return np.exp(log_softmax(logits / temperature, axis=1))


def _most_probable(logits: Floats, labels: Ints, weight: float) -> float:
    """Return the maximum of log(temperature)'s posterior; each track counts `weight`."""

    def loss(log_temperature: float) -> float:
        fit = weight * float(_losses(logits, labels, log_temperature).sum())
        return fit + 0.5 * (log_temperature / PRIOR_DEVIATION) ** 2

    return float(minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-6}).x)


def _losses(logits: Floats, labels: Ints, log_temperature: float) -> Floats:
    losses: Floats = -log_softmax(logits * np.exp(-log_temperature), axis=1)[np.arange(len(labels)), labels]
    return losses
