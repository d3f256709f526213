"""Scores against closed forms, scikit-learn, SciPy and properties that hold for any input."""

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from genres.stats import scores

few = settings(max_examples=40, deadline=None)
flags = st.lists(st.booleans(), min_size=1, max_size=80)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of any few tracks."""
    tracks, genres = draw(st.integers(1, 40)), draw(st.integers(2, 12))
    random = np.random.default_rng(draw(seeds))
    sharpness = draw(st.sampled_from([0.01, 1.0, 100.0]))  # of the Dirichlet: nearly one-hot to nearly uniform
    return random.dirichlet(np.full(genres, sharpness), tracks), random.integers(0, genres, tracks)


# ── Intervals ────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(flags, seeds)
def test_interval_holds_the_accuracy_and_stays_between_0_and_1(correct, seed):
    low, high = scores.accuracy_interval(correct, 400, seed)
    assert 0 <= low <= np.mean(correct) <= high <= 1


@pytest.mark.parametrize("right", [60, 100, 150, 180])
def test_interval_is_near_wilsons(right):
    low, high = scores.accuracy_interval(np.arange(200) < right, 20_000, 1)
    wilson = binomtest(right, 200).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=0.015)


def test_interval_is_that_of_tracks_drawn_one_by_one():
    correct = np.arange(37) < 29
    drawn = np.random.default_rng(0).choice(correct, (20_000, 37)).mean(axis=1)
    assert scores.accuracy_interval(correct, 20_000, 1) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("tracks", [1, 7])
def test_interval_of_all_right_or_all_wrong_is_wilsons(value, tracks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = scores.accuracy_interval([value] * tracks, 100, 3)
    reach = 1.959964**2 / (tracks + 1.959964**2)  # in closed form, for no error or nothing but errors
    assert (low, high) == pytest.approx((1 - reach, 1) if value else (0, reach), abs=1e-5)


def test_interval_depends_on_the_seed_alone():
    correct = np.arange(50) < 31
    assert scores.accuracy_interval(correct, 200, 5) == scores.accuracy_interval(correct, 200, 5)
    assert len({scores.accuracy_interval(correct, 50, seed) for seed in range(10)}) > 1


def test_interval_of_no_track_is_refused():
    with pytest.raises(ValueError, match="at least one track"):
        scores.accuracy_interval([], 100, 0)


# ── Two on the same tracks ───────────────────────────────────────────────────────────────────────────────────────


def test_mcnemar_by_hand():
    # Only a right: 1 track; only b right: 6; both right: 3. Two tails of Binomial(7, 1/2): 2 (C(7,0) + C(7,1)) / 2^7.
    a = np.array([1] * 1 + [0] * 6 + [1] * 3, dtype=bool)
    b = np.array([0] * 1 + [1] * 6 + [1] * 3, dtype=bool)
    assert scores.mcnemar(a, b) == pytest.approx(2 * (1 + 7) / 128)
    assert scores.mcnemar(a, b) == pytest.approx(binomtest(1, 7).pvalue)


@few
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_symmetric_a_probability_and_blind_to_what_both_share(pairs):
    a, b = np.array(pairs).T
    p = scores.mcnemar(a, b)
    assert 0 < p <= 1
    assert p == scores.mcnemar(b, a)
    assert p == scores.mcnemar(np.append(a, [True, False]), np.append(b, [True, False]))


def test_mcnemar_without_a_discordant_track_is_1():
    assert scores.mcnemar([True, False], [True, False]) == 1.0


@few
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), seeds)
def test_paired_difference_holds_the_difference_of_accuracies(pairs, seed):
    a, b = np.array(pairs).T
    difference, low, high = scores.paired_difference(a, b, 400, seed)
    assert difference == pytest.approx(a.mean() - b.mean())
    assert -1 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1


def test_paired_difference_is_that_of_tracks_drawn_one_by_one():
    random = np.random.default_rng(2)
    a = random.random(120) < 0.8
    b = np.where(random.random(120) < 0.3, random.random(120) < 0.4, a)
    rows = random.integers(0, 120, (20_000, 120))
    expected = np.quantile(a[rows].mean(axis=1) - b[rows].mean(axis=1), [0.025, 0.975])
    assert scores.paired_difference(a, b, 20_000, 0)[1:] == pytest.approx(expected, abs=0.01)


def test_paired_difference_of_the_same_answers_is_0():
    correct = np.arange(40) % 3 == 0
    assert scores.paired_difference(correct, correct, 100, 0) == (0, 0, 0)


def test_paired_functions_refuse_different_tracks():
    with pytest.raises(ValueError, match="received 2 and 3"):
        scores.mcnemar([True] * 2, [True] * 3)


# ── Calibration ──────────────────────────────────────────────────────────────────────────────────────────────────


def two_genres(confidence: float, tracks: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """Tracks that are all given genre 0 with this confidence, of which some are of genre 0."""
    return np.tile([confidence, 1 - confidence], (tracks, 1)), (np.arange(tracks) >= right).astype(int)


def test_ece_of_perfectly_calibrated_predictions_is_0():
    parts = [two_genres(0.6, 10, 6), two_genres(0.75, 20, 15), two_genres(1.0, 5, 5)]
    probabilities, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert scores.expected_calibration_error(probabilities, labels, 10) == pytest.approx(0)


def test_ece_by_hand():
    parts = [two_genres(0.9, 30, 15), two_genres(0.65, 10, 9)]  # off by 0.4 on 30 tracks, by 0.25 on 10
    probabilities, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert scores.expected_calibration_error(probabilities, labels, 10) == pytest.approx((30 * 0.4 + 10 * 0.25) / 40)


def test_ece_of_certain_and_always_wrong_is_1():
    assert scores.expected_calibration_error(*two_genres(1.0, 8, 0), bins=15) == pytest.approx(1)


@few
@given(predictions(), st.integers(1, 20), seeds)
def test_ece_lies_in_0_to_1_and_ignores_the_order_of_tracks(case, bins, seed):
    probabilities, labels = case
    ece = scores.expected_calibration_error(probabilities, labels, bins)
    order = np.random.default_rng(seed).permutation(labels.size)
    assert 0 <= ece <= 1
    assert scores.expected_calibration_error(probabilities[order], labels[order], bins) == pytest.approx(ece)


@few
@given(predictions(), st.integers(1, 20))
def test_reliability_adds_up_to_the_accuracy_and_mean_confidence(case, bins):
    probabilities, labels = case
    confidence, accuracy, count = scores.reliability(probabilities, labels, bins)
    assert confidence.shape == accuracy.shape == count.shape == (bins,)
    assert count.sum() == labels.size
    assert np.isfinite([confidence, accuracy]).all()
    assert np.average(accuracy, weights=count) == pytest.approx(np.mean(probabilities.argmax(axis=1) == labels))
    assert np.average(confidence, weights=count) == pytest.approx(probabilities.max(axis=1).mean())


@pytest.mark.parametrize(("confidence", "position"), [(0.7, 6), (0.7001, 7), (1.0, 9), (0.6, 5)])
def test_bins_are_open_below_and_closed_above(confidence, position):
    count = scores.reliability(*two_genres(confidence, 4, 2), bins=10).counts
    assert count[position] == 4


# ── Many tests, repetitions ───────────────────────────────────────────────────────────────────────────────────────


def test_holm_by_hand():
    # Sorted: .005 x 4, .01 x 3, .03 x 2 = .06, and .04 x 1 is raised to .06.
    assert scores.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert scores.holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert scores.holm([0.2]) == pytest.approx([0.2])
    assert scores.holm([]).tolist() == []


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), seeds)
def test_holm_lies_between_no_correction_and_bonferronis(p_values, seed):
    p = np.array(p_values)
    corrected = scores.holm(p)
    assert (p <= corrected).all()
    assert (corrected <= np.minimum(p * p.size, 1) + 1e-12).all()
    order = np.random.default_rng(seed).permutation(p.size)
    np.testing.assert_allclose(scores.holm(p[order]), corrected[order])
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()


def test_unpaired_difference_is_that_of_tracks_drawn_one_by_one():
    random = np.random.default_rng(2)
    a, b = np.arange(40) < 30, np.arange(70) < 35
    expected = np.quantile(
        random.choice(a, (20_000, 40)).mean(1) - random.choice(b, (20_000, 70)).mean(1), [0.025, 0.975]
    )
    difference, low, high = scores.unpaired_difference(a, b, 20_000, 0)
    assert difference == pytest.approx(0.25)
    assert (low, high) == pytest.approx(expected, abs=0.015)


# ── Loss and genres ──────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(predictions())
def test_log_loss_is_scikit_learns(case):
    probabilities, labels = case
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=np.arange(probabilities.shape[1]))
    assert scores.log_loss(probabilities, labels) == pytest.approx(expected)


def test_log_loss_of_guessing_and_of_the_impossible():
    assert scores.log_loss(np.full((3, 11), 1 / 11), [0, 5, 10]) == pytest.approx(math.log(11))
    assert scores.log_loss([[1.0, 0.0]], [1]) == pytest.approx(52 * math.log(2))  # float64's epsilon is 2^-52
    assert scores.log_loss([[1.0, 0.0]], [0]) == 0


@pytest.mark.parametrize(
    ("probabilities", "labels", "reason"),
    [
        ([[0.5, 0.6]], [0], "sum to 1"),
        ([[math.nan, 1.0]], [0], "finite"),
        ([[1.5, -0.5]], [0], "negative"),
        ([[0.5, 0.5]], [2], "0 to 1"),
        ([[0.5, 0.5]], [0, 1], "received"),
    ],
)
def test_what_are_no_probabilities_or_labels_is_refused(probabilities, labels, reason):
    with pytest.raises(ValueError, match=reason):
        scores.log_loss(probabilities, labels)


def test_per_genre_by_hand_also_for_genres_that_do_not_occur():
    found = scores.per_genre(labels=[0, 0, 0, 1, 1], predicted=[0, 0, 1, 1, 2], n_classes=4)
    assert found.precision == pytest.approx([1, 1 / 2, 0, 0])
    assert found.recall == pytest.approx([2 / 3, 1 / 2, 0, 0])
    assert found.f1 == pytest.approx([4 / 5, 1 / 2, 0, 0])
    assert found.support.tolist() == [3, 2, 0, 0]


@few
@given(predictions())
def test_summary_agrees_with_scikit_learn(case):
    probabilities, labels = case
    predicted = probabilities.argmax(axis=1)
    found = scores.summary(probabilities, labels, resamples=300, bins=10, seed=1)
    assert found["track_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    assert found["track_accuracy_ci95_low"] <= found["track_accuracy"] <= found["track_accuracy_ci95_high"]
    # By hand: the mean over the genres that occur on either side.
    occurring = np.union1d(labels, predicted)
    by_genre = scores.per_genre(labels, predicted, probabilities.shape[1]).f1
    assert found["macro_f1"] == pytest.approx(by_genre[occurring].mean())
    assert all(type(value) is float and math.isfinite(value) for value in found.values())


def test_summary_takes_float32():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(11), 50).astype(np.float32)
    found = scores.summary(probabilities, np.arange(50) % 11, resamples=10, bins=10, seed=0)
    assert all(type(value) is float for value in found.values())
