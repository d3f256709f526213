"""Data set published as spectrograms only: ``<dir>/mels.npz`` and ``<dir>/tracks.csv``, read in place.

mels.npz holds track_id (n,), mel uint8 (n, n_mels, frames) and range_db float32 (n,): the level in dB relative to the
track's maximum is ``-range_db * (1 - mel / 255)``. tracks.csv has track_id, genre, artist and split.
`genres export-mels` creates such a folder from audio.
"""

from pathlib import Path

import pandas as pd

from genres.core.console import UserError
from genres.core.files import write_json
from genres.core.paths import PUBLISHED_FORMAT
from genres.core.recipes import MelsRecipe
from genres.core.tables import read_user_table
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.folder import one_spelling
from genres.sources.inspect import Finding, inspect_spectrograms
from genres.sources.source import AudioFiles


class Source(AudioFiles[MelsRecipe]):
    """Published spectrograms."""

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: see :func:`collect`."""
        return collect(self.recipe, self.folder)

    def inspect(self, candidates: pd.DataFrame) -> list[Finding]:
        """Return the result of the inspection of each candidate; write the format, for which there is no audio."""
        described = self.recipe.model_dump(include={"sample_rate", "n_fft", "n_mels", "frame_rate"})
        write_json(self.folder / PUBLISHED_FORMAT, described)
        return inspect_spectrograms(candidates, self.recipe)


def collect(recipe: MelsRecipe, raw_dir: Path) -> pd.DataFrame:
    """List the tracks of a folder of spectrograms.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`; `path` is that of mels.npz in every row.

    Raises
    ------
    UserError
        If a file, a column or a requested genre is missing.
    """
    folder = recipe.dir.expanduser().absolute()
    archive = folder / "mels.npz"
    for path in (folder, archive, folder / "tracks.csv"):
        if not path.exists():
            raise UserError(f"datasets.mels.dir: {path}: no such file or folder")
    tracks = read_user_table(folder / "tracks.csv", ("track_id", "genre"))
    tracks["genre"] = one_spelling(tracks["genre"], recipe.genres)
    tracks = tracks[[recipe.includes(genre) for genre in tracks["genre"]]].reset_index(drop=True)
    missing = [genre for genre in recipe.genres or [] if genre not in set(tracks["genre"])]
    if missing:
        raise UserError(f"datasets.mels.genres: no track of genre '{missing[0]}' in {folder / 'tracks.csv'}")
    if tracks["track_id"].duplicated().any():
        twice = tracks["track_id"][tracks["track_id"].duplicated()].iloc[0]
        raise UserError(f"{folder / 'tracks.csv'}: lists {twice} twice")
    tracks["path"] = str(archive)
    tracks["source"] = "mels"
    return tracks.reindex(columns=CANDIDATE_COLUMNS, fill_value="").fillna("")
