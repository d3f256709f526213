"""Promises on the share of wrong predictions: against closed forms, other estimates, and over many drawn sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from genres.stats.selective import curve, intraclass_correlation, least_error, promise, upper_bound


def alone(n: int) -> np.ndarray:
    return np.arange(n)


@given(st.integers(1, 400), st.data())
def test_the_bound_of_independent_songs_is_clopper_and_pearsons(n, data):
    wrong = data.draw(st.integers(0, n))
    certainty = data.draw(st.sampled_from([0.8, 0.95, 0.99]))
    # Their two-sided interval of twice the complement has the one-sided upper end.
    exact = binomtest(wrong, n).proportion_ci(1 - 2 * (1 - certainty), method="exact").high
    assert upper_bound([wrong / n], [n], certainty) == pytest.approx([exact])


def test_risk_and_coverage_are_counted():
    found = curve([0.9, 0.5, 0.7, 0.9, 0.6], [False, True, True, False, False], alone(5))
    np.testing.assert_allclose(found.confidence, [0.9, 0.7, 0.6, 0.5])
    np.testing.assert_allclose(found.kept, [0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(found.wrong, [0, 1 / 3, 1 / 4, 2 / 5])


def test_songs_of_artists_that_are_wholly_right_or_wrong_count_once():
    """With equal artists and a correlation of 1 the effective number is that of the artists."""
    artists = np.repeat(np.arange(40), 5)
    found = curve(np.ones(200), artists % 4 == 0, artists)
    assert found.effective == pytest.approx([40])


def test_the_correlation_is_that_of_the_analysis_of_variance():
    """Against the definition by one-way mean squares, for artists of equal size."""
    rng = np.random.default_rng(0)
    wrong = (rng.random((50, 6)) < rng.random((50, 1))).astype(float)
    between = 6 * np.var(wrong.mean(axis=1), ddof=1)
    within = np.mean(np.var(wrong, axis=1, ddof=1))
    expected = (between - within) / (between + 5 * within)
    assert intraclass_correlation(wrong.ravel(), np.repeat(np.arange(50), 6)) == pytest.approx(expected)
    assert expected == pytest.approx(1 / 3, abs=0.12)  # a uniform distribution has variance 1/12 of at most 1/4


@pytest.mark.parametrize("wrong", [np.zeros(10), np.ones(10)])
def test_where_nothing_is_known_songs_of_an_artist_are_taken_as_one(wrong):
    assert intraclass_correlation(wrong, np.repeat(np.arange(5), 2)) == 1


def test_it_takes_59_right_songs_to_promise_5_percent():
    """The closed form: the least n with 0.95 ** n <= 0.05."""
    assert promise(np.linspace(1, 0.5, 58), np.zeros(58), alone(58), error=0.05) is None
    found = promise(np.linspace(1, 0.5, 59), np.zeros(59), alone(59), error=0.05)
    assert found is not None
    assert found.threshold == 0.5 and found.kept == 1
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 59))
    assert promise(np.linspace(1, 0.5, 59), np.zeros(59), np.repeat(alone(30), 2)[:59], error=0.05) is None


def test_the_threshold_is_where_errors_begin():
    confidence = np.linspace(1, 0.01, 300)
    wrong = confidence < 0.5
    found = promise(confidence, wrong, alone(300), error=0.1)
    assert found is not None
    shown = confidence >= found.threshold
    assert wrong[shown].mean() < 0.1 < found.bound + 0.01
    assert found.bound <= 0.1
    assert found.highest == pytest.approx(confidence[28])  # the closed form: 0.9 ** 29 <= 0.05
    with_one_more = np.flatnonzero(shown)[-1] + 1
    assert upper_bound([wrong[: with_one_more + 1].mean()], [with_one_more + 1], 0.95) > 0.1


def test_an_early_failure_ends_the_search():
    """Though the bound would hold further down: else the choice among many thresholds would spoil the certainty."""
    confidence = np.linspace(1, 0, 1000)
    wrong = np.zeros(1000, dtype=bool)
    wrong[[3, 9, 20]] = True
    assert upper_bound([0.003], [1000], 0.95) < 0.05
    assert promise(confidence, wrong, alone(1000), error=0.05) is None


def test_the_smallest_error_that_is_supported():
    assert least_error(np.linspace(1, 0, 59), np.zeros(59), alone(59)) == 0.05
    assert least_error(np.linspace(1, 0, 58), np.zeros(58), alone(58)) == 0.06
    assert np.isnan(least_error([0.9], [False], [0]))


@pytest.mark.parametrize(("error", "artists", "songs"), [(0.1, 98, 3), (0.2, 30, 6), (0.3, 20, 2)])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_the_promise_holds_in_as_many_sets_as_it_says(error, artists, songs, correlation):
    """Wrong predictions in clusters, a little more often than promised at any confidence: each promise is broken."""
    rng = np.random.default_rng([artists, round(10 * correlation)])
    broken, sets, share = 0, 300, 1.02 * error
    for _ in range(sets):
        artist = np.repeat(np.arange(artists), rng.integers(1, 2 * songs, artists))
        if correlation in (0, 1):
            rate = np.full(artists, share) if correlation == 0 else (rng.random(artists) < share).astype(float)
        else:
            precision = 1 / correlation - 1
            rate = rng.beta(share * precision, (1 - share) * precision, artists)
        wrong = rng.random(len(artist)) < rate[artist]
        confidence = (rng.random(len(artist)) + rng.random(artists)[artist]) / 2
        broken += promise(confidence, wrong, artist, error=error) is not None
    # Of 300 sets, 5 % are 15; 26 are beyond the 99.5 % quantile of chance.
    assert broken <= 26


def test_songs_taken_as_independent_would_break_it():
    """The simulation is strict enough: with every song an artist of its own the promise fails."""
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(200):
        artist = np.repeat(np.arange(30), 12)
        wrong = (rng.random(30) < 0.1)[artist]
        confidence = (rng.random(len(artist)) + rng.random(30)[artist]) / 2
        broken += promise(confidence, wrong, alone(len(artist)), error=0.1) is not None
    assert broken > 26


def test_input_of_different_songs_is_refused():
    with pytest.raises(ValueError, match="same songs"):
        curve([0.5], [True, False], [1, 2])
    with pytest.raises(ValueError, match="same songs"):
        curve([np.nan], [True], [1])
