"""One trial of a hyperparameter search on a worker of a cluster: a training that asks the client after each epoch.

It runs in a process of its own (`python -m genres.tuning.trial`), since a worker's other threads would draw random
numbers, too, and its weights would not be those of the same trial elsewhere. The two talk in lines of JSON.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from genres.compute.worker import Line, here
from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.core.params import Params
from genres.core.paths import CLIPS, MELS, TRACKS
from genres.data.shards import INDEX
from genres.training.schedule import History
from genres.tuning.space import Values, with_values


def data(folder: Path = Path()) -> dict[str, str]:
    """SHA-256 of what says which clips a search learns from, below a project's folder."""
    return {str(path): sha256_of(folder / path) for path in (CLIPS, TRACKS, MELS / INDEX)}


def train(
    line: Line, folder: str, known: dict[str, str], architecture: str, settings: Params, values: Values
) -> tuple[History, bool]:
    """Train with a trial's values.

    Parameters
    ----------
    line : Line
        To the client, which says after each epoch whether to stop.
    folder : str
        The project's, with the data below it.
    known : dict
        What :func:`data` says at the client.
    architecture, settings, values
        What to train, and how.

    Returns
    -------
    history : list of dict
        An entry an epoch.
    complete : bool
        Whether it came to its end: it was neither stopped nor diverged.

    Raises
    ------
    UserError
        Where the worker does not have the client's data.
    """
    _check(Path(folder), known)
    code = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-P", "-m", "genres.tuning.trial"]  # -P: not the code that may lie in `folder`
    history: History = []
    with tempfile.TemporaryFile() as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": code}, **pipes) as process:  # type: ignore[call-overload]
            try:
                process.stdin.write(pickle.dumps((architecture, settings, values)))
                process.stdin.flush()
                for told in map(json.loads, process.stdout):
                    if "error" in told:
                        raise UserError(told["error"])
                    if "complete" in told:
                        return history, told["complete"]
                    history.append(told)
                    process.stdin.write(f"{json.dumps(bool(line.ask(told)))}\n".encode())
                    process.stdin.flush()
            finally:
                process.kill()
        said.seek(0)
        raise RuntimeError(f"the trial's process on {here()} has died:\n{said.read().decode(errors='replace')[-4000:]}")


def _check(folder: Path, known: dict[str, str]) -> None:
    try:
        is_same = data(folder) == known
    except OSError as error:
        raise UserError(
            f"{folder / 'data'}: {here()} cannot read it ({error.strerror}: {error.filename}); trials need the "
            "project's data/ under this path there, too (compute.data is for songs only)"
        ) from None
    if not is_same:
        raise UserError(f"{folder / 'data'}: on {here()} it is another one than here")


class _StoppedError(Exception):
    """The client has seen enough."""


def main() -> None:
    """Train as stdin says; tell each epoch on stdout, and go on as stdin answers. Ends with who has started it."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed is no line of these
    architecture, settings, values = pickle.load(sys.stdin.buffer)

    def tell(what: dict[str, Any]) -> None:
        out.write(f"{json.dumps(what)}\n")

    from genres.training.fitting import DivergedError
    from genres.training.loop import Training

    history: History = []

    def after_epoch() -> None:
        tell(history[-1])
        if json.loads(sys.stdin.buffer.readline()):
            raise _StoppedError

    try:
        changed = with_values(settings, architecture, values)
        training = Training(architecture, changed, epochs=settings.tune.epochs, early_stopping_patience=None)
        training.fit(training.new_model(), history, after_epoch, verbose=0)
    except (_StoppedError, DivergedError):
        tell({"complete": False})
    except UserError as error:
        tell({"error": str(error)})
    else:
        tell({"complete": True})


if __name__ == "__main__":
    main()
