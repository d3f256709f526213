"""The benchmark of the order of reviews: what it counts in one run."""

import numpy as np
import pytest
from embedded_songs import embedded_songs

from benchmarks import review

pytestmark = pytest.mark.soak  # of tools beside the project


def test_the_audit_finds_the_planted_errors_of_easy_songs_first():
    labelled, repaired, accuracy = review.one(embedded_songs(0.3, per_artist=4), 0, 0)
    assert set(labelled) == {"random", "uncertain", "uncertain and diverse"}
    assert all(scores[-1] == 1 for scores in labelled.values())
    planted = round(0.1 * 192)  # four fifths of 240 songs
    expected = [min(number, planted) / planted for number in review.REVIEWED]
    np.testing.assert_allclose(repaired["audit"], expected, atol=0.11)
    assert repaired["random"][2] < 0.5
    assert accuracy["audit"][-1] == 1


def test_all_orders_begin_with_the_same_songs_and_labels():
    labelled, repaired, accuracy = review.one(embedded_songs(3.0, per_artist=2), 1, 2)
    for scores in (labelled, repaired, accuracy):
        assert len({tuple(values[:1]) for values in scores.values()}) == 1
    assert {values[0] for values in repaired.values()} == {0}
