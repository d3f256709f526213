"""One trial of a hyperparameter search on a worker of a cluster: a training that asks the client after each epoch."""

import contextlib
import threading
from pathlib import Path
from typing import Any

from src.compute import Line, here
from src.console import UserError
from src.files import CLIPS, MELS, TRACKS, sha256_of
from src.params import Params
from src.search_space import Values, with_values

History = list[dict[str, float]]

# Keras' seed and the working folder belong to the whole process, whatever its threads.
_ONE = threading.Lock()


def data() -> dict[str, str]:
    """SHA-256 of what says which clips a search learns from; they lie below the working folder."""
    from src.spectrogram import Spectrograms

    return {str(path): sha256_of(path) for path in (CLIPS, TRACKS, MELS / Spectrograms.INDEX)}


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
    with _ONE, _working_in(folder, known):
        from src.backend import keras
        from src.training import DivergedError, Training

        keras.utils.clear_session()  # of an earlier trial
        changed = with_values(settings, architecture, values)
        training = Training(architecture, changed, epochs=settings.tune.epochs, early_stopping_patience=None)
        history: History = []

        def after_epoch() -> None:
            if line.ask(history[-1]):
                raise _StoppedError

        try:
            training.fit(training.new_model(), history, after_epoch, verbose=0)
        except (_StoppedError, DivergedError):
            return history, False
        return history, True


class _StoppedError(Exception):
    """The client has seen enough."""


@contextlib.contextmanager
def _working_in(folder: str, known: dict[str, str]) -> Any:
    try:
        with contextlib.chdir(folder):
            if data() != known:
                raise UserError(f"{Path(folder) / 'data'}: on {here()} it is not what it is here")
            yield
    except OSError as error:
        raise UserError(
            f"{Path(folder) / 'data'}: {here()} cannot read it ({error.strerror or error}): "
            "trials need the project's data/ under this path there (compute.data is for songs only)"
        ) from None
