"""The paper's second data set: GTZAN plus further genres from Spotify playlists."""

from pathlib import Path

import pandas as pd

from genres.compute.pool import LOCAL
from genres.core.params import Compute, GtzanPlusRecipe, GtzanRecipe, Services
from genres.sources import gtzan
from genres.sources.spotify import playlists


def collect(recipe: GtzanPlusRecipe, raw_dir: Path, services: Services, options: Compute = LOCAL) -> pd.DataFrame:
    """List GTZAN's tracks and the songs of the playlists, without playlist songs that GTZAN already has.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`.

    Raises
    ------
    UserError
        If GTZAN or the playlists cannot be read.
    """
    part = GtzanRecipe(
        source="gtzan",
        dir=recipe.dir,
        metadata=recipe.metadata,
        genres=None if recipe.genres is None else recipe.gtzan_genres,
        exclude_genres=recipe.exclude_genres,
        mels={},
        train={},
    )
    tracks = gtzan.collect(part, raw_dir, "datasets.gtzan_plus")
    return playlists.collect(recipe, raw_dir, services, options, existing=tracks)
