"""Evaluation: averages over clips, flat scores, the most wrong tracks; checked by hand and with scikit-learn."""

from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.metrics import log_loss as sklearn_log_loss

from genres.core import params
from genres.core.console import UserError
from genres.data.windows import Windowing
from genres.inference.tracks import mean_by_track, predict_clips
from genres.stats import predictions
from genres.stats.predictions import clip_accuracy, most_wrong

GENRES = ["blues", "disco", "metal"]
CARD = {"dataset": "folder", "protocol": "artist", "genres": GENRES, "n_parameters": 7, "architecture": "tiny"}


@pytest.fixture
def clips() -> pd.DataFrame:
    """Ten tracks of four clips; every third track is validation."""
    rows = [
        {"track_id": f"t{track}", "fold": "val" if track % 3 == 0 else "test", "genre": GENRES[track % 3 - 1]}
        for track in range(10)
        for _ in range(4)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def probabilities(clips) -> np.ndarray:
    return np.random.default_rng(3).dirichlet([1, 1, 1], len(clips))


def test_a_track_is_the_mean_of_its_clips(clips, probabilities):
    tracks = mean_by_track(clips, probabilities, GENRES)
    assert list(tracks.columns) == ["track_id", "fold", "genre", "predicted", *GENRES]
    assert len(tracks) == 10
    for row in tracks.to_dict("records"):
        mean = probabilities[(clips["track_id"] == row["track_id"]).to_numpy()].mean(axis=0)
        np.testing.assert_allclose([row[genre] for genre in GENRES], mean)
        assert row["predicted"] == GENRES[mean.argmax()]


def test_a_track_with_clips_in_two_folds_has_a_row_for_each(clips, probabilities):
    clips.loc[0, "fold"] = "test"
    tracks = mean_by_track(clips, probabilities, GENRES)
    mine = tracks[tracks["track_id"] == "t0"].set_index("fold")
    np.testing.assert_allclose(mine.loc["test", GENRES].astype(float), probabilities[0])
    np.testing.assert_allclose(mine.loc["val", GENRES].astype(float), probabilities[1:4].mean(axis=0))


def test_scores_are_scikit_learns_on_the_test_fold_only(clips, probabilities):
    tracks = mean_by_track(clips, probabilities, GENRES)
    metrics = predictions.test_scores(tracks, GENRES, params.load().evaluate, seed=1)
    test = tracks[tracks["fold"] == "test"]
    assert len(test) == 6
    assert metrics["track_accuracy"] == pytest.approx(accuracy_score(test["genre"], test["predicted"]))
    assert metrics["macro_f1"] == pytest.approx(f1_score(test["genre"], test["predicted"], average="macro"))
    assert metrics["log_loss"] == pytest.approx(sklearn_log_loss(test["genre"], test[GENRES], labels=GENRES))
    tested = (clips["fold"] == "test").to_numpy()
    guesses = np.array(GENRES)[probabilities.argmax(axis=1)]
    assert clip_accuracy(clips, probabilities, GENRES) == pytest.approx(
        accuracy_score(clips["genre"][tested], guesses[tested])
    )
    assert metrics["track_accuracy_ci95_low"] <= metrics["track_accuracy"] <= metrics["track_accuracy_ci95_high"]
    assert all(isinstance(value, float) for value in metrics.values())


def test_most_wrong_lists_confident_mistakes_first():
    artists = pd.DataFrame({"track_id": ["a", "b", "c"], "artist": ["Ann", "", "Cy"], "fold": "test"})
    test = pd.DataFrame(
        {
            "track_id": ["a", "b", "c"],
            "fold": "test",
            "genre": ["blues", "blues", "disco"],
            "predicted": ["disco", "metal", "disco"],
            "blues": [0.3, 0.05, 0.1],
            "disco": [0.6, 0.05, 0.8],
            "metal": [0.1, 0.9, 0.1],
        }
    )
    wrong = most_wrong(test, artists, GENRES, 2)
    assert wrong.to_dict("list") == {
        "track_id": ["b", "a"],
        "artist": ["", "Ann"],
        "genre": ["blues", "blues"],
        "predicted": ["metal", "disco"],
        "probability": [0.9, 0.6],
        "probability_of_genre": [0.05, 0.3],
    }


def test_predictions_before_the_refit_are_taken_by_clip_and_not_by_place(clips, probabilities):
    clips["start_s"] = [3.0 * number for _ in range(10) for number in range(4)]
    is_val = (clips["fold"] == "val").to_numpy()
    earlier = np.random.default_rng(4).dirichlet([1, 1, 1], len(clips))
    shuffled = clips[is_val].sample(frac=1, random_state=1)
    before = {"track_id": list(shuffled["track_id"]), "start_s": list(shuffled["start_s"])}
    before["probabilities"] = earlier[shuffled.index].tolist()
    classifier = Mock(windowing=Windowing(3.0), genres=GENRES, card=CARD | {"validation": before})
    classifier.probabilities.return_value = probabilities[~is_val]  # the others are not predicted
    expected = np.where(is_val[:, np.newaxis], earlier, probabilities)
    np.testing.assert_array_equal(predict_clips(classifier, clips, Mock()), expected)
    classifier.card["validation"] = {key: values[1:] for key, values in before.items()}
    with pytest.raises(UserError, match=r"not a validation track when the model was trained"):
        predict_clips(classifier, clips, Mock())
