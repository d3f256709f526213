"""The benchmark of temperatures and thresholds: a closed form, and folds that cannot be mixed up."""

import math

import numpy as np
import pytest

from benchmarks import calibration


def test_the_lowest_loss_in_closed_form():
    """All are given 0.9, and 60 of 100 are right: the best is where 0.9 becomes 0.6."""
    probabilities, labels = np.tile([0.9, 0.1], (100, 1)), np.repeat([0, 1], [60, 40])
    expected = math.log(0.9 / 0.1) / math.log(0.6 / 0.4)
    assert calibration.lowest_loss(probabilities, labels) == pytest.approx(expected, rel=1e-3)


def test_only_test_tracks_are_counted_as_false_alarms():
    rng = np.random.default_rng(0)
    columns, fold = rng.normal(50, 5, (120, 8)), np.repeat(["train", "val", "test"], [60, 40, 20])
    columns[100:107] += 200  # seven of test are far away
    found = calibration.false_alarms(columns, np.arange(120), fold)
    assert found["tracks"] == 20
    assert 7 <= found["in use"] <= 11
    assert 7 <= found["of validation"] <= 11
