"""Gather what an audit needs: songs with labels, held-out predictions, embeddings, and equal recordings.

From the data set of the working folder, or from files of predictions; a folder of music is made a data set first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from genres.core import params
from genres.core.console import UserError, warn
from genres.core.files import read_table
from genres.core.labels import numbers_of
from genres.core.names import artist_groups
from genres.core.params import Params
from genres.core.paths import TRACKS, WEIGHTS, raw_dir
from genres.core.text import architecture_label
from genres.stats.selective import Floats

ARCHITECTURE = "transfer"
REPEATS = 3  # divisions into parts whose predictions are averaged; one finds fewer planted errors
_NO_GENRES = ("track_id", "artist", "fold", "genre", "predicted")  # columns of predictions


class Audited(NamedTuple):
    """Songs to audit."""

    tracks: pd.DataFrame  # those that are predicted: track_id, genre, artist (group: a number, or -1 if not known)
    genres: list[str]
    probabilities: Floats  # (tracks, genres), of networks that do not know the artist
    columns: Floats | None  # (tracks, columns): embeddings
    catalogue: pd.DataFrame  # all songs: track_id, file, genre, recording; empty if not known
    about: str  # what the predictions are of

    @property
    def labels(self) -> np.ndarray:
        """Number of the genre of each track."""
        return numbers_of(self.tracks["genre"], self.genres)


def of_data_set(settings: Params) -> Audited:
    """Predict the data set of the working folder, with artists held out.

    Raises
    ------
    UserError
        If the stages before `train` have not been run, or a genre has songs of one artist only.
    """
    from genres.experiments.out_of_fold import embedded, mean_of_tracks, out_of_fold

    if not settings.can_have(settings.models[ARCHITECTURE].front_end):
        raise UserError(f"dataset: {settings.dataset} has no audio for {ARCHITECTURE}; give --predictions of a network")
    if not WEIGHTS.exists():
        raise UserError(f"{WEIGHTS}: no such file; run: dvc repro pretrained")
    music = embedded(ARCHITECTURE, settings)
    if unknown := (music.tracks["artist"] == "").sum():
        warn(
            f"{unknown} of {len(music.tracks)} songs have no artist: each counts as an artist of its own, so wrong "
            "labels of one artist confirm each other; fill in the artists"
        )
    fit = music.columns, music.track_of, music.labels, music.artists, music.sizes, music.options
    probabilities = np.mean([out_of_fold(*fit, seed=settings.seed + repeat) for repeat in range(REPEATS)], axis=0)
    label = architecture_label({"arch": ARCHITECTURE, "pretrained_on": settings.models[ARCHITECTURE].pretrained_on})
    name = f"data set {settings.dataset}" + " (synthetic music)" * (settings.dataset == "demo")
    return Audited(
        music.tracks[["track_id", "genre"]].assign(artist=music.artists),
        music.genres,
        probabilities,
        mean_of_tracks(music.columns, music.track_of),
        catalogue(settings),
        f"{name}; {label}",
    )


def catalogue(settings: Params) -> pd.DataFrame:
    """Return all songs of the data set with their files; an empty table if there is none."""
    folder = raw_dir(settings.dataset)
    if not (folder / "tracks.csv").exists():
        return pd.DataFrame(columns=["track_id", "file", "genre", "recording"], dtype=str)
    songs = read_table(folder / "tracks.csv", dtype=str)
    return songs.assign(file=[str((folder / path).absolute()) for path in songs["path"]])


def of_predictions(files: Sequence[Path], folder: Path | None) -> Audited:
    """Read held-out predictions, in the form of predictions/<architecture>.csv or of `genres held-out`.

    Of a song that several files predict, the mean counts. Predictions of other folds than test are left out.

    Parameters
    ----------
    files : sequence of Path
    folder : Path or None
        Where the songs are; without it they are those of the working folder's data set, if there is one.

    Raises
    ------
    UserError
        If a file is missing or of another form, or the files are of different genres.
    """
    tables = [_predictions(file) for file in files]
    for file, table in zip(files, tables, strict=True):
        if sorted(table.columns) != sorted(tables[0].columns):
            raise UserError(f"{file}: has other columns than {files[0]}; name files of the same genres")
    joined = pd.concat(tables, ignore_index=True)
    genres = sorted(set(joined.columns) - {*_NO_GENRES})
    labels = joined.groupby("track_id")["genre"].nunique()
    if (labels > 1).any():
        raise UserError(f"--predictions: {labels.index[labels > 1][0]} has two labels; name files of the same data set")
    means = joined.groupby("track_id", sort=False)[genres].mean()
    tracks = joined.drop_duplicates("track_id")[["track_id", "genre"]].reset_index(drop=True)
    if unknown := sorted(set(tracks["genre"]) - set(genres)):
        raise UserError(f"{files[0]}: has no column for genre '{unknown[0]}'")
    if "artist" in joined:
        names = joined.drop_duplicates("track_id")["artist"]
    else:
        of_track = read_table(TRACKS, dtype=str).set_index("track_id")["artist"] if TRACKS.exists() else pd.Series()
        names = tracks["track_id"].map(of_track)
    artists = np.full(len(tracks), -1) if names.isna().any() else np.array(artist_groups(names))
    if folder:
        songs = tracks.assign(file=[str((folder / name).absolute()) for name in tracks["track_id"]], recording="")
    else:
        songs = catalogue(params.load()) if Path("params.yaml").exists() else catalogue_of(tracks)
        songs = songs if set(tracks["track_id"]) <= set(songs["track_id"]) else catalogue_of(tracks)
    about = f"predictions of {', '.join(file.name for file in files)}"
    return Audited(tracks.assign(artist=artists), genres, means.to_numpy(np.float64), None, songs, about)


def catalogue_of(tracks: pd.DataFrame) -> pd.DataFrame:
    """Return a catalogue of songs whose files are not known."""
    return tracks[["track_id", "genre"]].assign(file="", recording="")


def _predictions(file: Path) -> pd.DataFrame:
    table = read_table(file, dtype={"track_id": str, "genre": str, "artist": str, "fold": str})
    if lacking := [name for name in ("track_id", "genre") if name not in table]:
        raise UserError(f"{file}: has no column '{lacking[0]}'; predictions are as those of genres held-out")
    table = table[table["fold"] == "test"] if "fold" in table else table
    table = table.drop(columns=["fold", "predicted"], errors="ignore").copy()
    genres = [str(name) for name in table if name not in _NO_GENRES]
    if table.empty or len(genres) < 2:
        raise UserError(f"{file}: has {'no test tracks' if table.empty else 'fewer than two genres'}; name another")
    numbers = table[genres].apply(pd.to_numeric, errors="coerce")
    if wrong := [name for name in genres if not numbers[name].between(0, 1).all()]:
        raise UserError(f"{file}: column '{wrong[0]}' has no probabilities; there must be no columns but the genres'")
    table[genres] = numbers
    return table
