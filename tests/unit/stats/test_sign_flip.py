"""The sign-flip test against scipy's permutation test, and its interval against the test itself."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from genres.stats.sign_flip import EXACT_PAIRS, least_p, sign_flip

# Of a grid, so that sums tie as often as not.
DIFFERENCES = st.lists(st.integers(-20, 20).map(lambda steps: steps / 20), min_size=2, max_size=9)


@given(DIFFERENCES)
def test_p_value_is_that_of_scipys_exact_permutation_test(differences: list[float]) -> None:
    expected = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=False
    ).pvalue
    assert sign_flip(differences).p == pytest.approx(expected)


@given(DIFFERENCES)
def test_swapping_the_sides_mirrors_everything(differences: list[float]) -> None:
    one, other = sign_flip(differences), sign_flip([-value for value in differences])
    assert one.p == other.p
    assert one.mean == -other.mean
    if one.low is not None and other.high is not None:
        assert one.low == pytest.approx(-other.high)


def test_the_interval_holds_just_the_means_that_the_test_accepts() -> None:
    differences = np.random.default_rng(3).normal(0.2, 0.3, 9)
    found = sign_flip(differences)
    assert found.low is not None and found.high is not None
    for inside in (found.low + 1e-6, found.mean, found.high - 1e-6):
        assert sign_flip(differences - inside).p > 0.05
    for outside in (found.low - 1e-6, found.high + 1e-6):
        assert sign_flip(differences - outside).p <= 0.05


@pytest.mark.parametrize("n", [6, 12, 20])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    covered = []
    for _ in range(200 if n > EXACT_PAIRS else 400):
        found = sign_flip(0.3 + rng.laplace(0, 1, n))
        assert found.low is not None and found.high is not None
        covered.append(found.low <= 0.3 <= found.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_few_pairs_that_all_agree_cannot_be_significant_and_say_so() -> None:
    for n in range(1, 13):
        found = sign_flip(np.linspace(0.5, 0.6, n))
        assert found.p == pytest.approx(least_p(n)) == pytest.approx(min(1, 2 * 0.5**n))
        assert (found.low is None) == (found.high is None) == (n < 6)
    assert sign_flip([0.0] * 8).p == 1


def test_many_pairs_are_tested_by_random_patterns_that_follow_from_the_seed() -> None:
    differences = np.random.default_rng(5).normal(0.1, 0.3, 40)
    one, again, other = (sign_flip(differences, seed) for seed in (1, 1, 2))
    assert one == again != other
    expected = scipy.stats.ttest_1samp(differences, 0)
    assert one.p == pytest.approx(expected.pvalue, abs=0.02)
    assert (one.low, one.high) == pytest.approx(tuple(expected.confidence_interval()), abs=0.02)
    assert sign_flip(np.ones(100)).p == least_p(100) < 1e-3


@pytest.mark.parametrize("differences", [[], [[0.1]], [0.1, float("nan")]])
def test_what_are_no_differences_is_refused(differences: list) -> None:
    with pytest.raises(ValueError, match="finite differences"):
        sign_flip(differences)
