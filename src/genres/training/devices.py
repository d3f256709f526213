"""Training on all devices of Keras' JAX backend, of one host or of several.

Each device has the whole network and computes its share of every batch; gradients and the statistics of batch
normalisation are over the whole batch, so that the numbers are those of one device but for rounding.

On several hosts each process does the same epochs, and the first one, the leader, does all the rest: it keeps the
checkpoints, which the others get from it, writes the results and tells MLflow.
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

# Keras' own names.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUM_PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
PROCESS_ID = "KERAS_DISTRIBUTION_PROCESS_ID"


class SharedBatches(keras.distribution.DataParallel):
    """Data parallelism in which a batch need not divide, as the last one of an epoch does not.

    DataParallel cuts batches before they come to the devices, and JAX cuts no array that does not divide. Here each
    device gets the whole batch (of bytes: it is small) and it is the compiled step that is divided, what the layers
    give from the first one on; there the compiler makes up for a share that is smaller.
    """

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        """Of a batch as it comes: whole on every device."""
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> keras.distribution.TensorLayout:
        """Of what a layer gives: a share of the clips on each device."""
        return keras.distribution.TensorLayout([self.batch_dim_name], self.device_mesh)


class Devices:
    """What a training runs on.

    Parameters
    ----------
    distribute : bool
        Use all devices; else Keras' usual one.
    batch_size : int
        Clips in a batch, of all devices together.

    Attributes
    ----------
    count, hosts : int
        Devices and processes that share the batches.
    leads : bool
        Whether this process is the one that writes.

    Raises
    ------
    UserError
        If the backend is not JAX, or the batch does not divide by the devices.
    """

    def __init__(self, distribute: bool, batch_size: int) -> None:
        self.count, self.hosts, self.leads = 1, 1, True
        self._scope: keras.distribution.DataParallel | None = None
        if not distribute:
            return
        if keras.backend.backend() != "jax":
            raise UserError(
                "params.yaml: train.distribute: several devices need Keras' JAX backend, and this is "
                f"{keras.backend.backend()}; set the environment variable KERAS_BACKEND=jax"
            )
        _connect()
        self.count = keras.distribution.get_device_count()
        if batch_size % self.count:
            raise UserError(
                f"params.yaml: train.batch_size: {batch_size} clips do not divide by {self.count} devices; "
                f"take {batch_size + -batch_size % self.count}"
            )
        if self.count == 1:
            warn("train.distribute: JAX has one device here, which takes the whole batch")
            return
        # Every process reads whole batches: what is drawn for one clip depends on those before it.
        self._scope = SharedBatches(auto_shard_dataset=False)

        import jax

        self.hosts, self.leads = jax.process_count(), jax.process_index() == 0

    def share(self) -> AbstractContextManager[None]:
        """Within it networks are made, loaded and trained for all devices; outside of it for one."""
        return self._scope.scope() if self._scope else nullcontext()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within it, inside of `share`, a process does what the others do not, such as saving.

        Keras makes variables when it saves, and one that is shared would wait for the other hosts.
        """
        if self._scope:
            keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            if self._scope:
                keras.distribution.set_distribution(self._scope)

    def agree(self, name: str) -> None:
        """See to it that all hosts are about to do the same.

        Raises
        ------
        UserError
            On every host, if one has another name for what it does.
        """
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        # Of one length on all hosts, whatever the name.
        letters = np.frombuffer(name.encode()[-200:].rjust(200), np.uint8)
        everywhere = multihost_utils.process_allgather(letters)
        if (everywhere != everywhere[0]).any():
            raise UserError(
                f"{name}: the hosts differ in code, data, params.yaml or architecture; bring all to the same commit, "
                "and data/ with dvc pull"
            )

    def copy_from_leader(self, folder: Path) -> None:
        """Let a folder hold the files that it holds on the leader."""
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        packed = np.frombuffer(_packed(folder) if self.leads else b"", np.uint8)
        size = int(multihost_utils.broadcast_one_to_all(np.int32(len(packed))))
        content = multihost_utils.broadcast_one_to_all(packed if self.leads else np.zeros(size, np.uint8))
        if not self.leads:
            zipfile.ZipFile(io.BytesIO(np.asarray(content).tobytes())).extractall(folder)


def _packed(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(folder.glob("[!.]*")):  # not what a kill left half-written
            archive.write(path, path.name)
    return content.getvalue()


@functools.cache
def _connect() -> None:
    """Find the other hosts, if the environment names them; before JAX does anything else, and once."""
    given = [name for name in (ADDRESSES, NUM_PROCESSES, PROCESS_ID) if os.environ.get(name)]
    if not given:
        return
    for name in (ADDRESSES, NUM_PROCESSES, PROCESS_ID):
        if name not in given:
            raise UserError(f"{name}: not set, but {given[0]} is; several hosts need all three")
    try:
        keras.distribution.initialize()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{ADDRESSES}, {NUM_PROCESSES} or {PROCESS_ID}: {str(error).splitlines()[0]}") from None
