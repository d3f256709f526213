"""`pip install .` in an environment of its own: small, and enough to predict; needs the package registry."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import ROOT, copy_project
from networks import write_model

from genres.inference import export
from genres.inference.answer import predict
from genres.inference.classifier import Classifier

pytestmark = pytest.mark.soak

MOST_BYTES = 150_000_000
HEAVY = ("dvc", "gradio", "keras", "librosa", "mlflow", "pandas", "sklearn", "tensorflow")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light") / "project"
    copy_project(folder)
    return folder


@pytest.fixture(scope="module")
def wheels(project: Path) -> Path:
    """The package and what it needs, downloaded."""
    folder = project.parent / "wheels"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-cache-dir",
        "--dest",
        str(folder),
        str(project),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package registry here: {done.stderr[-200:]}")
    return folder


@pytest.fixture(scope="module")
def python(project: Path, wheels: Path) -> Path:
    """Python of an environment with the base installation."""
    subprocess.run([sys.executable, "-m", "venv", str(project.parent / "venv")], check=True)
    python = project.parent / "venv/bin/python"
    command = [python, "-m", "pip", "install", "--quiet", "--find-links", wheels, project]
    subprocess.run(command, check=True, capture_output=True)
    return python


def test_the_download_is_small(wheels: Path) -> None:
    assert sum(file.stat().st_size for file in wheels.iterdir()) <= MOST_BYTES


def test_nothing_heavy_is_installed(python: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {HEAVY!r} if u.find_spec(name)])"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_predicts_as_here(python: Path, tmp_path: Path, write_song: Callable) -> None:
    model, song = tmp_path / "tiny.onnx", write_song(tmp_path / "song.mp3", seconds=4.0)
    keras_file = write_model(tmp_path / "tiny.keras")
    export.write(keras_file, model, keras_file)
    genres = [python.parent / "genres"]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DVC_ROOT")}
    environment["KERAS_HOME"] = str(tmp_path)

    def run(*command: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*genres, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        return done

    (answer,) = json.loads(run("predict", "--model", model, "--json", song).stdout)
    assert answer["probabilities"] == predict(Classifier(model), song)["probabilities"]
    run("predict", "--model", model, "--plot", "timeline.png", song)
    run("saliency", "--model", model, "--plot", "saliency.png", song)
    assert {path.name for path in tmp_path.glob("*.png")} == {"timeline.png", "saliency.png"}
    assert "# tiny: classifies music by genre" in run("card", model).stdout
    refused = run("predict", "--model", keras_file, song, status=2).stderr
    assert refused == 'error: genres predict: keras is not installed; run: pip install "music-genres[train]"\n'


def test_the_project_itself_is_not_needed(python: Path) -> None:
    code = "import genres; print(genres.__file__)"
    where = subprocess.run([python, "-c", code], cwd="/", capture_output=True, text=True, check=True).stdout
    assert not Path(where.strip()).is_relative_to(ROOT)
