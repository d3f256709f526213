"""Dose and effect: against closed forms, the definition by orders, and the axioms of Shapley values."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genres.stats.interventions import first_dose, half_tip, margins, means, shapley, shares

GAMES = st.integers(1, 4).flatmap(
    lambda n: arrays.arrays(float, (2**n, 3), elements=st.integers(-100, 100).map(lambda k: k / 100))
)


def by_orders(worth: np.ndarray) -> np.ndarray:
    """The mean gain over all orders, as Shapley defines it."""
    n = len(worth).bit_length() - 1
    gains = np.zeros((n, worth.shape[1]))
    for order in itertools.permutations(range(n)):
        present = 0
        for ingredient in order:
            gains[ingredient] += worth[present | 1 << ingredient] - worth[present]
            present |= 1 << ingredient
    return gains / math.factorial(n)


@given(GAMES)
def test_shapley_values_are_the_mean_gain_over_all_orders(worth: np.ndarray) -> None:
    found = shapley(worth)
    np.testing.assert_allclose(found, by_orders(worth), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), worth[-1] - worth[0], atol=1e-12)


def test_in_an_additive_game_each_has_its_own_worth() -> None:
    own = np.array([0.1, 0.0, -0.3, 0.5])
    worth = np.array([[0.2 + sum(own[i] for i in range(4) if row >> i & 1)] for row in range(16)])
    np.testing.assert_allclose(shapley(worth)[:, 0], own, atol=1e-12)


def test_in_a_symmetric_game_all_have_the_same() -> None:
    """All four are needed for any effect: each explains a quarter."""
    worth = np.zeros((16, 1))
    worth[-1] = 0.8
    np.testing.assert_allclose(shapley(worth), 0.2)


def test_sets_must_be_complete() -> None:
    with pytest.raises(ValueError, match=r"2 \*\* n sets"):
        shapley(np.zeros((6, 2)))


def test_shares_sum_to_the_whole_and_are_exact_where_songs_agree() -> None:
    found = shares(np.outer([3.0, 1.0], np.ones(9)), 500, 1)
    assert [estimate.value for estimate in found] == [0.75, 0.25]
    assert [(estimate.low, estimate.high) for estimate in found] == [(0.75, 0.75), (0.25, 0.25)]


def test_nothing_has_a_share_of_an_effect_that_may_be_zero() -> None:
    found = shares(np.array([[1.0, -1.0, 0.5, -0.4], [0.1, 0.2, 0.1, -0.3]]), 500, 1)
    assert all(math.isnan(number) for estimate in found for number in estimate)


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(4).normal(0.3, 0.2, (400, 1))
    (found,) = means(values, 4000, 2)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.002)


def test_one_song_has_no_interval() -> None:
    (found,) = means([[0.5]], 100, 0)
    assert found.value == 0.5
    assert math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize(
    ("effects", "level", "dose"),
    [
        ([-2, -1, 1], 0, 0.75),  # between the doses, linear
        ([0, -1, 1], 0, 0.0),  # at once
        ([-2, 3, -4], 0, 0.2),  # the first time, though it falls again
        ([-2, -1, -0.5], 0, math.inf),
        ([-2, -1, 0], 0, 1.0),
    ],
)
def test_the_first_dose(effects: list[float], level: float, dose: float) -> None:
    assert first_dose([0, 0.5, 1], effects, level) == pytest.approx(dose)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(-1, 1))
def test_at_the_first_dose_the_level_is_reached_and_before_it_is_not(effects: list[float], level: float) -> None:
    doses = [0, 0.5, 1]
    found = first_dose(doses, effects, level)
    if found == math.inf:
        assert max(effects) < level
    else:
        assert np.interp(found, doses, effects) == pytest.approx(max(level, effects[0] if found == 0 else -1), abs=1e-6)
        assert all(effect < level for dose, effect in zip(doses, effects, strict=True) if dose < found - 1e-9)


def test_songs_that_never_tip_count() -> None:
    assert half_tip([0.2, 0.4, math.inf, math.inf], 500, 0).value == 0.4
    assert half_tip([0.2, math.inf, math.inf], 500, 0).value == math.inf
    many = half_tip([0.3] * 80 + [math.inf] * 20, 500, 0)
    assert tuple(many) == (0.3, 0.3, 0.3)
    close = half_tip([0.3] * 11 + [math.inf] * 10, 500, 0)
    assert (close.low, close.high) == (0.3, math.inf)


def test_the_margin_is_zero_where_the_target_takes_over() -> None:
    found = margins([[0.2, 0.4, 0.4], [0.6, 0.3, 0.1], [0.0, 1.0, 0.0]], 1)
    assert found[:2] == pytest.approx([0, math.log(0.5)])
    assert 30 < found[2] < math.inf
