"""Genre probabilities of the clips and tracks of a data set."""

from pathlib import Path

import numpy as np
import pandas as pd

from genres.data.shards import Spectrograms
from genres.models.card import ModelCard

BATCH_SIZE = 64


def predict_clips(model_file: Path, clips: pd.DataFrame, card: ModelCard, spectrograms: Spectrograms) -> np.ndarray:
    """Predict the genre probabilities of each clip: float64 [shape=(n, n_genres)], rows sum to 1."""
    from genres.data.batches import Clips
    from genres.models import builders  # loads Keras, which takes seconds: not for --help

    model = builders.load(model_file)
    labels = np.zeros(len(clips), dtype=int)  # prediction needs none
    feed = Clips(
        spectrograms,
        clips,
        labels,
        frames=card["frames"],
        batch_size=BATCH_SIZE,
        repeat_short=card["window_s"] is not None,
    )
    probabilities = model.predict(feed, verbose=0).astype(float)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


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
