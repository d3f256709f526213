"""A real Dask scheduler and real workers, in folders that have nothing of the project: the same results as here."""

import importlib.metadata
import itertools
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from checkout import ROOT, clean_environment, write_music
from fakes.previews import FakeStores
from fakes.server import Answer, FakeServer, services
from moto.server import ThreadedMotoServer

import clips
import ingest
import mels
from genres.compute import client, pool
from genres.compute.client import Cluster
from genres.compute.worker import Channel, worker_name
from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.core.params import Compute
from genres.data import cache
from genres.sources import web
from genres.sources.inspect import inspect_files
from genres.sources.spotify.previews import fetch_all
from genres.sources.spotify.song import Song
from genres.tuning import search, trial

pytestmark = pytest.mark.xdist_group("cluster")

WAIT_S = 30.0


class RealCluster:
    """A scheduler and workers as processes; a context manager, at whose end none is left."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.environment = (
            folder,
            clean_environment(),
        )
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

    def names(self, cluster: Cluster) -> set[str]:
        """The workers that the scheduler knows."""
        return {worker["name"] for worker in cluster.client.scheduler_info(n_workers=-1)["workers"].values()}

    def _start(self, kind: str, *options: str, name: str = "scheduler", **environment: str) -> None:
        folder = self.folder / f"folder of {name}"
        folder.mkdir()
        command = [str(Path(sys.executable).with_name("dask")), kind, *options]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=folder, env=self.environment | environment, stdout=log, stderr=log
            )


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """S3 on this machine: what the environment says of it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    yield keys | {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "NO_PROXY": "*"}
    server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, store: dict[str, str]) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add("one", **store)
        cluster.add("two", **store)
        yield cluster


@pytest.fixture
def how(cluster: RealCluster) -> Compute:
    return Compute(scheduler=cluster.address, data=None)


NAMES = ["rock/one.wav", "rock/two # (1).mp3", "pop/drei=%41.ogg", "pop/four.m4a", "pop/five?.flac", "rock/a::b.wav"]


@pytest.fixture
def music(project: Path, write_song: Callable[..., Path]) -> pd.DataFrame:
    """Six songs, in files that libsndfile and FFmpeg decode, with names that are something else in an address."""
    paths = [write_song(project / "music" / name, seed, seconds=1.5) for seed, name in enumerate(NAMES)]
    return pd.DataFrame({"path": map(str, paths), "sha256": map(sha256_of, paths)})


def cached(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.glob(".cache/*/**/*") if path.is_file()}


# ── Songs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_spectrograms_and_findings_are_those_of_this_machine(project, music, how, configure):
    settings, paths = (
        configure({}).mels_of_dataset(),
        [*map(Path, music["path"]), project / "gone.wav", project / "noise.mp3"],
    )
    paths[-1].write_bytes(b"no music")
    cache.compute(music, project, settings)
    found = inspect_files(paths)
    assert [finding.rejected[:12] for finding in found] == [*[""] * 6, "missing file", "cannot be de"]
    here = cached(project)
    assert len(here) == 6 + 7
    shutil.rmtree(project / ".cache")
    cache.compute(music, project, settings, how)
    assert inspect_files(paths, how) == found
    assert cached(project) == here
    # All is known: nobody is asked.
    nobody = Compute(scheduler="tcp://127.0.0.1:1", data=None)
    cache.compute(music, project, settings, nobody)
    assert inspect_files(paths, nobody) == found


