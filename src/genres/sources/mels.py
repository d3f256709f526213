"""Data set published as spectrograms only: ``<dir>/mels.npz`` and ``<dir>/tracks.csv``, read in place.

mels.npz holds track_id (n,), mel uint8 (n, n_mels, frames) and range_db float32 (n,): the level in dB relative to the
track's maximum is ``-range_db * (1 - mel / 255)``. tracks.csv has track_id, genre, artist and split.
`genres export-mels` creates such a folder from audio.
"""

from pathlib import Path

import pandas as pd

from genres.core.console import UserError
from genres.core.files import read_table
from genres.core.params import MelsRecipe
from genres.sources import CANDIDATE_COLUMNS


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
    tracks = read_table(folder / "tracks.csv", dtype=str)
    for column in ("track_id", "genre"):
        if column not in tracks:
            raise UserError(f"{folder / 'tracks.csv'}: has no column '{column}'")
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
