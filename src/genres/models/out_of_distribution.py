"""Whether a song is like those of training at all: a network shares out its 100 % among the genres for noise, too.

A track is described by the mean and the standard deviation of each mel band over time, and its distance from the
training tracks is the root mean square of these numbers' z-scores. What the network itself says does not do: on white
noise and on noise with the rhythm of speech, its largest probability, its entropy, and the energy score of its logits
(Liu et al. 2020) are those of a song that it is very sure of.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from genres.audio.format import STEPS

# Share of the validation tracks that count as unlike training: the false alarms that are put up with.
FALSE_ALARMS = 0.05

# dB: bands in which all training tracks are nearly the same do not decide everything.
LEAST_DEVIATION_DB = 0.5

_ROWS = 4096


def description(spectrogram: np.ndarray, top_db: float) -> np.ndarray:
    """Mean and standard deviation of each band over time, in dB: float64 [shape=(2 * n_mels,)].

    Parameters
    ----------
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    top_db : float
        What 255 steps are.
    """
    sums = squares = np.zeros(spectrogram.shape[1], np.int64)
    for start in range(0, len(spectrogram), _ROWS):  # an hour in floats would be a gigabyte
        rows = spectrogram[start : start + _ROWS].astype(np.int64)
        sums, squares = sums + rows.sum(axis=0), squares + np.square(rows).sum(axis=0)
    mean = sums / len(spectrogram)
    variance = np.maximum(squares / len(spectrogram) - mean**2, 0)
    return np.concatenate([mean, np.sqrt(variance)]) * top_db / STEPS


def reference(train: Iterable[np.ndarray], val: Iterable[np.ndarray], top_db: float) -> dict[str, Any]:
    """Describe the training tracks, as it goes into a model's card.

    Parameters
    ----------
    train, val : iterables of np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Whole tracks.
    top_db : float
        What 255 steps are.

    Returns
    -------
    dict
        mean, deviation (lists of 2 * n_mels numbers, dB) and threshold: the distance that at most 5 % of the
        validation tracks exceed.
    """
    described = np.stack([description(track, top_db) for track in train])
    found: dict[str, Any] = {
        "mean": described.mean(axis=0).round(4).tolist(),
        "deviation": np.maximum(described.std(axis=0), LEAST_DEVIATION_DB).round(4).tolist(),
    }
    distances = [distance(track, found, top_db) for track in val]
    return found | {"threshold": float(np.quantile(distances, 1 - FALSE_ALARMS, method="higher"))}


def distance(spectrogram: np.ndarray, reference: dict[str, Any], top_db: float) -> float:
    """How far a track is from those of training: 0 is their middle, and about 1 is common."""
    z = (description(spectrogram, top_db) - reference["mean"]) / reference["deviation"]
    return float(np.sqrt(np.mean(z**2)))
