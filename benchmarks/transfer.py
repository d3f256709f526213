"""Measure which numbers of the frozen network MSD_musicnn serve a linear discriminant best, by cross-validation.

    dvc repro clips mels pretrained && python -m benchmarks.transfer data [--splits N] [--deals N]

All tracks that have a fold are used, split anew with whole artists held out. Pretrained: see docs/experiments.md.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.classical import deal_parts, held_out, parse, svm
from genres.core.console import command, print_table, progress
from genres.core.files import read_table
from genres.core.paths import WEIGHTS
from genres.data.folds import LEFT_OUT, group
from genres.data.shards import Spectrograms
from genres.models import pretrained, weights
from genres.training.discriminant import Floats, Ints, fit_discriminant

MOST = 10
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
    by_patches = embeddings(Spectrograms(arguments.dir / "mels/musicnn"), list(tracks["track_id"]))
    contenders = [(MOST, ("mean", "deviation"), "SVM"), (MOST, ("mean",), "SVM")]
    contenders += [(MOST, names, f"{shrinkage}") for names in STATISTICS for shrinkage in SHRINKAGES]
    contenders += [(n, names, "0.2") for n in PATCHES[:-1] for names in STATISTICS]
    contenders += [(3, ("mean",), "0.5")]
    rows = []
    for n, names, how in progress(contenders, what="classifiers", unit="classifier"):
        columns = np.concatenate([OF[name](by_patches[n], axis=1) for name in names], axis=1)
        classify = svm if how == "SVM" else partial(_discriminant, shrinkage=float(how))
        right = np.array(
            [100 * (held_out(columns, labels, artists, part, classify) == labels).mean() for part in parts]
        )
        error = right.std(ddof=1) / np.sqrt(len(right)) if len(right) > 1 else np.nan
        rows.append([f"{n}", ", ".join(names), how, f"{right.mean():.1f} %", f"{error:.1f}"])
    print_table(
        f"{len(tracks)} tracks of {len(set(artists))} artists, pretrained (MSD), {arguments.splits}-fold "
        f"cross-validation with artists held out, {arguments.deals} splits",
        ["patches", "statistics over them", "shrinkage", "accuracy", "standard error over splits"],
        sorted(rows, key=lambda row: row[3], reverse=True),
    )


def embeddings(spectrograms: Spectrograms, track_ids: list[str]) -> dict[int, Floats]:
    """Return the network's numbers of each patch by the number of patches: [shape=(tracks, patches, 200)]."""
    frozen = pretrained.network()
    pretrained.set_weights(frozen, weights.read(WEIGHTS))
    found: dict[int, list[np.ndarray]] = {n: [] for n in PATCHES}
    for track_id in progress(track_ids, what="embeddings"):
        window = spectrograms.track(track_id)[np.newaxis]
        for n, rows in found.items():
            patches = pretrained.Patches(n, spectrograms.format.top_db)(window)
            rows.append(np.resize(frozen.predict_on_batch(patches)[0], (n, pretrained.EMBEDDING)))
    return {n: np.array(rows, dtype=np.float64) for n, rows in found.items()}


def _discriminant(columns: Floats, labels: Ints, artists: Ints, others: Floats, *, shrinkage: float) -> Ints:
    fitted = fit_discriminant(columns, labels, artists, [columns.shape[1]], shrinkage=shrinkage, block_power=0.0)
    return fitted.scores(others).argmax(axis=1)


if __name__ == "__main__":
    main()
