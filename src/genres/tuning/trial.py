"""One trial of a hyperparameter search on a worker of a cluster: training that asks the client after each epoch.

It runs in its own process (`python -m genres.tuning.trial`): other threads of a worker also draw random numbers, which
would change the weights. The processes exchange lines of JSON.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from genres.compute.worker import Channel, worker_name
from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.core.params import Params
from genres.core.paths import CLIPS, TRACKS, mels_dir
from genres.data.shards import INDEX
from genres.training.schedule import History
from genres.tuning.space import Values, with_values


def data_digests(front_end: str, folder: Path = Path()) -> dict[str, str]:
    """Return the SHA-256 of the files below a project's folder that define the clips of a search."""
    return {str(path): sha256_of(folder / path) for path in (CLIPS, TRACKS, mels_dir(front_end) / INDEX)}


def train(
    channel: Channel, folder: str, digests: dict[str, str], architecture: str, settings: Params, values: Values
) -> tuple[History, bool]:
    """Train with a trial's values.

    Parameters
    ----------
    channel : Channel
        Channel to the client, which answers after each epoch whether to stop.
    folder : str
        Folder of the project, with the data below it.
    digests : dict
        Result of :func:`data_digests` at the client.
    architecture, settings, values
        Architecture to train, all parameters, and the values that the trial changes.

    Returns
    -------
    history : list of dict
        One dict per epoch.
    complete : bool
        Whether training was neither stopped nor diverged.

    Raises
    ------
    UserError
        If the worker does not have the client's data.
    """
    _check(Path(folder), settings.models[architecture].front_end, digests)
    code = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-P", "-m", "genres.tuning.trial"]  # -P: ignore code that may lie in `folder`
    history: History = []
    with tempfile.TemporaryFile() as errors:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": code}, **pipes) as process:  # type: ignore[call-overload]
            try:
                process.stdin.write(pickle.dumps((architecture, settings, values)))
                process.stdin.flush()
                for message in map(json.loads, process.stdout):
                    if "error" in message:
                        raise UserError(message["error"])
                    if "complete" in message:
                        return history, message["complete"]
                    history.append(message)
                    process.stdin.write(f"{json.dumps(bool(channel.ask(message)))}\n".encode())
                    process.stdin.flush()
            finally:
                process.kill()
        errors.seek(0)
        log = errors.read().decode(errors="replace")[-4000:]
        raise RuntimeError(f"the trial's process on {worker_name()} died:\n{log}")


def _check(folder: Path, front_end: str, digests: dict[str, str]) -> None:
    try:
        is_same = data_digests(front_end, folder) == digests
    except OSError as error:
        raise UserError(
            f"{folder / 'data'}: {worker_name()} cannot read it ({error.strerror}: {error.filename}); copy the "
            "project's data/ to this path there (compute.data is for songs only)"
        ) from None
    if not is_same:
        raise UserError(f"{folder / 'data'}: {worker_name()} has other data than this machine; copy data/ there")


class _StoppedError(Exception):
    """The client stops the training."""


def main() -> None:
    """Train the trial that stdin describes; write each epoch to stdout, and read from stdin whether to stop.

    It ends with its parent process.
    """
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # other output goes to stderr, not between these lines
    architecture, settings, values = pickle.load(sys.stdin.buffer)

    def send(message: dict[str, Any]) -> None:
        out.write(f"{json.dumps(message)}\n")

    from genres.training.fitting import DivergedError
    from genres.training.frozen import training_of

    history: History = []

    def after_epoch() -> None:
        send(history[-1])
        if json.loads(sys.stdin.buffer.readline()):
            raise _StoppedError

    try:
        changed = with_values(settings, architecture, values)
        training = training_of(architecture, changed, epochs=settings.tune.epochs, early_stopping_patience=None)
        training.fit(training.new_model(), history, after_epoch, verbose=0)
    except (_StoppedError, DivergedError):
        send({"complete": False})
    except UserError as error:
        send({"error": str(error)})
    else:
        send({"complete": True})


if __name__ == "__main__":
    main()
