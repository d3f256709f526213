"""A copy of the project in a folder of its own, with small data, for tests and benchmarks of the real commands."""

import importlib
import io
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import joblib
import numpy as np
import soundfile
from ruamel.yaml import YAML

from genres.cli import app

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_RATE = 22050

# Results of another state of the project.
RESULTS = ("metrics/", "plots/", "docs/", "dvc.lock")


def clean_environment() -> dict[str, str]:
    """Return the environment of a user's shell: this Python first on PATH, no variables of DVC, MLflow or git."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_", "GIT_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["PYTHONDONTWRITEBYTECODE"] = ""
    return environment | {
        "GIT_AUTHOR_NAME": "Test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "Test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }


def copy_project(folder: Path, without: tuple[str, ...] = RESULTS) -> None:
    """Copy the project's files that are tracked or not ignored, except those that start with one of `without`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(without):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def change_params(path: Path, changes: dict[str, Any]) -> None:
    """Change keys, written with dots as for `-S`, in a parameters file."""
    yaml = YAML()
    params = yaml.load(path)
    for key, value in changes.items():
        *parents, name = key.split(".")
        node = params
        for parent in parents:
            node = node[parent]
        node[name] = value
    yaml.dump(params, path)


class Checkout:
    """A folder with the project's files as they are now, tracked or about to be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = clean_environment()
        copy_project(folder)

    def run(self, *command: str, fails: bool = False, **environment: str) -> str:
        """Run a command in the folder; return what it printed, and fail if it fails (or if it does not, as said)."""
        status, output = self.attempt(*command, **environment)
        assert (status != 0) == fails, f"{' '.join(command)} answered {status}:\n{output}"
        return output

    def attempt(self, *command: str, **environment: str) -> tuple[int, str]:
        """Run a command in the folder; return its exit status and what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        return done.returncode, done.stdout

    def here(self, *command: str, fails: bool = False) -> str:
        """Run a stage or `genres` in this process, which has imported TensorFlow already; otherwise as `run`."""
        status, output = self.attempt_here(*command)
        assert (status != 0) == fails, f"{' '.join(command)} answered {status}:\n{output}"
        return output

    def attempt_here(self, *command: str) -> tuple[int, str]:
        """Run a stage or `genres` in this process; return its exit status and what it printed."""
        printed, status = io.StringIO(), 0
        with ExitStack() as stack:
            stack.enter_context(chdir(self.folder))
            stack.enter_context(mock.patch.dict(os.environ, self.environment, clear=True))
            stack.enter_context(mock.patch.object(sys, "argv", list(command[1:])))
            stack.enter_context(redirect_stdout(printed))
            stack.enter_context(redirect_stderr(printed))
            stack.enter_context(joblib.parallel_config(backend="sequential"))
            try:
                if command[0] == "genres":
                    app(command[1:])
                else:
                    importlib.import_module(Path(command[1]).stem).main()
            except SystemExit as stop:
                status = int(stop.code or 0)
        if status == 130:
            raise KeyboardInterrupt  # of the tests themselves
        return status, printed.getvalue()

    def start(self, *command: str, **options) -> subprocess.Popen:
        """Start a command in the folder and return at once."""
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, **options)

    def commit(self) -> None:
        """Make the folder a git repository with one commit."""
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "Start")

    def set_params(self, **values) -> None:
        """Change params.yaml; double underscores stand for dots."""
        change_params(self.folder / "params.yaml", {key.replace("__", "."): value for key, value in values.items()})


def existing(folder: Path) -> Checkout:
    """A folder that is a checkout already."""
    checkout = Checkout.__new__(Checkout)
    checkout.folder = folder
    checkout.environment = clean_environment()
    return checkout


def use_small_music(checkout: Checkout, music: Path, **params) -> None:
    """Let the checkout train the smallest of networks on three genres of four short songs."""
    write_music(music)
    small = {
        "dataset": "folder",
        "datasets__folder__dir": str(music),
        "architectures": ["baseline"],
        "models__baseline__filters": [4, 4, 8],
        "clips__length_s": 1.0,
        "front_ends__default__n_mels": 32,
        "train__epochs": 2,
        "train__batch_size": 8,
        "evaluate__bootstrap": 100,
    }
    checkout.set_params(**(small | params))


def write_music(folder: Path, artists: int = 4, seconds: float = 4.0) -> None:
    """Songs of three genres: low and slow, high and fast, and noise."""
    for genre, (pitch, rate) in enumerate([(110, 1.0), (880, 4.0), (0, 2.0)]):
        for artist in range(artists):
            write_song(folder / f"genre{genre}" / f"song{artist}.wav", pitch, rate, 10 * genre + artist, seconds)
    rows = [f"genre{g}/song{a}.wav,genre{g},Artist {g}-{a},Song {a}" for g in range(3) for a in range(artists)]
    (folder / "tracks.csv").write_text("\n".join(["path,genre,artist,title", *rows]) + "\n")


def write_song(path: Path, pitch: float, rate: float, seed: int, seconds: float) -> None:
    """A song of random notes around a pitch (noise where it is 0), `rate` notes a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    notes = rng.uniform(0.7, 1.5, int(seconds * rate) + 1)[(time * rate).astype(int)]
    decay = np.exp(-3 * (time * rate % 1))
    wave = (
        np.sin(2 * np.pi * np.cumsum(pitch * notes) / SAMPLE_RATE) if pitch else rng.normal(0, 0.3, len(time)) * notes
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * decay * wave + rng.normal(0, 0.002, len(time)), SAMPLE_RATE)
