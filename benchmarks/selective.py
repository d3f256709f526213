"""Measure whether the promise on errors holds for artists that neither the model nor its held-out songs know.

    python -m benchmarks.selective [--splits N] [--errors E,E] [--plot FILE]

Run it where `dvc repro clips mels pretrained` has been run. In each split a fifth of the artists is the library. The
network transfer (pretrained, MSD) is fitted to the others, and their out-of-fold predictions support the promise, as
those of `genres held-out` do. `broken` counts splits whose library has more wrong tags than promised, of those in which
the promise was made; in brackets, those beyond chance (binomial over tagged songs, one-sided, 5 %).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.text import dataset_note
from genres.data.folds import partition
from genres.experiments.out_of_fold import Embedded, embedded, mean_of_tracks, out_of_fold, predict_others
from genres.figures.selective import risk_coverage
from genres.figures.style import save
from genres.stats import selective

ARCHITECTURE = "transfer"
LIBRARY = 1 / 5  # share of the artists
CERTAINTY = 0.95


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selective", description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=10, metavar="N", help="random splits of the artists (10)")
    parser.add_argument("--errors", default="0.05,0.1,0.15,0.2,0.3", help="promises (0.05,0.1,0.15,0.2,0.3)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="risk against coverage over all tracks, a .png")
    given = parser.parse_args()
    try:
        errors = [float(error) for error in given.errors.split(",")]
    except ValueError:
        raise UserError(f"--errors: must be numbers with commas between them; received {given.errors}") from None
    settings = params.load()
    music = embedded(ARCHITECTURE, settings)
    rows = [
        row for split in progress(range(given.splits), what="splits", unit="split") for row in one(music, split, errors)
    ]
    about = f"{dataset_note(settings.dataset, 'artist')}; {ARCHITECTURE}, pretrained (MSD)"
    show(pd.DataFrame(rows), about)
    if given.plot:
        draw(music, errors, settings.seed, about, given.plot)


def one(music: Embedded, split: int, errors: list[float]) -> list[dict[str, Any]]:
    """Return what became of each promise in one split."""
    rng = np.random.default_rng([split, 4])
    in_library = partition(music.labels, music.artists, [1 - LIBRARY, LIBRARY], rng) == 1
    known, library = np.flatnonzero(~in_library), np.flatnonzero(in_library)
    place = np.full(len(in_library), -1)
    place[known], place[library] = np.arange(len(known)), np.arange(len(library))
    mine = in_library[music.track_of]
    fit, others = music.columns[~mine], music.columns[mine]
    tracks, labels, artists = place[music.track_of[~mine]], music.labels[known], music.artists[known]
    held_out = out_of_fold(fit, tracks, labels, artists, music.sizes, music.options, seed=split)
    probabilities = mean_of_tracks(
        predict_others(fit, labels[tracks], artists[tracks], music.sizes, music.options, others, seed=split),
        place[music.track_of[mine]],
    )
    wrong = probabilities.argmax(axis=1) != music.labels[library]
    rows = []
    for error in errors:
        found = selective.promise(
            held_out.max(axis=1), held_out.argmax(axis=1) != labels, artists, error=error, certainty=CERTAINTY
        )
        tagged = probabilities.max(axis=1) >= (found.threshold if found else np.inf)
        rows.append(
            {"error": error, "held_out": len(known), "made": found is not None, "songs": len(library)}
            | {"tagged": int(tagged.sum()), "wrong": int(wrong[tagged].sum()), "all_wrong": int(wrong.sum())}
        )
    return rows


def show(rows: pd.DataFrame, about: str) -> None:
    """Print what became of the promises, over the splits."""
    first = rows[rows["error"] == rows["error"].iloc[0]]
    print_table(
        f"{about}: {len(first)} splits, each with about {first['held_out'].mean():.0f} held-out songs and a library of "
        f"{first['songs'].mean():.0f}, {first['all_wrong'].sum() / first['songs'].sum():.1%} of which would be wrong",
        ["promise: at most wrong", "made in splits", "songs tagged", "of each split", "wrong tags", "broken"],
        [_row(float(str(error)), group) for error, group in rows.groupby("error")],
    )


def _row(error: float, group: pd.DataFrame) -> list[str]:
    made = group[group["made"]]
    share = group["tagged"] / group["songs"]
    broken = made["wrong"] > error * made["tagged"]
    beyond = broken & (binom.sf(made["wrong"] - 1, made["tagged"], error) < 1 - CERTAINTY)
    return [
        f"{100 * error:g} %",
        f"{len(made)} of {len(group)}",
        f"{group['tagged'].sum() / group['songs'].sum():.0%}",
        f"{share.min():.0%} to {share.max():.0%}",
        f"{made['wrong'].sum() / max(1, made['tagged'].sum()):.1%}" if len(made) else "–",
        f"{broken.sum()} of {len(made)} ({beyond.sum()})",
    ]


def draw(music: Embedded, errors: list[float], seed: int, about: str, path: Path) -> None:
    """Draw risk against coverage of the out-of-fold predictions of all tracks."""
    probabilities = out_of_fold(
        music.columns, music.track_of, music.labels, music.artists, music.sizes, music.options, seed=seed
    )
    songs = probabilities.max(axis=1), probabilities.argmax(axis=1) != music.labels, music.artists
    along = selective.curve(*songs)
    found = [(error, selective.promise(*songs, error=error, certainty=CERTAINTY)) for error in errors]
    figure = risk_coverage(
        along.kept.tolist(),
        along.wrong.tolist(),
        selective.upper_bound(along.wrong, along.effective, CERTAINTY).tolist(),
        [(error, each.kept) for error, each in found if each],
        title="Wrong tags against tagged songs",
        note=f"{about}; {len(music.labels)} songs of {len(set(music.artists.tolist()))} artists, each held out",
    )
    save(figure, path)


if __name__ == "__main__":
    main()
