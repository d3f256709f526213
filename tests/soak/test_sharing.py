"""Two machines that share: a DVC remote (a folder, S3), experiments, and an MLflow server, all of them real.

A machine is a clone of its own; the git remote, S3 and the server are on this one. The second machine lacks the music.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout, clean_environment, use_small_music
from mlflow import MlflowClient, artifacts
from mlflow.entities import Run

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("sharing")]

UP_TO_DATE = "Data and pipelines are up to date."
KEYS = {"AWS_ACCESS_KEY_ID": "the-name-of-a-key", "AWS_SECRET_ACCESS_KEY": "the-secret-of-a-key"}
SHARED = ["models", "predictions", "data"]


class Machine(Checkout):
    """A clone of a git repository, with an environment of its own."""

    def __init__(self, origin: Path, folder: Path, **environment: str) -> None:
        self.folder, self.environment = folder, clean_environment() | environment
        folder.mkdir(parents=True)
        self.run("git", "clone", "-q", str(origin), ".")


def files(machine: Checkout) -> dict[str, bytes]:
    """What the stages have made, but for what git has."""
    names = [path for name in SHARED for path in sorted((machine.folder / name).rglob("*"))]
    tracked = set(machine.run("git", "ls-files", *SHARED).splitlines())
    relative = [path.relative_to(machine.folder).as_posix() for path in names if path.is_file()]
    return {name: (machine.folder / name).read_bytes() for name in relative if name not in tracked}


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of an MLflow server with a database and a folder of its own."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    options = ["--backend-store-uri", f"sqlite:///{folder}/runs.db", "--artifacts-destination", f"{folder}/artifacts"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options, "--workers", "1", "--port", str(port)],
            cwd=folder,
            env=clean_environment() | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 200
    try:
        while not answers(f"{address}/health"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.5)
        yield address
        assert not (folder / "mlruns").exists()
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=5).status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("music") / "songs"


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """A bare git repository, as git servers have them."""
    folder = tmp_path_factory.mktemp("git") / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory, music, origin, server) -> Checkout:
    """The machine that has the music: it has run the pipeline, and pushed to git and to a folder."""
    checkout = Checkout(tmp_path_factory.mktemp("first") / "a checkout")
    checkout.environment["MLFLOW_TRACKING_URI"] = server
    use_small_music(checkout, music)
    checkout.commit()
    checkout.run("git", "remote", "add", "origin", str(origin))
    checkout.run("dvc", "repro")
    checkout.run("dvc", "remote", "add", "--default", "shared", str(tmp_path_factory.mktemp("remote") / "dvc"))
    checkout.run("git", "add", "-A")
    checkout.run("git", "commit", "-q", "-m", "Results")
    checkout.run("dvc", "push")
    checkout.run("git", "push", "-q", "origin", "main")
    return checkout


@pytest.fixture(scope="module")
def second(tmp_path_factory, first, music, origin, server) -> Iterator[Machine]:
    """A machine that has cloned and pulled; the music is nowhere as long as it is in use."""
    machine = Machine(origin, tmp_path_factory.mktemp("second") / "clone", MLFLOW_TRACKING_URI=server)
    machine.run("dvc", "pull")
    away = music.rename(music.parent / "away")
    yield machine
    away.rename(music)


def runs(server: str) -> list[Run]:
    """The trainings that a server knows, the first one first."""
    client = MlflowClient(server)
    found = client.search_runs([client.get_experiment_by_name("folder").experiment_id])
    trained = [run for run in found if "train.epochs" in run.data.params]
    return sorted(trained, key=lambda run: run.info.start_time)


def test_a_folder_has_all_that_a_clone_needs(first, origin, tmp_path):
    clone = Machine(origin, tmp_path / "clone")
    assert files(clone) == {}
    clone.run("dvc", "pull")
    assert files(clone) == files(first) != {}
    output = clone.run("dvc", "repro")
    assert UP_TO_DATE in output
    assert "Running stage" not in output
    assert clone.run("dvc", "status").strip() == UP_TO_DATE
    assert clone.run("git", "status", "--porcelain") == ""
    # And nothing else: as many files as DVC counts, and those of the folders' lists.
    remote = Path(first.run("dvc", "remote", "list").split("\t")[-1].split()[0])
    stored = [path for path in remote.rglob("*") if path.is_file()]
    lists = [path for path in stored if path.suffix == ".dir"]
    assert len(stored) - len(lists) <= len(set(files(first).values()))
    assert not list(remote.rglob("runs"))


def test_s3_has_all_that_a_clone_needs(first, origin, tmp_path):
    import boto3
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        options = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **options).create_bucket(Bucket="genres")
        first.run("dvc", "remote", "add", "--force", "cloud", "s3://genres/dvc")
        first.run("dvc", "remote", "modify", "cloud", "endpointurl", endpoint)
        first.run("dvc", "push", "--remote", "cloud", **KEYS)
        first.run("git", "add", "-A")
        first.run("git", "commit", "-q", "-m", "A remote on S3")
        first.run("git", "push", "-q", "origin", "main")

        clone = Machine(origin, tmp_path / "clone")
        for option, value in zip(("access_key_id", "secret_access_key"), KEYS.values(), strict=True):
            clone.run("dvc", "remote", "modify", "--local", "cloud", option, value)
        clone.run("dvc", "pull", "--remote", "cloud")
        assert files(clone) == files(first) != {}
        assert UP_TO_DATE in clone.run("dvc", "repro")
        # The keys are in .dvc/config.local, which git does not see.
        assert clone.run("git", "status", "--porcelain") == ""
        assert KEYS["AWS_SECRET_ACCESS_KEY"] in (clone.folder / ".dvc/config.local").read_text()
        clone.run("git", "grep", "the-secret", "--", ".dvc", fails=True)
    finally:
        moto.stop()


def test_a_clone_without_the_music_is_up_to_date_too(second):
    output = second.run("dvc", "repro", "--allow-missing")
    assert UP_TO_DATE in output
    assert "Running stage" not in output


def test_experiments_and_runs_of_two_machines(first, second, music, server, monkeypatch):
    """The second trains on spectrograms from the remote; its experiment comes to the first, its run to the server."""
    second.run("dvc", "exp", "run", "--allow-missing", "--temp", "--name", "shorter", "-S", "train.epochs=1")
    second.run("dvc", "exp", "push", "origin", "shorter")

    first.run("dvc", "exp", "pull", "origin", "shorter")
    before = files(first)["models/baseline.keras"]
    first.run("dvc", "exp", "apply", "shorter")
    try:
        assert len(pd.read_csv(first.folder / "plots/baseline/history.csv")) == 1
        assert files(first)["models/baseline.keras"] != before
        missing = first.run("dvc", "repro", "--allow-missing")
        assert "Running stage" not in missing
    finally:
        first.run("git", "reset", "-q", "--hard")
        first.run("dvc", "checkout", "-q", "--force")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    one, other = runs(server)
    assert (one.data.params["train.epochs"], other.data.params["train.epochs"]) == ("2", "1")
    assert (one.data.tags["dvc_experiment"], other.data.tags["dvc_experiment"]) == ("", "shorter")
    client = MlflowClient(server)
    for run, epochs in ((one, 2), (other, 1)):
        assert len(client.get_metric_history(run.info.run_id, "val_loss")) == epochs
        assert {"test_track_accuracy", "val_track_accuracy"} <= set(run.data.metrics)
        assert "plots/confusion.png" in {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    (output,) = one.outputs.model_outputs
    copy = artifacts.download_artifacts(f"models:/{output.model_id}", dst_path=str(music.parent))
    assert (Path(copy) / "baseline.keras").read_bytes() == files(first)["models/baseline.keras"]


def test_every_other_command_uses_the_server(first, second, server):
    client = MlflowClient(server)
    second.set_params(tune__epochs=1)
    second.run("genres", "tune", "baseline", "--trials", "1")
    second.run("git", "checkout", "-q", "params.yaml")
    place = client.get_experiment_by_name("folder").experiment_id
    assert client.search_runs([place], "tags.sweep = 'tune'")

    output = second.run("genres", "register")
    assert server in output
    version = client.get_model_version_by_alias("genres-folder", "champion")
    assert version.run_id in {run.info.run_id for run in runs(server)}

    second.run("python", "src/compare.py")
    assert len(client.search_runs([place], "tags.best = 'true'")) == 1

    (second.folder / ".venv").mkdir(exist_ok=True)
    (second.folder / ".venv/.installed").touch()
    assert f"The runs are on the server: {server}" in second.run("make", "ui")
    shutil.rmtree(second.folder / ".venv")

    for machine in (first, second):
        strays = [path for name in ("mlflow.db", "mlruns") for path in machine.folder.glob(f"**/{name}")]
        assert strays == []


def test_a_server_that_is_not_there_is_one_line(second):
    address = f"http://127.0.0.1:{free_port()}"
    output = second.run(
        *("python", "src/train.py", "baseline"),
        fails=True,
        MLFLOW_TRACKING_URI=address,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
    )
    assert f"error: MLflow at {address}: " in output
    assert "Traceback" not in output
