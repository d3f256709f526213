"""A real Dask scheduler and real workers, in folders that have nothing of the project: the same results as here."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT, Checkout, clean_environment

from src import compute, mels
from src.console import UserError
from src.files import sha256_of
from src.ingest.inspect import inspect_files
from src.params import Compute

pytestmark = pytest.mark.xdist_group("cluster")

WAIT_S = 30.0


class RealCluster:
    """A scheduler and workers as processes; a context manager, at whose end none is left."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.environment = folder, clean_environment() | {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"}
        self.environment.pop("PYTHONPATH", None)
        self.processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "RealCluster":
        about = self.folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(about))
        deadline = time.monotonic() + WAIT_S
        while not about.exists() or not about.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(about.read_text())["address"]
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def add(self, name: str, **environment: str) -> None:
        """Start a worker in a working folder of its own."""
        options = ["--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", name]
        self._start("worker", self.address, *options, name=name, **environment)

    def kill(self, name: str) -> None:
        self.processes.pop(name).kill()

    def _start(self, kind: str, *options: str, name: str = "scheduler", **environment: str) -> None:
        folder = self.folder / f"folder of {name}"
        folder.mkdir()
        command = [str(Path(sys.executable).with_name("dask")), kind, *options]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=folder, env=self.environment | environment, stdout=log, stderr=log
            )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add("one")
        cluster.add("two")
        yield cluster


@pytest.fixture
def music(project: Path, write_song: Callable[..., Path]) -> pd.DataFrame:
    """Six songs, in files that libsndfile and FFmpeg decode."""
    names = ["rock/one.wav", "rock/two # (1).mp3", "pop/drei=%41.ogg", "pop/four.m4a", "pop/five?.flac", "rock/six.wav"]
    paths = [write_song(project / "music" / name, seed, seconds=1.5) for seed, name in enumerate(names)]
    return pd.DataFrame({"path": map(str, paths), "sha256": map(sha256_of, paths)})


def cached(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.glob(".cache/*/**/*") if path.is_file()}


def test_spectrograms_and_findings_are_those_of_this_machine(cluster, project, music, configure):
    settings, paths = configure({}).mels, [*map(Path, music["path"]), project / "gone.wav", project / "noise.mp3"]
    paths[-1].write_bytes(b"no music")
    mels.compute(music, project, settings)
    found = inspect_files(paths)
    assert [finding.rejected[:12] for finding in found] == [*[""] * 6, "missing file", "cannot be de"]
    here = cached(project)
    shutil.rmtree(project / ".cache")
    how = Compute(scheduler=cluster.address, data=None)
    mels.compute(music, project, settings, how)
    assert inspect_files(paths, how) == found
    assert cached(project) == here
    assert len(here) == 6 + 7
