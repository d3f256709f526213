"""Keras, imported without the lines that TensorFlow's libraries print at every start.

Those lines come before any log level can be set, so the import itself is muted; errors are exceptions and still seen.
``from genres.models.backend import keras`` works for every backend (KERAS_BACKEND: tensorflow, jax, torch).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _muted_stderr() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _muted_stderr():
    import keras

__all__ = ["keras"]
