"""Stage `compare`: predictions of all architectures → metrics/leaderboard.json, metrics/summary.json, plots/compare/.

    python src/compare.py

The architectures are ranked by validation accuracy, never by the test set. The row `ensemble` is the mean of all
architectures' probabilities. Reviewed labels of test tracks are counted, and change no score but
`track_accuracy_reviewed`.
"""

import argparse
from typing import Any

import pandas as pd

from genres.core import params
from genres.core.console import command, print_table
from genres.core.files import read_predictions, read_table, write_json, write_table
from genres.core.inputs import available
from genres.core.paths import ENSEMBLE, LEADERBOARD, PLOTS, SUMMARY, TRACKS, model_path
from genres.core.text import amount, architecture_label, dataset_note
from genres.data import folds
from genres.figures import comparison, differences
from genres.figures.style import save
from genres.library.reviews import REVIEWED
from genres.models.card import ModelCard, read_card
from genres.stats.leaderboard import leaderboard, per_genre

FIGURES = PLOTS / "compare"
DIFFERENCE = ("difference_to_first", "difference_ci95_low", "difference_ci95_high")
# Keys of a model's card; the last two depend on the machine.
COSTS = ("pretrained_on", "n_parameters", "multiply_adds", "epochs", "seconds", "clips_per_second")


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/compare.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    predictions = {name: predictions_of(name) for name in available(settings)}
    cards = {name: read_card(model_path(name)) for name in predictions}
    card = next(iter(cards.values()))
    costs = {name: {cost: card.get(cost) for cost in COSTS} for name, card in cards.items()}
    rows = leaderboard(predictions, costs, artists(), card["genres"], settings.evaluate, settings.seed)
    rows = with_reviews(rows, predictions, read_table(REVIEWED, dtype=str))
    write_json(LEADERBOARD, rows)
    write_json(SUMMARY, summary(rows, card))
    best = summary(rows, card)["best"]
    recalls = per_genre(predictions, best, card["genres"], settings.evaluate, settings.seed)
    write_table(FIGURES / "per_genre.csv", recalls)
    draw(rows, recalls, card)
    track(rows, cards, best)
    show(rows, card)


def predictions_of(architecture: str) -> pd.DataFrame:
    """Read the predictions of an architecture, in an order that is the same for all."""
    return read_predictions(architecture).sort_values(["fold", "track_id"]).reset_index(drop=True)


