from functools import lru_cache

import numpy as np
import pytest

from genres.sources.demo import composition
from genres.sources.demo.composition import Score
from genres.sources.demo.mixing import render

SECONDS = 16.0


@lru_cache
def _song(genre: str, artist: int) -> tuple[Score, np.ndarray]:
    score = composition.compose(3, genre, artist, 0, SECONDS)
    samples = render(score, SECONDS)
    samples.setflags(write=False)
    return score, samples


@pytest.fixture
def song():
    """Return a function of genre and artist that gives a song's score and its samples at 22,050 Hz."""
    return _song
