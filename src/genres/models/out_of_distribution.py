"""Compute the out-of-distribution score of a song; a network gives noise probabilities that sum to 1, too.

A track is described by the mean and the standard deviation of each mel band over time. Its score is the root mean
square of these numbers' z-scores among the known tracks, those of training and validation. The network's own output
does not suffice: on white noise and on noise with the rhythm of speech, its largest probability, its entropy and the
energy score of its logits (Liu et al. 2020) are those of a confidently classified song.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from genres.audio.format import STEPS

# Accepted share of false alarms among tracks of artists that are not known.
FALSE_ALARMS = 0.05

# dB; keeps bands in which the known tracks are nearly equal from dominating the score.
LEAST_DEVIATION_DB = 0.5

_ROWS = 4096


def description(spectrogram: np.ndarray, top_db: float) -> np.ndarray:
    """Compute the mean and standard deviation of each band over time, in dB: float64 [shape=(2 * n_mels,)].

    Parameters
    ----------
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    top_db : float
        Level range of the stored values, in dB.
    """
    sums = squares = np.zeros(spectrogram.shape[1], np.int64)
    for start in range(0, len(spectrogram), _ROWS):  # an hour at once would take a gigabyte
        rows = spectrogram[start : start + _ROWS].astype(np.int64)
        sums, squares = sums + rows.sum(axis=0), squares + np.square(rows).sum(axis=0)
    mean = sums / len(spectrogram)
    variance = np.maximum(squares / len(spectrogram) - mean**2, 0)
    return np.concatenate([mean, np.sqrt(variance)]) * top_db / STEPS


def reference(tracks: Iterable[np.ndarray], artists: np.ndarray, top_db: float) -> dict[str, Any]:
    """Compute the statistics of the known tracks and the threshold for a model's card.

    The tracks of an artist sound alike, so each track is scored by the statistics of the other artists alone, as a song
    of a new artist will be.

    Parameters
    ----------
    tracks : iterable of np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Whole tracks, at least two.
    artists : np.ndarray [shape=(n,), dtype=int]
        Number of the artist of each track. If all tracks are of one artist, each counts as one of its own.
    top_db : float
        Level range of the stored values, in dB.

    Returns
    -------
    dict
        mean, deviation (lists of 2 * n_mels numbers, dB) and threshold: see :func:`threshold`.
    """
    described = np.stack([description(track, top_db) for track in tracks])
    numbers = np.unique(artists, return_inverse=True)[1]
    if numbers.max() == 0:
        numbers = np.arange(len(described))
    deviation = np.maximum(described.std(axis=0), LEAST_DEVIATION_DB)
    return {
        "mean": described.mean(axis=0).round(4).tolist(),
        "deviation": deviation.round(4).tolist(),
        "threshold": threshold(held_out_distances(described, numbers), numbers),
    }


def held_out_distances(described: np.ndarray, artists: np.ndarray) -> np.ndarray:
    """Compute the score of each track by the statistics of all other artists' tracks: float64 [shape=(n,)].

    Parameters
    ----------
    described : np.ndarray [shape=(n, 2 * n_mels)]
        Descriptions, in dB.
    artists : np.ndarray [shape=(n,), dtype=int]
        0 to the number of artists - 1, which is at least 2.
    """
    centred = described - described.mean(axis=0)  # before squaring, for precision
    sums, squares = (np.zeros((artists.max() + 1, described.shape[1])) for _ in range(2))
    np.add.at(sums, artists, centred)
    np.add.at(squares, artists, np.square(centred))
    others = (len(artists) - np.bincount(artists))[:, np.newaxis]
    mean = (sums.sum(axis=0) - sums) / others
    variance = np.maximum((squares.sum(axis=0) - squares) / others - np.square(mean), 0)
    deviation = np.maximum(np.sqrt(variance), LEAST_DEVIATION_DB)
    distances: np.ndarray = np.sqrt(np.mean(np.square((centred - mean[artists]) / deviation[artists]), axis=1))
    return distances


def threshold(distances: np.ndarray, artists: np.ndarray) -> float:
    """Return the score that at most 5 % of the tracks of a new artist are expected to exceed.

    The conformal quantile (Vovk et al. 2005) with whole artists in place of single tracks, as in Dunn et al.,
    "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", JASA 2022: the new artist is exchangeable
    with the K known ones, has as many tracks as these on average, and all of its tracks might lie beyond. With one
    track an artist it is the score of rank (n + 1) * 95 %.

    Parameters
    ----------
    distances : np.ndarray [shape=(n,)]
        Scores of the known tracks, each with its artist held out.
    artists : np.ndarray [shape=(n,), dtype=int]

    Returns
    -------
    float
        With fewer than 19 artists no score is that rare: the largest one, which a new artist exceeds with a
        probability of 1 / (K + 1).
    """
    n, known = len(distances), len(np.unique(artists))
    rank = math.ceil((1 - FALSE_ALARMS) * n * (known + 1) / known - 1e-9)  # rounding must not raise a whole number
    return float(np.sort(distances)[min(rank, n) - 1])


def distance(spectrogram: np.ndarray, reference: dict[str, Any], top_db: float) -> float:
    """Return the out-of-distribution score of a track: 0 at the mean of the known tracks, typically about 1."""
    z = (description(spectrogram, top_db) - reference["mean"]) / reference["deviation"]
    return float(np.sqrt(np.mean(z**2)))
