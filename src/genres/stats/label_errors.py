"""Confident learning: which labels are likely wrong, and how many (Northcutt, Jiang and Chuang, JAIR 2021).

The network's probabilities must be of songs that it was not fitted to. A song counts as confidently of a genre if its
probability is at least the mean probability that songs with that label have for it: so a genre that the network is
unsure of has a lower threshold. Songs that are confidently of another genre than their label say how many labels are
wrong. Labels are numbers from 0 to genres - 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-6  # a song alone in its genre has exactly the threshold
_LEAST = 1e-12  # probability, whose logarithm is taken


class Confident(NamedTuple):
    """Songs and labels by confident learning."""

    thresholds: Floats  # least probability of each genre with which a song is confidently of it [shape=(genres,)]
    genre: Ints  # genre that each song is confidently of, -1 if there is none [shape=(songs,)]
    joint: Ints  # number of songs by label and confident genre [shape=(genres, genres)]


def confident(probabilities: ArrayLike, labels: ArrayLike) -> Confident:
    """Find the genre that each song is confidently of.

    Parameters
    ----------
    probabilities : (songs, genres) float
        Of songs that the network was not fitted to.
    labels : (songs,) int

    Raises
    ------
    ValueError
        If they are of different songs or of none, or a probability is no number, or a label no genre.
    """
    rows, numbers = _checked(probabilities, labels)
    genres = rows.shape[1]
    own = rows[np.arange(len(rows)), numbers]
    counts = np.bincount(numbers, minlength=genres)
    # No song is confidently of a genre that no song is labelled with.
    thresholds = np.where(counts > 0, np.bincount(numbers, own, genres) / np.maximum(counts, 1), np.inf)
    reached = np.where(rows >= thresholds - _ROUNDING, rows, -1.0)
    genre = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    joint = np.zeros((genres, genres), np.int64)
    np.add.at(joint, (numbers[genre >= 0], genre[genre >= 0]), 1)
    return Confident(thresholds, genre, joint)


def estimated(joint: ArrayLike, labels: ArrayLike) -> Floats:
    """Estimate the number of songs by label and true genre, from the songs that are confidently of a genre.

    Each row of the joint is scaled to the number of songs with that label. Off the diagonal are wrong labels, and the
    network's own confident errors, which cannot be told apart.

    Parameters
    ----------
    joint : (genres, genres) int
        As of :class:`Confident`.
    labels : (songs,) int

    Returns
    -------
    np.ndarray [shape=(genres, genres)]
    """
    counts = np.array(joint, dtype=np.float64)
    diagonal = np.einsum("ii->i", counts)
    np.maximum(diagonal, 1, out=diagonal)  # at least one label of each genre is right
    songs = np.bincount(np.asarray(labels), minlength=len(counts))
    scaled: Floats = counts * (songs / counts.sum(axis=1))[:, np.newaxis]
    return scaled


def score(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Return how much another genre is likelier than the label: the logarithm of a ratio [shape=(songs,)].

    The ratio is of the two genres' probabilities, each divided by its threshold. The difference of probability and
    threshold, cleanlab's, finds fewer planted errors: see benchmarks/audit.py.

    Parameters
    ----------
    probabilities, labels
        See :func:`confident`.
    """
    rows, numbers = _checked(probabilities, labels)
    limits = np.maximum(confident(rows, numbers).thresholds, _LEAST)
    return margin(np.log(np.maximum(rows, _LEAST)) - np.log(limits), numbers)


def margin(values: ArrayLike, labels: ArrayLike) -> Floats:
    """Return the highest value of another genre less that of the label, of values [shape=(songs, genres)]."""
    others, numbers = np.array(values, dtype=np.float64), np.asarray(labels)
    places = np.arange(len(others))
    own = others[places, numbers]
    others[places, numbers] = -np.inf
    difference: Floats = others.max(axis=1) - own
    return difference


def suspects(probabilities: ArrayLike, labels: ArrayLike) -> Ints:
    """Return the numbers of the songs whose labels are likely wrong, the likeliest first.

    They are as many as the estimate says, by :func:`score`: the paper's pruning by noise rate, over all genres at once.

    Parameters
    ----------
    probabilities, labels
        See :func:`confident`.
    """
    scores = score(probabilities, labels)
    counts = estimated(confident(probabilities, labels).joint, labels)
    order = np.argsort(-scores, kind="stable")[: round(counts.sum() - np.trace(counts))]
    return order[scores[order] > 0]


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    rows, numbers = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] < 2 or numbers.shape != rows.shape[:1]:
        raise ValueError(f"needs probabilities and labels of the same songs: {rows.shape}, {numbers.shape}")
    if not np.isfinite(rows).all() or not ((numbers >= 0) & (numbers < rows.shape[1])).all():
        raise ValueError("needs finite probabilities, and labels from 0 to the number of genres - 1")
    return rows, numbers