def test_songs_in_a_bucket(project, music, how, store, configure, monkeypatch):
    import s3fs

    for name, value in store.items():
        monkeypatch.setenv(name, value)
    settings, folder, paths = configure({}).mels_of_dataset(), project / "music", [Path(path) for path in music["path"]]
    cache.compute(music, project, settings)
    found = inspect_files(paths)
    spectrograms = cached(project / ".cache" / "mels")
    files = s3fs.S3FileSystem()
    files.mkdir("songs")
    files.put(str(folder), "songs/all/music", recursive=True)
    shutil.rmtree(project / ".cache")
    shutil.move(folder, project / "not here any more")
    there = how.model_copy(update={"data": "s3://songs/all/music/"})
    assert inspect_files(paths, there, folder) == found
    cache.compute(music, project, settings, there, folder)
    assert cached(project / ".cache" / "mels") == spectrograms
    # Another song under a known name is noticed: by its ETag, and by its bytes.
    files.cp_file(f"songs/all/music/{NAMES[0]}", f"songs/all/music/{NAMES[1]}")
    files.invalidate_cache()
    assert inspect_files(paths, there, folder)[1] != found[1]
    shutil.rmtree(project / ".cache" / "mels")
    with pytest.raises(
        UserError, match=r"s3://songs/all/music/rock/two # \(1\)\.mp3: has changed since it was ingested"
    ):
        cache.compute(music[1:2], project, settings, there, folder)
    files.rm(f"songs/all/music/{NAMES[2]}")
    with pytest.raises(
        UserError, match=r"s3://songs/all/music/pop/drei=%41.ogg: worker tcp://\S+ cannot read it \(.+\)"
    ):
        cache.compute(music[2:3], project, settings, there, folder)
    files.invalidate_cache()
    assert inspect_files(paths, there, folder)[2].rejected == "missing file"


def test_songs_under_another_path_there(project, music, how, configure):
    settings = configure({}).mels_of_dataset()
    (kept,) = cache.compute(music[:1], project, settings).files
    expected = kept.read_bytes()
    kept.unlink()
    shutil.move(project / "music", project / "mounted elsewhere")
    there = how.model_copy(update={"data": str(project / "mounted elsewhere")})
    cache.compute(music[:1], project, settings, there, project / "music")
    assert kept.read_bytes() == expected


def test_a_path_that_a_worker_cannot_read_is_one_line(project, music, how, configure):
    settings = configure({}).mels_of_dataset()
    Path(music["path"][3]).unlink()
    with pytest.raises(UserError) as told:
        cache.compute(music, project, settings, how)
    path = music["path"][3]
    assert str(told.value).startswith(f"{path}: worker tcp://127.0.0.1:")
    assert "cannot read it (No such file or directory)" in str(told.value) and "compute.data" in str(told.value)
    with pytest.raises(UserError, match=r"compute.data: s4://x: Protocol not known: s4"):
        cache.compute(music, project, settings, how.model_copy(update={"data": "s4://x"}), project / "music")


# ── Workers that die and workers that join ────────────────────────────────────────────────────────────────────────────


def test_a_killed_worker_loses_nothing_and_no_song_comes_twice(cluster, project, write_song, how, configure):
    settings = configure({}).mels_of_dataset()
    cluster.add("doomed")
    with Cluster(cluster.address) as known:
        until(lambda: len(known.workers(fresh=True)) == 3)
    songs = [write_song(project / f"{number}.wav", number, seconds=5.0) for number in range(18)]
    tasks = {song.name: (song, sha256_of(song), settings) for song in songs}
    kept: dict[str, np.ndarray] = {}

    def keep(name: str, stored: np.ndarray) -> None:
        if not kept:
            cluster.kill("doomed")  # with tasks that are its own: each worker has got some before the first is done
        assert name not in kept
        kept[name] = stored

    assert sorted(name for name, _ in pool.run(cache._compute_one, tasks, keep, how)) == sorted(tasks)
    for name, task in tasks.items():
        np.testing.assert_array_equal(kept[name], cache._compute_one(*task))


