"""Stage `compare`: predictions of all architectures → metrics/leaderboard.json, metrics/summary.json, plots/compare/.

    python src/compare.py

The architectures are ranked by validation accuracy, never by the test set. The row `ensemble` is the mean of all
architectures' probabilities.
"""

import argparse
from typing import Any

import numpy as np
import pandas as pd

from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.files import read_predictions, write_json, write_table
from genres.core.params import Params
from genres.core.paths import ENSEMBLE, LEADERBOARD, PLOTS, SUMMARY, model_path
from genres.core.text import amount, dataset_note
from genres.figures import comparison, differences
from genres.figures.style import save
from genres.models.card import ModelCard, read_card
from genres.stats import scores

FIGURES = PLOTS / "compare"
DIFFERENCE = ("difference_to_first", "difference_ci95_low", "difference_ci95_high")
# Keys of a model's card; the last two depend on the machine.
COSTS = ("n_parameters", "multiply_adds", "epochs", "seconds", "clips_per_second")


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/compare.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    predictions = {name: predictions_of(name) for name in settings.architectures}
    cards = {name: read_card(model_path(name)) for name in settings.architectures}
    rows = leaderboard(predictions, cards, settings)
    card = next(iter(cards.values()))
    write_json(LEADERBOARD, rows)
    write_json(SUMMARY, summary(rows, card))
    draw(rows, predictions, card)
    best = summary(rows, card)["best"]
    write_table(FIGURES / "per_genre.csv", per_genre(predictions, best, card["genres"], settings))
    track(rows, cards, best)
    show(rows, card)


def predictions_of(architecture: str) -> pd.DataFrame:
    """Read the predictions of an architecture, in an order that is the same for all."""
    return read_predictions(architecture).sort_values(["fold", "track_id"]).reset_index(drop=True)


def leaderboard(
    predictions: dict[str, pd.DataFrame], cards: dict[str, ModelCard], settings: Params
) -> list[dict[str, Any]]:
    """Return one row for each architecture and one for their ensemble, best first by validation accuracy.

    A row has validation accuracy, test accuracy with its 95 % interval, macro F1, and calibration before and after
    temperature scaling. Against the first row it has the difference in test accuracy with its interval (paired
    bootstrap over tracks), McNemar's exact p, and p with Holm's correction for the number of other rows.
    """
    genres = next(iter(cards.values()))["genres"]
    tables = dict(predictions)
    if len(predictions) > 1:
        tables[ENSEMBLE] = ensemble(list(predictions.values()), genres)
    rows = [_row(name, table, cards.get(name), genres, settings) for name, table in tables.items()]
    # Log loss breaks ties in validation accuracy.
    rows.sort(key=lambda row: (-row["val_track_accuracy"], row["val_log_loss"]))
    best = _right(tables[rows[0]["arch"]])
    for row in rows:
        mine = _right(tables[row["arch"]])
        difference, low, high = scores.paired_difference(mine, best, settings.evaluate.bootstrap, settings.seed)
        row |= {"difference_to_first": difference, "difference_ci95_low": low, "difference_ci95_high": high}
        row["mcnemar_p"] = scores.mcnemar(mine, best)
    corrected = scores.holm([row["mcnemar_p"] for row in rows[1:]])
    for row, p in zip(rows, [1.0, *corrected.tolist()], strict=True):
        row["mcnemar_p_holm"] = p
    return rows


def per_genre(predictions: dict[str, pd.DataFrame], first: str, genres: list[str], settings: Params) -> pd.DataFrame:
    """Compute the recall of each architecture for each genre, and its difference to the first architecture.

    Parameters
    ----------
    predictions : dict of pd.DataFrame
        Predictions by architecture; the same tracks in the same order.
    first : str
        Architecture that the others are compared with.
    genres : list of str
    settings : Params
        Parameters with the number of bootstrap resamples and the seed.

    Returns
    -------
    pd.DataFrame
        arch, genre, tracks, recall, difference_to_first, difference_ci95_low, difference_ci95_high (paired bootstrap),
        mcnemar_p, mcnemar_p_holm (corrected for the genres of an architecture). Genres without test tracks have no row.
    """
    all_rows = []
    for name, table in predictions.items():
        test = table[table["fold"] == "test"]
        rows: list[dict[str, Any]] = []
        for genre in genres:
            of_genre = (test["genre"] == genre).to_numpy()
            if not of_genre.any():
                continue
            mine, best = _right(table)[of_genre], _right(predictions[first])[of_genre]
            difference, low, high = scores.paired_difference(mine, best, settings.evaluate.bootstrap, settings.seed)
            row = {"arch": name, "genre": genre, "tracks": len(mine), "recall": float(mine.mean())}
            row |= {"difference_to_first": difference, "difference_ci95_low": low, "difference_ci95_high": high}
            rows.append(row | {"mcnemar_p": scores.mcnemar(mine, best)})
        corrected = scores.holm([row["mcnemar_p"] for row in rows])
        all_rows += [row | {"mcnemar_p_holm": float(p)} for row, p in zip(rows, corrected, strict=True)]
    return pd.DataFrame(all_rows)


