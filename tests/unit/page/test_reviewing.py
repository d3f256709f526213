"""The desk that reviews labels, without a browser: what it says where there is nothing, and what it refuses."""

from pathlib import Path

import pandas as pd
import pytest

from genres.core import params
from genres.core.files import write_json, write_table
from genres.library import review_queue, reviews
from genres.page.reviewing import Desk

SONGS = ["rock/a.wav", "pop/b.wav"]


@pytest.fixture
def desk(project: Path) -> Desk:
    """A data set of two songs, whose files are gone, and its audit."""
    dataset = params.load().dataset
    about = {"track_id": SONGS, "path": SONGS, "genre": ["rock", "pop"], "artist": "", "title": ""}
    about |= {"sha256": SONGS, "duration_s": 9.0}
    write_table(Path(f"data/raw/{dataset}/tracks.csv"), pd.DataFrame(about))
    songs = [{"track_id": name, "kind": "uncertain", "note": "", "probabilities": [0.5, 0.5]} for name in SONGS]
    write_json(review_queue.path_of(dataset), {"about": "a network", "genres": ["pop", "rock"], "songs": songs})
    return Desk(project / "played")


def test_without_an_audit_it_says_what_makes_one(desk: Desk) -> None:
    review_queue.path_of(params.load().dataset).unlink()
    assert "run `genres audit`" in desk.show()
    assert not reviews.REVIEWS.exists()


@pytest.mark.parametrize(
    ("action", "track_id", "genre"),
    [
        ("accept", "../../etc/passwd", ""),
        ("accept", "", ""),
        ("delete", SONGS[0], ""),
        ("correct", SONGS[0], "no genre of theirs"),
    ],
)
def test_what_no_button_says_is_not_written(desk: Desk, action: str, track_id: str, genre: str) -> None:
    assert "The data set has changed: reload this page." in desk.act(action, track_id, genre)
    assert reviews.read() == []


def test_only_own_reviews_are_undone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for who, song in (("Ann", SONGS[0]), ("Bob", SONGS[1])):
        monkeypatch.setattr(reviews, "reviewer", lambda who=who: who)
        desk.act("correct", song, "")
    monkeypatch.setattr(reviews, "reviewer", lambda: "Ann")
    assert "All 2 songs are reviewed" in desk.show()
    assert f'data-track="{SONGS[0]}"' in desk.act("undo", "", "")
    assert "There is nothing to undo" in desk.act("undo", "", "")
    assert [(line.who, line.action, line.genre) for line in reviews.read()] == [
        ("Ann", "correct", None),
        ("Bob", "correct", None),
        ("Ann", "undo", "rock"),
    ]


def test_an_undo_names_the_label_that_counts_again(desk: Desk) -> None:
    desk.act("correct", SONGS[0], "pop")
    desk.act("correct", SONGS[0], "")
    desk.act("undo", "", "")
    assert [line.genre for line in reviews.read()] == ["pop", None, "pop"]
    log = reviews.read()
    (song, *_) = reviews.songs_of(pd.read_csv(next(Path("data/raw").glob("*/tracks.csv")), dtype=str), "demo")
    assert reviews.standing([song], log)[SONGS[0]].genre == "pop"
