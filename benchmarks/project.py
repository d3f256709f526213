"""Copy of the project in a folder of its own, in which the real commands are timed."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ruamel.yaml import YAML

from benchmarks.machine import timed
from genres.core.files import write_table

ROOT = Path(__file__).resolve().parents[1]

SONG_SECONDS = 2.0
SONG_RATE = 22050  # Hz, that of the spectrograms, so that nothing is resampled


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


class Project:
    """Copy of the project's present files in a git repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy_project(folder, (*RESULTS, "tests/"))
        self.run("git", "init", "--quiet")

    def set(self, **changes: Any) -> None:
        """Change values of params.yaml, with two underscores for a dot in keys, and commit everything."""
        change_params(self.folder / "params.yaml", {key.replace("__", "."): value for key, value in changes.items()})
        self.commit()

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "state")

    def run(self, *command: str) -> str:
        """Run a command in the folder with this environment's `python` and `dvc`; return its output.

        Raises
        ------
        RuntimeError
            If it fails; with the end of its output.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def seconds(self, *command: str) -> float:
        """Time a command."""
        return timed(lambda: self.run(*command))


def write_songs(folder: Path, first: int, behind: int, genres: int = 10) -> None:
    """Write songs number `first` to `behind` - 1: 2 s of noise in eight loudnesses, four songs per artist.

    Rewrites tracks.csv, which lists all songs from 0 on.
    """
    import pandas as pd

    for number in range(first, behind):
        rng = np.random.default_rng(number)
        loudness = np.repeat(rng.uniform(0.02, 0.5, 8), round(SONG_RATE * SONG_SECONDS / 8)).astype(np.float32)
        samples = loudness * rng.uniform(-1, 1, len(loudness)).astype(np.float32)
        path = folder / _name(number, genres)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, SONG_RATE, subtype="PCM_U8")
    numbers = np.arange(behind)
    write_table(
        folder / "tracks.csv",
        pd.DataFrame(
            {
                "path": [_name(int(number), genres) for number in numbers],
                "genre": [f"genre{number % genres}" for number in numbers],
                "artist": [f"artist {number // (4 * genres)} of genre {number % genres}" for number in numbers],
                "title": [f"song {number}" for number in numbers],
            }
        ),
    )


def _name(number: int, genres: int) -> str:
    return f"genre{number % genres}/{number:06d}.wav"


def processor_seconds() -> float:
    """Return the CPU seconds of all ended children of this process, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
