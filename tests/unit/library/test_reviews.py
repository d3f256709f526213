"""The log of reviews: it only grows, a bad line costs one line, and reviews follow their songs and no other."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT

from genres.core.console import UserError
from genres.library import reviews
from genres.library.reviews import Review, Song

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SONG = Song("folder", "rock/a.mp3", "aa", 200.0, "songs/rock/a.mp3", "rock")


def review(action: str = "correct", to: str | None = "pop", song: Song = SONG, minute: int = 0) -> Review:
    about = {name: getattr(song, name) for name in ("dataset", "track_id", "sha256", "duration_s", "path")}
    when = START + timedelta(minutes=minute)
    return Review.model_validate(
        {"when": when, "who": "Ann", "action": action, "from": song.label, "to": to, "fold": "train", **about}
    )


def labels(*log: Review, songs: tuple[Song, ...] = (SONG,)) -> dict[str, str | None]:
    return {name: found.genre for name, found in reviews.standing(songs, log).items()}


def test_a_line_says_who_when_from_what_to_what(project: Path) -> None:
    reviews.append(review())
    (line,) = (project / "data/reviews.jsonl").read_text().splitlines()
    known = json.loads(line)
    assert [known[key] for key in ("who", "when", "action", "from", "to")] == [
        "Ann", "2026-03-01T12:00:00Z", "correct", "rock", "pop",
    ]  # fmt: skip
    assert (known["track_id"], known["sha256"], known["fold"]) == ("rock/a.mp3", "aa", "train")
    assert reviews.read() == [review()]


def test_each_append_leaves_all_bytes_before_it(project: Path) -> None:
    before = b""
    for minute, action in enumerate(("accept", "correct", "skip", "undo")):
        reviews.append(review(action, minute=minute))
        now = (project / "data/reviews.jsonl").read_bytes()
        assert now.startswith(before) and now.count(b"\n") == minute + 1
        before = now


@pytest.mark.parametrize(
    "damage",
    [b'{"when": "2026-03-01T12', b"<<<<<<< HEAD", b"[]", b"\xff\xfe", b'{"when": "x"}', b"null"],
    ids=["half", "conflict", "list", "bytes", "time", "null"],
)
def test_a_damaged_line_is_named_and_costs_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    log = project / "data/reviews.jsonl"
    reviews.append(review())
    log.write_bytes(log.read_bytes() + damage)  # as a killed program leaves it: no end of the line
    reviews.append(review(to="jazz", minute=1))
    assert [found.genre for found in reviews.read()] == ["pop", "jazz"]
    (warned,) = capsys.readouterr().err.splitlines()
    assert warned == "warning: data/reviews.jsonl: line 2: damaged, and left out; all other lines count"
    assert damage in log.read_bytes()


WRITER = """
import sys
sys.path[:0] = [{tests!r}, {unit!r}]
from test_reviews import review
from genres.library import reviews
for number in range({lines}):
    reviews.append(review(to=sys.argv[1] + str(number)))
    print(number, flush=True)
"""


def writer(name: str, lines: int) -> subprocess.Popen:
    code = WRITER.format(tests=str(ROOT / "tests"), unit=str(Path(__file__).parent), lines=lines)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([sys.executable, "-c", code, name], env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_lose_no_line(project: Path) -> None:
    both = [writer(name, 40) for name in ("a", "b")]
    assert [each.wait(60) for each in both] == [0, 0]
    found = [line.genre for line in reviews.read()]
    assert sorted(found) == sorted(f"{name}{number}" for name in "ab" for number in range(40))


def test_a_killed_writer_loses_nothing_that_it_has_confirmed(project: Path) -> None:
    process = writer("x", 100000)
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    confirmed = 20 + len(process.stdout.read().splitlines())
    started = time.monotonic()
    reviews.append(review(to="after"))
    assert time.monotonic() - started < 20, "the lock died with its holder"
    found = [line.genre for line in reviews.read()]
    assert found[:confirmed] == [f"x{number}" for number in range(confirmed)]
    assert found[-1] == "after"


def test_lines_that_are_gone_come_back(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`dvc exp apply` sets the file back to what it was when the experiment began."""
    log = project / "data/reviews.jsonl"
    reviews.append(review(minute=0))
    then = log.read_bytes()
    reviews.append(review("undo", "rock", minute=1))
    reviews.append(review("accept", "rock", minute=2))
    now = log.read_bytes()
    log.write_bytes(then)
    reviews.restore()
    assert log.read_bytes() == now
    assert "2 reviews were gone from it" in capsys.readouterr().err
    reviews.restore()
    assert log.read_bytes() == now
    assert capsys.readouterr().err == ""


def test_other_ends_of_lines_are_no_other_lines(project: Path) -> None:
    """As git writes them on some systems."""
    log = project / "data/reviews.jsonl"
    reviews.append(review())
    log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n"))
    reviews.append(review("accept", "rock", minute=1))
    assert [line.action for line in reviews.read()] == ["correct", "accept"]


def test_the_clock_set_back_does_not_change_the_order(project: Path) -> None:
    reviews.append(review(minute=9))
    reviews.append(review(to="jazz", minute=1))
    assert labels(*reviews.read()) == {"rock/a.mp3": "jazz"}