def test_a_worker_that_joins_late_gets_its_share_and_tasks_are_taken_as_they_are_needed(cluster):
    seen, taken, done = set(), itertools.count(), 0
    with Cluster(cluster.address) as workers:
        before = len(workers.workers(fresh=True))
        started = time.monotonic()
        last = 0

        def endless() -> Iterator[tuple[int, tuple]]:
            nonlocal last
            for last in taken:
                yield last, ()

        for _, worker in workers.each(worker_name, endless()):
            if not done:
                cluster.add("late")
            done += 1
            seen.add(worker)
            assert last - done < pool.IN_FLIGHT * (before + 1)
            assert time.monotonic() - started < WAIT_S
            if len(seen) > before:
                break
    assert len(seen) == before + 1


def test_all_that_can_be_lost_is_told_in_one_line(tmp_path, project, write_song, configure, monkeypatch, capsys):
    monkeypatch.setattr(client, "WORKERS_S", 1.0)
    monkeypatch.setattr(client, "CONNECT_S", 2.0)
    settings = configure({}).mels_of_dataset()
    songs = [write_song(project / f"{number}.wav", number) for number in range(9)]
    tasks = {song: (song, sha256_of(song), settings) for song in songs}
    with RealCluster(tmp_path) as alone:
        how = Compute(scheduler=alone.address, data=None)
        with pytest.raises(UserError, match=rf"{alone.address}: no workers \(waited 1 s\); start one: dask worker"):
            dict(pool.run(cache._compute_one, tasks, lambda *_: None, how))
        assert capsys.readouterr().err == f"{alone.address}: no workers yet, waiting for one\n"
        monkeypatch.setattr(client, "WORKERS_S", WAIT_S)
        alone.add("only")
        with pytest.raises(UserError, match=r"no workers .*finished results are kept"):
            for _ in pool.run(cache._compute_one, tasks, lambda *_: None, how):
                monkeypatch.setattr(client, "WORKERS_S", 1.0)
                if "only" in alone.processes:
                    alone.kill("only")
        monkeypatch.setattr(client, "WORKERS_S", WAIT_S)
        alone.add("another")
        with pytest.raises(UserError, match=r"connection to the scheduler lost; finished results are kept"):
            for _ in pool.run(cache._compute_one, tasks, lambda *_: None, how):
                if "scheduler" in alone.processes:
                    alone.kill("scheduler")
    for address in (alone.address, "tcp://nowhere.invalid:8786", "xyz://127.0.0.1:1"):
        with pytest.raises(UserError, match=f"compute.scheduler: no Dask scheduler answers at {address} "):
            Cluster(address)


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "tcp://host", "host", ""])
def test_an_address_is_one(configure, address):
    with pytest.raises(UserError, match=r"params\.yaml: compute\.scheduler: "):
        configure({"compute.scheduler": address})


# ── The code ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_workers_have_the_code_as_it_is_now_and_nobody_elses(tmp_path, cluster):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    script = """
import sys, time
from genres import added
from genres.compute.client import Cluster
with Cluster(sys.argv[1]) as cluster:
    for number, value in cluster.each(added.value, ((number, ()) for number in range(8))):
        assert value == added.value(), (value, added.value())
        if number == 0:
            print(value, flush=True)
            sys.stdin.readline()
