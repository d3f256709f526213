"""Experiments whose results DVC would lose are refused before they compute, and the cure works."""

import subprocess

import pytest
from checkout import clean_environment

from genres.core import checkout
from genres.core.console import UserError, command
from genres.experiments import runner


def git(*arguments, folder):
    subprocess.run(["git", *arguments], cwd=folder, env=clean_environment(), check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path):
    """A shallow clone of a repository of two commits."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git("init", "-q", folder=origin)
    for message in ("one", "two"):
        git("commit", "-q", "--allow-empty", "-m", message, folder=origin)
    git("clone", "-q", "--depth", "1", origin.as_uri(), "it's a clone", folder=tmp_path)
    return tmp_path / "it's a clone"


def test_a_shallow_clone_is_known_and_the_cure_works(clone, tmp_path):
    reason = checkout.shallow(clone)
    assert str(clone) in reason and reason.endswith("run `git fetch --unshallow`")
    git("fetch", "--unshallow", folder=clone)
    assert checkout.shallow(clone) is None
    assert checkout.shallow(tmp_path / "origin") is None
    assert checkout.shallow(tmp_path) is None


def test_a_stage_of_an_experiment_that_would_be_lost_does_not_run(clone, tmp_path, monkeypatch, capsys):
    started = []
    stage = command(lambda: started.append(1))
    monkeypatch.setenv("DVC_ROOT", str(clone))
    monkeypatch.setenv("DVC_EXP_NAME", "lost")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        stage()
    assert not started
    assert "git fetch --unshallow" in capsys.readouterr().err
    monkeypatch.chdir(clone)  # `dvc exp run` in the workspace
    stage()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME")
    stage()
    assert len(started) == 2


def test_several_experiments_are_refused_before_the_first(clone, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(clone))
    monkeypatch.setattr(runner, "existing", lambda: pytest.fail("asks DVC"))
    with pytest.raises(UserError, match="git fetch --unshallow"):
        runner.run({"one": ["seed=1"]})
