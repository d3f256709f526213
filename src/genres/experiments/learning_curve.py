"""Measure accuracy against the number of artists to learn from, and extrapolate it to twice as many.

    genres learning-curve --run [--shares 0.1,0.2,0.4,0.7,1] [--folds K] [--seeds 1,2] [-S KEY=VALUE ...] [--plot FILE]
    genres learning-curve EXPERIMENT [EXPERIMENT ...] [--plot FILE]

A repetition (a seed, a fold) has its own test tracks and its own random order of the other artists; a share keeps the
first artists of each genre, in training and in validation, so that smaller sets are part of larger ones. With --run,
missing experiments are run; else experiments are named as `dvc exp list` shows them. Prints a Markdown table of the
test accuracy over tracks with its 95 % interval (bootstrap over repetitions and test artists), and for each
architecture what a power law with a floor expects with twice the artists, if there are four sizes and two repetitions.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from genres.core.console import UserError, command
from genres.core.text import dataset_note, markdown_table
from genres.experiments import sweep
from genres.experiments.points import Point, read, sizes_of
from genres.experiments.revisions import Revision
from genres.figures import artists as figure
from genres.figures.style import save
from genres.stats import power_law, scores

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
MORE = 2  # times the artists that there are
INTERVAL = "95 % intervals: bootstrap over repetitions and test artists"


class Curve(NamedTuple):
    """Accuracy of one architecture at each size, and what is expected with more artists."""

    name: str
    accuracy: list[float]
    low: list[float]
    high: list[float]
    grid: list[float]  # numbers of artists of the fitted curve, empty if there is none; the last is the extrapolation
    fitted: list[tuple[float, float, float]]  # accuracy with its interval at each of them
    gain: tuple[float, float, float]  # from the largest size to the extrapolation


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = sweep.parser("learning-curve", __doc__.splitlines()[0])
    parser.add_argument("--shares", type=_shares, metavar="A,B", help="shares of the artists, with --run")
    arguments = parser.parse_args(argv)
    if arguments.shares and not arguments.run:
        raise UserError("--shares: goes with --run only")
    if arguments.protocols and len(arguments.protocols) > 1:
        raise UserError(f"--protocols: a learning curve is of one protocol; received {','.join(arguments.protocols)}")
    names = sweep.chosen(arguments, shares=arguments.shares or SHARES)
    revisions = [Revision(name) for name in names]
    about, labels, points = read(revisions)
    sizes = sizes_of(points)
    settings = revisions[0].params
    curves = [curve(points, sizes, name, settings["evaluate.bootstrap"], settings["seed"]) for name in labels]
    note = dataset_note(about["dataset"], about["protocol"])
    print(f"{note}; {INTERVAL}\n")
    print(table(points, sizes, curves, labels))
    lines = [sentence(one, labels[one.name], sizes, points) for one in curves]
    print("\n".join(f"\n{line}" for line in lines))
    if arguments.plot:
        title = "Accuracy against the artists to learn from"
        drawn = [one._replace(name=labels[one.name]) for one in curves]
        save(
            figure.by_artists(sizes["artists"].tolist(), drawn, title=title, note=f"{note}; {INTERVAL}"), arguments.plot
        )
    if arguments.run:
        track(names[0], about["dataset"], curves, arguments.plot)


def _shares(text: str) -> list[float]:
    try:
        shares = sorted({float(word) for word in text.split(",")})
    except ValueError:
        shares = []
    if not shares or not 0 < shares[0] <= shares[-1] <= 1:
        raise argparse.ArgumentTypeError(f"needs numbers above 0 and up to 1 such as 0.1,0.5,1; received '{text}'")
    return shares


def curve(points: Sequence[Point], sizes: pd.DataFrame, name: str, resamples: int, seed: int) -> Curve:
    """Compute the accuracy of an architecture at each size, and fit its curve if the sizes and repetitions allow it."""
    repetitions = list(dict.fromkeys(point.repetition for point in points))
    artists = sorted({artist for point in points for artist in point.tested["artist"]})
    wrong = np.zeros((len(repetitions), len(artists), len(sizes)))
    tested = np.zeros(wrong.shape[:2])
    flags: list[list[bool]] = [[] for _ in sizes["share"]]
    for point in points:
        for place in np.flatnonzero(sizes["share"] == point.share):
            row = repetitions.index(point.repetition)
            columns = np.searchsorted(artists, point.tested["artist"])
            mistaken = point.tested[name].to_numpy(dtype=bool)
            wrong[row, :, place] = np.bincount(columns, mistaken, len(artists))
            tested[row] = np.bincount(columns, minlength=len(artists))
            flags[place] += (~mistaken).tolist()
    errors = power_law.resampled(wrong, tested, resamples, seed)
    accuracy = [float(np.mean(right)) for right in flags]
    # Without any error, or with nothing else, all resamples are equal.
    ends = [
        scores.accuracy_interval(right, resamples, seed) if len(set(right)) == 1 else _interval(1 - errors[:, place])
        for place, right in enumerate(flags)
    ]
    low, high = map(list, zip(*ends, strict=True))
    if obstacle(sizes, len(repetitions), accuracy):
        return Curve(name, accuracy, low, high, [], [], (0, 0, 0))
    numbers = sizes["artists"].to_numpy()
    best, drawn = (power_law.fit(numbers, rows) for rows in (1 - np.array([accuracy]), errors))
    grid = [*np.geomspace(numbers[0], numbers[-1], 40), *np.geomspace(numbers[-1], MORE * numbers[-1], 20)[1:]]
    fitted = [(1 - float(best.at(size)[0]), *_interval(1 - drawn.at(size))) for size in grid]
    gains = [one.at(numbers[-1]) - one.at(grid[-1]) for one in (best, drawn)]
    return Curve(name, accuracy, low, high, grid, fitted, (float(gains[0][0]), *_interval(gains[1])))


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, scores.CI95)
    return float(low), float(high)


def obstacle(sizes: pd.DataFrame, repetitions: int, accuracy: Sequence[float]) -> str | None:
    """Return why the measurements support no extrapolation, and the cure; None if they do."""
    if len(sizes) < power_law.LEAST_SIZES:
        return f"{len(sizes)} sizes are too few; it takes {power_law.LEAST_SIZES} with different artists (--shares)"
    if repetitions < power_law.LEAST_REPETITIONS:
        return "one repetition does not show the chance in the choice of artists; run several (--seeds, --folds)"
    if accuracy[-1] == 1:
        return "there is no error at the largest size"
    return None


def sentence(one: Curve, label: str, sizes: pd.DataFrame, points: Sequence[Point]) -> str:
    """Return what is expected with more artists."""
    now = sizes["artists"].iloc[-1]
    if reason := obstacle(sizes, len({point.repetition for point in points}), one.accuracy):
        return f"{label}: no extrapolation: {reason}"
    expected, low, high = one.fitted[-1]
    gain, least, most = (100 * value for value in one.gain)
    return (
        f"{label}: with twice your artists ({MORE * now:.0f} in place of {now:.0f}) expect {100 * expected:.0f} % "
        f"[{100 * low:.0f}, {100 * high:.0f}]; the fitted curve rises by {gain:.1f} points [{least:.1f}, {most:.1f}]"
    )


def table(points: Sequence[Point], sizes: pd.DataFrame, curves: Sequence[Curve], labels: dict[str, str]) -> str:
    """Format the accuracies as a Markdown table, a row a size."""
    rows = [
        [f"{size.share:g}", f"{size.artists:.0f}", f"{size.tracks:.0f}"]
        + [f"{one.accuracy[place]:.1%} [{one.low[place]:.0%}, {one.high[place]:.0%}]" for one in curves]
        for place, size in enumerate(sizes.itertuples())
    ]
    number = len({point.repetition for point in points})
    about = f"{number} repetition{'s' * (number > 1)}"
    names = [f"{labels[one.name]}, {about}" for one in curves]
    header = ["share", "artists (training and validation)", "tracks", *names]
    return markdown_table(header, rows)


def track(name: str, dataset: str, curves: Sequence[Curve], plot: Path | None) -> None:
    """Log what is expected, and the figure, to the MLflow run of the sweep."""
    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    metrics: dict[str, Any] = {}
    for one in curves:
        if one.fitted:
            ends = zip(("", "_ci95_low", "_ci95_high"), one.fitted[-1], strict=True)
            metrics |= {f"{one.name}/twice_the_artists{end}": value for end, value in ends}
    runs.log_to_sweep(dataset, name.rpartition("-")[2], metrics, [plot] if plot else [])