def ensemble(tables: list[pd.DataFrame], genres: list[str]) -> pd.DataFrame:
    """Average the probabilities of several models for the same tracks."""
    mean = tables[0].copy()
    if not all(table["track_id"].equals(mean["track_id"]) for table in tables):
        raise UserError("predictions/: the architectures were evaluated on different tracks; run: dvc repro")
    mean[genres] = np.mean([table[genres].to_numpy() for table in tables], axis=0)
    mean["predicted"] = np.array(genres)[mean[genres].to_numpy().argmax(axis=1)]
    return mean


def _row(name: str, table: pd.DataFrame, card: ModelCard | None, genres: list[str], settings: Params) -> dict[str, Any]:
    val, test = (
        (fold[genres].to_numpy(), np.searchsorted(genres, fold["genre"].to_numpy(dtype=str)))
        for fold in (table[table["fold"] == name] for name in ("val", "test"))
    )
    bins = settings.evaluate.calibration_bins
    return {
        "arch": name,
        "val_track_accuracy": float((val[0].argmax(axis=1) == val[1]).mean()),
        "val_log_loss": scores.log_loss(*val),
        **scores.summary(*test, resamples=settings.evaluate.bootstrap, bins=bins, seed=settings.seed),
        **scores.calibration(val, test, bins),
        **{cost: card.get(cost) if card else None for cost in COSTS},
    }


def _right(table: pd.DataFrame) -> np.ndarray:
    test = table[table["fold"] == "test"]
    return (test["genre"] == test["predicted"]).to_numpy()


def summary(rows: list[dict[str, Any]], card: ModelCard) -> dict[str, Any]:
    """Return the flat numbers by which `dvc exp show` compares experiments."""
    first = next(row for row in rows if row["arch"] != ENSEMBLE)
    together = next((row for row in rows if row["arch"] == ENSEMBLE), None)
    return {
        "dataset": card["dataset"],
        "protocol": card["protocol"],
        "leaky": card["protocol"] == "clip",
        "best": first["arch"],
        "best_val_track_accuracy": first["val_track_accuracy"],
        "best_track_accuracy": first["track_accuracy"],
        "best_macro_f1": first["macro_f1"],
        "ensemble_track_accuracy": together["track_accuracy"] if together else first["track_accuracy"],
    }


def draw(rows: list[dict[str, Any]], predictions: dict[str, pd.DataFrame], card: ModelCard) -> None:
    """Write the figures and tables of plots/compare/."""
    genres = card["genres"]
    note = dataset_note(card["dataset"], card["protocol"])
    title = "Test accuracy by track"
    save(comparison.leaderboard(rows, title=title, note=note, chance=1 / len(genres)), FIGURES / "leaderboard.png")
    title = f"Test accuracy less that of {rows[0]['arch']}, the first by validation"
    against = [(row["arch"], *(row[key] for key in DIFFERENCE), f"p = {row['mcnemar_p_holm']:.2g}") for row in rows[1:]]
    tests = f"{note}; paired bootstrap over tracks; p: McNemar's exact test with Holm's correction"
    save(differences.differences(against, title=title, note=tests), FIGURES / "differences.png")
    cost = comparison.accuracy_against_cost(rows, title="Accuracy against cost", note=note)
    save(cost, FIGURES / "accuracy_against_cost.png")
    recall = {}
    for name, table in predictions.items():
        test = table[table["fold"] == "test"]
        right = (test["genre"] == test["predicted"]).groupby(test["genre"]).mean()
        recall[name] = [float(right.get(genre, 0.0)) for genre in genres]
    save(comparison.per_genre_recall(genres, recall, title="Recall by genre", note=note), FIGURES / "recall.png")
    columns = ["arch", "val_track_accuracy", "track_accuracy", "track_accuracy_ci95_low", "track_accuracy_ci95_high"]
    columns += [*DIFFERENCE, "mcnemar_p", "mcnemar_p_holm"]
    columns += ["log_loss", "log_loss_calibrated", "ece", "ece_calibrated", "temperature"]
    write_table(FIGURES / "leaderboard.csv", pd.DataFrame(rows)[columns])


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
                row["arch"],
                f"{row['val_track_accuracy']:.1%}",
                f"{row['track_accuracy']:.1%}",
                f"{row['track_accuracy_ci95_low']:.1%} to {row['track_accuracy_ci95_high']:.1%}",
                f"{row['macro_f1']:.3f}",
                "" if row is rows[0] else f"{row['mcnemar_p_holm']:.2g}",
                f"{row['ece']:.2f}, {row['ece_calibrated']:.2f}",
                "" if row["n_parameters"] is None else f"{row['n_parameters']:,}",
                "" if row["multiply_adds"] is None else amount(row["multiply_adds"]),
                *("" if row[cost] is None else f"{row[cost]:.0f}" for cost in ("seconds", "clips_per_second")),
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
