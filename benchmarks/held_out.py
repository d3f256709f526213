"""Songs of a folder that a model was not trained on, for benchmarks of the model."""

from pathlib import Path

import pandas as pd

from genres.audio.walk import EXTENSIONS
from genres.core.console import UserError
from genres.core.files import read_table
from genres.core.paths import TRACKS


def songs(folder: Path, dataset: str) -> tuple[list[Path], str]:
    """Return the songs of a folder that are in the test fold, or in no fold at all.

    Parameters
    ----------
    folder : Path
        Folder with audio at any depth.
    dataset : str
        Data set of the model; data/raw/<dataset>/tracks.csv and data/tracks.csv list what it was trained on.

    Returns
    -------
    songs : list of Path
    description : str
        Number of songs of each kind, as text.

    Raises
    ------
    UserError
        If those tables are missing, or of another data set, or no song is left.
    """
    raw_dir = Path("data/raw") / dataset
    raw, folds = read_table(raw_dir / "tracks.csv", dtype=str), read_table(TRACKS, dtype=str)
    if not set(folds["track_id"]) <= set(raw["track_id"]):
        raise UserError(f"{TRACKS}: is not of data set {dataset}, which the model was trained on; run: dvc repro clips")
    fold_of = dict(zip(folds["track_id"], folds["fold"], strict=True))
    fold_of_path = {
        (raw_dir / path).resolve(): fold_of.get(track_id, "")
        for path, track_id in zip(raw["path"], raw["track_id"], strict=True)
    }
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    paths = [path for path in sorted(folder.glob("**/*")) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    fold = pd.Series([fold_of_path.get(path.resolve(), "") for path in paths], dtype=str)
    chosen = [path for path, held_out in zip(paths, fold.isin(["test", ""]), strict=True) if held_out]
    if not chosen:
        raise UserError(f"{folder}: {dataset}'s models were trained or chosen on all songs here; name another folder")
    tested = int((fold == "test").sum())
    return chosen, f"{tested} test tracks" + (f" and {len(chosen) - tested} of no fold" if tested < len(chosen) else "")
