"""Predictions of songs of new genres, by a network with windows of its own length."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
from networks import FORMAT, GENRES, write_model

from genres.data import shards
from genres.data.windows import Windowing
from genres.experiments.added_genres import taken_for
from genres.models import builders


def test_songs_of_new_genres_are_cut_into_the_windows_of_the_network(tmp_path: Path) -> None:
    """Two seconds: no clip of 3 s, and two windows of the network, of which each counts."""
    frames = FORMAT.frames(1.0)
    model_file = write_model(tmp_path / "tiny.keras", windowing=Windowing(1.0, short="repeat", of="tracks"))
    songs = np.random.default_rng(0).integers(0, 256, (12, 2, frames, FORMAT.n_mels)).astype(np.uint8)
    songs[:, 1] //= 4  # the halves differ
    table = pd.DataFrame({"track_id": [f"t{n}" for n in range(12)], "genre": ["jazz"] * 8 + ["pop"] * 4})
    table = table.assign(sha256=table["track_id"], fold=["test", ""] + ["train"] * 10)
    joined = songs.reshape(12, 2 * frames, FORMAT.n_mels)
    shards.write(tmp_path / "mels", table, joined.__getitem__, FORMAT, key="", n_shards=1)
    before, after = Mock(), Mock()
    before.fetch.return_value, after.fetch.return_value, after.table.return_value = model_file, tmp_path / "mels", table
    found = taken_for(before, after, "tiny", ["jazz"])
    used = songs[[0, *range(2, 8)]].reshape(-1, frames, FORMAT.n_mels)
    by_keras = builders.load(model_file).predict(used, verbose=0).reshape(7, 2, -1).mean(axis=1).argmax(axis=1)
    assert found.index.tolist() == ["jazz"]
    np.testing.assert_allclose(found.loc["jazz", GENRES], np.bincount(by_keras, minlength=4) / 7)
