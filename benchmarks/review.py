"""Measure what the order of reviews is worth: labelled songs against accuracy, and wrong labels that are repaired.

    python -m benchmarks.review [--seeds N] [--plot FILE]

Run it where `dvc repro clips mels pretrained` has been run. Each seed divides the artists into five parts, and each
part is tested by classifiers of the other artists' songs (network transfer, pretrained on MSD). Intervals are over the
seeds: they do not cover other music.

In the first table these songs are unlabelled but for two a genre; 8 more are labelled at a time, and the classifier is
fitted anew. In the second a tenth of their labels is wrong, and songs are reviewed once, in the order of `genres audit`
(doubted labels first, then uncertain and diverse ones), by uncertainty alone, or at random.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax

from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.params import DiscriminantParams
from genres.core.text import dataset_note
from genres.data.folds import partition
from genres.experiments.out_of_fold import Embedded, embedded, mean_of_tracks, out_of_fold
from genres.figures.style import BLUE, GREY, ORANGE, canvas, percent_tick, save, styled
from genres.library.audited import ARCHITECTURE, REPEATS
from genres.library.review_queue import uncertain_and_diverse
from genres.stats import label_errors
from genres.stats.repeated import interval
from genres.training.discriminant import fit_discriminant

PARTS = 5  # of the artists
FIRST, STEP, LABELLED = 2, 8, 160  # songs a genre that are labelled at first; songs that are labelled at once; the most
WRONG, REVIEWED = 0.1, (0, 10, 20, 30, 40, 60, 80, 120, 160)  # share of wrong labels; numbers of reviews
COLOURS = {"random": GREY, "uncertain": ORANGE, "uncertain and diverse": BLUE, "audit": BLUE}
Order = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def by_chance(rows: np.ndarray, _columns: np.ndarray, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the songs that are not known, in random order."""
    order: np.ndarray = rng.permutation(np.setdiff1d(np.arange(len(rows)), known))
    return order


