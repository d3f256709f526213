"""Predict every track of the data set by a classifier that was fitted without its artist: out-of-fold predictions.

    genres held-out ARCHITECTURE [-o FILE] [--folds K] [--seed N]

All tracks that have a fold are divided anew into K parts, with whole artists and recordings in one part. Each part is
predicted by a classifier of the others. Only for frozen, pretrained networks, whose classifiers are fitted in seconds;
the pipeline's test predictions, predictions/<architecture>.csv, have the same form. Run it after `dvc repro`.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from genres.core import params
from genres.core.console import UserError, command
from genres.core.files import read_table, write_table
from genres.core.labels import numbers_of
from genres.core.params import DiscriminantParams, Params
from genres.core.paths import TRACKS, raw_dir
from genres.data.folds import FOLDS, group, partition

if TYPE_CHECKING:
    from genres.training.discriminant import Floats, Ints

SPLITS = 5


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres held-out", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help="one on a frozen, pretrained network: transfer")
    parser.add_argument("-o", "--output", type=Path, default=Path("held_out.csv"), metavar="FILE")
    parser.add_argument("--folds", type=int, default=SPLITS, metavar="K", help=f"number of parts (default: {SPLITS})")
    parser.add_argument("--seed", type=int, help="of the division into parts (default: params.yaml's)")
    given = parser.parse_args(argv)
    if given.folds < 2:
        raise UserError(f"--folds: must be at least 2; received {given.folds}")
    settings = params.load()
    table = predict_data_set(
        given.architecture, settings, folds=given.folds, seed=settings.seed if given.seed is None else given.seed
    )
    write_table(given.output, table)
    right = (table["genre"] == table["predicted"]).mean()
    print(
        f"{given.output}: {len(table)} tracks of {settings.dataset}, each predicted without its artist "
        f"(pretrained); {right:.1%} are right"
    )


class Embedded(NamedTuple):
    """A data set as a frozen network describes it; the arguments of :func:`out_of_fold`."""

    tracks: pd.DataFrame  # of data/tracks.csv that have a fold: track_id, genre, artist, fold, recording
    genres: list[str]
    columns: "Floats"
    track_of: "Ints"
    labels: "Ints"
    artists: "Ints"
    sizes: list[int]
    options: DiscriminantParams


def embedded(architecture: str, settings: Params) -> Embedded:
    """Return the embeddings of the data set; those that were computed before are read.

    Raises
    ------
    UserError
        If the architecture is none on a frozen network, or the stages before `train` have not been run.
    """
    frozen = [name for name, model in settings.models.items() if model.pretrained_on]
    if architecture not in frozen:
        raise UserError(
            f"{architecture}: only for {', '.join(frozen)}; of other networks, use predictions/{architecture}.csv"
        )
    raw = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)[["track_id", "recording"]]
    tracks = read_table(TRACKS, dtype=str).merge(raw, on="track_id", how="left", validate="one_to_one")
    if tracks["recording"].isna().any():
        raise UserError(f"{TRACKS}: is not of the data set {settings.dataset}; run `dvc repro` first")
    tracks = tracks[tracks["fold"] != ""].reset_index(drop=True)

    from genres.training.frozen import SIZES, FrozenTraining  # loads Keras

    training = FrozenTraining(architecture, settings, folds=FOLDS)
    return Embedded(
        tracks,
        training.data.genres,
        training.embeddings(),
        numbers_of(training.data.windows["track_id"], list(tracks["track_id"])),
        numbers_of(tracks["genre"], training.data.genres),
        group(tracks, by_artist=True),
        SIZES,
        training.options,
    )


def predict_data_set(architecture: str, settings: Params, *, folds: int, seed: int) -> pd.DataFrame:
    """Predict each track of the data set, with its artist held out.

    Returns
    -------
    pd.DataFrame
        track_id, artist, fold (test, as for all tracks that a model was not fitted to), genre, predicted, and a
        probability per genre.

    Raises
    ------
    UserError
        As of :func:`embedded`.
    """
    music = embedded(architecture, settings)
    tracks, genres = music.tracks, music.genres
    probabilities = out_of_fold(
        music.columns, music.track_of, music.labels, music.artists, music.sizes, music.options, folds=folds, seed=seed
    )
    table = tracks[["track_id", "artist"]].assign(fold="test", genre=tracks["genre"])
    table["predicted"] = np.array(genres)[probabilities.argmax(axis=1)]
    return pd.concat([table, pd.DataFrame(probabilities, columns=genres)], axis=1)


def out_of_fold(
    columns: "Floats",
    track_of: "Ints",
    labels: "Ints",
    artists: "Ints",
    sizes: list[int],
    options: DiscriminantParams,
    *,
    folds: int = SPLITS,
    seed: int = 0,
) -> "Floats":
    """Return the genre probabilities of each track by discriminants of other artists' tracks.

    Parameters
    ----------
    columns : np.ndarray [shape=(windows, columns)]
        Embedding of each window.
    track_of : np.ndarray [shape=(windows,), dtype=int]
        Track of each window, 0 to tracks - 1; each has a window.
    labels, artists : np.ndarray [shape=(tracks,), dtype=int]
        Genre and artist of each track.
    sizes : list of int
        Number of columns of each block, in order.
    options : DiscriminantParams
        Settings of the discriminant.
    folds : int
        Number of parts that the artists are divided into; each is held out in turn.
    seed : int
        Seed of that division.

    Returns
    -------
    np.ndarray [shape=(tracks, genres), dtype=float64]
        Mean over the windows of a track; rows sum to 1.

    Raises
    ------
    UserError
        If the artists of a genre are all in one part.
    """
    parts = partition(labels, artists, [1 / folds] * folds, np.random.default_rng([seed, 3]))
    probabilities = np.empty((len(columns), labels.max() + 1))
    for part in range(folds):
        out = parts[track_of] == part
        known = track_of[~out]
        if len(np.unique(labels[known])) < probabilities.shape[1]:
            raise UserError("a genre has songs of one artist only, so that none is left to learn it from: add artists")
        fit = columns[~out], labels[known], artists[known]
        probabilities[out] = predict_others(*fit, sizes, options, columns[out], seed=seed)
    return mean_of_tracks(probabilities, track_of)


def predict_others(
    columns: "Floats",
    labels: "Ints",
    artists: "Ints",
    sizes: list[int],
    options: DiscriminantParams,
    others: "Floats",
    *,
    seed: int,
) -> "Floats":
    """Fit a discriminant to windows, with its temperature, and return the genre probabilities of other windows."""
    from genres.training.discriminant import PARTS, fit_discriminant, fit_temperature  # loads Keras

    settings = options.model_dump(include=set(DiscriminantParams.model_fields))
    parts = partition(labels, artists, [1 / PARTS] * PARTS, np.random.default_rng([seed, 2]))
    temperature = fit_temperature(columns, labels, artists, parts, sizes, **settings)
    fitted = fit_discriminant(columns, labels, artists, sizes, **settings)
    probabilities: Floats = softmax(temperature * fitted.scores(others), axis=1)
    return probabilities


def mean_of_tracks(probabilities: "Floats", track_of: "Ints") -> "Floats":
    """Return the mean over the windows of each track, 0 to the largest of `track_of`."""
    total = np.zeros((track_of.max() + 1, probabilities.shape[1]))
    np.add.at(total, track_of, probabilities)
    mean: Floats = total / np.bincount(track_of)[:, np.newaxis]
    return mean
