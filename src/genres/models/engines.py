"""Trained networks as functions from windows to the numbers of their last layer, by onnxruntime or by Keras."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genres.core.console import UserError

if TYPE_CHECKING:
    from genres.models.backend import keras

# uint8 [shape=(n, frames, n_mels)] → float32 [shape=(n, numbers)]
Network = Callable[[np.ndarray], np.ndarray]

_NO_SAMPLES = np.zeros(0, np.float32)


def load(model_file: Path, embeddings: Path | None = None) -> Network:
    """Load a network: an .onnx file with onnxruntime, which takes a tenth of a second, others with Keras.

    Parameters
    ----------
    model_file : Path
    embeddings : Path or None
        Folder that keeps what a frozen network computes, if Keras runs it.

    Raises
    ------
    UserError
        If it cannot be loaded.
    """
    if model_file.suffix == ".onnx":
        return OnnxNetwork(model_file)
    from genres.models import builders  # loads Keras, which takes seconds

    return of_keras(builders.load(model_file), embeddings)


def of_keras(network: "keras.Model", embeddings: Path | None = None) -> Network:
    """Return a Keras network as such a function; `embeddings` as in :func:`load`."""
    from genres.models.backend import keras
    from genres.models.embeddings import Embeddings, is_frozen

    if is_frozen(network):
        return Embeddings(network, embeddings)

    # Called directly: the set-up of model.predict() takes longer than a song.
    return lambda windows: keras.ops.convert_to_numpy(network(windows, training=False))


class OnnxNetwork:
    """The network of an exported model.

    Raises
    ------
    UserError
        If onnxruntime cannot load or run it.
    """

    def __init__(self, model_file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are exceptions, too
        options.enable_mem_pattern = False  # else memory grows with the numbers of windows that it has seen
        # Threads that wait for the next window would take the time of decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._file = model_file
        try:
            self._session = onnxruntime.InferenceSession(model_file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of any type, since the file determines it
            raise self._refusal(error) from None

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        try:
            (output,) = self._session.run(["probabilities"], {"samples": _NO_SAMPLES, "windows": windows})
        except Exception as error:  # as above
            raise self._refusal(error) from None
        return np.asarray(output)

    def _refusal(self, error: Exception) -> UserError:
        return UserError(f"{self._file}: onnxruntime cannot run it ({str(error).partition(chr(10))[0]})")
