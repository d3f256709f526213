"""Songs that are unlike all others: far from the nearest song of another artist."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Robust standard score from which a value is an outlier (Iglewicz and Hoaglin 1993).
FAR = 3.5

_ROWS = 512  # of distances that are computed at once
_DEVIATIONS = 1.4826  # standard deviation of a normal distribution, in median absolute deviations


def nearest_others(columns: ArrayLike, groups: ArrayLike) -> Floats:
    """Return the distance of each song to the nearest one of another group, in standard scores [shape=(songs,)].

    Parameters
    ----------
    columns : (songs, columns) float
        Numbers that describe a song; constant ones do not count.
    groups : (songs,) int
        Artist of each song.

    Returns
    -------
    np.ndarray [shape=(songs,)]
        Root mean square over the columns; infinite if there is one group only.
    """
    values, numbers = np.asarray(columns, dtype=np.float64), np.asarray(groups)
    deviation = values.std(axis=0)
    scores = (values - values.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    squares = np.square(scores).sum(axis=1)
    found = np.empty(len(scores))
    for start in range(0, len(scores), _ROWS):
        some = slice(start, start + _ROWS)
        distances = squares[some, np.newaxis] + squares - 2 * scores[some] @ scores.T
        distances[numbers[some, np.newaxis] == numbers] = np.inf
        found[some] = distances.min(axis=1)
    nearest: Floats = np.sqrt(np.maximum(found, 0) / max(1, scores.shape[1]))
    return nearest


def robust_scores(distances: ArrayLike) -> Floats:
    """Return how far distances lie above their median, in robust standard deviations of their logarithms.

    Zero everywhere if more than half of the distances are equal, or any is infinite: then nothing can be said.
    """
    logs = np.log(np.maximum(np.asarray(distances, dtype=np.float64), 1e-12))
    if not np.isfinite(logs).all():
        return np.zeros(len(logs))
    above = logs - np.median(logs)
    deviation = _DEVIATIONS * np.median(np.abs(above))
    scores: Floats = above / deviation if deviation > 0 else np.zeros(len(logs))
    return scores
