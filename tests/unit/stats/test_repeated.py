"""What repetitions share, and tests over them: against SciPy, published tables, and a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, ttest_1samp

from genres.stats import repeated
from genres.stats.repeated import Folds


def test_without_correction_the_interval_and_p_are_students():
    values = np.random.default_rng(0).normal(0.6, 0.03, 5)
    expected = ttest_1samp(values, 0)
    found = repeated.interval(values)
    assert (found.mean, found.deviation) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    with pytest.raises(ValueError, match="at least two"):
        repeated.interval([0.5])


def test_the_correction_is_nadeaus_and_bengios():
    values = np.random.default_rng(1).normal(0.02, 0.03, 10)
    plain, corrected = repeated.interval(values), repeated.interval(values, 0.25)
    # Variance 1/10 + 1/4 in place of 1/10.
    assert corrected.high - corrected.low == pytest.approx((plain.high - plain.low) * 3.5**0.5)
    assert corrected.mean == plain.mean
    assert corrected.p > plain.p


def test_the_corrected_test_keeps_its_level_where_students_does_not():
    """Two equally good rules on 60 songs, of which 15 are drawn for the test again and again."""
    rng, rejected = np.random.default_rng(2), {0.0: 0, 15 / 45: 0}
    for _ in range(400):
        better = rng.integers(-1, 2, 60)  # of each song: the one rule is right, both or neither, the other
        differences = [better[rng.permutation(60)[:15]].mean() for _ in range(10)]
        for correction in rejected:
            rejected[correction] += repeated.interval(differences, correction).p < 0.05
    plain, corrected = (count / 400 for count in rejected.values())
    assert plain > 0.2
    assert corrected < 0.08


@pytest.mark.parametrize(("values", "p"), [([0.0, 0.0, 0.0], 1), ([0.1, 0.1, 0.1], 0)])
def test_no_spread(values, p):
    assert repeated.interval(values).p == p
    assert repeated.interval(values, 0.3).high == pytest.approx(values[0])


def test_shares_of_a_cross_validation():
    clips = [f"clip{number}" for number in range(100)]
    folds = [Folds(frozenset(clips) - set(clips[k::5]), frozenset(clips[k::5])) for k in range(5)]
    found = repeated.overlap(folds)
    assert found == pytest.approx((0.75, 0.0, 0.25))
    same = Folds(folds[0].train, folds[0].test)
    assert repeated.overlap([folds[0], same]) == (1.0, 1.0, 0.0)  # nothing was drawn anew
    assert repeated.overlap(folds[:1]) is None


# Demšar (2006), table 5a: critical values q at 5 % for the two-tailed Nemenyi test.
NEMENYI = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}


@pytest.mark.parametrize(("networks", "q"), NEMENYI.items())
def test_critical_differences_are_demsars(networks, q):
    for repetitions in (5, 14):
        expected = q * np.sqrt(networks * (networks + 1) / (6 * repetitions))
        assert repeated.critical_difference(repetitions, networks) == pytest.approx(expected, rel=3e-4)


# The areas under the curve of Demšar's table 6 (2006): 14 data sets, four variants of C4.5.
DEMSAR = [
    [0.763, 0.768, 0.771, 0.798],
    [0.599, 0.591, 0.590, 0.569],
    [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657],
    [0.882, 0.888, 0.886, 0.898],
    [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685],
    [0.583, 0.583, 0.563, 0.625],
    [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000],
    [0.940, 0.962, 0.965, 0.962],
    [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975],
    [0.957, 0.978, 0.946, 0.970],
]


def test_ranks_and_p_of_demsars_example():
    found = repeated.ranks(DEMSAR)
    assert found.means == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=0.001)
    assert found.critical_difference == pytest.approx(1.25, abs=0.01)
    # F of 3.69 with 3 and 39 degrees of freedom; the critical value at 5 % is 2.85.
    assert 0.01 < found.p < 0.05


@given(st.integers(0, 1000))
def test_ranks_do_not_change_with_the_scale_and_follow_the_networks(seed):
    values = np.random.default_rng(seed).random((6, 4))
    found = repeated.ranks(values)
    assert sum(found.means) == pytest.approx(4 * 5 / 2)
    assert repeated.ranks(np.exp(values)) == found
    turned = repeated.ranks(values[:, ::-1])
    assert turned.means == found.means[::-1]
    assert turned.p == pytest.approx(found.p)
    chi_square = friedmanchisquare(*values.T).statistic
    assert (found.p < 0.05) >= (chi_square > 7.81)  # never more cautious than the chi-square


def test_ranks_of_equals_and_of_a_fixed_order():
    assert repeated.ranks(np.full((5, 3), 0.5)) == ([2.0, 2.0, 2.0], repeated.critical_difference(5, 3), 1.0)
    always = repeated.ranks([[0.9, 0.8, 0.7]] * 5)
    assert always.means == [1, 2, 3]
    assert always.p == 0
    with pytest.raises(ValueError, match="at least 5 repetitions of 3 networks; received 4 of 3"):
        repeated.ranks(np.ones((4, 3)))
