"""Rank architectures by their predictions for the same tracks, with paired tests against the first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genres.core.console import UserError
from genres.core.params import EvaluateParams
from genres.core.paths import ENSEMBLE, TRACKS
from genres.stats import scores
from genres.stats.calibration import fit_temperature, tempered
from genres.stats.predictions import of_fold, right, test_scores


def leaderboard(
    predictions: Mapping[str, pd.DataFrame],
    costs: Mapping[str, Mapping[str, Any]],
    artist_of: Mapping[str, int],
    genres: Sequence[str],
    settings: EvaluateParams,
    seed: int,
) -> list[dict[str, Any]]:
    """Return one row for each architecture and one for an ensemble, best first by validation accuracy.

    The ensemble is of the networks that were trained from scratch.

    A row has validation accuracy, test accuracy with its 95 % interval, macro F1, calibration before and after
    temperature scaling (with the reason where the temperature stays at 1), and the costs. Against the first row it has
    the difference in test accuracy with its interval (paired bootstrap over tracks), McNemar's exact p, and p with
    Holm's correction for the number of other rows.

    Parameters
    ----------
    predictions : mapping of str to pd.DataFrame
        Predictions of each architecture, in one order of the tracks.
    costs : mapping of str to mapping
        Costs of each architecture, with equal keys, and `pretrained_on`; the ensemble's are None.
    artist_of : mapping of str to int
        Number of the artist of each track.
    genres : sequence of str
    settings : EvaluateParams
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    UserError
        If the architectures were evaluated on different tracks, or on others than those of `artist_of`.
    """
    tables = dict(predictions)
    from_scratch = [table for name, table in predictions.items() if costs[name].get("pretrained_on") is None]
    if len(from_scratch) > 1:
        tables[ENSEMBLE] = ensemble(from_scratch, genres)
    none = dict.fromkeys(next(iter(costs.values())))
    rows = []
    for name, table in tables.items():
        probabilities, labels = of_fold(table, "val", genres)
        row: dict[str, Any] = {"arch": name}
        row["val_track_accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
        row["val_log_loss"] = scores.log_loss(probabilities, labels)
        row |= test_scores(table, genres, settings, seed) | _calibration(table, artist_of, genres, settings)
        rows.append(row | dict(costs.get(name, none)))
    # Log loss breaks ties in validation accuracy.
    rows.sort(key=lambda row: (-row["val_track_accuracy"], row["val_log_loss"]))
    first = right(tables[rows[0]["arch"]])
    for row in rows:
        row |= against(right(tables[row["arch"]]), first, settings, seed)
    corrected = scores.holm([row["mcnemar_p"] for row in rows[1:]])
    for row, p in zip(rows, [1.0, *corrected.tolist()], strict=True):
        row["mcnemar_p_holm"] = p
    return rows


def _calibration(
    table: pd.DataFrame, artist_of: Mapping[str, int], genres: Sequence[str], settings: EvaluateParams
) -> dict[str, Any]:
    """Fit the temperature to the validation tracks; return it with the test tracks' scores at this temperature."""
    artists = table["track_id"][table["fold"] == "val"].map(artist_of)
    if artists.isna().any():
        raise UserError(f"predictions/: of other tracks than {TRACKS}; run: dvc repro")
    temperature, reason = fit_temperature(*of_fold(table, "val", genres), artists)
    probabilities, labels = of_fold(table, "test", genres)
    calibrated = tempered(probabilities, temperature) if temperature != 1 else probabilities
    return {
        "temperature": temperature,
        "temperature_reason": reason,
        "log_loss_calibrated": scores.log_loss(calibrated, labels),
        "ece_calibrated": scores.expected_calibration_error(calibrated, labels, settings.calibration_bins),
    }


def ensemble(tables: Sequence[pd.DataFrame], genres: Sequence[str]) -> pd.DataFrame:
    """Average the probabilities of several models for the same tracks."""
    mean, columns = tables[0].copy(), list(genres)
    if not all(table["track_id"].equals(mean["track_id"]) for table in tables):
        raise UserError("predictions/: the architectures were evaluated on different tracks; run: dvc repro")
    mean[columns] = np.mean([table[columns].to_numpy() for table in tables], axis=0)
    mean["predicted"] = np.array(genres)[mean[columns].to_numpy().argmax(axis=1)]
    return mean


def per_genre(
    predictions: Mapping[str, pd.DataFrame], first: str, genres: Sequence[str], settings: EvaluateParams, seed: int
) -> pd.DataFrame:
    """Compute the recall of each architecture for each genre, and its difference to the first architecture.

    Parameters
    ----------
    predictions, genres, settings, seed
        As in :func:`leaderboard`.
    first : str
        Architecture that the others are compared with.

    Returns
    -------
    pd.DataFrame
        arch, genre, tracks, recall, difference_to_first, difference_ci95_low, difference_ci95_high (paired bootstrap),
        mcnemar_p, mcnemar_p_holm (corrected for the genres of an architecture). Genres without test tracks have no row.
    """
    all_rows = []
    for name, table in predictions.items():
        truth = table["genre"][table["fold"] == "test"]
        rows: list[dict[str, Any]] = []
        for genre in genres:
            of_genre = (truth == genre).to_numpy()
            if not of_genre.any():
                continue
            mine, best = right(table)[of_genre], right(predictions[first])[of_genre]
            row = {"arch": name, "genre": genre, "tracks": len(mine), "recall": float(mine.mean())}
            rows.append(row | against(mine, best, settings, seed))
        corrected = scores.holm([row["mcnemar_p"] for row in rows])
        all_rows += [row | {"mcnemar_p_holm": float(p)} for row, p in zip(rows, corrected, strict=True)]
    return pd.DataFrame(all_rows)


def against(mine: np.ndarray, best: np.ndarray, settings: EvaluateParams, seed: int) -> dict[str, float]:
    """Return the difference in accuracy to the first on the same tracks, with its interval, and McNemar's p."""
    difference, low, high = scores.paired_difference(mine, best, settings.bootstrap, seed)
    interval = {"difference_to_first": difference, "difference_ci95_low": low, "difference_ci95_high": high}
    return interval | {"mcnemar_p": scores.mcnemar(mine, best)}
