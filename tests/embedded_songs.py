"""Songs as a frozen network describes them, for tests of the benchmarks on out-of-fold predictions."""

import numpy as np
import pandas as pd

from genres.core.params import DiscriminantParams
from genres.experiments.out_of_fold import Embedded


def embedded_songs(noise: float, *, per_artist: int, windows: int = 1) -> Embedded:
    """Draw songs of 60 artists of three genres, each with equal windows."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(60), per_artist)
    labels = artists % 3
    columns = np.eye(3)[labels] * 4 + noise * rng.normal(size=(len(labels), 3))
    options = DiscriminantParams(shrinkage=0.2, artist_power=0.25, block_power=0.0, clip=3.0)
    track_of = np.repeat(np.arange(len(labels)), windows)
    return Embedded(pd.DataFrame(), ["a", "b", "c"], columns[track_of], track_of, labels, artists, [3], options)
