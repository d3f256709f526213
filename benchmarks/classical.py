"""Measure the accuracy of fixed descriptors with classifiers without hidden layers on a data set of spectrograms.

    python -m benchmarks.classical DIR [--splits N] [--deals N]

DIR holds mels.npz and tracks.csv, as for the recipe `mels`. Only its tracks of split "train" are used, in
cross-validation with whole artists held out (a track of unknown artist counts as an artist of its own), so that the
test tracks stay unseen whatever is chosen by these numbers. Or DIR is `data` after `dvc repro clips mels`: then all
tracks that have a fold are used, split anew. The descriptors and the settings of the discriminant were chosen by such
numbers on GTZAN, so that its accuracies are somewhat too high.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genres.audio import published
from genres.audio.format import to_decibels
from genres.core.console import UserError, command, print_table, progress
from genres.core.files import read_table
from genres.data.folds import LEFT_OUT, group, partition
from genres.data.shards import INDEX, Spectrograms
from genres.models.blocks import AtFrameRate
from genres.models.descriptors import FRAME_RATE, N_MELS, WINDOW, Descriptors, sizes
from genres.training.discriminant import Floats, Ints, fit_discriminant

SVM_C = 4.0
SEED = 42


@command
def main() -> None:
    """Run the benchmark."""
    arguments = parse("classical", __doc__, "a folder with mels.npz and tracks.csv, or data", deals=3)
    tracks, columns, blocks = read(arguments.dir)
    genres, labels = np.unique(tracks["genre"], return_inverse=True)
    artists = group(tracks, by_artist=True)
    parts = [deal_parts(tracks, artists, arguments.splits, number) for number in range(arguments.deals)]
    mfcc = columns[:, : blocks[0]]  # the first block
    contenders: list[tuple[str, Floats, str, Classifier]] = [
        ("MFCC", mfcc, "SVM", svm),
        ("descriptors", columns, "SVM", svm),
        ("descriptors", columns, "discriminant", partial(discriminant, sizes=blocks)),
    ]
    rows = []
    for what, chosen, name, classify in progress(contenders, what="classifiers", unit="classifier"):
        right = [100 * (held_out(chosen, labels, artists, part, classify) == labels).mean() for part in parts]
        deals = "  ".join(f"{value:.1f}" for value in right)
        rows.append([what, chosen.shape[1], name, f"{np.mean(right):.1f} %", deals])
    print_table(
        f"{len(tracks)} tracks of {len(set(artists))} artists and {len(genres)} genres, {arguments.splits}-fold "
        "cross-validation with artists held out",
        ["features", "number", "classifier", "accuracy", "of each split"],
        rows,
    )


def parse(module: str, doc: str, folder: str, *, deals: int) -> argparse.Namespace:
    """Return the folder, splits and deals of a benchmark by cross-validation, from the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=doc.splitlines()[0])
    parser.add_argument("dir", type=Path, help=folder)
    parser.add_argument(
        "--splits", type=int, default=5, metavar="N", help="number of parts of the cross-validation (5)"
    )
    parser.add_argument(
        "--deals", type=int, default=deals, metavar="N", help=f"number of random splits of the artists ({deals})"
    )
    arguments = parser.parse_args()
    if arguments.splits < 2 or arguments.deals < 1:
        raise UserError("--splits must be at least 2, --deals at least 1")
    return arguments


