"""A linear classifier of a track's descriptors, fitted in closed form: for tracks by the hundred, where a net overfits.

Linear discriminant analysis, all genres equally likely, with changes for few tracks and many columns. The covariance
within genres is shrunk towards a multiple of the identity (Friedman 1989). Where it is nearly the identity, all columns
count alike, so blocks are scaled down by their size, or 190 correlations would drown 45 numbers on onsets. A track
counts for less the more tracks its artist has, since these are much alike. And standard scores are clipped, since a few
tracks lie far out in single columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from genres.core.params import Descriptors
from genres.data import folds
from genres.models import descriptors
from genres.models.backend import keras

# In which training tracks are held out in turn to find the temperature.
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
        """Log probabilities (tracks, genres) up to a constant of the track."""
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
        0 to genres - 1; each occurs.
    artists : np.ndarray [shape=(tracks,)]
        A number of each artist.
    sizes : list of int
        Of the blocks of columns, in order.
    shrinkage : float
        0: the covariance as it is, 1: nothing but the identity; neither end itself.
    artist_power, block_power : float
        Powers of 1 / tracks of the artist and 1 / size of the block; 0: all count the same.
    clip : float
        Standard scores are clipped smoothly at so many deviations, by tanh.
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
    """Solve (shrink * I + keep * within.T @ within) x = right in the space of columns or of tracks, what is smaller."""
    n_tracks, n_columns = within.shape
    if n_columns <= n_tracks:
        return np.linalg.solve(np.eye(n_columns) * shrink + keep * within.T @ within, right)
    # The Woodbury identity.
    inner = np.linalg.solve(np.eye(n_tracks) * shrink / keep + within @ within.T, within @ right)
    return (right - within.T @ inner) / shrink


def fit_temperature(columns: Floats, labels: Ints, artists: Ints, parts: Ints, sizes: list[int], **how: float) -> float:
    """What the scores are multiplied by to be log probabilities: found on tracks that each fit did not see.

    With more columns than tracks the classifier separates the tracks that it is fitted to, and would be sure of
    everything.

    Parameters
    ----------
    parts : np.ndarray [shape=(tracks,)]
        Each is held out in turn; tracks of one artist share one. Every other argument is as of `fit_discriminant`.

    Returns
    -------
    float
        Of the least log loss (Guo et al. 2017); 1 where no part can be held out without losing a genre.
    """
    n_genres = labels.max() + 1
    scores, seen = np.zeros((len(labels), n_genres)), np.zeros(len(labels), dtype=bool)
    for part in np.unique(parts):
        mine = parts == part
        if len(np.unique(labels[~mine])) == n_genres:
            scores[mine] = fit_discriminant(columns[~mine], labels[~mine], artists[~mine], sizes, **how).scores(
                columns[mine]
            )
            seen |= mine
    if not seen.any():
        return 1.0
    rows = np.flatnonzero(seen)

    def loss(exponent: float) -> float:
        return -log_softmax(scores[rows] * np.exp(exponent), axis=1)[np.arange(len(rows)), labels[rows]].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-7, 3), method="bounded").x))


def artist_weights(labels: Ints, artists: Ints, power: float) -> Floats:
    """1 / (tracks of the artist) ** power, each genre scaled to a sum of 1."""
    _, positions, counts = np.unique(artists, return_inverse=True, return_counts=True)
    weights = (1 / counts[positions]) ** power
    return weights / np.bincount(labels, weights)[labels]


def clipped(columns: Floats, mean: Floats, deviation: Floats, clip: float) -> Floats:
    """Standard scores, smoothly clipped."""
    return clip * np.tanh((columns - mean) / deviation / clip)


def fit(
    model: keras.Model, windows: keras.utils.PyDataset, labels: Ints, artists: Ints, how: Descriptors, seed: int
) -> None:
    """Fit the classifier of descriptors within a joined network.

    Parameters
    ----------
    model : keras.Model
        Of `join`; its weights are set.
    windows : keras.utils.PyDataset
        Batches of training clips as the network takes them, in the order of `labels`.
    labels, artists : np.ndarray [shape=(n,), dtype=int]
        Genre and artist of each.
    how : Descriptors
        Settings of the discriminant.
    seed : int
        Of how artists are dealt to parts for the temperature.
    """
    describe = keras.Model(model.input, model.get_layer("descriptors").output)
    columns = describe.predict(windows, verbose=0).astype(np.float64)
    sizes, settings = descriptors.sizes(), how.model_dump(exclude={"network_weight"})
    parts = folds.deal(labels, artists, [1 / PARTS] * PARTS, np.random.default_rng([seed, 2]))
    temperature = fit_temperature(columns, labels, artists, parts, sizes, **settings)
    set_weights(model, fit_discriminant(columns, labels, artists, sizes, **settings), temperature)


def set_weights(model: keras.Model, found: Discriminant, temperature: float) -> None:
    """Give the layers of a joined network the numbers of a discriminant, its scores multiplied by `temperature`."""
    model.get_layer("scores").set_weights([found.mean, np.square(found.deviation * found.clip)])
    kernel, bias = temperature * found.clip * found.kernel, temperature * found.bias
    model.get_layer("discriminant").set_weights([kernel, bias])