def by_uncertainty(rows: np.ndarray, _columns: np.ndarray, known: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Return the songs that are not known, the smallest margin first."""
    highest = np.sort(rows, axis=1)
    order = np.argsort(highest[:, -1] - highest[:, -2], kind="stable")
    return order[~np.isin(order, known)]


def by_both(rows: np.ndarray, columns: np.ndarray, known: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Return the songs that are not known, uncertain and unlike each other."""
    return uncertain_and_diverse(rows, columns, known)


ORDERS: dict[str, Order] = {"random": by_chance, "uncertain": by_uncertainty, "uncertain and diverse": by_both}


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="divisions of the artists (10)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="both curves, a .png")
    given = parser.parse_args()
    if given.seeds < 2:
        raise UserError(f"--seeds: must be at least 2; received {given.seeds}")
    settings = params.load()
    music = embedded(ARCHITECTURE, settings)
    music = music._replace(columns=mean_of_tracks(music.columns, music.track_of), track_of=np.arange(len(music.labels)))
    runs = [one(music, seed, part) for seed in progress(range(given.seeds), what="seeds") for part in range(PARTS)]
    labelled, repaired, accuracy = (
        {
            name: np.array([run[number][name] for run in runs]).reshape(given.seeds, PARTS, -1).mean(axis=1)
            for name in names
        }
        for number, names in enumerate((ORDERS, runs[0][1], runs[0][2]))
    )
    about = f"{dataset_note(settings.dataset, 'artist')}; {ARCHITECTURE}, pretrained (MSD)"
    sizes = [FIRST * len(music.genres) + STEP * step for step in range(labelled["random"].shape[1])]
    title = f"{about}: {given.seeds} seeds of {PARTS} parts; 95 % intervals over the seeds"
    show(f"{title}. Accuracy by labelled songs", sizes, labelled, 2)
    show(f"{title}. Wrong labels that reviews repair", list(REVIEWED), repaired, 1)
    show(f"{title}. Accuracy by reviews", list(REVIEWED), accuracy, 1)
    if given.plot:
        save(drawn(sizes, labelled, accuracy, note=about), given.plot)


def one(music: Embedded, seed: int, part: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return accuracies by labelled songs, shares of repaired labels, and accuracies by reviews, for each order."""
    test = partition(music.labels, music.artists, [1 / PARTS] * PARTS, np.random.default_rng([seed, 7])) == part
    mine = np.flatnonzero(~test)
    columns, labels, artists = music.columns[mine], music.labels[mine], music.artists[mine]
    tested = music.columns[test], music.labels[test]

    def fitted(songs: np.ndarray, truth: np.ndarray) -> Any:
        options = music.options.model_dump(include=set(DiscriminantParams.model_fields))
        return fit_discriminant(columns[songs], truth[songs], artists[songs], music.sizes, **options)

    def accuracy(found: Any) -> float:
        return float((found.scores(tested[0]).argmax(axis=1) == tested[1]).mean())

    rng = np.random.default_rng([seed, part, 8])
    start = np.concatenate([rng.choice(np.flatnonzero(labels == g), FIRST, False) for g in range(len(music.genres))])
    labelled = {}
    for name, order in ORDERS.items():
        known, scores, chance = start, [], np.random.default_rng([seed, part, 9])
        for size in range(len(start), min(LABELLED, len(mine)) + 1, STEP):
            found = fitted(known, labels)
            scores.append(accuracy(found))
            if size + STEP <= min(LABELLED, len(mine)):
                rows = softmax(found.scores(columns), axis=1)
                known = np.concatenate([known, order(rows, columns, known, chance)[:STEP]])
        labelled[name] = scores

    wrong = np.zeros(len(mine), dtype=bool)
    wrong[rng.choice(len(mine), round(WRONG * len(mine)), replace=False)] = True
    given = np.where(wrong, (labels + rng.integers(1, len(music.genres), len(mine))) % len(music.genres), labels)
    fit = columns, np.arange(len(mine)), given, artists, music.sizes, music.options
    rows = np.mean([out_of_fold(*fit, seed=100 * seed + repeat) for repeat in range(REPEATS)], axis=0)
    doubted = label_errors.suspects(rows, given)
    nothing = np.array([], dtype=int)
    orders = {name: ORDERS[name](rows, columns, nothing, rng) for name in ("random", "uncertain")}
    orders["audit"] = np.concatenate([doubted, uncertain_and_diverse(rows, columns, doubted)])
    repaired, accuracies = {}, {}
    for name, listed in orders.items():
        repaired[name] = [wrong[listed[:number]].sum() / wrong.sum() for number in REVIEWED]
        reviewed = [np.isin(np.arange(len(mine)), listed[:number]) for number in REVIEWED]
        accuracies[name] = [accuracy(fitted(np.arange(len(mine)), np.where(seen, labels, given))) for seen in reviewed]
    return labelled, repaired, accuracies


def show(title: str, numbers: list[int], values: dict[str, np.ndarray], step: int) -> None:
    """Print every so many points of the curves, and how far each lies above random order in the mean of all points."""
    rows = []
    for name, own in values.items():
        above = interval((own - values["random"])[:, 1:].mean(axis=1))
        difference = (
            "" if name == "random" else f"{100 * above.mean:+.1f} [{100 * above.low:+.1f}, {100 * above.high:+.1f}]"
        )
        rows.append([name, *(f"{100 * value:.1f}" for value in own.mean(axis=0)[::step]), difference])
    print_table(f"{title}, %", ["order", *map(str, numbers[::step]), "above random, mean"], rows)


@styled
def drawn(sizes: list[int], labelled: dict[str, np.ndarray], accuracy: dict[str, np.ndarray], *, note: str) -> Figure:
    """Draw the accuracy against labelled songs, and against reviews of songs some of whose labels are wrong."""
    figure = canvas(9.0, 3.8, "What the order of reviews is worth", note)
    panels = figure.subplots(1, 2, sharey=True)
    titles = "songs that are labelled", f"songs that are reviewed, {WRONG:.0%} of the labels wrong".replace("%", " %")
    for axes, numbers, values, title in zip(panels, (sizes, REVIEWED), (labelled, accuracy), titles, strict=True):
        for name, own in values.items():
            each = [interval(scores) for scores in own.T]
            axes.plot(numbers, [value.mean for value in each], color=COLOURS[name], linewidth=2, label=name)
            low, high = [value.low for value in each], [value.high for value in each]
            axes.fill_between(numbers, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
        axes.set_xlabel(title)
        axes.yaxis.set_major_formatter(percent_tick)
        axes.legend(loc="lower right")
    panels[0].set_ylabel("accuracy, artists held out")
    return figure


if __name__ == "__main__":
    main()