def test_lines_of_two_branches_count_by_their_time(project: Path) -> None:
    (project / "data").mkdir()
    lines = [review(to="jazz", minute=5), review(minute=1)]
    (project / "data/reviews.jsonl").write_bytes(b"".join(each.line() + b"\n" for each in lines))
    assert labels(*reviews.read()) == {"rock/a.mp3": "jazz"}


def test_the_last_review_counts_and_an_undone_one_does_not() -> None:
    first, second, undo = review(), review("accept", "rock", minute=1), review("undo", minute=2)
    assert labels(first, second) == {"rock/a.mp3": "rock"}
    assert labels(first, second, undo) == {"rock/a.mp3": "pop"}
    assert labels(first, second, undo, undo) == {}
    assert labels(undo, first) == {"rock/a.mp3": "pop"}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"track_id": "rock/new name.mp3"}, True),  # moved
        ({"sha256": "bb"}, True),  # tags were written
        ({"dataset": "library", "track_id": "x"}, True),  # the same file in another data set
        ({"sha256": "bb", "duration_s": 187.0}, False),  # another song under its name
        ({"sha256": "bb", "dataset": "library"}, False),
        ({"label": "jazz"}, False),  # the source has another label since
        ({"sha256": "", "track_id": "y"}, False),
    ],
)
def test_a_review_follows_its_song(changes: dict, counts: bool) -> None:
    song = SONG._replace(**changes)
    assert (song.track_id in labels(review(), songs=(song,))) == counts


def test_the_same_bytes_under_another_label_are_not_reviewed() -> None:
    copy = SONG._replace(track_id="pop/a.mp3", label="pop")
    assert labels(review(), songs=(SONG, copy)) == {"rock/a.mp3": "pop"}


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tracks of each genre and fold, with two clips each; under protocol clip, `both` is in two folds."""
    rows = [(f"{g}{n}{f}", g, f) for g in ("pop", "rock") for n in (1, 2) for f in ("train", "val", "test")]
    tracks = pd.DataFrame([*rows, ("both", "rock", "train")], columns=["track_id", "genre", "fold"]).assign(artist="")
    folds = [(name, fold) for name, _, fold in rows for _ in range(2)] + [("both", "train"), ("both", "test")]
    return tracks[["track_id", "genre", "artist", "fold"]], pd.DataFrame(folds, columns=["track_id", "fold"])


def said(**genres: str | None) -> dict[str, Review]:
    return {name: review("correct", genre) for name, genre in genres.items()}


def test_without_reviews_nothing_changes() -> None:
    tracks, clips = tables()
    new_tracks, new_clips, reviewed = reviews.applied(tracks, clips, {})
    pd.testing.assert_frame_equal(new_tracks, tracks)
    pd.testing.assert_frame_equal(new_clips, clips)
    assert reviewed.to_csv(index=False) == "track_id,fold,genre,reviewed,effect\n"


def test_only_training_tracks_change() -> None:
    tracks, clips = tables()
    reviewed = said(rock1train="pop", rock1val="pop", rock1test="pop", both="pop", pop1train=None, pop2train="pop")
    reviewed["pop1test"] = review("skip", "pop")
    new_tracks, new_clips, found = reviews.applied(tracks, clips, reviewed)
    effect = dict(zip(found["track_id"], found["effect"], strict=True))
    assert effect == {
        "rock1train": "in training", "rock1val": "held apart", "rock1test": "held apart", "both": "held apart",
        "pop1train": "left out", "pop2train": "as it was",
    }  # fmt: skip
    changed = new_tracks.merge(tracks, on="track_id", suffixes=("", "_before"))
    assert changed.loc[changed["genre"] != changed["genre_before"], "track_id"].tolist() == ["rock1train"]
    assert changed.loc[changed["fold"] != changed["fold_before"], "track_id"].tolist() == ["pop1train"]
    assert set(clips["track_id"]) - set(new_clips["track_id"]) == {"pop1train"}


def test_a_genre_that_is_none_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    tracks, _, found = reviews.applied(*tables(), said(rock1train="Rokc"))
    assert found["effect"].tolist() == ["left out"]
    assert tracks.set_index("track_id").loc["rock1train", ["genre", "fold"]].tolist() == ["rock", ""]
    assert "rock1train: reviewed as 'Rokc', which is no genre of this data set" in capsys.readouterr().err


def test_a_genre_without_training_tracks_is_a_line() -> None:
    with pytest.raises(UserError, match=r"no training track is left in genre 'pop'; undo a correction"):
        reviews.applied(*tables(), said(pop1train="rock", pop2train=None))


def test_the_reviewer_is_gits_or_the_login_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(project / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LOGNAME", "ann")
    assert reviews.reviewer() == "ann"
    (project / "none").write_text("[user]\n\tname = Ann B.\n")
    assert reviews.reviewer() == "Ann B."


def test_a_log_that_cannot_be_written_is_a_line(project: Path) -> None:
    (project / "data").write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"data/reviews\.jsonl: cannot be written"):
        reviews.append(review())
