"""Stage `remix`: compare the predictions of every trained architecture for originals and their remixes.

    python src/remix.py

Takes the pairs of the data set (columns song and version of its tracks.csv). Writes metrics/remix.json and, into
plots/remix/, pairs.csv (a row for each architecture and pair), shifts.csv (architecture and genre), windows.csv (window
of a version), and pictures of the architecture that is best by validation. No song or artist of a pair is in any fold
(src/genres/data/folds.py). docs/remix.md describes the measures and the null distributions.
"""

import argparse
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genres.core import params
from genres.core.console import command, print_table
from genres.core.files import read_json, read_table, write_json, write_table
from genres.core.inputs import available
from genres.core.paths import METRICS, PLOTS, SUMMARY, TRACKS, mels_dir, model_path, raw_dir
from genres.core.text import dataset_note, display_name
from genres.data.remixes import check_kept_out, versions_of
from genres.data.shards import Spectrograms
from genres.figures import remix as figures
from genres.figures.style import save
from genres.inference import saliency
from genres.inference.classifier import Classifier, for_stages
from genres.models.card import ModelCard, read_card
from genres.stats import pairs
from genres.stats.pairs import Pair, Song

SCORES, FOLDER = METRICS / "remix.json", PLOTS / "remix"
PICTURES = FOLDER / "pairs"

# Number of pairs, the first of the data set, that get a picture of their own; the tables have all pairs.
MOST_PICTURED = 12


@dataclass(frozen=True)
class Predictions:
    """Predictions of one architecture for the pairs, with their statistics."""

    genres: list[str]
    pairs: list[Pair]
    rows: pd.DataFrame  # of pairs.table
    shifts: pd.DataFrame  # of pairs.shifts
    summary: dict[str, Any]  # of pairs.summary


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/remix.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    raw = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    folds = read_table(TRACKS, dtype=str)
    versions = versions_of(raw)
    check_kept_out(versions, folds)
    architectures = available(settings)
    cards = {name: read_card(model_path(name)) for name in architectures}
    first = cards[architectures[0]]
    about = {"dataset": first["dataset"], "protocol": first["protocol"], "leaky": first["protocol"] == "clip"}
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    predictions: dict[str, Predictions] = {}
    if len(versions):
        best = read_json(SUMMARY)["best"]
        drawn = best if best in architectures else architectures[0]
        tested = raw[raw["track_id"].isin(folds["track_id"][folds["fold"] == "test"])]
        for architecture in architectures:
            classifier = for_stages(architecture)
            spectrograms = Spectrograms(mels_dir(classifier.front_end))
            predictions[architecture] = predict(classifier, spectrograms, versions, tested, settings.seed)
            if architecture == drawn:
                draw(classifier, spectrograms, predictions[architecture], about)
        track(predictions, cards, drawn)
    else:
        save(figures.overview(versions, versions, title="Original against remix", note=note_of(about)), overview_file())
    write(predictions, about | {"n_pairs": len(versions)}, first["genres"])
    show(predictions, about)


def predict(
    classifier: Classifier, spectrograms: Spectrograms, versions: pd.DataFrame, tested: pd.DataFrame, seed: int
) -> Predictions:
    """Predict all pairs, and the songs of the test set, which the network was not trained on either.

    Parameters
    ----------
    classifier : Classifier
    spectrograms : Spectrograms
        Spectrograms of the whole data set.
    versions : pd.DataFrame
        Pairs from :func:`versions_of`; not empty.
    tested : pd.DataFrame
        Columns track_id and genre of the test set.
    seed : int
        Seed of sign-flip tests with too many pairs for exact enumeration.
    """

    def song(track_id: str, genre: str) -> Song:
        timeline = classifier.timeline(spectrograms.track(track_id))
        return Song(track_id, genre, timeline.probabilities, timeline.start_s, timeline.end_s)

    genres = list(classifier.genres)
    songs = {row["track_id"]: song(row["track_id"], row["genre"]) for row in tested.to_dict("records")}
    others, all_pairs = list(songs.values()), []
    for row in versions.to_dict("records"):
        for version in ("original", "remix"):
            if row[version] not in songs:  # an original may have several remixes
                songs[row[version]] = song(row[version], row[f"{version}_genre"])
        all_pairs.append(Pair(row["song"], songs[row["original"]], songs[row["remix"]]))
    rows = pairs.table(all_pairs, others, genres)
    return Predictions(genres, all_pairs, rows, pairs.shifts(rows, genres, seed), pairs.summary(rows, genres, seed))


