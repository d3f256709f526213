"""Score another tagger's answers on the test tracks, beside the project's own architectures.

    genres referee --predictions THEIRS [--mapping NAMES]

THEIRS is a CSV table with a row a song: a column track_id, path or file, and a column genre or a probability column for
each genre; or the output of `genres predict --json`. NAMES is a CSV table with the columns theirs,ours, for genres of
other names. Accuracy, its 95 % interval and the paired tests are those of the leaderboard, on the test tracks that both
have; songs without an answer are counted, and scored as wrong in a line of their own.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genres.core import params
from genres.core.console import UserError, command
from genres.core.files import read_predictions, read_table
from genres.core.inputs import available
from genres.core.params import EvaluateParams, Params
from genres.core.paths import ENSEMBLE, raw_dir
from genres.core.text import architecture_label, dataset_note, markdown_table
from genres.experiments import answers
from genres.stats import scores
from genres.stats.leaderboard import against, ensemble
from genres.stats.predictions import of_fold, right, test_scores

THEIRS = "theirs"


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres referee", description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, required=True, metavar="THEIRS", help="CSV, JSON or JSON lines")
    parser.add_argument("--mapping", type=Path, metavar="NAMES", help="CSV with the columns theirs,ours")
    arguments = parser.parse_args(argv)
    settings = params.load()
    own = own_predictions(settings)
    genres = list(next(iter(own.values())).columns[4:])
    mapping = answers.read_mapping(arguments.mapping, genres) if arguments.mapping else None
    theirs = answers.translated(answers.read(arguments.predictions), genres, mapping)
    test = next(iter(own.values())).query("fold == 'test'")[["track_id", "fold", "genre"]]
    tracks = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    theirs["track_id"] = answers.matched(theirs["song"], tracks)
    answered = on_test_tracks(theirs, test)
    rows = scored(answered, own, genres, settings.evaluate, settings.seed)
    pretrained = {name: model.pretrained_on for name, model in settings.models.items()}
    labels = {name: architecture_label({"arch": name, "pretrained_on": pretrained.get(name)}) for name in own}
    print(f"{dataset_note(settings.dataset, settings.split.protocol)}\n\n{counts(theirs, answered, test)}")
    print(f"\n{table(rows, labels)}\n")
    if len(answered) < len(test):
        print(as_wrong(answered, len(test), settings))
    print(
        "which songs theirs was trained on is not known here: if test tracks are among them, its accuracy is inflated"
    )


def own_predictions(settings: Params) -> dict[str, pd.DataFrame]:
    """Read the predictions of the architectures, best first by validation, and those of the ensemble."""
    tables = {
        name: read_predictions(name).sort_values(["fold", "track_id"], ignore_index=True)
        for name in available(settings)
    }
    genres = list(next(iter(tables.values())).columns[4:])
    from_scratch = [one for name, one in tables.items() if not settings.models[name].pretrained_on]
    if len(from_scratch) > 1:
        tables[ENSEMBLE] = ensemble(from_scratch, genres)

    def validation(name: str) -> float:
        probabilities, labels = of_fold(tables[name], "val", genres)
        return -float((probabilities.argmax(axis=1) == labels).mean())

    return {name: tables[name] for name in sorted(tables, key=validation)}


def on_test_tracks(theirs: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return the answers to test tracks with fold and genre, one row a track.

    Raises
    ------
    UserError
        If there is none, or a track has several answers that differ.
    """
    found = test.merge(theirs, on="track_id").drop(columns="song").drop_duplicates(ignore_index=True)
    if found.empty:
        first = theirs["song"].iloc[0] if len(theirs) else "missing"
        raise UserError(
            f"no song of theirs is a test track such as {test['track_id'].iloc[0]}; the first of theirs is {first}: "
            "write track ids, or paths below the folder of the songs"
        )
    if (twice := found["track_id"].duplicated()).any():
        raise UserError(f"theirs has several answers for {found['track_id'][twice].iloc[0]} that differ; keep one")
    return found


