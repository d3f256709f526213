"""Genre probabilities of the clips and tracks of a data set."""

import numpy as np
import pandas as pd

from genres.core.console import UserError
from genres.data.shards import Spectrograms
from genres.inference.classifier import Classifier


def predict_clips(classifier: Classifier, clips: pd.DataFrame, spectrograms: Spectrograms) -> np.ndarray:
    """Predict the genre probabilities of each clip.

    If the network was refitted on the validation tracks, their probabilities are those from before, in its card.

    Parameters
    ----------
    classifier : Classifier
    clips : pd.DataFrame
        Columns track_id, start_s, fold.
    spectrograms : Spectrograms
        Spectrograms of the tracks.

    Returns
    -------
    np.ndarray [shape=(n, n_genres), dtype=float64]
        Rows sum to 1.

    Raises
    ------
    UserError
        If the network was refitted, and a validation clip is none of its training: the data have changed since.
    """
    before = classifier.card.get("validation")
    known = (clips["fold"] == "val").to_numpy() & (before is not None)
    windows = classifier.windowing.cut_all(clips[~known], spectrograms.track, spectrograms.format)
    probabilities = np.empty((len(clips), len(classifier.genres)))
    probabilities[~known] = classifier.probabilities(windows)
    if before is not None:
        keys = zip(before["track_id"], before["start_s"], strict=True)
        rows = dict(zip(keys, before["probabilities"], strict=True))
        for row in np.flatnonzero(known):
            clip = (clips["track_id"][row], clips["start_s"][row])
            if clip not in rows:
                raise UserError(
                    f"{clip[0]}: not a validation track when the model was trained; train it again: dvc repro"
                )
            probabilities[row] = rows[clip]
    return probabilities


def mean_by_track(clips: pd.DataFrame, probabilities: np.ndarray, genres: list[str]) -> pd.DataFrame:
    """Average the probabilities over the clips of each track.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns track_id, fold, genre.
    probabilities : np.ndarray [shape=(n_clips, n_genres)]
    genres : list of str
        Names of the columns of `probabilities`.

    Returns
    -------
    pd.DataFrame
        Columns track_id, fold, genre, predicted, and a probability per genre. Under protocol `clip` a track can have
        a row for val and one for test.
    """
    table = pd.concat([clips[["track_id", "fold", "genre"]], pd.DataFrame(probabilities, columns=genres)], axis=1)
    tracks = table.groupby(["track_id", "fold", "genre"], sort=True, as_index=False)[genres].mean()
    tracks.insert(3, "predicted", np.array(genres)[tracks[genres].to_numpy().argmax(axis=1)])
    return tracks
