"""Copy of the project in a folder of its own, in which the real commands are timed."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.machine import timed
from genres.core.files import write_table
from tests.checkout import RESULTS, change_params, clean_environment, copy_project

SONG_SECONDS = 2.0
SONG_RATE = 22050  # Hz, that of the spectrograms, so that nothing is resampled


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
