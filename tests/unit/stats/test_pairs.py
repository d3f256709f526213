"""What two versions of a song have in common: distances, nulls, shifts, and the summary over all pairs."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genres.stats import pairs
from genres.stats.pairs import Pair, Song
from genres.stats.sign_flip import sign_flip

GENRES = ["funk", "pop", "rock"]
DISTRIBUTIONS = arrays.arrays(float, 4, elements=st.integers(0, 9).map(float)).filter(lambda p: p.sum() > 0)


def song(track_id: str, genre: str, windows: list[list[float]]) -> Song:
    starts = 3.0 * np.arange(len(windows))
    return Song(track_id, genre, np.array(windows, dtype=float), starts, starts + 3)


def pair(number: int, original: list[list[float]], remix: list[list[float]]) -> Pair:
    return Pair(f"Song {number}", song(f"o{number}", "pop", original), song(f"r{number}", "funk", remix))


def many(n: int, seed: int = 0) -> list[Pair]:
    """Pairs whose originals are pop and whose remixes are funk, a little differently each."""
    rng = np.random.default_rng(seed)
    return [pair(i, rng.dirichlet([1, 9, 2], 4).tolist(), rng.dirichlet([9, 1, 2], 4).tolist()) for i in range(n)]


def same(n: int, seed: int = 0) -> list[Pair]:
    """Pairs of which nothing differs but by chance."""
    rng = np.random.default_rng(seed)
    return [pair(i, rng.dirichlet([5, 5, 5], 4).tolist(), rng.dirichlet([5, 5, 5], 4).tolist()) for i in range(n)]


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_distance_is_the_root_of_the_mean_divergence_from_the_middle(one: np.ndarray, other: np.ndarray) -> None:
    p, q = one / one.sum(), other / other.sum()
    middle = (p + q) / 2

    def divergence(a: np.ndarray) -> float:
        return sum(x * math.log2(x / m) for x, m in zip(a, middle, strict=True) if x)

    expected = math.sqrt(max(0.0, (divergence(p) + divergence(q)) / 2))
    assert pairs.distance(p, q) == pytest.approx(expected, abs=1e-7)


def test_distance_goes_from_0_to_1() -> None:
    found = pairs.distance(np.array([[0.3, 0.7], [1, 0]]), np.array([[0.3, 0.7], [0, 1]]))
    assert found == pytest.approx([0, 1], abs=1e-9)


def test_halves_share_no_window() -> None:
    five = song("s", "pop", [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 1, 0], [0, 0.5, 0.5]])
    first, second = five.halves
    np.testing.assert_allclose(first, [0.75, 0.25, 0])
    np.testing.assert_allclose(second, [0, 0.75, 0.25])
    assert song("s", "pop", [[1, 0, 0]]).halves is None


def test_a_row_says_what_moved_and_what_else_moves() -> None:
    moved = pair(0, [[0.0, 0.8, 0.2], [0.2, 0.6, 0.2]], [[1, 0, 0], [0.6, 0.2, 0.2]])
    others = [song("a", "pop", [[0.1, 0.7, 0.2]]), song("b", "pop", [[0.9, 0.1, 0.0]]), song("c", "rock", [[0, 0, 1]])]
    (row,) = pairs.table([moved], others, GENRES).to_dict("records")
    assert (row["original_first"], row["remix_first"], row["changes"]) == ("pop", "funk", True)
    assert [row[f"shift_{genre}"] for genre in GENRES] == pytest.approx([0.7, -0.6, -0.1])
    original = np.array([0.1, 0.7, 0.2])
    assert row["distance"] == pytest.approx(pairs.distance(original, np.array([0.8, 0.1, 0.1])))
    # The same genre: the first of the others is equal to the original, the second is not; rock does not count.
    assert row["distance_same_genre"] == pytest.approx(pairs.distance(original, np.array([0.9, 0.1, 0])) / 2)
    assert row["changes_same_genre"] == 0.5
    halves = [pairs.distance(np.array(s.windows[0]), np.array(s.windows[1])) for s in (moved.original, moved.remix)]
    assert row["distance_halves"] == pytest.approx(np.mean(halves))
    assert row["changes_halves"] == 0


def test_without_anything_to_hold_against_there_is_none() -> None:
    rows = pairs.table([pair(0, [[0, 1, 0]], [[1, 0, 0]])], [], GENRES)
    assert rows[["distance_halves", "distance_same_genre"]].isna().all(axis=None)
    found = pairs.summary(rows, GENRES)
    assert not any(key.startswith(("further", "distance_")) for key in found)
    assert not any(value is None or value != value for value in found.values())


def test_what_is_there_is_found() -> None:
    found = pairs.summary(pairs.table(many(12), [song("t", "pop", [[0.1, 0.7, 0.2]])], GENRES), GENRES)
    assert (found["towards"], found["first_genre_changes"]) == ("funk", 1)
    assert found["towards_p_holm"] == pytest.approx(3 * found["least_p"])
    for key in ("further_than_halves", "further_than_same_genre", "to_remix_genre"):
        assert 0 < found[f"{key}_ci95_low"] < found[key] < found[f"{key}_ci95_high"]
        assert found[f"{key}_p"] == found["least_p"] == 2 / 2**12
    assert found["further_than_halves_p_holm"] == 2 * found["least_p"]
    assert found["from_original_genre"] < 0


def test_what_is_not_there_is_not_found() -> None:
    """Of 100 data sets without any difference about 5 may seem to have one, over all genres together."""
    seemed = [
        pairs.shifts(pairs.table(same(8, seed), [], GENRES), GENRES)["p_holm"].min() <= 0.05 for seed in range(100)
    ]
    assert sum(seemed) <= 12


def test_shifts_are_tested_and_corrected_genre_by_genre() -> None:
    rows = pairs.table(many(9, seed=2), [], GENRES)
    found = pairs.shifts(rows, GENRES)
    assert found["genre"].tolist() == ["funk", "rock", "pop"]
    assert found["shift"].sum() == pytest.approx(0)
    for row in found.to_dict("records"):
        test = sign_flip(rows[f"shift_{row['genre']}"])
        assert (row["shift"], row["p"], row["ci95_low"]) == (test.mean, test.p, test.low)
        assert row["shift"] == pytest.approx(row["remix"] - row["original"])
        assert row["p"] <= row["p_holm"] <= 1


def test_few_pairs_bound_nothing_but_what_probabilities_can_be() -> None:
    found = pairs.summary(pairs.table(many(4), [], GENRES), GENRES)
    assert found["least_p"] == found["to_remix_genre_p"] == 0.125
    assert (found["to_remix_genre_ci95_low"], found["to_remix_genre_ci95_high"]) == (-1, 1)


def test_a_genre_that_the_network_does_not_know_is_not_asked_for() -> None:
    unknown = Pair("Song", song("o", "pop", [[0, 1, 0]]), song("r", "fado", [[1, 0, 0]]))
    found = pairs.summary(pairs.table([unknown], [], GENRES), GENRES)
    assert "to_remix_genre" not in found
    assert found["from_original_genre"] == -1


def test_tables_without_pairs_have_their_header() -> None:
    empty, full = pairs.table([], [], GENRES), pairs.table(many(2), [], GENRES)
    assert list(empty.columns) == list(full.columns)
    assert isinstance(empty, pd.DataFrame) and empty.empty
