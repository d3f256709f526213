"""The benchmark of audits: what it counts in one draw."""

from functools import partial

import numpy as np
import pytest
from embedded_songs import embedded_songs

from benchmarks import audit

pytestmark = pytest.mark.soak  # of tools beside the project


music = partial(embedded_songs, per_artist=4)


def test_easy_songs_show_all_planted_errors():
    found, estimate = audit.one(music(0.3), 0, 0.1)
    ranked = [scores for name, scores in found.items() if name != "random"]
    assert ranked == [(1.0, 1.0)] * 3
    assert estimate == pytest.approx(0.1, abs=0.01)
    assert found["random"][1] < 0.5


def test_where_genres_sound_alike_nothing_is_found():
    found = [audit.one(music(1000.0), draw, 0.1)[0] for draw in range(5)]
    assert max(np.mean([scores[name][1] for scores in found]) for name in found[0]) < 0.3
