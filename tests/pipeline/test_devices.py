"""Training on two devices is training on one: JAX with two devices on the CPU, and two processes with one each."""

import json
import math
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT, Checkout, use_small_music, write_music
from faults import wait_for

from genres.core.files import read_table
from genres.models.card import read_card

pytest.importorskip("jax")
pytestmark = [pytest.mark.xdist_group("devices"), pytest.mark.soak]

JAX = {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
TWO = JAX | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
TRAIN = ("python", "src/train.py", "separable_cnn")
HISTORY = "plots/separable_cnn/history.csv"
NUMBERS = ["loss", "val_loss", "accuracy", "val_accuracy"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Checkout:
    """Spectrograms and clips, and a network with dropout, batch normalisation and random crops.

    It has no biases before batch normalisation: their gradients are rounding, of which Adam makes whole steps.
    """
    folder = tmp_path_factory.mktemp("devices")
    checkout = Checkout(folder / "project")
    use_small_music(
        checkout,
        folder / "music",
        architectures=["separable_cnn"],
        models__separable_cnn__filters=[4, 8],
        train__epochs=4,
        train__batch_size=6,
        clips__length_s=1.3,
    )
    write_music(folder / "music", artists=5)
    for stage in ("ingest", "clips", "mels"):
        checkout.here("python", f"src/{stage}.py")
    clips = read_table(checkout.folder / "data/clips.csv")["fold"].value_counts()
    assert clips["train"] % 6 % 2 == 1  # the last batch is smaller, and odd
    return checkout


# Trains with each line of changes of params.yaml in turn; keeps the history, or the error.
TRAININGS = """
import json, shutil, sys
from pathlib import Path
sys.path.insert(0, "src")
import train
from ruamel.yaml import YAML

yaml = YAML()
for number, changes in enumerate(json.loads(sys.argv.pop())):
    settings = yaml.load(Path("params.yaml"))
    settings["train"] |= changes.pop("train")
    yaml.dump(settings | changes, Path("params.yaml"))
    try:
        train.main()
        shutil.copy("HISTORY", f"{number}.csv")
    except SystemExit:
        pass
""".replace("HISTORY", HISTORY)


@pytest.fixture(scope="module")
def trained(project) -> tuple[str, list[pd.DataFrame]]:
    """Trainings in one process with two devices: on one of them, on both, with another seed, with an odd batch.

    What was printed, and the histories of the first three; the model of the third is there.
    """
    changes = [
        {"train": {}},
        {"train": {"distribute": True}},
        {"train": {}, "seed": 43},
        {"train": {"batch_size": 7}},
    ]
    output = project.run("python", "-c", TRAININGS, "separable_cnn", json.dumps(changes), **TWO)
    project.set_params(train__distribute=False, seed=42, train__batch_size=6)
    return output, [pd.read_csv(project.folder / f"{number}.csv") for number in range(3)]


@pytest.fixture(scope="module")
def on_one(trained) -> pd.DataFrame:
    """The history of a training on one device."""
    return trained[1][0]


@pytest.fixture
def distributed(project):
    """The project, with training on all devices."""
    project.set_params(train__distribute=True)
    (project.folder / HISTORY).unlink(missing_ok=True)
    yield project
    project.set_params(train__distribute=False, seed=42, train__batch_size=6)


def furthest(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The largest relative difference of any loss or accuracy in any epoch."""
    assert len(one) == len(other) == 4
    return float((one[NUMBERS] / other[NUMBERS] - 1).abs().max(axis=None))


def test_two_devices_give_the_curve_of_one(trained, project):
    output, (one, two, other_seed) = trained
    assert output.count("on 2 devices") == 2
    assert furthest(two, one) < 1e-4
    assert furthest(other_seed, one) > 1e-2
    # What is written is a model like any other, for a process with one device and another backend.
    project.here("python", "src/evaluate.py", "separable_cnn")
    card = read_card(project.folder / "models/separable_cnn.keras")
    predictions = pd.read_csv(project.folder / "predictions/separable_cnn.csv")
    assert np.isfinite(predictions[card["genres"]]).all(axis=None)


def test_a_killed_training_on_two_devices_goes_on_to_the_same_result(distributed, on_one):
    distributed.environment |= TWO
    process = distributed.start(*TRAIN)
    for name in TWO:
        del distributed.environment[name]
    wait_for(process, "checkpoint", lambda: any(distributed.folder.glob(".cache/training/*/last-[2-4].keras")))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (distributed.folder / HISTORY).exists()
    assert "resuming after epoch" in distributed.run(*TRAIN, **TWO)
    assert furthest(pd.read_csv(distributed.folder / HISTORY), on_one) < 1e-4


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_two_processes_give_the_curve_of_one(distributed, on_one, tmp_path):
    """As on two hosts, which reach each other over TCP; they may share the folder, as they do here."""
    hosts = {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{free_port()}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    processes = []
    for number in range(2):
        with (tmp_path / f"{number}.log").open("w") as log:
            environment = distributed.environment | JAX | hosts | {"KERAS_DISTRIBUTION_PROCESS_ID": str(number)}
            processes.append(
                subprocess.Popen(TRAIN, cwd=distributed.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
    try:
        status = [process.wait(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()
    logs = [(tmp_path / f"{number}.log").read_text() for number in range(2)]
    assert status == [0, 0], "\n".join(logs)
    assert "on 2 devices, processes: 2" in logs[0]
    assert furthest(pd.read_csv(distributed.folder / HISTORY), on_one) < 1e-4
    assert not any(distributed.folder.glob(".cache/training/*"))


def test_what_cannot_be_distributed_is_one_line(trained, distributed):
    output = distributed.here(*TRAIN, fails=True)
    assert output.startswith("error: params.yaml: train.distribute: several devices need Keras' JAX backend")
    assert "KERAS_BACKEND=jax" in output
    assert output.count("\n") == 1
    assert trained[0].endswith("error: params.yaml: train.batch_size: 7 is not a multiple of the 2 devices; use 8\n")
    output = distributed.run(*TRAIN, fails=True, **TWO, KERAS_DISTRIBUTION_NUM_PROCESSES="2")
    assert output.startswith("error: KERAS_DISTRIBUTION_JOB_ADDRESSES: not set, but KERAS_DISTRIBUTION_NUM_PROCESSES")


def test_each_device_computes_its_share():
    """By the compiler's count of what one device has to do, for a batch that divides and for one that does not."""
    code = """
import jax
import numpy as np
from genres.models.backend import keras
from genres.training.devices import Devices

devices = Devices(True, 32)
with devices.share():
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(256), keras.layers.Dense(256)])
    for clips in (32, 21):
        batch = np.ones((clips, 64), np.float32)
        print(clips, jax.jit(lambda x: network(x)).lower(batch).compile().cost_analysis()["flops"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | TWO, capture_output=True, text=True, check=True
    )
    flops = dict(map(float, line.split()) for line in done.stdout.splitlines())
    for clips, of_one in flops.items():
        whole = 2 * clips * (64 * 256 + 256 * 256)
        assert of_one == pytest.approx(math.ceil(clips / 2) / clips * whole, rel=0.05)
