"""Measure which numbers of the frozen network MSD_musicnn serve a linear discriminant best, by cross-validation.

    dvc repro clips mels pretrained && python -m benchmarks.transfer data [--splits N] [--deals N]

All tracks that have a fold are used, split anew with whole artists held out. Pretrained: see docs/experiments.md.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.classical import Classifier, deal_parts, held_out, parse, svm
from genres.core.console import command, print_table, progress
from genres.core.files import read_table
from genres.core.paths import WEIGHTS
from genres.data.folds import LEFT_OUT, group
from genres.data.shards import Spectrograms
from genres.models import pretrained, weights
from genres.models.backend import keras
from genres.training.discriminant import Floats, Ints, fit_discriminant

MOST = 10
POOLED = "batch_normalization_9"  # 1,506 numbers: maxima and means over the frames of a patch
SELF_TRAINING = "0.2, self-training"
PATCHES = (3, 5, 7, MOST)
STATISTICS = (("mean",), ("mean", "max"), ("mean", "deviation"), ("mean", "max", "min"))
SHRINKAGES = (0.1, 0.2, 0.35, 0.5)
OF: dict[str, Callable[..., Floats]] = {"mean": np.mean, "max": np.max, "min": np.min, "deviation": np.std}


@command
def main() -> None:
    """Run the benchmark."""
    arguments = parse("transfer", __doc__, "data, after the stages clips, mels and pretrained", deals=12)
    tracks = read_table(arguments.dir / "tracks.csv", dtype=str)
    tracks = tracks[tracks["fold"] != LEFT_OUT].reset_index(drop=True).assign(recording=lambda table: table["track_id"])
    labels = np.unique(tracks["genre"], return_inverse=True)[1]
    artists = group(tracks, by_artist=True)
    parts = [deal_parts(tracks, artists, arguments.splits, number) for number in range(arguments.deals)]
    by_patches, pooled = embeddings(Spectrograms(arguments.dir / "mels/musicnn"), list(tracks["track_id"]))
    contenders = [(MOST, ("mean", "deviation"), "SVM"), (MOST, ("mean",), "SVM")]
    contenders += [(MOST, names, f"{shrinkage}") for names in STATISTICS for shrinkage in SHRINKAGES]
    contenders += [(n, names, "0.2") for n in PATCHES[:-1] for names in STATISTICS]
    contenders += [(3, ("mean",), "0.5"), (MOST, ("mean", "max", "min"), SELF_TRAINING)]
    contenders += [(0, ("mean",), f"{shrinkage}") for shrinkage in SHRINKAGES]
    rows = []
    for n, names, how in progress(contenders, what="classifiers", unit="classifier"):
        numbers = by_patches[n] if n else pooled
        columns = np.concatenate([OF[name](numbers, axis=1) for name in names], axis=1)
        named: dict[str, Classifier] = {"SVM": svm, SELF_TRAINING: self_trained}
        classify = named[how] if how in named else partial(_discriminant, shrinkage=float(how))
        right = np.array(
            [100 * (held_out(columns, labels, artists, part, classify) == labels).mean() for part in parts]
        )
        error = right.std(ddof=1) / np.sqrt(len(right)) if len(right) > 1 else np.nan
        rows.append(
            [f"{n or MOST}", ", ".join(names) + f" of {POOLED}" * (not n), how, f"{right.mean():.1f} %", f"{error:.1f}"]
        )
    print_table(
        f"{len(tracks)} tracks of {len(set(artists))} artists, pretrained (MSD), {arguments.splits}-fold "
        f"cross-validation with artists held out, {arguments.deals} splits",
        ["patches", "statistics over them", "shrinkage", "accuracy", "standard error over splits"],
        sorted(rows, key=lambda row: row[3], reverse=True),
    )


def embeddings(spectrograms: Spectrograms, track_ids: list[str]) -> tuple[dict[int, Floats], Floats]:
    """Return the network's numbers of each patch.

    Returns
    -------
    embeddings : dict
        By the number of patches: the numbers before the tags [shape=(tracks, patches, 200)].
    pooled : np.ndarray [shape=(tracks, MOST, 1506)]
        Numbers before the layer before the tags.
    """
    frozen = pretrained.network()
    pretrained.set_weights(frozen, weights.read(WEIGHTS))
    network = keras.Model(frozen.input, [frozen.outputs[0], frozen.get_layer(POOLED).output])
    found: dict[int, list[np.ndarray]] = {n: [] for n in PATCHES}
    pooled = []
    for track_id in progress(track_ids, what="embeddings"):
        window = spectrograms.track(track_id)[np.newaxis]
        for n, rows in found.items():
            patches = pretrained.Patches(n, spectrograms.format.top_db)(window)
            embedding, before = network.predict_on_batch(patches)
            rows.append(np.resize(embedding, (n, pretrained.EMBEDDING)))
        pooled.append(np.resize(before, (MOST, before.shape[1])))
    return {n: np.array(rows, dtype=np.float64) for n, rows in found.items()}, np.array(pooled, dtype=np.float64)


def self_trained(columns: Floats, labels: Ints, artists: Ints, others: Floats) -> Ints:
    """Predict by a discriminant that is fitted again, with its own answers for the other tracks as their labels."""
    answers = _discriminant(columns, labels, artists, others, shrinkage=0.2)
    alone = artists.max() + 1 + np.arange(len(others))
    both = np.concatenate([columns, others]), np.concatenate([labels, answers]), np.concatenate([artists, alone])
    return _discriminant(*both, others, shrinkage=0.2)


def _discriminant(columns: Floats, labels: Ints, artists: Ints, others: Floats, *, shrinkage: float) -> Ints:
    fitted = fit_discriminant(columns, labels, artists, [columns.shape[1]], shrinkage=shrinkage, block_power=0.0)
    return fitted.scores(others).argmax(axis=1)


if __name__ == "__main__":
    main()
