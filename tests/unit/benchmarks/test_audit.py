"""The benchmark of audits: what it counts in one draw."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import audit
from genres.core.params import DiscriminantParams
from genres.experiments.out_of_fold import Embedded

pytestmark = pytest.mark.soak  # of tools beside the project


def music(noise: float) -> Embedded:
    """Songs of 60 artists of three genres."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(60), 4)
    labels = artists % 3
    columns = np.eye(3)[labels] * 4 + noise * rng.normal(size=(240, 3))
    options = DiscriminantParams(shrinkage=0.2, artist_power=0.25, block_power=0.0, clip=3.0)
    return Embedded(pd.DataFrame(), ["a", "b", "c"], columns, np.arange(240), labels, artists, [3], options)


def test_easy_songs_show_all_planted_errors():
    found, estimate = audit.one(music(0.3), 0, 0.1)
    ranked = [scores for name, scores in found.items() if name != "random"]
    assert ranked == [(1.0, 1.0)] * 3
    assert estimate == pytest.approx(0.1, abs=0.01)
    assert found["random"][1] < 0.5


def test_where_genres_sound_alike_nothing_is_found():
    found = [audit.one(music(1000.0), draw, 0.1)[0] for draw in range(5)]
    assert max(np.mean([scores[name][1] for scores in found]) for name in found[0]) < 0.3
