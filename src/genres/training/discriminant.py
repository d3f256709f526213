"""Linear classifier of a track's descriptors, fitted in closed form: for hundreds of tracks, where a network overfits.

Linear discriminant analysis with equal priors, adapted to few tracks and many columns. The covariance within genres is
shrunk towards a multiple of the identity (Friedman 1989). Near the identity all columns weigh the same, so blocks are
scaled down by their size; otherwise 190 correlations would outweigh 45 numbers on onsets. Tracks are weighted down by
the number of tracks of their artist, since these are similar. Standard scores are clipped, since a few tracks are
outliers in single columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from genres.core.params import DiscriminantParams
from genres.data import folds
from genres.models.backend import keras

# Number of parts of the cross-validation that fits the temperature.
PARTS = 5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Discriminant:
    """A linear classifier of clipped standard scores."""

    mean: Floats  # (descriptors,)
    deviation: Floats  # (descriptors,)
    clip: float
    kernel: Floats  # (descriptors, genres)
    bias: Floats  # (genres,)

    def scores(self, columns: Floats) -> Floats:
        """Return log probabilities (tracks, genres), up to a constant per track."""
        return clipped(columns, self.mean, self.deviation, self.clip) @ self.kernel + self.bias


def fit_discriminant(
    columns: Floats,
    labels: Ints,
    artists: Ints,
    sizes: list[int],
    *,
    shrinkage: float = 0.85,
    artist_power: float = 0.25,
    block_power: float = 0.5,
    clip: float = 3.0,
) -> Discriminant:
    """Fit the classifier.

    Parameters
    ----------
    columns : np.ndarray [shape=(tracks, descriptors)]
    labels : np.ndarray [shape=(tracks,)]
        Genre numbers, 0 to genres - 1; each occurs.
    artists : np.ndarray [shape=(tracks,)]
        Artist numbers.
    sizes : list of int
        Number of columns of each block, in order.
    shrinkage : float
        Weight of the identity, between 0 (the covariance alone) and 1 (the identity alone), both excluded.
    artist_power, block_power : float
        Exponents of 1 / (tracks of the artist) and of 1 / (size of the block); 0: equal weights.
    clip : float
        Number of deviations at which tanh smoothly clips standard scores.
    """
    columns = np.asarray(columns, dtype=np.float64)
    mean, deviation = columns.mean(axis=0), columns.std(axis=0) + 1e-6
    scale = np.repeat(np.power(sizes, -block_power, dtype=np.float64), sizes)
    z = clipped(columns, mean, deviation, clip) * scale
    weights = artist_weights(labels, artists, artist_power)
    n_genres = labels.max() + 1
    centres = np.stack([weights[labels == genre] @ z[labels == genre] for genre in range(n_genres)])
    within = (z - centres[labels]) * np.sqrt(weights / n_genres)[:, np.newaxis]
    shrink, keep = shrinkage * np.square(within).sum() / z.shape[1], 1 - shrinkage
    kernel = _solve(within, shrink, keep, centres.T)
    bias = -0.5 * np.sum(centres.T * kernel, axis=0)
    return Discriminant(mean, deviation, clip, kernel * scale[:, np.newaxis], bias)


def _solve(within: Floats, shrink: float, keep: float, right: Floats) -> NDArray[np.floating]:
    """Solve (shrink * I + keep * within.T @ within) x = right in the smaller space: columns or tracks."""
    n_tracks, n_columns = within.shape
    if n_columns <= n_tracks:
        return np.linalg.solve(np.eye(n_columns) * shrink + keep * within.T @ within, right)
    # The Woodbury identity.
    inner = np.linalg.solve(np.eye(n_tracks) * shrink / keep + within @ within.T, within @ right)
    return (right - within.T @ inner) / shrink


def fit_temperature(
    columns: Floats, labels: Ints, artists: Ints, parts: Ints, sizes: list[int], **options: float
) -> float:
    """Fit the factor that turns scores into calibrated log probabilities, by cross-validation.

    With more columns than tracks the classifier separates its training tracks, which would make it overconfident.

    Parameters
    ----------
    parts : np.ndarray [shape=(tracks,)]
        Part of each track; each part is held out in turn. Tracks of one artist share a part. All other arguments are
        those of `fit_discriminant`.

    Returns
    -------
    float
        The factor of the lowest log loss (Guo et al. 2017); 1 if no part can be held out without losing a genre.
    """
    n_genres = labels.max() + 1
    scores, scored = np.zeros((len(labels), n_genres)), np.zeros(len(labels), dtype=bool)
    for part in np.unique(parts):
        held_out = parts == part
        rest = ~held_out
        if len(np.unique(labels[rest])) == n_genres:
            discriminant = fit_discriminant(columns[rest], labels[rest], artists[rest], sizes, **options)
            scores[held_out] = discriminant.scores(columns[held_out])
            scored |= held_out
    if not scored.any():
        return 1.0
    rows = np.flatnonzero(scored)

    def loss(exponent: float) -> float:
        return -log_softmax(scores[rows] * np.exp(exponent), axis=1)[np.arange(len(rows)), labels[rows]].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-7, 3), method="bounded").x))


def artist_weights(labels: Ints, artists: Ints, power: float) -> Floats:
    """Return the weight of each track, 1 / (tracks of the artist) ** power, scaled to a sum of 1 in each genre."""
    _, positions, counts = np.unique(artists, return_inverse=True, return_counts=True)
    weights = (1 / counts[positions]) ** power
    return weights / np.bincount(labels, weights)[labels]


def clipped(columns: Floats, mean: Floats, deviation: Floats, clip: float) -> Floats:
    """Return standard scores, smoothly clipped."""
    return clip * np.tanh((columns - mean) / deviation / clip)


def fit(
    model: keras.Model,
    columns: Floats,
    labels: Ints,
    artists: Ints,
    sizes: list[int],
    options: DiscriminantParams,
    seed: int,
) -> None:
    """Fit the linear classifier of a network, and set its weights.

    Parameters
    ----------
    model : keras.Model
        Network with the layers of `genres.models.wide_and_deep.linear`.
    columns : np.ndarray [shape=(n, columns)]
        Input of that classifier for each training window.
    labels, artists : np.ndarray [shape=(n,), dtype=int]
        Genre and artist of each window.
    sizes : list of int
        Number of columns of each block, in order.
    options : DiscriminantParams
        Settings of the discriminant.
    seed : int
        Seed of the split of artists into parts, for the temperature.
    """
    settings = options.model_dump(include=set(DiscriminantParams.model_fields))
    parts = folds.partition(labels, artists, [1 / PARTS] * PARTS, np.random.default_rng([seed, 2]))
    temperature = fit_temperature(columns, labels, artists, parts, sizes, **settings)
    set_weights(model, fit_discriminant(columns, labels, artists, sizes, **settings), temperature)


def set_weights(model: keras.Model, fitted: Discriminant, temperature: float) -> None:
    """Set the weights of a joined network to those of a discriminant, its scores multiplied by `temperature`."""
    model.get_layer("scores").set_weights([fitted.mean, np.square(fitted.deviation * fitted.clip)])
    kernel, bias = temperature * fitted.clip * fitted.kernel, temperature * fitted.bias
    model.get_layer("discriminant").set_weights([kernel, bias])
