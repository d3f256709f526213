"""Songs of Spotify playlists: lists from the Web API or a manifest, audio from the previews of stores.

links, account and client read playlists; manifest replaces them without an account; selection chooses the songs;
matching, sources and previews find and download the audio; playlists combines the steps. docs/spotify.md explains what
is possible and what is allowed.
"""

from pathlib import Path

import pandas as pd

from genres.compute.pool import LOCAL
from genres.core.params import Compute, Services, SpotifyRecipe


def collect(recipe: SpotifyRecipe, raw_dir: Path, services: Services, options: Compute = LOCAL) -> pd.DataFrame:
    """List the songs of a recipe and download their audio: see :func:`genres.sources.spotify.playlists.collect`."""
    # Imported here, so that links and manifest do not load the libraries of the web services.
    from genres.sources.spotify import playlists

    return playlists.collect(recipe, raw_dir, services, options)
