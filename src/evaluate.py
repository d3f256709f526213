"""Stage `evaluate@<architecture>`: a trained model and the clips → predictions, metrics, plots.

    python src/evaluate.py baseline

Writes predictions/<architecture>.csv (validation and test tracks), metrics/<architecture>.json (the test set's scores)
and plots/<architecture>/. A track's probabilities are the mean of its clips'.
"""

import argparse
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.files import read_table, write_json, write_table
from genres.core.inputs import missing
from genres.core.labels import numbers_of
from genres.core.params import EvaluateParams
from genres.core.paths import PLOTS, TRACKS, mels_dir, metrics_path, model_path, predictions_path
from genres.core.text import dataset_note
from genres.data import windows
from genres.data.shards import Spectrograms
from genres.figures.model import confusion_matrix, learning_curves, reliability_plot
from genres.figures.style import save, sentence
from genres.inference.classifier import Classifier, for_stages
from genres.inference.tracks import mean_by_track, predict_clips
from genres.models.card import ModelCard
from genres.stats import scores
from genres.stats.predictions import clip_accuracy, most_wrong, of_fold, test_scores

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
    if reason := missing(architecture, settings):
        leave_out(architecture, f"{architecture} is left out: it {reason}")
        return
    model_file = model_path(architecture)
    if not model_file.exists():
        raise UserError(f"{model_file}: no such model; train it with: dvc repro {shlex.quote(f'train@{architecture}')}")
    classifier = for_stages(architecture)
    card = classifier.card

    spectrograms = Spectrograms(mels_dir(classifier.front_end))
    clips = windows.read(classifier.windowing, spectrograms.seconds)
    clips = clips[clips["fold"].isin(["val", "test"])].reset_index(drop=True)
    probabilities = predict_clips(classifier, clips, spectrograms)
    tracks = mean_by_track(clips, probabilities, card["genres"])
    write_table(predictions_path(architecture), tracks)

    metrics = {
        "dataset": card["dataset"],
        "protocol": card["protocol"],
        "test_tracks": int((tracks["fold"] == "test").sum()),
        "n_parameters": card["n_parameters"],
        "clip_accuracy": clip_accuracy(clips, probabilities, classifier.genres),
        **test_scores(tracks, classifier.genres, settings.evaluate, settings.seed),
        **unlike_training(tracks, classifier, spectrograms),
    }
    write_json(metrics_path(architecture), {name: metrics[name] for name in METRICS})
    plots = PLOTS / architecture
    draw(plots, tracks, card, metrics, settings.evaluate)

    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    with runs.run(card["dataset"], architecture, card["run_id"]) as run:
        run.metrics({f"test_{name}": value for name, value in metrics.items()})
        for path in sorted(plots.iterdir()):
            run.file(path, "plots")
    show(architecture, metrics)


def leave_out(architecture: str, reason: str) -> None:
    """Write the stage's outputs without results, since DVC wants each of them."""
    print(reason)
    columns = ["track_id", "fold", "genre", "predicted"]
    write_table(predictions_path(architecture), pd.DataFrame(columns=columns))
    write_json(metrics_path(architecture), {})
    folder = PLOTS / architecture
    for name, names in (("per_genre", ["genre"]), ("most_wrong", ["track_id"]), ("confusion", ["actual", "predicted"])):
        write_table(folder / f"{name}.csv", pd.DataFrame(columns=names))
    for name in ("confusion", "reliability", "learning_curves"):
        save(sentence(reason, title=architecture, note="nothing was trained"), folder / f"{name}.png")


def unlike_training(tracks: pd.DataFrame, classifier: Classifier, spectrograms: Spectrograms) -> dict[str, Any]:
    """Compute the share of test tracks with an out-of-distribution warning, though they are of the same data set.

    Returns
    -------
    dict
        unlike_threshold: out-of-distribution score above which predictions warn. unlike_test: share of the test tracks
        above it; 5 % are accepted.
    """
    test = tracks["track_id"][tracks["fold"] == "test"]
    distances = np.array([classifier.distance(spectrograms.track(name)) for name in test])
    threshold = classifier.threshold
    return {"unlike_threshold": threshold, "unlike_test": float((distances > threshold).mean())}


def draw(
    folder: Path, tracks: pd.DataFrame, card: ModelCard, metrics: dict[str, Any], settings: EvaluateParams
) -> None:
    """Write the tables and pictures of plots/<architecture>/."""
    genres, title = card["genres"], card["architecture"]
    note = dataset_note(card["dataset"], card["protocol"])
    test = tracks[tracks["fold"] == "test"]
    probabilities, labels = of_fold(tracks, "test", genres)
    predicted = numbers_of(test["predicted"], genres)

    by_genre = scores.per_genre(labels, predicted, len(genres))
    write_table(folder / "per_genre.csv", pd.DataFrame({"genre": genres, **by_genre._asdict()}))
    write_table(folder / "confusion.csv", test[["genre", "predicted"]].rename(columns={"genre": "actual"}))
    write_table(folder / "most_wrong.csv", most_wrong(tracks, read_table(TRACKS, dtype=str), genres, MOST_WRONG))

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