def read(folder: Path) -> tuple[pd.DataFrame, Floats, list[int]]:
    """Read the tracks of split "train" and compute their descriptors.

    Returns
    -------
    tracks : pd.DataFrame
        One row per track: track_id, genre, artist, split, and recording, which is the same for equal spectrograms.
    columns : np.ndarray [shape=(tracks, descriptors)]
    sizes : list of int
        Size of each block of descriptors in order; MFCC first.
    """
    if (folder / "mels/default" / INDEX).exists():
        return read_stages(folder)
    for path in (folder / "mels.npz", folder / "tracks.csv"):
        if not path.exists():
            raise UserError(f"{path}: no such file; name a folder of published spectrograms")
    tracks = read_table(folder / "tracks.csv", dtype=str)
    for column in ("track_id", "genre", "artist", "split"):
        if column not in tracks:
            raise UserError(f"{folder / 'tracks.csv'}: has no column '{column}'")
    track_ids, spectrograms, ranges = published.read(folder / "mels.npz", N_MELS)
    if spectrograms.shape[2] < WINDOW:
        raise UserError(f"{folder / 'mels.npz'}: has {spectrograms.shape[2]} frames a track; {WINDOW} are needed")
    tracks = tracks[tracks["split"] == "train"].reset_index(drop=True)
    if tracks["genre"].nunique() < 2:
        raise UserError(f"{folder / 'tracks.csv'}: has no two genres with tracks of split 'train'")
    position_of = {track_id: position for position, track_id in enumerate(track_ids)}
    missing = sorted(set(tracks["track_id"]) - set(position_of))
    if missing:
        raise UserError(f"{folder / 'tracks.csv'}: lists {missing[0]}, which mels.npz does not hold")
    positions = [position_of[track_id] for track_id in tracks["track_id"]]
    tracks["recording"] = [published.digest(spectrograms[i], ranges[i]) for i in positions]
    describe = Descriptors()
    levels = (published.decibels(spectrograms[i], ranges[i]).T[np.newaxis] for i in positions)
    columns = [np.asarray(describe(level))[0] for level in progress(levels, total=len(positions), what="descriptors")]
    return tracks, np.array(columns, dtype=np.float64), sizes()


def read_stages(folder: Path) -> tuple[pd.DataFrame, Floats, list[int]]:
    """Do the same for the output of the stages `clips` and `mels`, with the frame stride of the descriptors."""
    spectrograms, tracks = Spectrograms(folder / "mels/default"), read_table(folder / "tracks.csv", dtype=str)
    tracks = tracks[tracks["fold"] != LEFT_OUT].reset_index(drop=True).assign(recording=lambda table: table["track_id"])
    form = spectrograms.format
    if form.n_mels != N_MELS:
        raise UserError(f"{folder / 'mels/default'}: has {form.n_mels} bands; {N_MELS} are needed")
    resample, describe = AtFrameRate(max(1.0, form.frame_rate / FRAME_RATE), least=WINDOW), Descriptors()
    columns = []
    for track_id in progress(tracks["track_id"], what="descriptors"):
        levels = to_decibels(spectrograms.track(track_id), form.top_db)
        columns.append(np.asarray(describe(resample(levels[np.newaxis])))[0])
    return tracks, np.array(columns, dtype=np.float64), sizes()


def deal_parts(tracks: pd.DataFrame, artists: Ints, splits: int, number: int) -> Ints:
    """Return the part in which each track is held out, (tracks,); `number` selects the random split of the artists."""
    genres = tracks["genre"].to_numpy()
    parts = partition(genres, artists, [1 / splits] * splits, np.random.default_rng([SEED, number]))
    for genre in np.unique(genres):
        if len(set(parts[genres == genre])) < 2:
            raise UserError(f"tracks.csv: genre '{genre}' needs at least two artists with tracks of split 'train'")
    return parts


# From training columns, labels and artists, and the columns of other tracks, to the labels of the latter.
Classifier = Callable[[Floats, Ints, Ints, Floats], Ints]


def held_out(columns: Floats, labels: Ints, artists: Ints, parts: Ints, classify: Classifier) -> Ints:
    """Predict each track's label by a classifier that is fitted to all other parts."""
    predicted = np.empty_like(labels)
    for part in np.unique(parts):
        mine = parts == part
        predicted[mine] = classify(columns[~mine], labels[~mine], artists[~mine], columns[mine])
    return predicted


def svm(columns: Floats, labels: Ints, artists: Ints, others: Floats) -> Ints:
    """Predict by a support vector machine with a radial kernel on standard scores."""
    return make_pipeline(StandardScaler(), SVC(C=SVM_C)).fit(columns, labels).predict(others)


def discriminant(columns: Floats, labels: Ints, artists: Ints, others: Floats, *, sizes: list[int]) -> Ints:
    """Predict by the discriminant with its default settings; `sizes` are those of the blocks of columns."""
    return fit_discriminant(columns, labels, artists, sizes).scores(others).argmax(axis=1)


if __name__ == "__main__":
    main()
