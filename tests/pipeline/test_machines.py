"""Run the real commands as on other people's machines: in a shallow clone, in a terminal without UTF-8."""

import csv
import shutil

import pytest
from checkout import Checkout, existing, use_small_music

pytestmark = [pytest.mark.xdist_group("machines"), pytest.mark.soak]


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A checkout of two commits with the smallest of music, of which nothing has been run."""
    checkout = Checkout(tmp_path / "origin")
    use_small_music(checkout, tmp_path / "music")
    checkout.commit()
    checkout.run("git", "commit", "-q", "--allow-empty", "-m", "Second")
    return checkout


def test_an_experiment_in_a_shallow_clone_says_so_before_it_computes_what_would_be_lost(checkout, tmp_path):
    checkout.run("git", "clone", "-q", "--depth", "1", checkout.folder.as_uri(), str(tmp_path / "clone"))
    clone = existing(tmp_path / "clone")
    experiment = ("dvc", "exp", "run", "--temp", "--name", "kept", "-S", "seed=3", "ingest")
    said = clone.run(*experiment, fails=True)
    assert "error: " in said and "git fetch --unshallow" in said and "Traceback" not in said
    assert not list(clone.folder.glob(".cache/*/*"))
    clone.run("git", "fetch", "-q", "--unshallow")
    clone.run(*experiment)
    assert clone.run("dvc", "exp", "list", "--name-only").split() == ["kept"]


def test_a_terminal_without_utf8_costs_no_results(checkout, tmp_path):
    music = tmp_path / "music"
    shutil.move(music / "genre2", music / "forró 日本")
    table = (music / "tracks.csv").read_text(encoding="utf-8").replace("genre2", "forró 日本")
    (music / "tracks.csv").write_text(table, encoding="utf-8")
    for stage, written in (("ingest", "data/raw/folder/tracks.csv"), ("clips", "data/tracks.csv")):
        said = checkout.run("python", f"src/{stage}.py", PYTHONIOENCODING="ascii")
        assert "forr? ??" in said
        with (checkout.folder / written).open(encoding="utf-8") as file:
            assert "forró 日本" in {row["genre"] for row in csv.DictReader(file)}
    assert "other letters as ?" in checkout.run("genres", "doctor", PYTHONIOENCODING="ascii")