def with_reviews(
    rows: list[dict[str, Any]], predictions: dict[str, pd.DataFrame], reviewed: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the rows with the number of test labels that were reviewed and corrected, and accuracy by the corrections.

    Parameters
    ----------
    rows : list of dict
        Of :func:`genres.stats.leaderboard.leaderboard`.
    predictions : dict of str to pd.DataFrame
        Predictions of each architecture.
    reviewed : pd.DataFrame
        data/reviewed.csv: track_id, fold, genre, reviewed (empty: none of the genres), effect.

    Returns
    -------
    list of dict
        With reviewed_test_labels, corrected_test_labels, track_accuracy_reviewed. The last is over the test tracks that
        are of a genre by review; None for the ensemble, and where no label was reviewed.
    """
    genres = dict(zip(reviewed["track_id"], reviewed["reviewed"], strict=True))
    result = []
    for row in rows:
        table = predictions.get(row["arch"], next(iter(predictions.values())))
        test = table[table["fold"] == "test"]
        labels = test["track_id"].map(genres)
        truth = labels.fillna(test["genre"])
        right = (truth == test["predicted"])[truth != ""]
        is_known = labels.notna().any() and len(right) and row["arch"] in predictions
        counts = {
            "reviewed_test_labels": int(labels.notna().sum()),
            "corrected_test_labels": int((labels.notna() & (truth != test["genre"])).sum()),
            "track_accuracy_reviewed": float(right.mean()) if is_known else None,
        }
        result.append(row | counts)
    return result


def artists() -> dict[str, int]:
    """Return a number of the artist of each track by track id; tracks of unknown artists have one each."""
    tracks = read_table(TRACKS, dtype=str).assign(recording="")
    return dict(zip(tracks["track_id"], map(int, folds.group(tracks, by_artist=True)), strict=True))


def summary(rows: list[dict[str, Any]], card: ModelCard) -> dict[str, Any]:
    """Return the flat numbers by which `dvc exp show` compares experiments."""
    first = next(row for row in rows if row["arch"] != ENSEMBLE)
    together = next((row for row in rows if row["arch"] == ENSEMBLE), None)
    return {
        "dataset": card["dataset"],
        "protocol": card["protocol"],
        "leaky": card["protocol"] == "clip",
        "best": first["arch"],
        "best_from_scratch": next(
            (row["arch"] for row in rows if row["arch"] != ENSEMBLE and not row["pretrained_on"]), None
        ),
        "best_val_track_accuracy": first["val_track_accuracy"],
        "best_track_accuracy": first["track_accuracy"],
        "best_macro_f1": first["macro_f1"],
        "ensemble_track_accuracy": together["track_accuracy"] if together else first["track_accuracy"],
    }


def draw(rows: list[dict[str, Any]], recalls: pd.DataFrame, card: ModelCard) -> None:
    """Write the figures and tables of plots/compare/."""
    genres = card["genres"]
    note = dataset_note(card["dataset"], card["protocol"])
    title = "Test accuracy by track"
    columns = ["arch", "pretrained_on", "val_track_accuracy", "track_accuracy"]
    columns += ["track_accuracy_ci95_low", "track_accuracy_ci95_high", *DIFFERENCE, "mcnemar_p", "mcnemar_p_holm"]
    columns += ["log_loss", "log_loss_calibrated", "ece", "ece_calibrated", "temperature"]
    write_table(FIGURES / "leaderboard.csv", pd.DataFrame(rows)[columns])
    labels = {row["arch"]: architecture_label(row) for row in rows}
    rows = [row | {"arch": labels[row["arch"]]} for row in rows]
    save(comparison.leaderboard(rows, title=title, note=note, chance=1 / len(genres)), FIGURES / "leaderboard.png")
    title = f"Test accuracy less that of {rows[0]['arch']}, the first by validation"
    against = [(row["arch"], *(row[key] for key in DIFFERENCE), f"p = {row['mcnemar_p_holm']:.2g}") for row in rows[1:]]
    tests = f"{note}; paired bootstrap over tracks; p: McNemar's exact test with Holm's correction"
    save(differences.differences(against, title=title, note=tests), FIGURES / "differences.png")
    cost = comparison.accuracy_against_cost(rows, title="Accuracy against cost", note=note)
    save(cost, FIGURES / "accuracy_against_cost.png")
    table = recalls.pivot(index="genre", columns="arch", values="recall").reindex(genres, fill_value=0.0)
    recall = {labels[name]: table[name].tolist() for name in recalls["arch"].unique()}
    save(comparison.per_genre_recall(genres, recall, title="Recall by genre", note=note), FIGURES / "recall.png")


def track(rows: list[dict[str, Any]], cards: dict[str, ModelCard], best: str) -> None:
    """Log the validation scores to the MLflow runs and tag the best run."""
    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    keys = ("val_track_accuracy", "val_log_loss")
    scored = {cards[row["arch"]]["run_id"]: {key: row[key] for key in keys} for row in rows if row["arch"] in cards}
    runs.log_comparison(cards[best]["dataset"], cards[best]["protocol"], scored, cards[best]["run_id"])


def show(rows: list[dict[str, Any]], card: ModelCard) -> None:
    """Print the leaderboard."""
    print_table(
        f"Leaderboard, best first by validation: {dataset_note(card['dataset'], card['protocol'])}",
        [
            "architecture",
            "val",
            "test",
            "95 % interval",
            "macro F1",
            "p (Holm)",
            "ECE, after",
            "parameters",
            "multiply-adds",
            "train s",
            "clips/s",
        ],
        [
            [
                row["arch"] + ("*" if row["pretrained_on"] else ""),
                f"{row['val_track_accuracy']:.1%}",
                f"{row['track_accuracy']:.1%}",
                f"{row['track_accuracy_ci95_low']:.1%} to {row['track_accuracy_ci95_high']:.1%}",
                f"{row['macro_f1']:.3f}",
                "" if row is rows[0] else f"{row['mcnemar_p_holm']:.2g}",
                f"{row['ece']:.2f}" + ("" if row["temperature_reason"] else f", {row['ece_calibrated']:.2f}"),
                "" if row["n_parameters"] is None else f"{row['n_parameters']:,}",
                "" if row["multiply_adds"] is None else amount(row["multiply_adds"]),
                *("" if row[cost] is None else f"{row[cost]:.0f}" for cost in ("seconds", "clips_per_second")),
            ]
            for row in rows
        ],
    )
    for row in rows:
        if row["pretrained_on"]:
            print(f"* {architecture_label(row)}; the ensemble is of the networks from scratch")
    if number := rows[0]["reviewed_test_labels"]:
        scores = [(row["arch"], row["track_accuracy_reviewed"]) for row in rows]
        print(
            f"{number} test labels were reviewed, {rows[0]['corrected_test_labels']} of them corrected: held apart; "
            "test accuracy by the corrections: "
            + ", ".join(f"{name} {accuracy:.1%}" for name, accuracy in scores if accuracy is not None)
        )
    for row in rows:
        if row["temperature_reason"]:
            print(f"{row['arch']}: its temperature stays at 1: {row['temperature_reason']}")


if __name__ == "__main__":
    main()
