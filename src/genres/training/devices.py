"""Data-parallel training on all devices of Keras' JAX backend, on one host or several.

Each device holds the whole network and computes its share of every batch. Gradients and the statistics of batch
normalisation are over the whole batch, so the results equal those of one device up to rounding.

On several hosts each process trains the same epochs. The first one, the leader, also keeps the checkpoints, which it
sends to the others, writes the results and logs to MLflow.
"""

import functools
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np

from genres.core.console import UserError, warn
from genres.models.backend import keras

# Environment variables that Keras defines.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUM_PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
PROCESS_ID = "KERAS_DISTRIBUTION_PROCESS_ID"


class SharedBatches(keras.distribution.DataParallel):
    """Data parallelism for batches whose size is no multiple of the devices, such as the last one of an epoch.

    DataParallel splits batches before they reach the devices, and JAX only splits arrays evenly. Here each device gets
    the whole batch, which is small (bytes), and the compiled step is split, from the first layer's output on; there
    the compiler pads a smaller share.
    """

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        """Return the layout of an input batch: whole on every device."""
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> keras.distribution.TensorLayout:
        """Return the layout of a layer's output: a share of the clips on each device."""
        return keras.distribution.TensorLayout([self.batch_dim_name], self.device_mesh)


class Devices:
    """Devices and processes that a training runs on.

    Parameters
    ----------
    distribute : bool
        Whether to use all devices; otherwise Keras' default one.
    batch_size : int
        Number of clips in a batch, over all devices.

    Attributes
    ----------
    count, hosts : int
        Number of devices and of processes that share the batches.
    is_leader : bool
        Whether this process writes the results.

    Raises
    ------
    UserError
        If the backend is not JAX, or the batch size is no multiple of the number of devices.
    """

    def __init__(self, distribute: bool, batch_size: int) -> None:
        self.count, self.hosts, self.is_leader = 1, 1, True
        self._scope: keras.distribution.DataParallel | None = None
        if not distribute:
            return
        if keras.backend.backend() != "jax":
            raise UserError(
                "params.yaml: train.distribute: several devices need Keras' JAX backend, not "
                f"{keras.backend.backend()}; set the environment variable KERAS_BACKEND=jax"
            )
        _connect()
        self.count = keras.distribution.get_device_count()
        if batch_size % self.count:
            raise UserError(
                f"params.yaml: train.batch_size: {batch_size} is not a multiple of the {self.count} devices; "
                f"use {batch_size + -batch_size % self.count}"
            )
        if self.count == 1:
            warn("train.distribute: JAX has only one device here; training runs on that one")
            return
        # Every process reads whole batches: the random draws of a clip depend on those of earlier clips.
        self._scope = SharedBatches(auto_shard_dataset=False)

        import jax

        self.hosts, self.is_leader = jax.process_count(), jax.process_index() == 0

    def share(self) -> AbstractContextManager[None]:
        """Return a context in which networks are built, loaded and trained on all devices; outside it, on one."""
        return self._scope.scope() if self._scope else nullcontext()

    @contextmanager
    def unshared(self) -> Iterator[None]:
        """Suspend `share` for work that only this process does, such as saving.

        Keras creates variables when it saves, and a shared one would wait for the other hosts.
        """
        if self._scope:
            keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            if self._scope:
                keras.distribution.set_distribution(self._scope)

    def check_agreement(self, name: str) -> None:
        """Check that all hosts run the same training.

        Raises
        ------
        UserError
            On every host, if `name` differs on one of them.
        """
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        # The same length on all hosts, as the gather requires.
        letters = np.frombuffer(name.encode()[-200:].rjust(200), np.uint8)
        everywhere = multihost_utils.process_allgather(letters)
        if (everywhere != everywhere[0]).any():
            raise UserError(
                f"{name}: the hosts differ in code, data, params.yaml or architecture; check out the same commit "
                "on all, and run dvc pull"
            )

    def copy_from_leader(self, folder: Path) -> None:
        """Copy the files of a folder from the leader to all other hosts."""
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        packed = np.frombuffer(_packed(folder) if self.is_leader else b"", np.uint8)
        size = int(multihost_utils.broadcast_one_to_all(np.int32(len(packed))))
        content = multihost_utils.broadcast_one_to_all(packed if self.is_leader else np.zeros(size, np.uint8))
        if not self.is_leader:
            zipfile.ZipFile(io.BytesIO(np.asarray(content).tobytes())).extractall(folder)


def _packed(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(folder.glob("[!.]*")):  # not the hidden temporary files of a killed process
            archive.write(path, path.name)
    return content.getvalue()


@functools.cache
def _connect() -> None:
    """Connect to the other hosts, if the environment names them; once, and before any other use of JAX."""
    given = [name for name in (ADDRESSES, NUM_PROCESSES, PROCESS_ID) if os.environ.get(name)]
    if not given:
        return
    for name in (ADDRESSES, NUM_PROCESSES, PROCESS_ID):
        if name not in given:
            raise UserError(f"{name}: not set, but {given[0]} is; set all three for several hosts")
    try:
        keras.distribution.initialize()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{ADDRESSES}, {NUM_PROCESSES} or {PROCESS_ID}: {str(error).splitlines()[0]}") from None
