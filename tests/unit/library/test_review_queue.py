"""The order of reviews: suspects first, then songs that are uncertain and unlike each other; and its file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genres.core.console import UserError
from genres.library import review_queue
from genres.library.audited import Audited
from genres.library.review_queue import uncertain_and_diverse


def test_without_distances_the_smallest_margin_comes_first() -> None:
    """Distances of one-hot embeddings are equal."""
    rows = np.random.default_rng(1).dirichlet([1, 1, 1], 12)
    highest = np.sort(rows, axis=1)
    expected = np.argsort(highest[:, -1] - highest[:, -2])
    assert uncertain_and_diverse(rows, np.eye(12), np.array([], dtype=int)).tolist() == expected.tolist()


def test_a_copy_of_a_song_before_comes_last_however_uncertain() -> None:
    columns = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    rows = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.8, 0.2]])
    assert uncertain_and_diverse(rows, columns, np.array([0])).tolist() == [3, 2, 1]


@pytest.mark.parametrize("most", [0, 3, 500])
def test_every_song_comes_once(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(review_queue, "MOST", most)
    rng = np.random.default_rng(2)
    for columns in (None, rng.normal(size=(20, 4)), np.zeros((20, 4))):
        order = uncertain_and_diverse(rng.dirichlet([1, 1], 20), columns, np.array([4, 7]))
        assert sorted([*order.tolist(), 4, 7]) == list(range(20))


def music() -> Audited:
    tracks = pd.DataFrame({"track_id": ["a", "b", "c"], "genre": ["pop", "rock", "pop"], "artist": [0, 1, 2]})
    rows = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]])
    return Audited(tracks, ["pop", "rock"], rows, np.eye(3), pd.DataFrame(), "predictions")


def test_the_file_holds_suspects_first_also_those_without_a_prediction(project: Path) -> None:
    suspects = pd.DataFrame({"track_id": ["x", "c"], "kind": ["duplicate", "label"], "note": ["same as c", ""]})
    review_queue.write(Path("q.json"), music(), suspects)
    queue = review_queue.read(Path("q.json"))
    assert (queue.about, queue.genres) == ("predictions", ["pop", "rock"])
    assert [(song.track_id, song.kind) for song in queue.songs] == [
        ("x", "duplicate"), ("c", "label"), ("b", "uncertain"), ("a", "uncertain"),
    ]  # fmt: skip
    assert queue.songs[0].probabilities == {}
    assert list(queue.songs[1].probabilities.items()) == [("rock", 0.8), ("pop", 0.2)]


@pytest.mark.parametrize("content", [None, "{", "{}", '{"about": "", "genres": [], "songs": [1]}'])
def test_no_file_or_a_damaged_one_is_a_line(project: Path, content: str | None) -> None:
    if content is not None:
        Path("q.json").write_text(content)
    with pytest.raises(UserError, match="run `genres audit`"):
        review_queue.read(Path("q.json"))