def draw(classifier: Classifier, spectrograms: Spectrograms, result: Predictions, about: dict[str, Any]) -> None:
    """Draw all pairs, each of the first ones, and the saliency of the pair with the largest shift."""
    name, genres, note = classifier.card["architecture"], result.genres, note_of(about)
    several = f"{len(result.pairs)} pairs" if len(result.pairs) > 1 else "one pair"
    tests = f"{note}; p: sign-flip test over the pairs with Holm's correction for {len(genres)} genres"
    overview = figures.overview(
        result.rows, result.shifts, title=f"Original against remix: {several}, {name}", note=tests
    )
    save(overview, overview_file())
    colours = figures.palette(result.rows, genres)
    for number, pair in enumerate(result.pairs[:MOST_PICTURED]):
        title = f"{pair.name}: what {name} hears in both versions"
        save(figures.versions(pair, genres, colours, title=title, note=note), picture(number, pair.name))
    genre = result.summary["towards"]
    number = int(result.rows[f"shift_{genre}"].argmax())
    pair = result.pairs[number]
    parts = [
        saliency.most_probable_window(
            classifier, spectrograms.track(song.track_id), genre, f"{version} ({display_name(song.genre)})"
        )
        for version, song in (("original", pair.original), ("remix", pair.remix))
    ]
    title = f"{pair.name}: what sounds like {display_name(genre)} to {name}"
    save(
        saliency.draw_parts(parts, classifier.format, genre, title=title, note=note), picture(number, "why", pair.name)
    )


def note_of(about: dict[str, Any]) -> str:
    return dataset_note(about["dataset"], about["protocol"])


def overview_file() -> Path:
    return FOLDER / "overview.png"


def picture(number: int, *names: str) -> Path:
    """Return the path of a pair's picture; song names may contain any character."""
    words = "_".join(re.sub(r"\W+", "_", name.casefold()).strip("_") for name in names)
    return PICTURES / f"{number + 1:02d}_{words[:60]}.png"


def write(predictions: dict[str, Predictions], about: dict[str, Any], genres: list[str]) -> None:
    """Write metrics/remix.json and the tables, which have only headers if there are no pairs."""
    metrics = dict(about) if predictions else about | {"note": "this data set has no remix pairs"}
    for architecture, result in predictions.items():
        metrics |= {
            key if key == "least_p" else f"{architecture}_{key}": value
            for key, value in result.summary.items()
            if key != "n_pairs"
        }
    write_json(SCORES, metrics)
    empty = pairs.table([], [], genres)
    write_table(FOLDER / "pairs.csv", _joined({name: result.rows for name, result in predictions.items()}, empty))
    header = pd.DataFrame(columns=pairs.SHIFT_COLUMNS)
    write_table(FOLDER / "shifts.csv", _joined({name: result.shifts for name, result in predictions.items()}, header))
    windows = {name: pairs.windows_of(result.pairs, result.genres) for name, result in predictions.items()}
    write_table(FOLDER / "windows.csv", _joined(windows, pairs.windows_of([], genres)))


def _joined(tables: dict[str, pd.DataFrame], header: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the architectures' tables, with the architecture as first column."""
    if not tables:
        return pd.DataFrame(columns=["arch", *header.columns])
    return pd.concat(tables, names=["arch"]).reset_index(level="arch").reset_index(drop=True)


def track(predictions: dict[str, Predictions], cards: dict[str, ModelCard], drawn: str) -> None:
    """Log the metrics to the MLflow runs of the trainings, and the pictures to the run of the drawn architecture."""
    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    for architecture, result in predictions.items():
        card = cards[architecture]
        with runs.run(card["dataset"], architecture, card.get("run_id")) as run:
            run.metrics({f"remix_{key}": value for key, value in result.summary.items()})
            if architecture == drawn:
                for path in [overview_file(), *sorted(PICTURES.iterdir())]:
                    run.file(path, "remix")


def show(predictions: dict[str, Predictions], about: dict[str, Any]) -> None:
    """Print the table, or a line if there are no pairs."""
    if not predictions:
        print(f"remix: the data set {about['dataset']} has no remix pairs: nothing to compare")
        return
    summaries = {name: result.summary for name, result in predictions.items()}
    one = next(iter(summaries.values()))
    # A network whose window is the whole song has no halves to compare.
    nulls = [null for null in pairs.NULLS if any(f"distance_{null}" in row for row in summaries.values())]
    rows: list[list[str]] = []
    for name, row in summaries.items():
        cells = [name, f"{row['towards']} {100 * row['towards_shift']:+.0f}", f"{row['towards_p_holm']:.2g}"]
        cells += [f"{row['first_genre_changes']:.0%}", f"{row['distance']:.2f}"]
        for null in nulls:
            has = f"distance_{null}" in row
            cells += (
                [f"{row[f'distance_{null}']:.2f}", f"{row[f'further_than_{null}_p_holm']:.2g}"] if has else ["", ""]
            )
        rows.append(cells)
    header = ["architecture", "shifts most to", "p", "first genre changes", "distance"]
    print_table(
        f"Original against remix, {one['n_pairs']} pairs: {note_of(about)}; p: sign-flip tests with Holm's correction, "
        f"at least {one['least_p']:.2g}",
        header + [cell for null in nulls for cell in (null.replace("_", " "), "p")],
        rows,
    )


if __name__ == "__main__":
    main()
