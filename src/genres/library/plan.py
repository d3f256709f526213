"""Decide what becomes of each song of a library: its predicted genre, or the reason why it is left as it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genres.audio.error import AudioError
from genres.core.console import UserError
from genres.inference.songs import find_songs
from genres.library.change import genres_of
from genres.library.error import LeftAloneError
from genres.library.replace import refuse_unwritable, signature

# What becomes of a song.
TAG, HAS_GENRE, UNSURE, UNLIKE, SAME, UNREADABLE, LEFT = (
    *("tag", "has a genre", "below the confidence", "unlike all songs that the model knows"),
    *("another name of a song", "unreadable", "left alone"),
)


@dataclass
class Song:
    """One file of the library."""

    name: str  # relative to the library
    path: Path  # of the file itself, not of a link
    fate: str = LEFT
    reason: str = ""
    before: list[str] = field(default_factory=list)  # genres in its tags
    genre: str = ""  # predicted; empty: not predicted
    probability: float = 0.0
    seen: tuple[int, ...] = ()  # signature when it was read

    def as_row(self) -> dict[str, Any]:
        """Return what reports list."""
        return {
            "file": self.name,
            "genre": self.genre,
            "probability": self.probability if self.genre else None,
            "fate": self.fate,
            "reason": self.reason,
            "genre_before": "; ".join(self.before),
        }


def find(folder: Path) -> list[Song]:
    """Find the songs of a folder, sorted; of several names of one file, those that lead over a link are the same."""
    songs = [_song(folder, *found) for found in find_songs(str(folder))]
    first: dict[tuple[int, ...], str] = {}
    for song in sorted(songs, key=lambda song: song.path != folder / song.name):
        if song.seen and first.setdefault(song.seen[:2], song.name) != song.name:
            song.fate, song.reason = SAME, first[song.seen[:2]]
    return songs


def _song(folder: Path, path: Path | None, title: str, problem: str) -> Song:
    if path is None:
        return Song(title, Path(), UNREADABLE, problem)
    try:
        real = path.resolve(strict=True)
        return Song(str(path.relative_to(folder)), real, seen=signature(real))
    except OSError as error:
        return Song(title, path, UNREADABLE, str(error.strerror))


def decide(
    song: Song, predict: Callable[[Path], dict[str, Any]], confidence: float, *, everything: bool, replace: bool
) -> None:
    """Decide what becomes of a song.

    Parameters
    ----------
    song : Song
    predict : callable
        Returns the prediction of a file: see :func:`genres.inference.answer.predict`.
    confidence : float
        Least probability of a genre that is written.
    everything, replace : bool
        Predict songs with a genre, too; and replace it.
    """
    if song.fate in (UNREADABLE, SAME):
        return
    try:
        song.before = genres_of(song.path)
        if not song.before or replace:
            refuse_unwritable(song.path)
    except (LeftAloneError, OSError) as error:
        song.reason = str(error)
    keeps = bool(song.before) and not replace
    if keeps:
        song.fate = HAS_GENRE
    if (keeps or song.reason) and not everything:
        return
    try:
        answer = predict(song.path)
    except Exception as error:  # one of thousands of files must not end the run
        kind = "" if isinstance(error, AudioError | UserError) else f"{type(error).__name__}: "
        song.fate, song.reason = UNREADABLE, kind + " ".join(str(error).split())
        return
    song.genre = answer["genre"]
    song.probability = answer["probabilities"][song.genre]
    if keeps or song.reason:
        return
    if answer["warning"]:
        song.fate = UNLIKE
    else:
        song.fate = TAG if song.probability >= confidence else UNSURE
