"""`genres learning-curve` and `genres referee` with the real dvc, MLflow and a tiny network."""

import csv
import io
import sqlite3

import pytest
from checkout import Checkout, use_small_music

pytestmark = pytest.mark.soak


def test_a_learning_curve_is_run_once_and_its_network_is_scored_by_the_referee(tmp_path):
    checkout = Checkout(tmp_path / "checkout")
    use_small_music(checkout, tmp_path / "music")
    checkout.commit()
    command = ["genres", "learning-curve", "--run", "--shares", "0.5,1", "--plot", "plots/artists.png"]
    output = checkout.run(*command)
    assert output.count(": done in ") == 2
    rows = [line for line in output.splitlines() if line.startswith(("| 0.5 |", "| 1 |"))]
    assert [row.split(" | ")[1:3] for row in rows] == [["6", "6"], ["9", "9"]]  # of 12 artists, 3 are tested
    assert "baseline: no extrapolation: 2 sizes are too few" in output
    assert (checkout.folder / "plots/artists.png").stat().st_size > 5000
    listed = checkout.run("dvc", "exp", "list", "-A", "--name-only").split()
    (half,) = [name for name in listed if "-share0.5-" in name]
    assert {name.rpartition("-")[0] for name in listed} == {"folder-artist-seed42", "folder-artist-seed42-share0.5"}

    with sqlite3.connect(checkout.folder / "mlflow.db") as database:
        ((folder,),) = database.execute("select artifact_uri from runs where name like 'sweep %'")
        names = {name for (name,) in database.execute("select key from metrics")}
    assert {f"artist{share}/baseline/test_track_accuracy" for share in ("", "/share0.5")} <= names
    assert list((tmp_path / "checkout").rglob("artifacts/artists.png")), folder
    again = checkout.run(*command)
    assert "2 of 2 experiments have been run before" in again
    assert again.splitlines()[-6:] == output.splitlines()[-6:]

    checkout.run("dvc", "exp", "apply", half)
    own = (checkout.folder / "predictions/baseline.csv").read_text()
    tested = [row for row in csv.DictReader(io.StringIO(own)) if row["fold"] == "test"]
    right = sum(row["genre"] == row["predicted"] for row in tested)
    judged = checkout.run("genres", "referee", "--predictions", "predictions/baseline.csv")
    assert "theirs answers 3 of 3 test tracks, which the table is of. Its other 3 answers" in judged
    assert f"| theirs | {right / 3:.1%} |" in judged
    assert f"| baseline | {right / 3:.1%} |" in judged
