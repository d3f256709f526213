"""Songs of Spotify playlists: lists from the Web API or a manifest, audio from the previews of stores.

links, account and client read playlists; manifest replaces them without an account; selection chooses the songs;
matching, sources and previews find and download the audio; playlists combines the steps. docs/spotify.md explains what
is possible and what is allowed.
"""

from typing import Any

import pandas as pd

from genres.core.recipes import SpotifyRecipe
from genres.sources.source import AudioFiles


# The modules are imported in the functions, so that links and manifest do not load the libraries of the web services.
class Source(AudioFiles[SpotifyRecipe]):
    """Songs of playlists."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.expected = self.recipe.playlist_genres

    def collect(self, existing: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the requested songs, downloaded: see :func:`genres.sources.spotify.playlists.collect`."""
        from genres.sources.spotify import playlists

        return playlists.collect(self.recipe, self.folder, self.settings.services, self.settings.compute, existing)

    def left_out(self, tracks: pd.DataFrame) -> dict[str, str]:
        """Return songs of two genres, duplicates and surplus: the reason for each track_id."""
        from genres.sources.spotify import selection

        # Conflicts go first, so that balancing counts only songs that stay.
        reasons = selection.conflicts_by_sound(tracks, self.recipe.conflicts)
        if self.recipe.balance == "smallest":
            reasons |= selection.surplus(tracks[~tracks["track_id"].isin(reasons)])
        return reasons

    def check(self, summary: dict[str, Any]) -> None:
        """Raise a UserError if a genre has too few songs."""
        from genres.sources import report

        report.check_sizes(summary, self.expected, self.recipe.min_tracks)
