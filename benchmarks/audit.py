"""Measure how many planted wrong labels an audit finds: confident learning, plain confidence, and random order.

    python -m benchmarks.audit [--draws N] [--first N] [--share S]

Run it where `dvc repro clips mels pretrained` has been run. In each draw a share of the labels is replaced by another
genre, each as likely, and all songs are predicted by classifiers of other artists' songs with their wrong labels, as
`genres audit` does (network transfer, pretrained on MSD). Precision is that of the first 20 songs, recall that of the
first 10 % of the songs. Labels of the data set that were wrong before count as found in error, so the numbers are lower
bounds. The ranking in use was chosen by draws 0 to 9.
"""

import argparse
from collections.abc import Callable

import numpy as np

from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.text import dataset_note
from genres.experiments.out_of_fold import Embedded, embedded, out_of_fold
from genres.library.audited import ARCHITECTURE, REPEATS
from genres.stats import label_errors

SHOWN, LISTED = 20, 0.1  # songs of the precision; share of the songs of the recall
Ranking = Callable[[np.ndarray, np.ndarray], np.ndarray]


def own(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of each label."""
    values: np.ndarray = rows[np.arange(len(rows)), labels]
    return values


RANKINGS: dict[str, Ranking] = {
    "confident learning, ratio to the threshold (in use)": label_errors.score,
    "confident learning, difference from the threshold (cleanlab's)": lambda rows, labels: label_errors.margin(
        rows - label_errors.confident(rows, labels).thresholds, labels
    ),
    "plain confidence: 1 - p of the label": lambda rows, labels: -own(rows, labels),
}


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=20, metavar="N", help="draws of the wrong labels (20)")
    parser.add_argument("--first", type=int, default=10, metavar="N", help="number of the first draw (10)")
    parser.add_argument("--share", type=float, default=0.1, metavar="S", help="share of wrong labels (0.1)")
    given = parser.parse_args()
    if given.draws < 1 or given.first < 0 or not 0 < given.share < 1:
        raise UserError("--draws, --first, --share: must be at least 1, at least 0, and between 0 and 1")
    settings = params.load()
    music = embedded(ARCHITECTURE, settings)
    draws = range(given.first, given.first + given.draws)
    results = [one(music, draw, given.share) for draw in progress(draws, what="draws", unit="draw")]
    about = f"{dataset_note(settings.dataset, 'artist')}; {ARCHITECTURE}, pretrained (MSD)"
    planted = round(given.share * len(music.labels))
    before = share_of(predicted(music, music.labels, seed=0), music.labels)
    print_table(
        f"{about}: {len(music.labels)} songs, {planted} labels are made wrong, {given.draws} draws; estimated wrong: "
        f"{np.mean([estimate for _, estimate in results]):.0%}, without planted ones {before:.0%}",
        ["ranking", f"precision of the first {SHOWN}", f"recall at {LISTED:.0%}"],
        [
            [name, *(f"{np.mean(values):.2f} ± {np.std(values):.2f}" for values in zip(*measured, strict=True))]
            for name in (*RANKINGS, "random")
            for measured in ([scores[name] for scores, _ in results],)
        ],
    )


def one(music: Embedded, draw: int, share: float) -> tuple[dict[str, tuple[float, float]], float]:
    """Return precision and recall of each ranking in one draw, and the estimated share of wrong labels."""
    rng = np.random.default_rng([draw, 5])
    songs = len(music.labels)
    planted = rng.choice(songs, round(share * songs), replace=False)
    labels, wrong = music.labels.copy(), np.zeros(songs, dtype=bool)
    labels[planted] = (labels[planted] + rng.integers(1, len(music.genres), len(planted))) % len(music.genres)
    wrong[planted] = True
    rows = predicted(music, labels, seed=100 * draw)
    scores = {name: rank(rows, labels) for name, rank in RANKINGS.items()} | {"random": rng.random(songs)}
    found = {}
    for name, values in scores.items():
        order = np.argsort(-values, kind="stable")
        recall = wrong[order[: round(LISTED * songs)]].sum() / len(planted)
        found[name] = float(wrong[order[:SHOWN]].mean()), float(recall)
    return found, share_of(rows, labels)


def predicted(music: Embedded, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the mean of the out-of-fold predictions by these labels."""
    rest = music.artists, music.sizes, music.options
    found = [out_of_fold(music.columns, music.track_of, labels, *rest, seed=seed + repeat) for repeat in range(REPEATS)]
    mean: np.ndarray = np.mean(found, axis=0)
    return mean


def share_of(rows: np.ndarray, labels: np.ndarray) -> float:
    """Return the estimated share of wrong labels."""
    counts = label_errors.estimated(label_errors.confident(rows, labels).joint, labels)
    return float(1 - np.trace(counts) / len(labels))


if __name__ == "__main__":
    main()
