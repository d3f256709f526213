"""The benchmark of promises: what it counts in one split."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import selective
from genres.core.params import DiscriminantParams
from genres.experiments.out_of_fold import Embedded

pytestmark = pytest.mark.soak  # of tools beside the project


def music(noise: float) -> Embedded:
    """Songs of 60 artists of three genres, each with two equal windows."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(60), 3)
    labels = artists % 3
    columns = np.eye(3)[labels] * 4 + noise * rng.normal(size=(180, 3))
    options = DiscriminantParams(shrinkage=0.2, artist_power=0.25, block_power=0.0, clip=3.0)
    track_of = np.repeat(np.arange(180), 2)
    return Embedded(pd.DataFrame(), ["a", "b", "c"], columns[track_of], track_of, labels, artists, [3], options)


def test_easy_songs_are_all_tagged_and_right():
    (row,) = selective.one(music(0.1), 0, [0.1])
    assert row == {"error": 0.1, "held_out": 144, "made": True, "songs": 36, "tagged": 36, "wrong": 0, "all_wrong": 0}


def test_noise_makes_no_promise():
    (row,) = selective.one(music(100.0), 0, [0.1])
    assert not row["made"] and row["tagged"] == row["wrong"] == 0
    assert row["all_wrong"] > 10


def test_broken_promises_are_counted(capsys):
    rows = [
        {"error": 0.1, "held_out": 9, "made": True, "songs": 40, "tagged": 20, "wrong": 3, "all_wrong": 9},
        {"error": 0.1, "held_out": 9, "made": True, "songs": 40, "tagged": 20, "wrong": 9, "all_wrong": 9},
        {"error": 0.1, "held_out": 9, "made": False, "songs": 40, "tagged": 0, "wrong": 0, "all_wrong": 9},
    ]
    assert selective._row(0.1, pd.DataFrame(rows)) == ["10 %", "2 of 3", "33%", "0% to 50%", "30.0%", "2 of 2 (1)"]
    selective.show(pd.DataFrame(rows), "somewhere")
    assert "3 splits" in capsys.readouterr().out


@pytest.mark.parametrize("errors", ["often", ""])
def test_errors_are_numbers(errors, project, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["selective", "--errors", errors])
    with pytest.raises(SystemExit, match="2"):
        selective.main()
    assert "--errors: must be numbers" in capsys.readouterr().err
