"""The discriminant: against scikit-learn, closed forms and known answers."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from genres.training.discriminant import artist_weights, fit_discriminant, fit_temperature


def separable(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns (60, 90) of four classes that overlap: more columns than tracks, and classes of different size."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), (24, 12, 12, 12))
    return rng.normal(size=(60, 90)) + rng.normal(size=(4, 90))[labels] * 0.5, labels


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 0.9])
def test_without_weights_it_is_the_discriminant_of_scikit_learn(shrinkage: float) -> None:
    columns, labels = separable()
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    alone = {"artist_power": 0.0, "block_power": 0.0, "clip": 1e6}
    ours = fit_discriminant(columns, labels, np.arange(60), [60, 30], shrinkage=shrinkage, **alone)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=[0.25] * 4).fit(columns, labels)
    others, _ = separable(seed=1)
    expected = theirs.decision_function(others) - np.log(0.25)
    np.testing.assert_allclose(ours.scores(others), expected, rtol=1e-3, atol=1e-3)
    assert (ours.scores(others).argmax(axis=1) == theirs.predict(others)).all()


def test_blocks_of_one_size_are_as_no_blocks() -> None:
    columns, labels = separable()
    with_blocks, without = (
        fit_discriminant(columns, labels, np.arange(60), [30, 30, 30], block_power=power) for power in (0.5, 0.0)
    )
    np.testing.assert_allclose(with_blocks.scores(columns), without.scores(columns), atol=1e-8)


def test_a_large_block_weighs_less() -> None:
    columns, labels = separable()
    shares = []
    for power in (0.0, 0.5, 1.0):
        kernel = fit_discriminant(columns, labels, np.arange(60), [80, 10], block_power=power).kernel
        shares.append(np.square(kernel[:80]).sum() / np.square(kernel).sum())
    assert shares[0] > shares[1] > shares[2]


def test_an_outlier_moves_the_scores_no_further_than_the_clip() -> None:
    columns, labels = separable()
    fitted = fit_discriminant(columns, labels, np.arange(60), [90])
    far = columns[:1] + np.eye(90)[:1] * [[1e3], [1e9]]
    np.testing.assert_allclose(*fitted.scores(far), atol=1e-6)


def test_weights_of_artists() -> None:
    labels, artists = np.array([0, 0, 0, 0, 1]), np.array([7, 7, 7, 8, 9])
    assert artist_weights(labels, artists, 0) == pytest.approx([0.25] * 4 + [1])
    assert artist_weights(labels, artists, 1) == pytest.approx([1 / 6] * 3 + [1 / 2, 1])


def test_ten_copies_of_a_track_count_as_one() -> None:
    columns, labels = separable()
    rows = np.r_[np.arange(60), np.zeros(9, dtype=int)]

    def scores(rows: np.ndarray, power: float) -> np.ndarray:
        fitted = fit_discriminant(columns[rows], labels[rows], rows, [90], artist_power=power)
        found = fitted.scores(columns)
        return found - found.mean(axis=1, keepdims=True)  # what is the same for all classes says nothing

    once = scores(np.arange(60), 1.0)
    counted_once, counted_ten_times = (np.abs(scores(rows, power) - once).mean() for power in (1.0, 0.0))
    # Not zero, since standard scores take every track.
    assert counted_once < 0.5 * counted_ten_times


def test_the_temperature_is_that_of_tracks_that_were_not_seen() -> None:
    """Genres that cannot be told apart: whatever the fit believes, the best answer is that all are alike."""
    rng = np.random.default_rng(0)
    columns, labels, artists = rng.normal(size=(120, 300)), np.arange(120) % 3, np.arange(120)
    hopeless = fit_temperature(columns, labels, artists, artists % 5, [300])
    columns[np.arange(120), labels] += 6
    plain = fit_temperature(columns, labels, artists, artists % 5, [300])
    assert hopeless < 0.2 * plain
    assert (fit_discriminant(columns, labels, artists, [300]).scores(columns).argmax(axis=1) == labels).all()


def test_without_a_part_that_can_be_held_out_scores_stay_as_they_are() -> None:
    columns, labels = np.random.default_rng(0).normal(size=(6, 10)), np.array([0, 0, 0, 1, 1, 1])
    assert fit_temperature(columns, labels, np.arange(6), labels, [10]) == 1.0
