"""The order in which songs are reviewed: the suspects of an audit, then the others, uncertain and unlike each other.

`genres audit` of the data set writes the queue of all its songs into the project's cache; the page reads it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from genres.core.console import UserError
from genres.core.files import DamagedFileError, read_json, write_json
from genres.core.paths import cache_dir
from genres.library.audited import Audited
from genres.stats.selective import Floats

UNCERTAIN = "uncertain"
MOST = 1000  # the most uncertain songs, which are ordered by distance, too
_DIGITS = 4


class Suggestion(NamedTuple):
    """A song of the queue."""

    track_id: str
    kind: str  # of suspects: see genres.library.suspects; else UNCERTAIN
    note: str
    probabilities: dict[str, float]  # by genre, the likeliest first; empty if the song was not predicted


class Queue(NamedTuple):
    """All songs of a data set in the order in which they are suggested."""

    about: str  # what the predictions are of
    genres: list[str]
    songs: list[Suggestion]


def path_of(dataset: str) -> Path:
    """Return the path of a data set's queue."""
    return cache_dir("reviews") / f"{dataset}.json"


def write(path: Path, music: Audited, suspects: pd.DataFrame) -> None:
    """Write the queue of an audit.

    Parameters
    ----------
    path : Path
    music : Audited
    suspects : pd.DataFrame
        Of :func:`genres.library.suspects.find`.
    """
    place = {track_id: row for row, track_id in enumerate(music.tracks["track_id"])}
    first = np.array([place[name] for name in suspects["track_id"] if name in place], dtype=int)
    order = uncertain_and_diverse(music.probabilities, music.columns, first)
    listed = [*suspects[["track_id", "kind", "note"]].itertuples(index=False, name=None)]
    listed += [(music.tracks["track_id"].iloc[row], UNCERTAIN, "") for row in order]
    rows = music.probabilities.round(_DIGITS).tolist()
    songs = [
        {"track_id": name, "kind": kind, "note": note, "probabilities": rows[place[name]] if name in place else []}
        for name, kind, note in listed
    ]
    write_json(path, {"about": music.about, "genres": music.genres, "songs": songs})


def read(path: Path) -> Queue:
    """Read a queue.

    Raises
    ------
    UserError
        If there is none.
    """
    again = "run `genres audit`, which says what to listen to first, then reload this page"
    if not path.exists():
        raise UserError(f"There is no audit of this data set yet: {again}.")
    try:
        found = read_json(path)
        songs = [
            Suggestion(song["track_id"], song["kind"], song["note"], _by_genre(found["genres"], song["probabilities"]))
            for song in found["songs"]
        ]
        return Queue(found["about"], found["genres"], songs)
    except (DamagedFileError, KeyError, TypeError):
        raise UserError(f"{path}: damaged: {again}") from None


def _by_genre(genres: list[str], probabilities: list[float]) -> dict[str, float]:
    shares = dict(zip(genres, probabilities, strict=False))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def uncertain_and_diverse(probabilities: Floats, columns: Floats | None, first: np.ndarray) -> np.ndarray:
    """Return the songs that are not in `first`, each the one with the largest product of uncertainty and distance.

    Uncertainty is 1 less the margin between the two likeliest genres; the distance is that to the nearest song before.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(songs, genres)]
    columns : np.ndarray [shape=(songs, columns)] or None
        Embeddings; None: distances are between probabilities.
    first : np.ndarray [shape=(n,), dtype=int]
        Songs that come before.

    Returns
    -------
    np.ndarray [shape=(songs - n,), dtype=int]
    """
    highest = np.sort(probabilities, axis=1)
    uncertainty = 1 - (highest[:, -1] - highest[:, -2])
    space = probabilities if columns is None else (columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-9)
    left = np.setdiff1d(np.arange(len(space)), first)
    left = left[np.argsort(-uncertainty[left], kind="stable")]
    near, rest = left[:MOST], left[MOST:]
    far = _distances(space[near], space[first]).min(axis=1, initial=np.inf)
    between = _distances(space[near], space[near])
    is_left = np.ones(len(near), dtype=bool)
    order: list[int] = []
    while is_left.any():
        value = np.where(is_left, uncertainty[near] * (far if np.isfinite(far).all() else 1), -1)
        song = int(value.argmax())
        order.append(song)
        is_left[song] = False
        far = np.minimum(far, between[song])
    return np.concatenate([near[order], rest]).astype(int)


def _distances(some: Floats, others: Floats) -> Floats:
    squares = np.square(some).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1) - 2 * some @ others.T
    distances: Floats = np.sqrt(np.maximum(squares, 0))
    return distances
