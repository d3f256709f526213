"""Songs of Spotify playlists: what is in them comes from the Web API or a manifest, the audio from stores' previews.

links, account and client read playlists; manifest stands in for them without an account; selection says which songs
are taken; matching, sources and previews find and fetch their audio; playlists brings it all together.
docs/spotify.md says what is possible and what is allowed.
"""

from pathlib import Path

import pandas as pd

from genres.compute.pool import LOCAL
from genres.core.params import Compute, Services, SpotifyRecipe


def collect(recipe: SpotifyRecipe, raw_dir: Path, services: Services, how: Compute = LOCAL) -> pd.DataFrame:
    """List the songs of a recipe and bring their audio: see :func:`genres.sources.spotify.playlists.collect`."""
    # Not above: links and manifest are of use without the rest, which loads the web services' libraries.
    from genres.sources.spotify import playlists

    return playlists.collect(recipe, raw_dir, services, how)
