"""Held-out predictions of a model, and the promise on errors that they support."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genres.core.console import UserError
from genres.core.files import read_table
from genres.core.names import artist_groups
from genres.core.paths import MODELS, TRACKS, predictions_path
from genres.stats import selective


class HeldOut(NamedTuple):
    """Predictions of songs whose artists the model does not know [shape=(songs,)]."""

    confidence: np.ndarray
    wrong: np.ndarray
    artists: np.ndarray


def held_out(files: Sequence[Path], model_file: Path, card: Any) -> HeldOut:
    """Read held-out predictions: those of `files`, or the pipeline's of the test tracks.

    Validation tracks do not count, since the network's best epoch was chosen by them.

    Raises
    ------
    UserError
        If there are none, or they are not of this model's genres.
    """
    import pandas as pd

    if not files:
        own = predictions_path(card["architecture"])
        if model_file.resolve().parent != MODELS.resolve() or not own.exists():
            raise UserError(f"--error: there are no held-out predictions of {model_file.name}; name some by --held-out")
        if card["protocol"] not in ("artist", "predefined"):
            raise UserError(f"--error: split.protocol {card['protocol']} holds no artists out; train with artist")
        files = [own]
    tables = []
    for file in files:
        table = read_table(file, dtype={"track_id": str, "genre": str, "artist": str})
        if lacking := [name for name in ("track_id", "genre", *card["genres"]) if name not in table]:
            raise UserError(f"{file}: has no column '{lacking[0]}', so it is not of this model; name another file")
        table = table[table["fold"] == "test"] if "fold" in table else table
        tables.append(table.assign(artist=_artists(table, file)))
    joined = pd.concat(tables, ignore_index=True)
    if joined.empty:
        raise UserError(f"{files[0]}: has no test tracks; name another file by --held-out")
    rows = joined[card["genres"]].to_numpy(dtype=np.float64)
    predicted = np.array(card["genres"])[rows.argmax(axis=1)]
    wrong = predicted != joined["genre"].to_numpy()
    return HeldOut(rows.max(axis=1), wrong, np.array(artist_groups(joined["artist"])))


def _artists(table: Any, file: Path) -> Any:
    """Return the artist of each track: from the table itself, or from data/tracks.csv."""
    if "artist" in table:
        return table["artist"]
    tracks = read_table(TRACKS, dtype=str)
    found = table["track_id"].map(dict(zip(tracks["track_id"], tracks["artist"], strict=True)))
    if found.isna().any():
        name = table["track_id"][found.isna()].iloc[0]
        raise UserError(f"{file}: {name} is not in {TRACKS}, which names its artist; add a column artist")
    return found


def promised(songs: HeldOut, error: float, certainty: float) -> selective.Promise:
    """Return the threshold that keeps the promise.

    Raises
    ------
    UserError
        If the held-out songs do not support it; names what they support.
    """
    found = selective.promise(*songs, error=error, certainty=certainty)
    if found is None:
        least = selective.least_error(*songs, certainty=certainty)
        cure = "add held-out artists" if np.isnan(least) else f"--error {least:.2f} is what they support"
        n, artists = len(songs.wrong), len(set(songs.artists.tolist()))
        raise UserError(
            f"--error: {n} held-out songs of {artists} artists cannot promise at most {100 * error:g} % wrong "
            f"tags with {100 * certainty:g} % confidence, so nothing is tagged; {cure}"
        )
    return found


def draw(songs: HeldOut, found: selective.Promise, error: float, certainty: float, about: str, path: Path) -> None:
    """Draw the share of wrong predictions of the held-out songs against the share that is tagged."""
    from genres.figures.selective import risk_coverage
    from genres.figures.style import save

    along = selective.curve(*songs)
    figure = risk_coverage(
        along.kept.tolist(),
        along.wrong.tolist(),
        selective.upper_bound(along.wrong, along.effective, certainty).tolist(),
        [(error, found.kept)],
        title="Wrong tags against tagged songs",
        note=f"{about}; {found.songs} held-out songs of {found.artists} artists",
    )
    save(figure, path)
