"""Stage `evaluate@<architecture>`: a trained model and the clips → predictions, metrics, plots.

    python src/evaluate.py baseline

Writes predictions/<architecture>.csv (validation and test tracks), metrics/<architecture>.json (the test set's scores)
and plots/<architecture>/. A track's probabilities are the mean of its clips'.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.files import read_table, write_json, write_table
from genres.core.params import EvaluateParams
from genres.core.paths import MELS, PLOTS, TRACKS, metrics_path, model_path, predictions_path
from genres.core.text import dataset_note
from genres.data import windows
from genres.data.shards import Spectrograms
from genres.figures.model import confusion_matrix, learning_curves, reliability_plot
from genres.figures.style import save
from genres.inference.tracks import mean_by_track, predict_clips
from genres.models import out_of_distribution
from genres.models.card import ModelCard, read_card
from genres.stats import scores

# What `dvc metrics show` has in a row; MLflow's run has all scores.
METRICS = (
    "dataset",
    "protocol",
    "test_tracks",
    "n_parameters",
    "clip_accuracy",
    "track_accuracy",
    "track_accuracy_ci95_low",
    "track_accuracy_ci95_high",
    "macro_f1",
    "log_loss",
    "ece",
    "unlike_test",
)
MOST_WRONG = 25  # tracks that are listed


@command
def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="python src/evaluate.py", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help="one that is trained: models/<architecture>.keras")
    architecture = parser.parse_args().architecture
    settings = params.load()
    model_file = model_path(architecture)
    if not model_file.exists():
        raise UserError(f"{model_file}: no such model; train it with: dvc repro train@{architecture}")
    card = read_card(model_file)

    spectrograms = Spectrograms(MELS)
    clips = windows.read(card["window_s"], spectrograms.seconds)
    clips = clips[clips["fold"].isin(["val", "test"])].reset_index(drop=True)
    probabilities = predict_clips(model_file, clips, card, spectrograms)
    if card.get("validation") is not None:
        replace_validation(clips, probabilities, card["validation"])
    tracks = mean_by_track(clips, probabilities, card["genres"])
    write_table(predictions_path(architecture), tracks)

    metrics = score(clips, probabilities, tracks, card, settings.evaluate, settings.seed)
    metrics |= unlike_training(tracks, card, spectrograms)
    write_json(metrics_path(architecture), {name: metrics[name] for name in METRICS})
    plots = PLOTS / architecture
    draw(plots, tracks, card, metrics, settings.evaluate)

    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    with runs.run(card["dataset"], architecture, card["run_id"]) as run:
        run.metrics({f"test_{name}": value for name, value in metrics.items()})
        for path in sorted(plots.iterdir()):
            run.file(path, "plots")
    show(architecture, metrics)


def replace_validation(clips: pd.DataFrame, probabilities: np.ndarray, before: dict[str, list[Any]]) -> None:
    """Replace predictions of validation clips by those made before the network was refitted on these clips.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns track_id, start_s, fold.
    probabilities : np.ndarray [shape=(n_clips, n_genres)]
        Predictions; changed in place where the fold is val.
    before : dict
        track_id, start_s, probabilities of each clip, as in a model's card.

    Raises
    ------
    UserError
        If a validation clip has no such prediction, because the data have changed since the training.
    """
    rows = dict(zip(zip(before["track_id"], before["start_s"], strict=True), before["probabilities"], strict=True))
    for row in np.flatnonzero(clips["fold"] == "val"):
        clip = (clips["track_id"][row], clips["start_s"][row])
        if clip not in rows:
            raise UserError(f"{clip[0]}: not a validation track when the model was trained; train it again: dvc repro")
        earlier = np.array(rows[clip])
        probabilities[row] = earlier / earlier.sum()


def score(
    clips: pd.DataFrame,
    probabilities: np.ndarray,
    tracks: pd.DataFrame,
    card: ModelCard,
    settings: EvaluateParams,
    seed: int,
) -> dict[str, Any]:
    """Compute the flat scores of the test fold."""
    genres = card["genres"]
    tested = (clips["fold"] == "test").to_numpy()
    clip_labels = np.searchsorted(genres, clips["genre"].to_numpy(dtype=str))
    val, test = (
        (fold[genres].to_numpy(), np.searchsorted(genres, fold["genre"].to_numpy(dtype=str)))
        for fold in (tracks[tracks["fold"] == name] for name in ("val", "test"))
    )
    return {
        "dataset": card["dataset"],
        "protocol": card["protocol"],
        "leaky": card["protocol"] == "clip",
        "test_tracks": len(test[1]),
        "n_parameters": card["n_parameters"],
        "clip_accuracy": float((probabilities.argmax(axis=1) == clip_labels)[tested].mean()),
        **scores.summary(*test, resamples=settings.bootstrap, bins=settings.calibration_bins, seed=seed),
        **scores.calibration(val, test, settings.calibration_bins),
    }


def unlike_training(tracks: pd.DataFrame, card: ModelCard, spectrograms: Spectrograms) -> dict[str, float]:
    """Compute the share of test tracks with an out-of-distribution warning, though they are of the same data set.

    Returns
    -------
    dict
        unlike_threshold: out-of-distribution score above which predictions warn (5 % of the validation tracks exceed
        it). unlike_test: share of the test tracks above it.
    """
    reference, top_db = card["out_of_distribution"], spectrograms.format.top_db
    threshold = reference["threshold"]
    test = tracks["track_id"][tracks["fold"] == "test"]
    further = [out_of_distribution.distance(spectrograms.track(name), reference, top_db) > threshold for name in test]
    return {"unlike_threshold": threshold, "unlike_test": float(np.mean(further))}


def draw(
    folder: Path, tracks: pd.DataFrame, card: ModelCard, metrics: dict[str, Any], settings: EvaluateParams
) -> None:
    """Write the tables and pictures of plots/<architecture>/."""
    genres, title = card["genres"], card["architecture"]
    note = dataset_note(card["dataset"], card["protocol"])
    test = tracks[tracks["fold"] == "test"]
    labels = np.searchsorted(genres, test["genre"].to_numpy(dtype=str))
    predicted = np.searchsorted(genres, test["predicted"].to_numpy(dtype=str))
    probabilities = test[genres].to_numpy()

    by_genre = scores.per_genre(labels, predicted, len(genres))
    write_table(folder / "per_genre.csv", pd.DataFrame({"genre": genres, **by_genre._asdict()}))
    write_table(folder / "confusion.csv", test[["genre", "predicted"]].rename(columns={"genre": "actual"}))
    write_table(folder / "most_wrong.csv", most_wrong(test, genres))

    counts = sklearn_metrics.confusion_matrix(labels, predicted, labels=np.arange(len(genres)))
    accuracy = f"{len(test)} test tracks, {metrics['track_accuracy']:.0%} right; {note}"
    save(confusion_matrix(counts, genres, title=title, note=accuracy), folder / "confusion.png")
    bins = scores.reliability(probabilities, labels, settings.calibration_bins)
    save(
        reliability_plot(
            bins.confidence, bins.accuracy, bins.counts, ece=metrics["ece"], title=f"{title}: calibration", note=note
        ),
        folder / "reliability.png",
    )
    table = read_table(folder / "history.csv")
    history = {str(name): list(table[name]) for name in table}
    save(
        learning_curves(history, best_epoch=card["best_epoch"], title=f"{title}: training", note=note),
        folder / "learning_curves.png",
    )


def most_wrong(test: pd.DataFrame, genres: list[str]) -> pd.DataFrame:
    """Return the tracks misclassified with the highest confidence, with their artists."""
    wrong = test[test["genre"] != test["predicted"]].copy()
    wrong["probability"] = wrong[genres].max(axis=1)
    wrong["probability_of_genre"] = [row[row["genre"]] for row in wrong.to_dict("records")]
    artists = read_table(TRACKS, dtype=str)[["track_id", "artist"]]
    wrong = wrong.merge(artists, on="track_id").sort_values(["probability", "track_id"], ascending=[False, True])
    columns = ["track_id", "artist", "genre", "predicted", "probability", "probability_of_genre"]
    return wrong[columns].head(MOST_WRONG)


def show(architecture: str, metrics: dict[str, Any]) -> None:
    """Print the scores."""
    note = dataset_note(metrics["dataset"], metrics["protocol"])
    print_table(
        f"{architecture}: {metrics['test_tracks']} test tracks, {note}",
        ["score", "value"],
        [[name, f"{value:.3f}"] for name, value in metrics.items() if isinstance(value, float)],
    )


if __name__ == "__main__":
    main()
