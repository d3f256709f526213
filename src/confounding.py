"""Stage `confounding`: measure how far the songs' source explains the accuracy → metrics/confounding.json, a plot.

    python src/confounding.py

If genres come from different sources, a network can separate them by codec, bandwidth or loudness. Four controls:

- Source from audio: a logistic regression predicts the source from mean and deviation of each mel band.
- Source within one genre: the same, where the genre cannot help.
- Genre from source: the accuracy of predicting the genre from the source alone, and each network's accuracy when only
  the genres of the song's own source compete.
- Transfer: the accuracy on one source of genres that were learned from another.

Sources are grouped by family (deezer_isrc and deezer_search serve the same files). With one family there is nothing to
control, and the stage says so.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from genres.core import params
from genres.core.console import command, print_table
from genres.core.files import read_predictions, read_table, write_json
from genres.core.inputs import available
from genres.core.paths import METRICS, PLOTS, TRACKS, mels_dir, raw_dir
from genres.core.text import dataset_note
from genres.data import folds
from genres.data.shards import Spectrograms
from genres.figures import confounding as figures
from genres.figures.style import save
from genres.stats.confounding import audible, explained, transfer

SCORES, PICTURE = METRICS / "confounding.json", PLOTS / "confounding" / "source.png"


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/confounding.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    tracks = read_tracks(settings.dataset)
    predictions = {name: predictions_on_test(name) for name in available(settings)}
    result: dict[str, Any] = {
        "dataset": settings.dataset,
        "protocol": settings.split.protocol,
        "tracks": len(tracks),
        "sources": int(tracks["source"].nunique()),
        "families": int(tracks["family"].nunique()),
        # Share of the genres that come from one family only.
        "genres_of_one_source": float((tracks.groupby("genre")["family"].nunique() == 1).mean()),
    }
    columns = (
        features(Spectrograms(mels_dir(settings.front_ends_in_use[0])), tracks["track_id"])
        if result["families"] > 1
        else None
    )
    result |= audible(columns, tracks, settings.evaluate.bootstrap, settings.seed)
    result |= explained(tracks, predictions)
    result |= transfer(columns, tracks, settings.evaluate.bootstrap, settings.seed)
    write_json(SCORES, result)
    about = {
        "title": "What the source of the songs explains",
        "note": dataset_note(settings.dataset, settings.split.protocol),
    }
    save(figures.source(result, list(predictions), **about), PICTURE)
    show(result, tracks, list(predictions))


def predictions_on_test(architecture: str) -> pd.DataFrame:
    """Read the predictions of an architecture for the test tracks."""
    table = read_predictions(architecture)
    return table[table["fold"] == "test"].reset_index(drop=True)


def read_tracks(dataset: str) -> pd.DataFrame:
    """Read the tracks that have a fold: track_id, genre, fold, source, family, group (never split between folds)."""
    raw = read_table(raw_dir(dataset) / "tracks.csv", dtype=str)
    raw["group"] = folds.group(raw, by_artist=True)
    raw["family"] = raw["source"].str.split("_").str[0]
    fold = read_table(TRACKS, dtype=str)[["track_id", "fold"]]
    tracks = raw[["track_id", "genre", "source", "family", "group"]].merge(fold, on="track_id", validate="one_to_one")
    return tracks[tracks["fold"] != folds.LEFT_OUT].reset_index(drop=True)


def features(spectrograms: Spectrograms, track_ids: pd.Series) -> np.ndarray:
    """Compute mean and standard deviation of each mel band over a track: float64 [shape=(tracks, 2 * n_mels)]."""
    rows = []
    for track_id in track_ids:
        track = spectrograms.track(track_id)
        rows.append(np.concatenate([track.mean(axis=0), track.std(axis=0)]))
    return np.array(rows)


def show(result: Mapping[str, Any], tracks: pd.DataFrame, architectures: list[str]) -> None:
    """Print the table, or a line if there is only one source."""
    if result["families"] == 1:
        print(f"one source ({tracks['family'].iloc[0]}): nothing to control")
        return
    counts = ", ".join(f"{size} {name}" for name, size in tracks["source"].value_counts().items())
    rows = [
        [row.label, f"{row.value:.1%}", "" if row.low is None else f"{row.low:.1%} to {row.high:.1%}", beside(row)]
        for row in figures.rows_of(result, architectures)
    ]
    about = dataset_note(result["dataset"], result["protocol"])
    print_table(f"What the source explains: {about}; tracks: {counts}", ["", "accuracy", "95 % interval", ""], rows)


def beside(row: figures.Shown) -> str:
    """Return what a row's accuracy is compared with, as text."""
    if row.chance is not None:
        return f"chance {row.chance:.1%}"
    return "" if row.within is None else f"{row.within:.1%} among the source's genres"


if __name__ == "__main__":
    main()
