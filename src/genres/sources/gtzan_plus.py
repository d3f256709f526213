"""The paper's second data set: GTZAN plus further genres from Spotify playlists."""

import pandas as pd

from genres.core.recipes import GtzanPlusRecipe, GtzanRecipe
from genres.sources import gtzan, spotify


class Source(spotify.Source):
    """Songs of GTZAN and of playlists, without playlist songs that GTZAN already has."""

    recipe: GtzanPlusRecipe

    def collect(self, existing: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the requested songs: see :func:`gtzan.collect` and :func:`spotify.playlists.collect`."""
        recipe = self.recipe
        part = GtzanRecipe(
            source="gtzan",
            dir=recipe.dir,
            metadata=recipe.metadata,
            genres=None if recipe.genres is None else recipe.gtzan_genres,
            exclude_genres=recipe.exclude_genres,
            mels={},
            train={},
        )
        return super().collect(gtzan.collect(part, self.folder, "datasets.gtzan_plus"))
