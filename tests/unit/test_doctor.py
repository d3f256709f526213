"""The checks of a machine and a checkout: nothing to say where all is well, and the cure where it is not."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
from checkout import ROOT, change_params, clean_environment

from genres import doctor


@pytest.fixture
def place(project, tmp_path, monkeypatch):
    """A project in which all is well."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "KERAS_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("requirements.txt", "dvc.yaml"):
        shutil.copy(ROOT / name, project)
    for arguments in (["config", "--global", "user.name", "T"], ["config", "--global", "user.email", "t@example.org"]):
        subprocess.run(["git", *arguments], check=True)
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    (project / "src/genres").mkdir(parents=True)
    monkeypatch.setattr(doctor, "__file__", str(project / "src/genres/doctor.py"))
    Usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9e9))
    return project


def warnings(place) -> dict[str, str]:
    """Return each warning with its cure, by subject."""
    return {subject: f"{found}; {cure}" for subject, found, cure in doctor.findings(place) if cure}


def test_where_all_is_well_there_is_no_warning_and_about_ten_lines(place, capsys):
    doctor.main(["--quiet"])
    assert capsys.readouterr().out == ""
    doctor.main([])
    lines = capsys.readouterr().out.splitlines()
    assert 8 <= len(lines) <= 12 and all(line.startswith("ok ") for line in lines)


def test_outside_of_a_clone_it_gives_no_cures_for_one(place):
    (place / "dvc.yaml").unlink()
    assert warnings(place) == {}
    assert any("fine for predictions" in found for _, found, _ in doctor.findings(place))


@pytest.mark.parametrize(
    ("variables", "subject", "says"),
    [
        ({"KERAS_BACKEND": "torch"}, "Keras", "KERAS_BACKEND=torch is not installed; installed here: tensorflow"),
        ({"KERAS_BACKEND": "tensorflw"}, "Keras", "KERAS_BACKEND=tensorflw is not installed; installed here"),
        ({"MLFLOW_RUN_ID": "abc"}, "MLflow", "MLFLOW_RUN_ID set, and ignored; unset MLFLOW_RUN_ID"),
        ({"GIT_CONFIG_GLOBAL": "/dev/null"}, "git identity", "git config --global user.name YOU && git config"),
    ],
)
def test_variables(place, monkeypatch, variables, subject, says):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ((found, reason),) = warnings(place).items()
    assert found == subject and says in reason


def test_an_identity_in_variables_is_enough(place, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name, value in clean_environment().items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)
    assert warnings(place) == {}


def test_settings_of_keras_in_its_file(place, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    assert "keras.json (backend: torch) is not installed" in warnings(place)["Keras"]
    (tmp_path / "keras.json").write_text("{")  # which Keras passes over
    assert warnings(place) == {}


def test_packages_and_python(place, monkeypatch):
    (place / "requirements.txt").write_text("numpy==1.0.0  # old\nno-such-package==2.0\nclick>=8\n")
    assert "numpy 1.0.0 is 2." in warnings(place)["packages"]
    assert "no-such-package 2.0 is missing; pip install -r requirements.txt" in warnings(place)["packages"]
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert "3.10.1; needs 3.11 to 3.13" in warnings(place)["Python"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"architectures": "baseline"},
            "architectures: with -S 'architectures=[baseline]' it is a list",
        ),
        ({"dataset": "folder", "datasets.folder.dir": "/gone"}, "datasets.folder.dir: /gone: no such folder"),
        (
            {"dataset": "folder", "datasets.folder.dir": "~"},
            "datasets.folder.dir: ~: no such folder; write the absolute",
        ),
        (
            {"dataset": "folder", "datasets.folder.dir": "../"},
            "is elsewhere with --temp and --queue; write its absolute",
        ),
    ],
)
def test_parameters(place, changes, says):
    change_params(place / "params.yaml", changes)
    assert says in warnings(place)["params.yaml"]


def test_songs_that_dvc_cannot_hash(place, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/broken.mp3").symlink_to("nowhere")
    change_params(place / "params.yaml", {"datasets.library.dir": str(tmp_path / "music")})
    assert "songs" not in warnings(place)  # which it does not hash
    change_params(place / "params.yaml", {"datasets.folder.dir": str(tmp_path / "music")})
    assert "broken.mp3: cannot be opened" in warnings(place)["songs"]


def test_the_checkout_the_disk_and_the_code(place, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "old/src/genres/doctor.py"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(1e9))
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "two"], cwd=place, check=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", place.as_uri(), str(tmp_path / "clone")], check=True)
    for name in ("params.yaml", "requirements.txt", "dvc.yaml"):
        shutil.copy(place / name, tmp_path / "clone")
    found = warnings(tmp_path / "clone")
    assert set(found) == {"git", "disk", "environment"}
    assert found["git"].endswith("; run `git fetch --unshallow`")
    assert found["environment"].startswith(f"`genres` runs the code in {tmp_path / 'old/src'}")
    shutil.rmtree(tmp_path / "clone/.git")
    assert "has no history" in warnings(tmp_path / "clone")["git"]


def test_it_loads_nothing_that_takes_seconds(place):
    code = "import sys; from genres import doctor; doctor.main([]); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *lines, modules = done.stdout.splitlines()
    assert not {"keras", "tensorflow", "mlflow", "dvc", "pandas", "numpy"} & set(modules.split())
    assert "!! encoding: the terminal shows ascii, other letters as ?; export PYTHONIOENCODING=utf-8" in lines