def counts(theirs: pd.DataFrame, answered: pd.DataFrame, test: pd.DataFrame) -> str:
    """Return how many answers there are, how many count, and how many test tracks have none."""
    tested = int(theirs["track_id"].isin(test["track_id"]).sum())
    unknown = int((theirs["track_id"] == "").sum())
    lacking = test["track_id"][~test["track_id"].isin(answered["track_id"])]
    left = f"; {len(lacking)} have none, such as {lacking.iloc[0]}" if len(lacking) else ""
    said = f"theirs answers {len(answered)} of {len(test)} test tracks, which the table is of{left}"
    if others := len(theirs) - len(answered):
        said += (
            f". Its other {others} answers do not count: {tested - len(answered)} are repeated, "
            f"{len(theirs) - tested - unknown} of tracks that are not tested, {unknown} of no track of the data set"
        )
    return said


def scored(
    answered: pd.DataFrame, own: Mapping[str, pd.DataFrame], genres: Sequence[str], settings: EvaluateParams, seed: int
) -> list[dict[str, Any]]:
    """Return the scores of theirs and of each architecture on the same tracks, with paired tests against theirs."""
    truth = answered["genre"].to_numpy()
    theirs = (answered["predicted"] == answered["genre"]).to_numpy()
    low, high = scores.accuracy_interval(theirs, settings.bootstrap, seed)
    first: dict[str, Any] = {"arch": THEIRS, "track_accuracy": float(theirs.mean())}
    first |= {"track_accuracy_ci95_low": low, "track_accuracy_ci95_high": high, "log_loss": None}
    first["macro_f1"] = _macro_f1(truth, answered["predicted"].to_numpy(), genres)
    if genres[0] in answered:
        first["log_loss"] = scores.log_loss(*of_fold(answered, "test", genres))
    rows: list[dict[str, Any]] = []
    for name, predictions in own.items():
        same = answered[["track_id"]].merge(predictions, on="track_id", how="left")
        row: dict[str, Any] = {"arch": name, **test_scores(same, genres, settings, seed)}
        rows.append(row | against(right(same), theirs, settings, seed))
    for row, p in zip(rows, scores.holm([row["mcnemar_p"] for row in rows]), strict=True):
        row["mcnemar_p_holm"] = float(p)
    return [first, *rows]


def _macro_f1(truth: np.ndarray, predicted: np.ndarray, genres: Sequence[str]) -> float:
    """Return the mean F1 of the genres that occur, as scores.summary does; answers that are none of them are wrong."""
    places = {genre: place for place, genre in enumerate([*genres, answers.NONE_OF_OURS])}
    labels, answered = ([places[name] for name in names] for names in (truth, predicted))
    f1 = scores.per_genre(labels, answered, len(genres)).f1
    return float(np.mean([f1[place] for place in {*labels, *answered} if place < len(genres)]))


def table(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    """Format the scores as a Markdown table."""
    header = ["tagger", "test accuracy", "95 % interval", "macro F1", "log loss", "less theirs", "p (Holm)"]
    lines = []
    for row in rows:
        tested = ["", ""]
        if "mcnemar_p_holm" in row:
            difference, low, high = (100 * row[f"difference_{key}"] for key in ("to_first", "ci95_low", "ci95_high"))
            tested = [f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]", f"{row['mcnemar_p_holm']:.2g}"]
        lines.append(
            [
                labels.get(row["arch"], row["arch"]),
                f"{row['track_accuracy']:.1%}",
                f"{row['track_accuracy_ci95_low']:.1%} to {row['track_accuracy_ci95_high']:.1%}",
                f"{row['macro_f1']:.3f}",
                "" if row["log_loss"] is None else f"{row['log_loss']:.3f}",
                *tested,
            ]
        )
    return markdown_table(header, lines)


def as_wrong(answered: pd.DataFrame, test_tracks: int, settings: Params) -> str:
    """Return the accuracy of theirs over all test tracks, where one without an answer is wrong."""
    correct = np.zeros(test_tracks, dtype=bool)
    correct[: len(answered)] = answered["predicted"] == answered["genre"]
    low, high = scores.accuracy_interval(correct, settings.evaluate.bootstrap, settings.seed)
    return (
        f"theirs on all {test_tracks} test tracks, the {test_tracks - len(answered)} without an answer as wrong: "
        f"{correct.mean():.1%} [{low:.0%}, {high:.0%}]"
    )
