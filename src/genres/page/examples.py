"""Example songs of the page: those of the synthetic demo data set, if it is there."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from genres.core.files import read_table
from genres.core.paths import TRACKS, raw_dir
from genres.core.text import display_name

FOLDER = raw_dir("demo")
_MOST = 6


class Example(NamedTuple):
    """Song with the label of its button."""

    label: str
    name: str
    file: Path


class ExamplePair(NamedTuple):
    """Two versions of a song with the label of their button."""

    label: str
    before: Example
    after: Example


def songs() -> list[Example]:
    """Return up to six songs, at most one per genre, of the test fold if the folds are known."""
    tracks = _tracks()
    if tracks.empty:
        return []
    tracks = tracks[tracks["version"] == ""]
    folds = read_table(TRACKS, dtype=str) if TRACKS.exists() else None
    if folds is not None:
        held_out = tracks[tracks["track_id"].isin(folds[folds["fold"] == "test"]["track_id"])]
        tracks = tracks if held_out.empty else held_out
    chosen = tracks.groupby("genre", sort=True).head(1)
    step = max(1, len(chosen) / _MOST)
    return [_example(chosen.iloc[int(n * step)]) for n in range(min(_MOST, len(chosen)))]


def pairs() -> list[ExamplePair]:
    """Return up to three songs that exist as original and remix."""
    tracks = _tracks()
    if tracks.empty:
        return []
    result = []
    for _, versions in tracks[tracks["version"] != ""].groupby("song"):
        by_version = {row["version"]: _example(row) for _, row in versions.iterrows()}
        if {"original", "remix"} <= set(by_version):
            original, remix = by_version["original"], by_version["remix"]
            result.append(ExamplePair(str(versions["title"].iloc[0]), original, remix))
    return result[:3]


def _tracks() -> pd.DataFrame:
    table = FOLDER / "tracks.csv"
    if not table.exists():
        return pd.DataFrame()
    tracks = read_table(table, dtype=str).fillna("")
    return tracks[[(FOLDER / path).is_file() for path in tracks["path"]]]


def _example(row: "pd.Series[str]") -> Example:
    version = f" ({row['version']})" if row["version"] else ""
    return Example(display_name(row["genre"]), f"{row['title']}{version}, synthetic", FOLDER / row["path"])


def files() -> list[Path]:
    """Return the files of all examples, which the page may serve."""
    return [example.file.resolve() for example in songs()] + [
        example.file.resolve() for pair in pairs() for example in (pair.before, pair.after)
    ]
