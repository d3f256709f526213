"""Distances to other artists' songs against SciPy's, and songs that are far from all."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from genres.stats import outliers


def test_distances_are_those_to_the_nearest_song_of_another_group(monkeypatch):
    monkeypatch.setattr(outliers, "_ROWS", 7)
    rng = np.random.default_rng(0)
    columns, groups = rng.normal(size=(50, 6)) * [1, 10, 100, 1, 1, 1], rng.integers(0, 9, 50)
    distances = cdist(columns, columns, "seuclidean", V=columns.var(axis=0)) / np.sqrt(6)
    distances[groups[:, np.newaxis] == groups] = np.inf
    constant = np.column_stack([columns, np.full(50, 3.0)])
    for values in (columns, 5 * columns - 2, constant):
        np.testing.assert_allclose(outliers.nearest_others(values, groups), distances.min(axis=1), rtol=1e-6)


def test_one_song_that_is_far_is_an_outlier_and_no_other():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(300, 20))
    columns[7] += 10
    scores = outliers.robust_scores(outliers.nearest_others(columns, np.arange(300)))
    assert np.flatnonzero(scores > outliers.FAR).tolist() == [7]


@pytest.mark.parametrize("distances", [[np.inf, np.inf, np.inf], [1.0, 1.0, 1.0, 9.0]])
def test_without_a_spread_nothing_is_an_outlier(distances):
    assert outliers.robust_scores(distances).tolist() == [0] * len(distances)
