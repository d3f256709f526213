"""Temperatures: against closed forms, on simulated networks, and on the few tracks that once got 6.7 and 0.05."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genres.stats import calibration
from genres.stats.calibration import fit_temperature, tempered
from genres.stats.scores import log_loss

few = settings(max_examples=25, deadline=None)


@st.composite
def validations(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and artists of any few tracks."""
    tracks, genres = draw(st.integers(1, 40)), draw(st.integers(2, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.001, 0.01, 1.0, 100.0]))  # of the Dirichlet: one-hot to nearly uniform
    probabilities = random.dirichlet(np.full(genres, sharpness), tracks)
    return probabilities, random.integers(0, genres, tracks), random.integers(0, draw(st.integers(1, 30)), tracks)


def network(tracks: int, temperature: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of five genres that are calibrated by this temperature, and labels."""
    random = np.random.default_rng(seed)
    calibrated = random.dirichlet(np.full(5, 0.5), tracks)
    labels = (random.random(tracks)[:, None] > calibrated.cumsum(axis=1)).sum(axis=1)
    return tempered(calibrated, 1 / temperature), labels


def confident(right: int, wrong: int, confidence: float, genres: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Tracks that are all given genre 0 with this confidence, of which some are of genre 1."""
    row = np.full(genres, (1 - confidence) / (genres - 1))
    row[0] = confidence
    return np.tile(row, (right + wrong, 1)), np.repeat([0, 1], [right, wrong])


@few
@given(validations(), st.floats(0.2, 5))
def test_tempered_probabilities_are_powers_that_sum_to_1_and_keep_their_order(case, temperature):
    probabilities = np.clip(case[0], 1e-9, 1)
    found = tempered(probabilities, temperature)
    powers = probabilities ** (1 / temperature)
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(tempered(probabilities, 1), probabilities / probabilities.sum(1)[:, None])


@pytest.mark.parametrize("truth", [0.5, 0.8, 3.0])
def test_many_artists_find_the_temperature_that_was_applied(truth):
    found = fit_temperature(*network(20_000, truth, seed=4), np.arange(20_000))
    assert found.value == pytest.approx(truth, rel=0.03)
    assert found.reason == ""


def test_many_artists_agree_with_the_closed_form_of_the_lowest_log_loss():
    """All are given 0.9, and 60 % are right: the best is where 0.9 becomes 0.6."""
    probabilities, labels = confident(12_000, 8_000, 0.9, genres=2)
    expected = math.log(0.9 / 0.1) / math.log(0.6 / 0.4)
    assert fit_temperature(probabilities, labels, np.arange(20_000)).value == pytest.approx(expected, rel=0.03)


def test_calibrated_predictions_are_left_alone():
    """The test of the decision has a level of 5 %; what passes it is near 1."""
    found = [fit_temperature(*network(300, 1.0, seed), np.arange(300)) for seed in range(60)]
    assert sum(temperature.reason == "" for temperature in found) <= 7
    assert all(0.8 < temperature.value < 1.25 for temperature in found)


def test_a_small_set_shrinks_towards_1_and_a_large_one_less():
    values = [fit_temperature(*confident(3 * n, n, 0.99, genres=4), np.arange(4 * n)).value for n in (8, 30, 1000)]
    by_loss = math.log(0.99 / (0.01 / 3)) / math.log(0.75 / (0.25 / 3))
    assert 1 < values[0] < values[1] < values[2] < by_loss


@pytest.mark.parametrize("confidence", [0.4, 0.76, 0.99])
def test_few_tracks_all_right_do_not_make_it_certain(confidence):
    """The lowest log loss is at 0: it was the bound, 0.05."""
    probabilities, labels = confident(22, 0, confidence)
    assert 0.35 < fit_temperature(probabilities, labels, np.repeat(np.arange(11), 2)).value <= 1


def test_one_certain_error_in_few_tracks_changes_nothing():
    """The lowest log loss is at 4.5, where 21 right tracks and further ones to come are given too little."""
    probabilities, labels = confident(21, 1, 1 - 1e-5)
    found = fit_temperature(probabilities, labels, np.repeat(np.arange(11), 2))
    assert found.value == 1
    assert found.reason.startswith("no improvement beyond chance on 22 validation tracks of 11 artists, p = ")


@pytest.mark.parametrize("artists", [1, 4])
def test_few_artists_cannot_show_an_improvement_however_many_tracks_they_have(artists):
    found = fit_temperature(*network(400, 3.0, seed=5), np.arange(400) % artists)
    assert found.value == 1
    assert found.reason.startswith(f"400 validation tracks of {artists} artist")


def test_the_tracks_of_an_artist_count_as_one():
    probabilities, labels = confident(30, 10, 0.99)
    once = fit_temperature(probabilities, labels, np.arange(40))
    often = fit_temperature(*(np.tile(part.T, 9).T for part in (probabilities, labels)), np.tile(np.arange(40), 9))
    assert often.value == pytest.approx(once.value, rel=1e-4)


def test_labels_of_whole_artists_that_are_wrong_by_chance_are_no_gain_beyond_chance():
    """Calibrated, but all 10 tracks of an artist are right or wrong together."""
    accepted = 0
    for seed in range(60):
        probabilities, labels = network(20, 1.0, seed)
        tracks = (np.repeat(part, 10, axis=0) for part in (probabilities, labels))
        accepted += fit_temperature(*tracks, np.repeat(np.arange(20), 10)).reason == ""
    assert accepted <= 7


@pytest.mark.parametrize("truth", [1.0, 0.7, 2.0])
def test_on_average_the_temperature_of_few_tracks_does_no_harm(truth):
    """22 tracks of 22 artists; the gain is on 2,000 other tracks of the same network."""
    gains = []
    for seed in range(40):
        found = fit_temperature(*network(22, truth, seed), np.arange(22))
        others, labels = network(2000, truth, seed + 1000)
        gains.append(log_loss(others, labels) - log_loss(tempered(others, found.value), labels))
    assert np.mean(gains) > -0.005
    assert min(gains) > -0.1


@few
@given(validations())
def test_it_is_finite_and_has_a_reason_if_it_is_1(case):
    found = fit_temperature(*case)
    assert math.exp(calibration._BOUNDS[0]) < found.value < math.exp(calibration._BOUNDS[1])
    assert (found.value == 1) == bool(found.reason)
    assert np.isfinite(tempered(case[0], found.value)).all()


@few
@given(validations(), st.integers(0, 2**32 - 1))
def test_names_of_artists_do_not_matter_where_each_is_left_out_alone(case, seed):
    probabilities, labels, artists = case
    artists = artists % calibration.PARTS
    renamed = np.random.default_rng(seed).permutation(1000)[artists]
    assert fit_temperature(probabilities, labels, renamed).value == pytest.approx(
        fit_temperature(probabilities, labels, artists).value
    )
