"""Compute the out-of-distribution score of a song; a network gives noise probabilities that sum to 1, too.

A track is described by the mean and the standard deviation of each mel band over time. Its score is the root mean
square of these numbers' z-scores among the training tracks. The network's own output does not suffice: on white noise
and on noise with the rhythm of speech, its largest probability, its entropy and the energy score of its logits (Liu et
al. 2020) are those of a confidently classified song.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from genres.audio.format import STEPS

# Share of the validation tracks that may count as out-of-distribution: the accepted false alarms.
FALSE_ALARMS = 0.05

# dB; keeps bands in which the training tracks are nearly equal from dominating the score.
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


def reference(train: Iterable[np.ndarray], val: Iterable[np.ndarray], top_db: float) -> dict[str, Any]:
    """Compute the statistics of the training tracks and the threshold for a model's card.

    Parameters
    ----------
    train, val : iterables of np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Whole tracks.
    top_db : float
        Level range of the stored values, in dB.

    Returns
    -------
    dict
        mean, deviation (lists of 2 * n_mels numbers, dB) and threshold: the score that at most 5 % of the
        validation tracks exceed.
    """
    described = np.stack([description(track, top_db) for track in train])
    statistics: dict[str, Any] = {
        "mean": described.mean(axis=0).round(4).tolist(),
        "deviation": np.maximum(described.std(axis=0), LEAST_DEVIATION_DB).round(4).tolist(),
    }
    distances = [distance(track, statistics, top_db) for track in val]
    return statistics | {"threshold": float(np.quantile(distances, 1 - FALSE_ALARMS, method="higher"))}


def distance(spectrogram: np.ndarray, reference: dict[str, Any], top_db: float) -> float:
    """Return the out-of-distribution score of a track: 0 at the mean of the training tracks, typically about 1."""
    z = (description(spectrogram, top_db) - reference["mean"]) / reference["deviation"]
    return float(np.sqrt(np.mean(z**2)))
