"""Power laws: their numbers are found again, and the interval of an extrapolation holds the truth."""

import numpy as np
import pytest
from scipy.stats import norm

from genres.stats import power_law

SIZES = np.array([8, 16, 32, 55, 80])


@pytest.mark.parametrize(
    ("floor", "scale", "exponent"), [(0.0, 1.2, 0.3), (0.2, 1.5, 0.6), (0.3, 3.0, 1.2), (0.4, 0.0, 1.0)]
)
def test_an_exact_power_law_is_found_and_extrapolated(floor, scale, exponent):
    errors = floor + scale * SIZES**-exponent
    curve = power_law.fit(SIZES, [errors, errors])
    for size in (8, 80, 160):
        assert curve.at(size) == pytest.approx(2 * [floor + scale * size**-exponent], abs=0.002)


def test_errors_that_rise_with_the_size_give_a_level_curve():
    curve = power_law.fit(SIZES, [[0.1, 0.2, 0.3, 0.4, 0.5]])
    assert curve.at(160) == pytest.approx(0.3)


def simulated(rng, truth, crossed):
    """Counts of wrong tracks of one track an artist, as evaluations of one population would give them.

    A track is as hard for a network of one size as for another (correlation 0.6), repetitions differ in all (0.03) and
    in each (0.02) of their points.
    """
    floor, scale, exponent = truth
    repetitions, tracks = (3, 197) if crossed else (5, 59)
    artists = tracks if crossed else repetitions * tracks
    hardness = rng.normal(size=artists)
    wrong, tested = np.zeros((repetitions, artists, len(SIZES))), np.zeros((repetitions, artists))
    for repetition in range(repetitions):
        own = slice(None) if crossed else slice(repetition * tracks, (repetition + 1) * tracks)
        error = floor + scale * SIZES**-exponent + rng.normal(0, 0.03) + rng.normal(0, 0.02, len(SIZES))
        noise = np.sqrt(0.6) * hardness[own, None] + np.sqrt(0.4) * rng.normal(size=(tracks, len(SIZES)))
        wrong[repetition, own] = norm.cdf(noise) < error
        tested[repetition, own] = 1
    return wrong, tested


@pytest.mark.parametrize("crossed", [True, False], ids=["one test list", "five folds"])
@pytest.mark.parametrize("truth", [(0.0, 1.2, 0.3), (0.0, 0.8, 0.15), (0.25, 0.5, 0.3), (0.3, 3.0, 1.2)])
def test_the_interval_of_twice_the_size_covers_the_truth_in_nine_of_ten_cases(truth, crossed):
    rng, held = np.random.default_rng(1), []
    floor, scale, exponent = truth
    for repetition in range(80):
        errors = power_law.resampled(*simulated(rng, truth, crossed), 200, repetition)
        low, high = np.quantile(power_law.fit(SIZES, errors).at(160), (0.025, 0.975))
        held.append(low <= floor + scale * 160**-exponent <= high)
    assert np.mean(held) >= 0.9


def test_resamples_have_the_errors_as_their_mean_and_their_deviation_as_spread():
    rng = np.random.default_rng(2)
    wrong = (rng.random((1, 400, 2)) < [0.3, 0.5]).astype(int)
    errors = power_law.resampled(wrong, np.ones((1, 400)), 4000, 0)
    means = wrong[0].mean(axis=0)
    assert errors.mean(axis=0) == pytest.approx(means, abs=0.002)
    assert errors.std(axis=0) == pytest.approx(np.sqrt(means * (1 - means) / 400), rel=0.05)


def test_an_artist_is_drawn_with_all_tracks():
    wrong = np.array([[[3], [0]]])  # of two artists with three tracks each
    errors = power_law.resampled(wrong, [[3, 3]], 1000, 0)
    assert set(errors.ravel()) == {0.0, 0.5, 1.0}


def test_folds_are_drawn_as_wholes_and_those_without_tracks_are_left_out():
    wrong, tested = np.zeros((2, 2, 1)), np.eye(2)  # each fold tests one artist
    wrong[0, 0] = 1
    errors = power_law.resampled(wrong, tested, 1000, 0)
    assert 0 < len(errors) < 1000
    assert np.isfinite(errors).all()
