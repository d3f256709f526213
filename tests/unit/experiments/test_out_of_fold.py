"""Out-of-fold predictions: no track is predicted by a classifier that knows its artist."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genres.core.console import UserError
from genres.core.files import write_table
from genres.core.params import DiscriminantParams
from genres.core.paths import TRACKS, raw_dir
from genres.experiments import out_of_fold
from genres.experiments.out_of_fold import predict_data_set
from genres.library.promise import held_out

OPTIONS = DiscriminantParams(shrinkage=0.2, artist_power=0.25, block_power=0.0, clip=3.0)
SIZES = [8]
GENRES, ARTISTS, SONGS = 3, 12, 4  # artists in all, songs of each


def music(seed: int = 0, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, labels and artists of songs that are near their artist, and artists near their genre."""
    rng = np.random.default_rng(seed)
    artists = np.repeat(np.arange(ARTISTS), SONGS)
    labels = artists % GENRES
    centres, places = 3 * rng.normal(size=(GENRES, 8)), spread * rng.normal(size=(ARTISTS, 8))
    return centres[labels] + places[artists] + 0.3 * rng.normal(size=(len(labels), 8)), labels, artists


def predicted(columns, labels, artists, **options):
    return out_of_fold.out_of_fold(columns, np.arange(len(labels)), labels, artists, SIZES, OPTIONS, **options)


def test_rows_are_probabilities_and_mostly_right():
    columns, labels, artists = music()
    found = predicted(columns, labels, artists, folds=4)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == labels).mean() > 0.9
    np.testing.assert_array_equal(found, predicted(columns, labels, artists, folds=4))


@pytest.mark.parametrize("artist", range(ARTISTS))
def test_a_track_does_not_depend_on_its_artists_other_tracks(artist):
    columns, labels, artists = music()
    before = predicted(columns, labels, artists)
    first, *others = np.flatnonzero(artists == artist)
    columns[others] += 100.0
    np.testing.assert_array_equal(predicted(columns, labels, artists)[first], before[first])


def test_artists_alone_are_not_recognised():
    """Expect the accuracy of guessing where the sound says all about the artist and nothing about the genre."""
    right = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        artists = np.repeat(np.arange(30), SONGS)
        labels = artists % GENRES
        columns = rng.normal(size=(30, 8))[artists] + 0.01 * rng.normal(size=(len(labels), 8))
        right.append((predicted(columns, labels, artists).argmax(axis=1) == labels).mean())
    assert np.mean(right) == pytest.approx(1 / GENRES, abs=0.1)


def test_a_track_has_the_mean_of_its_windows():
    columns, labels, artists = music(spread=3.0)
    tracks = np.arange(len(labels))
    order = np.random.default_rng(1).permutation(np.repeat(tracks, 2))
    # With two equal windows of each track the classifier is fitted to each twice, which is about the same.
    twice = out_of_fold.out_of_fold(columns[order], order, labels, artists, SIZES, OPTIONS)
    assert twice.shape == (len(tracks), GENRES)
    assert (twice.argmax(axis=1) == predicted(columns, labels, artists).argmax(axis=1)).mean() > 0.95


def test_a_genre_of_one_artist_cannot_be_held_out():
    columns, labels, artists = music()
    labels[artists != 0], labels[artists == 0] = labels[artists != 0] % 2, 2
    with pytest.raises(UserError, match="one artist"):
        predicted(columns, labels, artists)


def test_the_command_writes_what_a_promise_is_made_of(project, monkeypatch):
    columns, labels, artists = music()
    names = [f"track {number}" for number in range(len(labels))]
    tracks = pd.DataFrame({"track_id": names, "genre": labels.astype(str), "artist": [f"A{one}" for one in artists]})
    data = out_of_fold.Embedded(
        tracks, ["0", "1", "2"], columns, np.arange(len(labels)), labels, artists, SIZES, OPTIONS
    )
    monkeypatch.setattr(out_of_fold, "embedded", lambda architecture, settings: data)
    out_of_fold.main(["transfer", "-o", "held.csv", "--seed", "5"])
    written = pd.read_csv("held.csv", dtype={"genre": str, "predicted": str})
    assert list(written.columns) == ["track_id", "artist", "fold", "genre", "predicted", "0", "1", "2"]
    np.testing.assert_allclose(written[["0", "1", "2"]], predicted(columns, labels, artists, seed=5))
    songs = held_out([Path("held.csv")], Path("any.onnx"), {"genres": ["0", "1", "2"]})
    np.testing.assert_array_equal(songs.wrong, written["genre"] != written["predicted"])
    assert len(np.unique(songs.artists)) == ARTISTS


def test_networks_from_scratch_are_named(configure):
    with pytest.raises(UserError, match=r"baseline: only for transfer; .*predictions/baseline\.csv"):
        predict_data_set("baseline", configure({}), folds=5, seed=0)


def test_tracks_of_another_data_set_are_refused(configure):
    settings = configure({})
    write_table(TRACKS, pd.DataFrame({"track_id": ["a"], "genre": ["pop"], "artist": ["A"], "fold": ["test"]}))
    write_table(raw_dir("demo") / "tracks.csv", pd.DataFrame({"track_id": ["b"], "recording": ["b"]}))
    with pytest.raises(UserError, match=r"tracks\.csv: is not of the data set demo; run `dvc repro`"):
        predict_data_set("transfer", settings, folds=5, seed=0)


def test_one_part_holds_nothing_out(project, capsys):
    with pytest.raises(SystemExit, match="2"):
        out_of_fold.main(["transfer", "--folds", "1"])
    assert "--folds: must be at least 2" in capsys.readouterr().err
