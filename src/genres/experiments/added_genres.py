"""Compare two experiments, one without and one with new genres: how adding genres changes the old ones.

    genres added-genres WITHOUT WITH [--model ARCHITECTURE] [--plot FILE]

Both are DVC experiments (or git revisions), for example GTZAN's nine genres, and the nine with two more. For each old
genre: recall before and after, the change with its 95 % interval, and the share of its songs now predicted as a new
genre. For each new genre: its recall, and the old genres that the network without it predicted for its songs. The
architecture is the best of WITHOUT by validation, unless named.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.params import EvaluateParams
from genres.core.paths import SUMMARY, TRACKS, mels_dir, model_path, predictions_path
from genres.core.text import dataset_note
from genres.data.shards import Spectrograms
from genres.experiments.revisions import Revision
from genres.figures import added
from genres.figures.style import save
from genres.inference.classifier import Classifier
from genres.stats import scores

ALL = "all old genres"
CHANGE = ("change", "change_ci95_low", "change_ci95_high")


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres added-genres", description=__doc__.splitlines()[0])
    parser.add_argument("without", metavar="WITHOUT", help="the experiment without the new genres")
    parser.add_argument("added", metavar="WITH", help="the experiment with them")
    parser.add_argument("--model", metavar="ARCHITECTURE", help="default: the best of WITHOUT by validation")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, too")
    arguments = parser.parse_args(argv)
    settings = params.load()
    before, after = Revision(arguments.without), Revision(arguments.added)
    architecture = arguments.model or before.json(SUMMARY)["best"]
    for revision in (before, after):
        trained = [row["arch"] for row in revision.leaderboard if row["n_parameters"] is not None]
        if architecture not in trained:
            raise UserError(f"{revision.name} has no {architecture}, only {', '.join(trained)}; choose one by --model")
    cards = [revision.card(architecture) for revision in (before, after)]
    old, new = split_genres(cards[0]["genres"], cards[1]["genres"], before.name, after.name)

    tables = [revision.table(predictions_path(architecture), dtype={"track_id": str}) for revision in (before, after)]
    rows = changes(tables[0], tables[1], old, new, settings.evaluate, settings.seed)
    went = taken_for(before, after, architecture, new)
    recall = {genre: _recall(_test(tables[1]), genre) for genre in new}

    protocols = " and ".join(dict.fromkeys(card["protocol"] for card in cards))
    note = f"{architecture}; {dataset_note(cards[1]['dataset'], protocols)}"
    show(rows, went, recall, note, paired=_paired(tables[0], tables[1], old))
    if arguments.plot:
        title = f"What adding {', '.join(genre.replace('_', ' ') for genre in new)} did"
        save(added.added_genres(rows, went, recall, title=title, note=note), arguments.plot)


def split_genres(
    before: Sequence[str], after: Sequence[str], without: str, added_to: str
) -> tuple[list[str], list[str]]:
    """Return the old genres and the new ones.

    Raises
    ------
    UserError
        If no genre was added, or one was removed.
    """
    new, gone = sorted(set(after) - set(before)), sorted(set(before) - set(after))
    if gone:
        raise UserError(
            f"{added_to} lacks genres of {without}: {', '.join(gone)}; name the one with fewer genres first"
        )
    if not new:
        raise UserError(f"{without} and {added_to} have the same genres: nothing was added; name other experiments")
    return sorted(before), new


def changes(
    before: pd.DataFrame, after: pd.DataFrame, old: list[str], new: list[str], settings: EvaluateParams, seed: int
) -> list[dict[str, Any]]:
    """Compute the change of each old genre's recall; the first row is of all old genres.

    Parameters
    ----------
    before, after : pd.DataFrame
        predictions/<architecture>.csv of the two experiments.
    old, new : list of str
        Genres of both experiments, and genres of `after` only.
    settings : EvaluateParams
        Parameters with the number of bootstrap resamples.
    seed : int

    Returns
    -------
    list of dict
        genre, tracks (in `after`), before, after (recall on the test tracks), change, change_ci95_low,
        change_ci95_high, to_new (share that `after` predicts as a new genre). The bootstrap is paired if both test on
        the same tracks, else unpaired.
    """
    paired = _paired(before, after, old)
    rows = []
    for name in (ALL, *old):
        genres = old if name == ALL else [name]
        one, other = (_test(table, genres) for table in (before, after))
        right = [(table["genre"] == table["predicted"]).to_numpy() for table in (one, other)]
        row: dict[str, Any] = {"genre": name, "tracks": len(other)}
        if not len(one) or not len(other):
            continue
        difference = scores.paired_difference if paired else scores.unpaired_difference
        change, low, high = difference(right[1], right[0], settings.bootstrap, seed)
        row |= {"before": float(right[0].mean()), "after": float(right[1].mean()), "change": change}
        row |= {"change_ci95_low": low, "change_ci95_high": high}
        rows.append(row | {"to_new": float(other["predicted"].isin(new).mean())})
    return rows


def taken_for(before: Revision, after: Revision, architecture: str, new: list[str]) -> pd.DataFrame:
    """Predict the new genres' songs with the network that was trained without these genres.

    Returns
    -------
    pd.DataFrame
        Share of each new genre's tracks (rows) predicted as each old genre (columns). Tracks of all folds count, since
        the network was trained on none of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder)
        classifier = Classifier(before.fetch(model_path(architecture), copies / "model.keras"))
        mels = Spectrograms(after.fetch(mels_dir(classifier.front_end), copies / "mels"))
        if mels.format != classifier.format:
            raise UserError(f"{before.name} and {after.name} differ in spectrogram format; use the same `mels` in both")
        tracks = after.table(TRACKS, dtype=str)
        tracks = tracks[tracks["genre"].isin(new) & (tracks["fold"] != "")]
        means = (classifier.timeline(mels.track(track_id)).mean() for track_id in tracks["track_id"])
        tracks["predicted"] = [classifier.genres[mean.argmax()] for mean in means]
        return shares(tracks, classifier.genres)


