"""Keras with the project's settings: ``from genres.models.backend import keras``, whatever KERAS_BACKEND names.

TensorFlow's oneDNN kernels are on unless the user's environment disables them. TensorFlow itself turns them on only on
processors with AVX-512 VNNI or similar; on others, including most desktops, training without them takes 2.5 to 4.5
times as long (docs/benchmarks.md).

Stderr is muted during the import, since TensorFlow's libraries print before any log level can be set. Errors are
exceptions and still reported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from genres.core.console import UserError
from genres.models import keras_settings


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
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
with _muted_stderr():
    try:
        import keras
    except (ImportError, ValueError) as error:  # not installed, no such backend, or a wrong value in keras.json
        if isinstance(error, ModuleNotFoundError) and error.name == "keras":
            raise  # which the command `genres` explains
        reason = str(error).partition("\n")[0]
        raise UserError(f"{keras_settings.backend()[1]}: {reason}; {keras_settings.cure()}") from None

    if keras.backend.backend() == "tensorflow":
        keras.ops.convert_to_tensor(0.0)  # looks for devices: where there is no GPU, CUDA says so in a line of its own

# A user's keras.json and the limits of KERAS_MAX_… must not change the networks and their training.
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")
keras.config.set_max_epochs(None)
keras.config.set_max_steps_per_epoch(None)

__all__ = ["keras"]
