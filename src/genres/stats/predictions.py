"""Scores of a table of predictions: track_id, fold, genre, predicted and a probability column a genre."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genres.core.labels import numbers_of
from genres.core.params import EvaluateParams
from genres.stats import scores


def of_fold(predictions: pd.DataFrame, fold: str, genres: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities [shape=(n, n_genres)] and the numbers of the true genres [shape=(n,)] of a fold."""
    table = predictions[predictions["fold"] == fold]
    return table[list(genres)].to_numpy(), numbers_of(table["genre"], genres)


def right(predictions: pd.DataFrame) -> np.ndarray:
    """Return True for each test track that is predicted correctly: bool [shape=(n_test,)]."""
    test = predictions[predictions["fold"] == "test"]
    return (test["genre"] == test["predicted"]).to_numpy()


def test_scores(
    predictions: pd.DataFrame, genres: Sequence[str], settings: EvaluateParams, seed: int
) -> dict[str, float]:
    """Compute the scores of the test fold: see :func:`scores.summary`."""
    test = of_fold(predictions, "test", genres)
    return scores.summary(*test, resamples=settings.bootstrap, bins=settings.calibration_bins, seed=seed)


def clip_accuracy(clips: pd.DataFrame, probabilities: np.ndarray, genres: Sequence[str]) -> float:
    """Compute the accuracy of the test clips.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns genre, fold.
    probabilities : np.ndarray [shape=(n_clips, n_genres)]
    genres : sequence of str
        Genre of each column.
    """
    correct = probabilities.argmax(axis=1) == numbers_of(clips["genre"], genres)
    return float(correct[(clips["fold"] == "test").to_numpy()].mean())


def most_wrong(predictions: pd.DataFrame, artists: pd.DataFrame, genres: Sequence[str], most: int) -> pd.DataFrame:
    """Return the test tracks misclassified with the highest confidence, at most `most`.

    Parameters
    ----------
    artists : pd.DataFrame
        Columns track_id, artist.

    Returns
    -------
    pd.DataFrame
        track_id, artist, genre, predicted, probability, probability_of_genre.
    """
    wrong = predictions[(predictions["fold"] == "test") & (predictions["genre"] != predictions["predicted"])].copy()
    wrong["probability"] = wrong[list(genres)].max(axis=1)
    wrong["probability_of_genre"] = [row[row["genre"]] for row in wrong.to_dict("records")]
    wrong = wrong.merge(artists[["track_id", "artist"]], on="track_id")
    wrong = wrong.sort_values(["probability", "track_id"], ascending=[False, True])
    return wrong[["track_id", "artist", "genre", "predicted", "probability", "probability_of_genre"]].head(most)