def shares(tracks: pd.DataFrame, old: list[str]) -> pd.DataFrame:
    """Compute the share of each genre's tracks predicted as each of `old`."""
    counts = pd.crosstab(tracks["genre"], tracks["predicted"], normalize="index")
    return counts.reindex(columns=old, fill_value=0.0)


def _test(table: pd.DataFrame, genres: Sequence[str] | None = None) -> pd.DataFrame:
    test = table[table["fold"] == "test"]
    chosen = test if genres is None else test[test["genre"].isin(genres)]
    return chosen.sort_values("track_id").reset_index(drop=True)


def _paired(before: pd.DataFrame, after: pd.DataFrame, old: list[str]) -> bool:
    """Return True if both experiments test on the same tracks of the old genres."""
    one, other = (_test(table, old)[["track_id", "genre"]] for table in (before, after))
    return one.equals(other)


def _recall(test: pd.DataFrame, genre: str) -> float:
    mine = test[test["genre"] == genre]
    return float((mine["predicted"] == genre).mean()) if len(mine) else float("nan")


def show(rows: list[dict[str, Any]], went: pd.DataFrame, recall: dict[str, float], note: str, *, paired: bool) -> None:
    """Print both tables."""
    tracks = "the same test tracks" if paired else "different test tracks, since the folds differ"
    print_table(
        f"Old genres: {note}; both on {tracks}",
        ["genre", "tracks", "recall before", "after", "change, 95 % interval", "now a new genre"],
        [
            [
                row["genre"],
                row["tracks"],
                f"{row['before']:.1%}",
                f"{row['after']:.1%}",
                "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * row[key] for key in CHANGE)),
                f"{row['to_new']:.1%}",
            ]
            for row in rows
        ],
    )
    print_table(
        "New genres: where their songs went before",
        ["genre", "recall now", "taken before for"],
        [
            [
                genre,
                f"{recall[genre]:.1%}",
                ", ".join(f"{name} {share:.0%}" for name, share in went.loc[genre].nlargest(4).items() if share > 0),
            ]
            for genre in went.index
        ],
    )
