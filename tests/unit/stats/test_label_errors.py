"""Confident learning against closed forms, planted errors, and the counts of another implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.stats import label_errors

# Of the songs of drawn(3), by cleanlab 2.9.0: the confident joint, the thresholds, and the calibrated joint.
JOINT = [[12, 0, 3], [1, 12, 3], [2, 2, 13]]
THRESHOLDS = [0.589846, 0.54886, 0.474112]
CALIBRATED = [[18, 0, 5], [1, 14, 4], [2, 2, 14]]


def drawn(seed: int, songs: int = 60, genres: int = 3, wrong: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that lean to the true genre, and labels, some of them drawn at random."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, genres, songs)
    labels = np.where(rng.random(songs) < wrong, rng.integers(0, genres, songs), true)
    return 0.5 * rng.dirichlet(np.ones(genres), songs) + 0.5 * np.eye(genres)[true], labels


def test_a_small_case_by_hand():
    rows = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.8, 0.2]]
    labels = [0, 0, 1, 1]
    found = label_errors.confident(rows, labels)
    np.testing.assert_allclose(found.thresholds, [0.75, 0.5])
    assert found.genre.tolist() == [0, -1, 1, 0]
    assert found.joint.tolist() == [[1, 0], [1, 1]]
    assert label_errors.estimated(found.joint, labels).tolist() == [[2, 0], [1, 1]]
    expected = [np.log(p / 0.5) - np.log(q / 0.75) for q, p in rows[:2]]
    expected += [np.log(q / 0.75) - np.log(p / 0.5) for q, p in rows[2:]]
    np.testing.assert_allclose(label_errors.score(rows, labels), expected, atol=1e-12)
    assert label_errors.suspects(rows, labels).tolist() == [3]


def test_of_several_confident_genres_the_likelier_counts():
    rows = [[0.3, 0.3, 0.4], [0.3, 0.3, 0.4], [0.35, 0.45, 0.2]]
    found = label_errors.confident(rows, [0, 1, 1])
    np.testing.assert_allclose(found.thresholds, [0.3, 0.375, np.inf])
    assert found.genre.tolist() == [0, 0, 1]  # never the third, which no song is labelled with


def test_counts_are_those_of_cleanlab():
    rows, labels = drawn(3)
    found = label_errors.confident(rows, labels)
    assert found.joint.tolist() == JOINT
    np.testing.assert_allclose(found.thresholds, THRESHOLDS, atol=1e-6)
    np.testing.assert_allclose(
        label_errors.estimated(found.joint, labels), CALIBRATED, atol=0.6
    )  # which it rounds, with the sums of the rows kept


@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_names_of_genres_do_not_matter(seed, order):
    rows, labels = drawn(seed, genres=4)
    places = np.argsort(order)  # genre g becomes places[g]
    one, other = label_errors.confident(rows, labels), label_errors.confident(rows[:, order], places[labels])
    np.testing.assert_array_equal(other.joint, one.joint[np.ix_(order, order)])
    np.testing.assert_allclose(
        label_errors.score(rows[:, order], places[labels]), label_errors.score(rows, labels), atol=1e-12
    )


@given(st.integers(0, 10**6))
def test_a_label_is_no_suspect_while_its_genre_is_the_likeliest_in_a_sure_network(seed):
    _, labels = drawn(seed)
    assert label_errors.suspects(np.eye(3)[labels], labels).size == 0


@given(st.integers(0, 10**6))
def test_a_network_that_is_right_finds_exactly_the_wrong_labels(seed):
    rng = np.random.default_rng(seed)
    true, wrong = np.arange(90) % 3, rng.choice(90, 9, replace=False)
    labels = true.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 3, 9)) % 3
    rows = np.eye(3)[true]
    joint = np.zeros((3, 3))
    np.add.at(joint, (labels, true), 1)
    np.testing.assert_allclose(label_errors.estimated(label_errors.confident(rows, labels).joint, labels), joint)
    assert sorted(label_errors.suspects(rows, labels)) == sorted(wrong)


def test_planted_errors_are_found_and_counted():
    """With the true posterior of overlapping classes; a tenth of the labels is wrong."""
    shares, first = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        true = rng.integers(0, 4, 600)
        points = 3 * np.eye(4)[true] + rng.normal(size=(600, 4))
        rows = np.exp(3 * points) / np.exp(3 * points).sum(axis=1, keepdims=True)
        wrong = rng.choice(600, 60, replace=False)
        labels = true.copy()
        labels[wrong] = (labels[wrong] + rng.integers(1, 4, 60)) % 4
        counts = label_errors.estimated(label_errors.confident(rows, labels).joint, labels)
        shares.append(1 - np.trace(counts) / 600)
        first.append(np.isin(label_errors.suspects(rows, labels)[:20], wrong).mean())
    assert np.mean(shares) == pytest.approx(0.1, abs=0.03)
    assert np.mean(first) > 0.95


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        ([], []),
        ([[1.0]], [0]),
        ([[0.5, 0.5]], [0, 1]),
        ([[0.5, 0.5]], [2]),
        ([[0.5, 0.5]], [-1]),
        ([[np.nan, 0.5]], [0]),
    ],
)
def test_what_cannot_be_counted_is_refused(rows, labels):
    for function in (label_errors.confident, label_errors.score, label_errors.suspects):
        with pytest.raises(ValueError, match="needs"):
            function(rows, labels)
