"""Measure temperature scaling and the out-of-distribution threshold on test tracks, over splits of a data set.

    python -m benchmarks.calibration [--seeds 42,1,2,3,4]

Run it where `dvc repro mels` has been run: it splits the tracks anew by each seed, as params.yaml says. The classifiers
are of the mean and deviation of the mel bands, without a network, and too sure or not sure enough. `refit` fits them
once more with the validation tracks, and keeps the temperature. `worse` counts the splits whose log loss gets worse,
and in brackets those beyond chance (t-test over artists, one-sided, 5 %).
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import binom, ttest_1samp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.files import read_table
from genres.core.paths import mels_dir, raw_dir
from genres.data import folds
from genres.data.shards import Spectrograms
from genres.models import out_of_distribution
from genres.stats.calibration import Floats, Ints, fit_temperature, tempered
from genres.stats.scores import expected_calibration_error, log_loss

BINS = 10
# From the number of genres to a classifier of scikit-learn.
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "discriminant": lambda n: LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.3, priors=np.full(n, 1 / n)),
    "logistic, C = 0.1": lambda _: LogisticRegression(C=0.1, max_iter=200),
    "logistic, C = 0.0003": lambda _: LogisticRegression(C=0.0003, max_iter=200),
}


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="42,1,2,3,4", help="seeds of the splits (42,1,2,3,4)")
    given = parser.parse_args().seeds
    try:
        seeds = [int(seed) for seed in given.split(",")]
    except ValueError:
        raise UserError(f"--seeds: must be numbers with commas between them, as in 1,2,3; received {given}") from None
    settings = params.load()
    tracks = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    spectrograms = Spectrograms(mels_dir())
    top_db = spectrograms.format.top_db
    names = progress(tracks["track_id"], what="descriptions")
    columns = np.stack([out_of_distribution.description(spectrograms.track(name), top_db) for name in names])
    artists = folds.group(tracks.assign(recording=""), by_artist=True)
    scaled, alarms = [], []
    for seed in progress(seeds, what="splits", unit="split"):
        fold = folds.assign(tracks, settings.split, seed)
        used = fold != folds.LEFT_OUT
        labels = np.unique(tracks["genre"][used], return_inverse=True)[1]
        scaled += calibrations(columns[used], labels, artists[used], fold[used])
        alarms.append(false_alarms(columns[used], artists[used], fold[used]))
    show(pd.DataFrame(scaled), pd.DataFrame(alarms))


def calibrations(columns: Floats, labels: Ints, artists: Ints, fold: np.ndarray) -> list[dict[str, object]]:
    """Return log loss and calibration error of the test tracks by classifier, refit and temperature."""
    train, val, test = (fold == name for name in folds.FOLDS)
    rows: list[dict[str, object]] = []
    for name, classifier in CLASSIFIERS.items():

        def fitted(where: np.ndarray, make: Callable[[int], Any] = classifier) -> Any:
            return make_pipeline(StandardScaler(), make(labels.max() + 1)).fit(columns[where], labels[where])

        before = fitted(train)
        held_out = before.predict_proba(columns[val])
        temperatures = {
            "1": 1.0,
            "lowest loss": lowest_loss(held_out, labels[val]),
            "in use": fit_temperature(held_out, labels[val], artists[val]).value,
        }
        for refit, model in {"no": before, "yes": fitted(train | val)}.items():
            plain = model.predict_proba(columns[test])
            for which, temperature in temperatures.items():
                scaled = tempered(plain, temperature)
                gain = _losses(plain, labels[test]) - _losses(scaled, labels[test])
                by_artist = np.bincount(np.unique(artists[test], return_inverse=True)[1], gain)
                worse = gain.sum() < 0 and temperature != 1
                beyond = bool(worse and ttest_1samp(by_artist, 0, alternative="less").pvalue < 0.05)
                rows.append(
                    {"classifier": name, "refit": refit, "temperature": which, "worse": worse, "beyond": beyond}
                    | {"loss": log_loss(scaled, labels[test])}
                    | {"ece": expected_calibration_error(scaled, labels[test], BINS)}
                )
    return rows


def lowest_loss(probabilities: Floats, labels: Ints) -> float:
    """Return the temperature of the lowest log loss, between 1/20 and 20."""
    best = minimize_scalar(
        lambda exponent: log_loss(tempered(probabilities, np.exp(exponent)), labels), bounds=(-3, 3), method="bounded"
    )
    return float(np.exp(best.x))


def _losses(probabilities: Floats, labels: Ints) -> Floats:
    return np.array([log_loss(row[np.newaxis], [label]) for row, label in zip(probabilities, labels, strict=True)])


def false_alarms(columns: Floats, artists: Ints, fold: np.ndarray) -> dict[str, float]:
    """Return the number of test tracks, those above the threshold, and above the 95 % quantile of validation."""
    train, val, test = (fold == name for name in folds.FOLDS)
    known = train | val
    numbers = np.unique(artists[known], return_inverse=True)[1]
    distances = out_of_distribution.held_out_distances(columns[known], numbers)
    threshold = out_of_distribution.threshold(distances, numbers)
    simple = np.quantile(_distances(columns[val], columns[train]), 0.95, method="higher")
    return {
        "tracks": test.sum(),
        "in use": np.sum(_distances(columns[test], columns[known]) > threshold),
        "of validation": np.sum(_distances(columns[test], columns[train]) > simple),
    }


def _distances(columns: Floats, reference: Floats) -> Floats:
    deviation = np.maximum(reference.std(axis=0), out_of_distribution.LEAST_DEVIATION_DB)
    distances: Floats = np.sqrt(np.mean(np.square((columns - reference.mean(axis=0)) / deviation), axis=1))
    return distances


def show(scaled: pd.DataFrame, alarms: pd.DataFrame) -> None:
    """Print both tables."""
    rows = []
    for (name, refit, which), group in scaled.groupby(["classifier", "refit", "temperature"], sort=False):
        worse = f"{group['worse'].sum()} ({group['beyond'].sum()})"
        rows.append([name, refit, which, f"{group['loss'].mean():.3f}", f"{group['ece'].mean():.3f}", worse])
    print_table(
        f"Test tracks, mean of {len(alarms)} splits",
        ["classifier", "refit", "temperature", "log loss", "ECE", "worse (beyond chance)"],
        rows,
    )
    low, high = binom.interval(0.95, alarms["tracks"], out_of_distribution.FALSE_ALARMS)
    rows = []
    for which in ("of validation", "in use"):
        shares, inside = alarms[which] / alarms["tracks"], (alarms[which] >= low) & (alarms[which] <= high)
        span = f"{shares.min():.1%} to {shares.max():.1%}"
        rows.append([which, f"{shares.mean():.1%}", span, f"{inside.sum()} of {len(alarms)}"])
    print_table("Test tracks with a warning", ["threshold", "share", "of each split", "splits within 95 %"], rows)


if __name__ == "__main__":
    main()
