"""Stage `remix`: original against remix, as every trained architecture hears them.

    python src/remix.py

Takes the pairs of the data set (columns song and version of its tracks.csv) and writes metrics/remix.json and, into
plots/remix/, pairs.csv (a row an architecture and pair), shifts.csv (an architecture and genre), windows.csv (a window
of a version), and pictures of the architecture that is first by validation. No song or artist of a pair is in any fold
(src/genres/data/folds.py). What is measured, and what it is held against: docs/remix.md.
"""

import argparse
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genres.core import params
from genres.core.console import UserError, command, print_table, warn
from genres.core.files import read_json, read_table, write_json, write_table
from genres.core.paths import MELS, TRACKS
from genres.core.text import shown, whose
from genres.data.shards import Spectrograms
from genres.figures import remix as figures
from genres.figures.style import save
from genres.inference import saliency
from genres.inference.classifier import Classifier, read_card
from genres.models.card import ModelCard
from genres.stats import pairs
from genres.stats.pairs import Pair, Song

METRICS, PLOTS, SUMMARY = Path("metrics/remix.json"), Path("plots/remix"), Path("metrics/summary.json")
PICTURES = PLOTS / "pairs"

# Pairs that get a picture of their own, the first ones of the data set; the tables have all.
MOST_PICTURED = 12


@dataclass(frozen=True)
class Heard:
    """What one architecture makes of the pairs."""

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
    raw = read_table(Path("data/raw") / settings.dataset / "tracks.csv", dtype=str)
    folds = read_table(TRACKS, dtype=str)
    versions = versions_of(raw)
    check_kept_out(versions, folds)
    cards = {name: read_card(Path("models") / f"{name}.keras") for name in settings.architectures}
    first = cards[settings.architectures[0]]
    about = {"dataset": first["dataset"], "protocol": first["protocol"], "leaky": first["protocol"] == "clip"}
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    heard: dict[str, Heard] = {}
    if len(versions):
        drawn = best(settings.architectures)
        tested = raw[raw["track_id"].isin(folds["track_id"][folds["fold"] == "test"])]
        for architecture in settings.architectures:
            classifier = Classifier(Path("models") / f"{architecture}.keras")
            heard[architecture] = hear(classifier, Spectrograms(MELS), versions, tested, settings.seed)
            if architecture == drawn:
                draw(classifier, heard[architecture], about)
        track(heard, cards, drawn)
    else:
        save(figures.overview(versions, versions, title="Original against remix", note=note_of(about)), overview_file())
    write(heard, about | {"n_pairs": len(versions)}, first["genres"])
    show(heard, about)


def versions_of(raw: pd.DataFrame) -> pd.DataFrame:
    """The pairs of a data set.

    Parameters
    ----------
    raw : pd.DataFrame
        The raw tracks.csv, all columns str.

    Returns
    -------
    pd.DataFrame
        One row a remix: song, original, remix (track ids), original_genre, remix_genre. A version without the other
        one, which could not be had or used, is warned of and left out.
    """
    rows = []
    for song, tracks in raw[raw["version"] != ""].groupby("song", sort=False):
        originals, remixes = (tracks[tracks["version"] == version] for version in ("original", "remix"))
        if len(originals) != 1 or remixes.empty:
            there = ", ".join(f"{version} {track_id}" for version, track_id in zip(*_columns(tracks), strict=True))
            warn(f"'{song}' is no pair, for only these of its versions could be used: {there}")
            continue
        original = originals.iloc[0]
        for remix in remixes.to_dict("records"):
            ids = {"original": original["track_id"], "remix": remix["track_id"]}
            rows.append({"song": song, **ids, "original_genre": original["genre"], "remix_genre": remix["genre"]})
    return pd.DataFrame(rows, columns=["song", "original", "remix", "original_genre", "remix_genre"])


