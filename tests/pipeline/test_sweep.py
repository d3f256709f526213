"""Sweeps: what is planned and under which names; and the real command, with DVC, MLflow, a failure and an interrupt."""

import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from checkout import ROOT, Checkout, change_params, use_small_music
from dvc.utils.hydra import to_hydra_overrides
from hypothesis import given
from hypothesis import strategies as st

from genres.core.console import UserError
from genres.experiments import sweep


@given(st.text(st.characters(exclude_categories=["C"], exclude_characters="$"), min_size=1))
def test_any_path_reaches_hydra_as_it_is(path):
    if not re.fullmatch(r"'.*'|\".*\"", path):
        (parsed,) = to_hydra_overrides([sweep.quoted(f"datasets.folder.dir={path}")])
        assert parsed.value() == path


def test_only_paths_are_quoted_and_only_once():
    for override in ("train.epochs=3", "architectures=[baseline,l2]", "datasets.folder.dir='/a b'"):
        assert sweep.quoted(override) == override
    assert sweep.quoted("datasets.gtzan.metadata=/a b") == "datasets.gtzan.metadata='/a b'"


@pytest.fixture
def planned(project, tmp_path):
    """A project with its pipeline, and a folder of songs beside it."""
    (project / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (project / "src").mkdir()
    (project / "src/train.py").write_text("one")
    (tmp_path / "my music").mkdir()
    (tmp_path / "my music/song.wav").write_text("one")
    change_params(project / "params.yaml", {"dataset": "folder", "datasets.folder.dir": "../my music"})
    return project


def names(*arguments, **keywords):
    return [experiment.name for experiment in sweep.plan(*arguments, **keywords)]


def test_whole_repetitions_come_first_and_names_say_what_they_are(planned):
    found = names(None, ["clip", "artist"], [1, 2])
    digest = found[0].rpartition("-")[2]
    expected = ["folder-clip-seed1", "folder-artist-seed1", "folder-clip-seed2", "folder-artist-seed2"]
    assert found == [f"{name}-{digest}" for name in expected]
    assert names() == [f"folder-artist-seed42-{digest}"]
    assert names(folds=2) == [f"folder-artist-seed42-fold{fold}of2-{digest}" for fold in range(2)]
    shares = names(folds=2, shares=[0.25, 1.0])
    assert shares[:2] == [
        f"folder-artist-seed42-fold0of2-share0.25-{digest}",
        f"folder-artist-seed42-fold0of2-{digest}",
    ]
    (experiment,) = sweep.plan(seeds=[3])
    assert experiment.overrides == ("seed=3", f"datasets.folder.dir='{planned.parent / 'my music'}'")


def test_what_a_result_depends_on_changes_the_name_and_nothing_else_does(planned, tmp_path):
    (before,) = names()
    song = tmp_path / "my music/song.wav"
    for override in ("train.epochs=3", "models.baseline.dropout=0.1", "architectures=[baseline]"):
        assert names([override]) != [before]
    for override in ("models.crnn.dropout=0.1", "datasets.demo.seed=1", "tune.trials=2", "services.attempts=2"):
        assert names([override]) == [before]
    for path in (planned / "src/train.py", song):
        path.write_text("three")
        assert names() != [before]
        path.write_text("one")
    assert names() == [before]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epoch=3", "-S: invalid override .*'train.epoch'"),
        ("train.epochs=0", "params.yaml with -S: train.epochs: .* received 0"),
        ("=", "-S: invalid override"),
        ("architectures=baseline", r"architectures: with -S 'architectures=\[baseline\]' it is a list"),
        ("datasets.folder.dir=../gone", "datasets.folder.dir: /.*/gone: no such folder; write the absolute path"),
    ],
)
def test_overrides_that_make_no_sense_are_refused_before_anything_runs(planned, override, says):
    with pytest.raises(UserError, match=says):
        sweep.plan([override])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to show: name experiments"),
        (["--seeds", "1", "name"], "--seeds: goes with --run only"),
        (["-S", "a=b", "name"], "-S: goes with --run only"),
        (["--run", "name"], "name experiments, or run them with --run; not both"),
        (["--run", "--jobs", "0"], "--jobs: needs at least 1"),
    ],
)
def test_arguments_that_do_not_go_together(arguments, says):
    with pytest.raises(UserError, match=says):
        sweep.chosen(sweep.parser("genres.experiments.leak", "").parse_args(arguments))


def runs(checkout: Checkout) -> dict[str, dict[str, str]]:
    """The tags of MLflow's runs, by id."""
    with sqlite3.connect(checkout.folder / "mlflow.db") as database:
        found = {run: {"name": name} for run, name in database.execute("select run_uuid, name from runs")}
        for run, key, value in database.execute("select run_uuid, key, value from tags"):
            found[run][key] = value
    return found


@pytest.mark.xdist_group("sweep")
@pytest.mark.soak
def test_a_sweep_is_interrupted_goes_on_and_is_not_run_again(tmp_path):
    checkout = Checkout(tmp_path / "a checkout")
    use_small_music(checkout, tmp_path / "it's (my) music, a=b & c", datasets__folder__dir="data/sources/folder")
    checkout.commit()
    command = ["genres", "leak", "--run", "--protocols", "clip,artist", "--plot", "docs/leak.png"]
    command += ["-S", "datasets.folder.dir=../it's (my) music, a=b & c"]

    process = checkout.start(*command)
    logs = checkout.folder / ".cache/sweeps"
    deadline = time.monotonic() + 200
    while not any("Running stage 'train" in log.read_text() for log in logs.glob("*.log")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.decode().strip().endswith("interrupted: run the same command again to continue")
    assert checkout.run("dvc", "exp", "list", "-A", "--name-only").strip() == ""

    output = checkout.run(*command)
    assert "| architecture | `clip` (leaky) | `artist` |" in output
    assert output.count(": done in ") == 2
    assert (checkout.folder / "docs/leak.png").stat().st_size > 5000
    listed = checkout.run("dvc", "exp", "list", "-A", "--name-only").split()
    assert sorted(name.rpartition("-")[0] for name in listed) == ["folder-artist-seed42", "folder-clip-seed42"]
    assert "mlruns" not in {path.name for path in checkout.folder.glob(".dvc/tmp/**/mlruns")}

    found = runs(checkout)
    (parent,) = [run for run, tags in found.items() if tags["name"].startswith("sweep ")]
    finished = {run: tags for run, tags in found.items() if "best" in tags}
    assert {tags["protocol"] for tags in finished.values()} == {"clip", "artist"}
    assert {tags["mlflow.parentRunId"] for tags in finished.values()} == {parent}
    assert found[parent]["protocols"] == "clip, artist"

    again = checkout.run(*command)
    assert "2 of 2 experiments have been run before" in again
    assert "done in" not in again
    # The experiments serve another command, too; and a failure says where to look.
    output = checkout.run("genres", "aggregate", "--run", "--protocols", "artist,clip", "--seeds", "42", *command[-2:])
    assert "2 of 2 experiments have been run before" in output
    output = checkout.run("genres", "aggregate", "--run", "--seeds", "1,2", "-S", "dataset=mels", fails=True)
    log = next(Path(word.rstrip(";")) for word in output.split() if word.endswith(".log;"))
    assert "error: experiment mels-artist-seed1-" in output
    assert "0 of 2 experiments are done" in output
    assert "Running stage 'ingest'" in (checkout.folder / log).read_text()
    assert runs(checkout).keys() == found.keys()
