"""The log of reviewed labels, data/reviews.jsonl: who said what of which song, and when. Lines are only ever added.

A review is of a song's bytes, or of its name in the data set and its length, so that it outlives a new ingestion, a
moved file and changed tags. It is of one label: if the source names another one since, the review has no effect. The
last review of a song counts; an undone one does not, and the one before it counts again.
"""

import getpass
import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from genres.core.console import UserError, warn
from genres.core.files import one_at_a_time
from genres.core.paths import cache_dir

REVIEWS, REVIEWED = Path("data/reviews.jsonl"), Path("data/reviewed.csv")
ACCEPT, CORRECT, SKIP, UNDO = "accept", "correct", "skip", "undo"
SAME_LENGTH_S = 0.1  # two lengths of one song; programs that write tags change its bytes, not its length

# What became of a reviewed label.
AS_IT_WAS, IN_TRAINING, LEFT_OUT, HELD_APART = "as it was", "in training", "left out", "held apart"


class Review(BaseModel):
    """One line of the log."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    when: AwareDatetime  # UTC
    who: str
    action: Literal["accept", "correct", "skip", "undo"]
    label: str = Field(alias="from")  # the source's
    genre: str | None = Field(alias="to")  # that holds after this line; None: none of the data set's genres
    dataset: str
    track_id: str
    sha256: str = ""
    duration_s: float
    path: str = ""
    fold: str = ""  # at that time
    reason: str = ""  # it was suggested

    def line(self) -> bytes:
        """Return the line, without its end."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), ensure_ascii=False).encode()


class Song(NamedTuple):
    """A song that may be reviewed, with the label of the source."""

    dataset: str
    track_id: str
    sha256: str
    duration_s: float
    path: str
    label: str


def songs_of(tracks: pd.DataFrame, dataset: str) -> list[Song]:
    """Return the songs of data/raw/<dataset>/tracks.csv, whose cells are text."""
    columns = zip(*(tracks[name] for name in ("track_id", "sha256", "duration_s", "path", "genre")), strict=True)
    return [Song(dataset, name, digest, float(length), path, genre) for name, digest, length, path, genre in columns]


def read(path: Path = REVIEWS) -> list[Review]:
    """Read the log, the oldest review first; damaged lines are left out with one line of warning."""
    found, damaged = [], []
    for number, line in enumerate(_lines(path), start=1):
        if review := _parsed(line):
            found.append(review)
        elif line.strip():
            damaged.append(str(number))
    if damaged:
        warn(f"{path}: line {', '.join(damaged)}: damaged, and left out; all other lines count")
    return sorted(found, key=lambda review: review.when)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


def _parsed(line: bytes) -> Review | None:
    try:
        return Review.model_validate_json(line)
    except ValidationError:
        return None


def append(review: Review) -> Review:
    """Add a line to the log; it is on the disk when this returns. Its time is no earlier than that of any other line.

    Raises
    ------
    UserError
        If the log cannot be written.
    """
    with _locked():
        _restore()
        times = [other.when for other in map(_parsed, _lines(REVIEWS)) if other]
        review = review.model_copy(update={"when": max([review.when, *times])})
        for path in (REVIEWS, _copy()):
            _write(path, [review.line()])
    return review


def restore() -> None:
    """Add the lines that were written here and are gone from the log, since `dvc exp apply` takes them out.

    It sets each file back to what it was when the experiment began. A copy of the lines is therefore kept in .cache.
    """
    with _locked():
        _restore()


def _restore() -> None:
    present = set(_lines(REVIEWS))
    if lost := [line for line in _lines(_copy()) if line not in present and _parsed(line)]:
        _write(REVIEWS, lost)
        warn(f"{REVIEWS}: {len(lost)} reviews were gone from it, as after `dvc exp apply`; they are there again")


def _locked() -> AbstractContextManager[None]:
    return one_at_a_time(cache_dir("reviews") / "lock", str(REVIEWS))


def _copy() -> Path:
    return cache_dir("reviews") / REVIEWS.name


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Add lines by one write; a half line that a killed program left is ended first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            is_cut_off = file.read(1) not in (b"", b"\n")
            content = b"\n" * is_cut_off + b"".join(line + b"\n" for line in lines)
            if file.write(content) != len(content):
                raise UserError(f"{path}: the disk is full; free some space and review the song again")
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); the review is not kept") from None


