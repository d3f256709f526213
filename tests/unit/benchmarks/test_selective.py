"""The benchmark of promises: what it counts in one split."""

from functools import partial

import pandas as pd
import pytest
from embedded_songs import embedded_songs

from benchmarks import selective

pytestmark = pytest.mark.soak  # of tools beside the project


music = partial(embedded_songs, per_artist=3, windows=2)


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