"""
    command = [sys.executable, "-c", script, cluster.address]

    def start(value: int) -> subprocess.Popen:
        (tmp_path / "src/genres/added.py").write_text(f"def value():\n    return {value}\n")
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        assert process.stdout.readline() == f"{value}\n", process.communicate()[1]
        return process

    first = start(111)
    assert first.communicate("\n", timeout=WAIT_S) == ("", "") and first.returncode == 0
    second = start(222)
    assert second.communicate("\n", timeout=WAIT_S) == ("", "") and second.returncode == 0
    # Two at a time, with other code each: the first must not get the results of the second's.
    with Cluster(cluster.address) as mine:
        assert mine.result(mine.submit(worker_name)).startswith("worker tcp://")
        third = start(333)
        with pytest.raises(UserError, match="another version of the code; use the cluster for one run at a time"):
            mine.result(mine.submit(worker_name))
        assert third.communicate("\n", timeout=WAIT_S) == ("", "")


def test_another_environment_is_one_line(cluster, monkeypatch):
    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1" if name == "soxr" else installed(name))
    with (
        Cluster(cluster.address) as workers,
        pytest.raises(UserError, match=r"worker \S+ has soxr \S+, this machine has 0.1"),
    ):
        workers.result(workers.submit(worker_name))
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "99", "1"))
    with pytest.raises(UserError, match=r"has Python 3\.\d+, this machine has 3\.99"):
        Cluster(cluster.address)


# ── Downloads ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_previews_come_in_at_the_workers_and_are_asked_for_here(project, how, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    pace = services().requests_per_second | {"downloads": 5.0}
    asked_here, send = [], requests.Session.send
    monkeypatch.setattr(requests.Session, "send", lambda *a, **k: asked_here.append(a[1].url) or send(*a, **k))
    turns, take_turn = [], web.Service._take_turn
    monkeypatch.setattr(
        web.Service, "_take_turn", lambda it: turns.append((it.name, time.monotonic())) or take_turn(it)
    )
    songs = [Song(f"4t{n:020d}", f"Song {n}", ("Artist",), isrc=f"QZFAK{n:07d}", duration_s=200.0) for n in range(5)]
    with FakeServer() as server:
        stores = FakeStores(server, seconds=11.0, pieces=4)
        for name, value in stores.environment.items():
            monkeypatch.setenv(name, value)
        sold = [stores.add(song, itunes=False) for song in songs[:3]]
        stores.add(songs[3], content=bytes(2_100_000), itunes=False)
        server.fault("/cdn/", Answer(status=503))
        server.fault("/cdn/", Answer(reset=True))
        outcomes = fetch_all(songs, ["deezer_isrc"], "US", services(requests_per_second=pace), how)
        times = [request.time for request in server.asked("/cdn/")]
    assert [outcomes[song].path.read_bytes() for song in songs[:3]] == [stores.music(one, ".mp3") for one in sold]
    assert outcomes[songs[3]].refused == {"deezer_isrc": "too large for a preview (2.1 MB)"}
    assert outcomes[songs[4]].refused == {"deezer_isrc": "unknown there"}
    assert len(times) == 6
    # However many workers there are, five a second: from the first turn, since a busy worker is late with its request.
    first = min(at for name, at in turns if name == "downloads")
    assert times[-1] - first > 0.99 * 5 / 5.0
    assert asked_here and not [url for url in asked_here if "/cdn/" in url]


# ── Trials ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_asks_the_client_over_its_own_line(cluster):
    with Cluster(cluster.address) as workers:
        n = len(workers.workers(fresh=True))
        running, most = set(), 0

        def tasks() -> Iterator[tuple[str, tuple[int]]]:
            nonlocal most
            for number in range(5):
                running.add(f"task {number}")
                most = max(most, len(running))
                yield f"task {number}", (number,)

        came = {}
        for key, answer in workers.each(Channel.ask, tasks(), lambda key, says: [key, says]):
            running.remove(key)
            came[key] = answer
    assert came == {f"task {number}": (f"task {number}", number) for number in range(5)}
    assert most == n  # one a worker


def test_a_task_whose_worker_dies_before_the_answer_asks_again_elsewhere(cluster):
    cluster.add("mortal")
    with Cluster(cluster.address) as workers:
        before = len(workers.workers(fresh=True))
        until(lambda: "mortal" in cluster.names(workers))
        asked = []

        def answer(key: int, says: int) -> int:
            if not asked:
                cluster.kill("mortal")  # each worker has a task, and none an answer yet
                until(lambda: "mortal" not in cluster.names(workers))
            asked.append(key)
            return says**2

        tasks = ((number, (number,)) for number in range(2 * before))
        came = list(workers.each(Channel.ask, tasks, answer))
    assert sorted(came) == [(number, number**2) for number in range(2 * before)]
    assert len(asked) in (2 * before, 2 * before + 1)


def test_a_task_whose_worker_dies_with_the_result_asks_again_elsewhere(tmp_path, monkeypatch):
    collect, killed, asked = Cluster._results, [], []

    def killing(workers: Cluster, futures: list) -> list | None:
        """Collect results; the first one after the end of the worker that has it."""
        if not killed:
            (holder,) = workers.client.who_has(futures[0])[futures[0].key]
            killed.append(workers.client.scheduler_info(n_workers=-1)["workers"][holder]["name"])
            own.kill(killed[0])
        return collect(workers, futures)

    monkeypatch.setattr(Cluster, "_results", killing)
    with RealCluster(tmp_path) as own:
        own.add("one")
        own.add("two")
        with Cluster(own.address) as workers:
            until(lambda: len(workers.workers(fresh=True)) == 2)
            tasks = ((number, (number,)) for number in range(6))
            came = list(workers.each(Channel.ask, tasks, lambda key, says: asked.append(key) or says**2))
    assert sorted(came) == [(number, number**2) for number in range(6)]
    assert len(killed) == 1 and 7 <= len(asked) <= 8  # what it had begun besides asks again, too


def test_trials_need_the_clients_data(project, cluster, configure):
    task = "baseline", configure({}), {}
    with Cluster(cluster.address) as workers:
        with pytest.raises(UserError, match=r"/data: worker \S+ cannot read it \(No such file or directory: .+\)"):
            list(workers.each(trial.train, [(0, (str(project), {}, *task))], lambda *_: False))
        for path in ("data/tracks.csv", "data/clips.csv", "data/mels/default/index.csv"):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text("of yesterday")
        with pytest.raises(UserError, match=r"/data: worker \S+ has other data than this machine; copy data/"):
            list(workers.each(trial.train, [(0, (str(project), {}, *task))], lambda *_: False))


@pytest.mark.soak
def test_a_search_on_workers(project, how, configure, monkeypatch):
    write_music(project / "music")
    small = {
        "dataset": "folder",
        "datasets.folder.dir": str(project / "music"),
        "models.baseline.filters": [4, 4, 8],
        "clips.length_s": 1.0,
        "front_ends.default.n_mels": 32,
        "train.batch_size": 8,
        "train.learning_rate": 0.01,
        "tune.architecture": "baseline",
        "tune.epochs": 4,
        "tune.startup_trials": 1,
        "tune.warmup_epochs": 0,
        "tune.model": {},
        "tune.train": {"learning_rate": {"choices": [0.01, 1e-9]}},
        "seed": 4,  # the third trial gets the rate at which nothing is learned
    }
    settings = configure(small)
    monkeypatch.setattr(sys, "argv", ["stage"])
    for stage in (ingest, clips, mels):
        stage.main()
    local = search.run_study("baseline", settings, 1)
    monkeypatch.setenv("DVC_ROOT", str(project / "elsewhere"))
    settings = configure({"compute.scheduler": how.scheduler})
    study = search.run_study("baseline", settings, 1)
    assert study.trials[0].intermediate_values == local.trials[0].intermediate_values  # to the last bit
    study = search.run_study("baseline", settings, 3)
    first, second, third = study.trials
    assert [one.user_attrs["values"]["train.learning_rate"] for one in study.trials] == [0.01, 0.01, 1e-9]
    assert [one.state.name for one in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert second.intermediate_values == first.intermediate_values
    assert len(third.intermediate_values) < 4
    assert third.datetime_start < second.datetime_complete  # at one time
    with sqlite3.connect(project / "elsewhere" / "mlflow.db") as runs:
        rows = runs.execute(
            "select count(*) from metrics join tags using (run_uuid) "
            "where tags.key = 'mlflow.parentRunId' and metrics.key = 'val_accuracy' group by run_uuid"
        )
        assert sorted(rows.fetchall()) == [(len(third.intermediate_values),), (4,), (4,)]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