def _columns(tracks: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return tracks["version"], tracks["track_id"]


def check_kept_out(versions: pd.DataFrame, folds: pd.DataFrame) -> None:
    """Make sure that no song of a pair, and none of its artist, is in a fold.

    Raises
    ------
    UserError
        If one is: then data/tracks.csv is of another state of the data set.
    """
    mine = folds["track_id"].isin({*versions["original"], *versions["remix"]})
    artists = {artist.strip().casefold() for artist in folds["artist"][mine]} - {""}
    theirs = folds["artist"].map(lambda artist: artist.strip().casefold() in artists)
    leaked = folds[(mine | theirs) & (folds["fold"] != "")]
    if len(leaked):
        row = leaked.iloc[0]
        raise UserError(
            f"{TRACKS}: {row['track_id']} is in {row['fold']}, though its artist '{row['artist']}' has a song in a "
            "remix pair; run: dvc repro clips"
        )


def best(architectures: Sequence[str]) -> str:
    """The architecture that pictures are made of: the first by validation."""
    return max(architectures, key=lambda name: name == read_json(SUMMARY)["best"])


def hear(
    classifier: Classifier, spectrograms: Spectrograms, versions: pd.DataFrame, tested: pd.DataFrame, seed: int
) -> Heard:
    """Let a network listen to all pairs, and to the test set's songs, which it does not know either.

    Parameters
    ----------
    classifier : Classifier
    spectrograms : Spectrograms
        Of the whole data set.
    versions : pd.DataFrame
        Of :func:`versions_of`; not empty.
    tested : pd.DataFrame
        Columns track_id and genre of the test set.
    seed : int
        Of tests over more pairs than can be counted out.
    """

    def song(track_id: str, genre: str) -> Song:
        timeline = classifier.timeline(spectrograms.track(track_id))
        return Song(track_id, genre, timeline.probabilities, timeline.start_s, timeline.end_s)

    genres = list(classifier.genres)
    known = {row["track_id"]: song(row["track_id"], row["genre"]) for row in tested.to_dict("records")}
    others, found = list(known.values()), []
    for row in versions.to_dict("records"):
        for version in ("original", "remix"):
            if row[version] not in known:  # an original may have several remixes
                known[row[version]] = song(row[version], row[f"{version}_genre"])
        found.append(Pair(row["song"], known[row["original"]], known[row["remix"]]))
    rows = pairs.table(found, others, genres)
    return Heard(genres, found, rows, pairs.shifts(rows, genres, seed), pairs.summary(rows, genres, seed))


def draw(classifier: Classifier, heard: Heard, about: dict[str, Any]) -> None:
    """Write the pictures: of all pairs, of each of the first ones, and why the clearest one has moved."""
    name, genres, note = classifier.card["architecture"], heard.genres, note_of(about)
    several = f"{len(heard.pairs)} pairs" if len(heard.pairs) > 1 else "one pair"
    tests = f"{note}; p: sign-flip test over the pairs with Holm's correction for {len(genres)} genres"
    overview = figures.overview(
        heard.rows, heard.shifts, title=f"Original against remix: {several}, {name}", note=tests
    )
    save(overview, overview_file())
    colours = figures.palette(heard.rows, genres)
    for number, pair in enumerate(heard.pairs[:MOST_PICTURED]):
        title = f"{pair.name}: what {name} hears in both versions"
        save(figures.versions(pair, genres, colours, title=title, note=note), picture(number, pair.name))
    genre = heard.summary["towards"]
    number = int(heard.rows[f"shift_{genre}"].argmax())
    pair = heard.pairs[number]
    spectrograms = Spectrograms(MELS)
    parts = [
        saliency.telling(classifier, spectrograms.track(song.track_id), genre, f"{version} ({shown(song.genre)})")
        for version, song in (("original", pair.original), ("remix", pair.remix))
    ]
    title = f"{pair.name}: what sounds like {shown(genre)} to {name}"
    save(
        saliency.draw_parts(parts, classifier.format, genre, title=title, note=note), picture(number, "why", pair.name)
    )


def note_of(about: dict[str, Any]) -> str:
    return whose(about["dataset"], about["protocol"])


def overview_file() -> Path:
    return PLOTS / "overview.png"


def picture(number: int, *names: str) -> Path:
    """Where the picture of a pair goes; song names may hold anything."""
    words = "_".join(re.sub(r"\W+", "_", name.casefold()).strip("_") for name in names)
    return PICTURES / f"{number + 1:02d}_{words[:60]}.png"


def write(heard: dict[str, Heard], about: dict[str, Any], genres: list[str]) -> None:
    """Write metrics/remix.json and the tables; without pairs these have only their headers."""
    metrics = dict(about) if heard else about | {"note": "this data set has no remix pairs"}
    for architecture, found in heard.items():
        metrics |= {
            key if key == "least_p" else f"{architecture}_{key}": value
            for key, value in found.summary.items()
            if key != "n_pairs"
        }
    write_json(METRICS, metrics)
    empty = pairs.table([], [], genres)
    write_table(PLOTS / "pairs.csv", _joined({name: found.rows for name, found in heard.items()}, empty))
    header = pd.DataFrame(columns=pairs.SHIFT_COLUMNS)
    write_table(PLOTS / "shifts.csv", _joined({name: found.shifts for name, found in heard.items()}, header))
    windows = {name: windows_of(found.pairs, found.genres) for name, found in heard.items()}
    write_table(PLOTS / "windows.csv", _joined(windows, windows_of([], genres)))


def _joined(tables: dict[str, pd.DataFrame], header: pd.DataFrame) -> pd.DataFrame:
    """The architectures' tables below each other, with the architecture in front."""
    if not tables:
        return pd.DataFrame(columns=["arch", *header.columns])
    return pd.concat(tables, names=["arch"]).reset_index(level="arch").reset_index(drop=True)


def windows_of(found: Iterable[Pair], genres: Sequence[str]) -> pd.DataFrame:
    """Each window of each version: song, version, track_id, start_s, end_s and a probability column a genre."""
    parts = [pd.DataFrame(columns=["song", "version", "track_id", "start_s", "end_s", *genres])]
    for pair in found:
        for version, song in (("original", pair.original), ("remix", pair.remix)):
            table = pd.DataFrame(song.windows, columns=list(genres))
            table[["start_s", "end_s"]] = list(zip(song.start_s, song.end_s, strict=True))
            parts.append(table.assign(song=pair.name, version=version, track_id=song.track_id)[parts[0].columns])
    return parts[0] if len(parts) == 1 else pd.concat(parts[1:], ignore_index=True)


def track(heard: dict[str, Heard], cards: dict[str, ModelCard], drawn: str) -> None:
    """Add what was found to the MLflow runs of the trainings, the pictures to that of the drawn architecture."""
    from genres.tracking import runs  # takes seconds to load

    for architecture, found in heard.items():
        card = cards[architecture]
        with runs.run(card["dataset"], architecture, card.get("run_id")) as run:
            run.metrics({f"remix_{key}": value for key, value in found.summary.items()})
            if architecture == drawn:
                for path in [overview_file(), *sorted(PICTURES.iterdir())]:
                    run.file(path, "remix")


def show(heard: dict[str, Heard], about: dict[str, Any]) -> None:
    """Print what came of it, or that there was nothing to compare."""
    if not heard:
        print(f"remix: the data set {about['dataset']} has no remix pairs: nothing to compare")
        return
    summaries = {name: found.summary for name, found in heard.items()}
    one = next(iter(summaries.values()))
    # A network that hears a whole song in one window has no halves of it.
    nulls = [null for null in pairs.NULLS if any(f"distance_{null}" in found for found in summaries.values())]
    rows: list[list[str]] = []
    for name, found in summaries.items():
        cells = [name, f"{found['towards']} {100 * found['towards_shift']:+.0f}", f"{found['towards_p_holm']:.2g}"]
        cells += [f"{found['first_genre_changes']:.0%}", f"{found['distance']:.2f}"]
        for null in nulls:
            has = f"distance_{null}" in found
            cells += (
                [f"{found[f'distance_{null}']:.2f}", f"{found[f'further_than_{null}_p_holm']:.2g}"] if has else ["", ""]
            )
        rows.append(cells)
    header = ["architecture", "shifts most to", "p", "first genre changes", "distance"]
    print_table(
        f"Original against remix, {one['n_pairs']} pairs: {note_of(about)}; p: sign-flip tests with Holm's correction, "
        f"none can be below {one['least_p']:.2g}",
        header + [cell for null in nulls for cell in (null.replace("_", " "), "p")],
        rows,
    )


if __name__ == "__main__":
    main()