def reviewer() -> str:
    """Return the name that git writes into commits, else the login name."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
        name = " ".join(done.stdout.split())
    except OSError:
        name = ""
    return name or getpass.getuser()


def now() -> datetime:
    """Return the time to the millisecond, in UTC."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def standing(songs: Iterable[Song], log: Iterable[Review]) -> dict[str, Review]:
    """Return the review that counts of each song that has one, by track id; skipped songs are among them.

    Parameters
    ----------
    songs : iterable of Song
    log : iterable of Review
        The oldest first.
    """
    by_bytes, by_name = defaultdict(list), defaultdict(list)
    for place, review in enumerate(log):
        by_bytes[review.sha256].append((place, review))
        by_name[review.dataset, review.track_id].append((place, review))
    found = {}
    for song in songs:
        own = dict(by_bytes[song.sha256] if song.sha256 else ())
        own |= {
            place: review
            for place, review in by_name[song.dataset, song.track_id]
            if abs(review.duration_s - song.duration_s) < SAME_LENGTH_S
        }
        counting: list[Review] = []
        for _, review in sorted(own.items(), key=lambda item: item[0]):
            if review.label != song.label:
                continue
            if review.action != UNDO:
                counting.append(review)
            elif counting:
                counting.pop()
        if counting:
            found[song.track_id] = counting[-1]
    return found


def applied(
    tracks: pd.DataFrame, clips: pd.DataFrame, reviews: Mapping[str, Review]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Give training tracks their reviewed genres; tracks with a clip in validation or test stay as they are.

    Parameters
    ----------
    tracks, clips : pd.DataFrame
        As of the stage `clips`.
    reviews : mapping of str to Review
        See :func:`standing`.

    Returns
    -------
    tracks, clips : pd.DataFrame
        Training tracks of none of the genres have no fold and no clips.
    reviewed : pd.DataFrame
        track_id, fold, genre (the source's), reviewed (empty: none of the genres), effect (one of `AS_IT_WAS`, …).

    Raises
    ------
    UserError
        If a genre has no training track left.
    """
    genres = set(tracks["genre"])
    held_out = set(clips["track_id"][clips["fold"] != "train"])
    learned = set(clips["track_id"]) - held_out
    rows = []
    for track_id, genre, fold in tracks[["track_id", "genre", "fold"]].itertuples(index=False):
        review = reviews.get(track_id)
        if review is None or review.action == SKIP:
            continue
        if review.genre not in (None, *genres):
            warn(f"{track_id}: reviewed as '{review.genre}', which is no genre of this data set: it counts as none")
        reviewed = review.genre if review.genre in genres else ""
        if reviewed == genre:
            effect = AS_IT_WAS
        elif track_id in held_out:
            effect = HELD_APART
        else:
            effect = IN_TRAINING if reviewed and track_id in learned else LEFT_OUT
        rows.append((track_id, fold, genre, reviewed, effect))
    table = pd.DataFrame(rows, columns=["track_id", "fold", "genre", "reviewed", "effect"], dtype=str)
    new: dict[str, str] = dict(
        table.loc[table["effect"] == IN_TRAINING, ["track_id", "reviewed"]].itertuples(index=False)
    )
    out = table["track_id"][table["effect"] == LEFT_OUT]
    before = _learned(tracks, clips)
    tracks = tracks.assign(
        genre=[new.get(name, genre) for name, genre in zip(tracks["track_id"], tracks["genre"], strict=True)],
        fold=tracks["fold"].mask(tracks["track_id"].isin(out), ""),
    )
    clips = clips[~clips["track_id"].isin(out)].reset_index(drop=True)
    if lost := sorted(before - _learned(tracks, clips)):
        raise UserError(f"{REVIEWS}: no training track is left in genre '{lost[0]}'; undo a correction on the page")
    return tracks, clips, table


def _learned(tracks: pd.DataFrame, clips: pd.DataFrame) -> set[str]:
    """Return the genres of the training clips."""
    return set(tracks["genre"][tracks["track_id"].isin(clips["track_id"][clips["fold"] == "train"])])
