"""Fit a compiled network epoch by epoch, so that a training that was killed goes on as if it had not been."""

import math
import sys
import time
from collections.abc import Callable

import numpy as np

from genres.core.console import UserError
from genres.core.params import TrainParams
from genres.data.batches import Epochs, for_fit
from genres.models.backend import keras
from genres.training.dataset import Dataset
from genres.training.devices import Devices
from genres.training.schedule import History, learning_rate, stopped

# Seconds of an epoch, with validation and without; kept apart from what is equal between two runs.
CLOCK = ["seconds", "training_seconds"]


class DivergedError(UserError):
    """The loss is not finite any more."""


def optimizer(settings: TrainParams) -> keras.optimizers.Optimizer:
    """Return the optimiser that `settings` names, at its first learning rate."""
    if settings.optimizer == "sgd_nesterov":
        return keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum, nesterov=True)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(settings.learning_rate)


def compile_model(model: keras.Model, settings: TrainParams) -> None:
    """Compile a network with the optimiser and loss that `settings` name."""
    model.compile(
        optimizer=optimizer(settings),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        # JAX without it would compute operation by operation, on each device the whole batch. TensorFlow's XLA is less
        # than half as fast as oneDNN's kernels on CPUs (docs/scaling.md).
        jit_compile=keras.backend.backend() == "jax",
    )


def fit(
    model: keras.Model,
    data: Dataset,
    settings: TrainParams,
    seed: int,
    history: History,
    after_epoch: Callable[[], None],
    *,
    devices: Devices,
    validate: bool = True,
    verbose: int | None = None,
) -> None:
    """Train from the end of `history` on.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    data : Dataset
    settings : TrainParams
    seed : int
        Seed of dropout.
    history : list of dict
        Grows by an entry an epoch.
    after_epoch : callable
        Called after each epoch, on each host.
    devices : Devices
        Devices that share the batches.
    validate : bool
        Compute val_loss and val_accuracy after each epoch.
    verbose : int or None
        As for keras.Model.fit; None: a progress bar on a terminal, else a line an epoch.

    Raises
    ------
    DivergedError
        If a loss is not finite.
    """
    if stopped(history, settings):
        return
    with devices.share():
        model.fit(
            for_fit(Epochs(data.train, len(history))),
            steps_per_epoch=len(data.train),
            validation_data=for_fit(Epochs(data.val)) if validate else None,
            validation_steps=len(data.val) if validate else None,
            initial_epoch=len(history),
            epochs=settings.epochs,
            class_weight=data.class_weights if settings.class_weights else None,
            callbacks=[_EpochByEpoch(settings, seed, history, after_epoch, devices)],
            shuffle=False,  # the batches do it, by epoch
            verbose=(1 if sys.stdout.isatty() else 2) if verbose is None else verbose,
        )


class _EpochByEpoch(keras.callbacks.Callback):
    """Set up each epoch from the history alone, and append its entry."""

    def __init__(
        self,
        settings: TrainParams,
        seed: int,
        history: History,
        after_epoch: Callable[[], None],
        devices: Devices,
    ) -> None:
        super().__init__()
        self._settings, self._seed, self._history = settings, seed, history
        self._after_epoch, self._devices = after_epoch, devices
        self._trained: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seed_dropout(self.model, self._seed, epoch)
        self.model.optimizer.learning_rate = learning_rate(self._history, self._settings)
        self._started, self._trained = time.perf_counter(), None

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._trained = time.perf_counter()  # validation begins

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        entry = {"epoch": epoch + 1} | {key: float(value) for key, value in (logs or {}).items()}
        if not all(map(math.isfinite, entry.values())):
            raise DivergedError(f"the loss is not finite after epoch {epoch + 1}: lower train.learning_rate")
        entry |= {"learning_rate": learning_rate(self._history, self._settings)}
        ended = time.perf_counter()
        clock = [ended - self._started, (self._trained or ended) - self._started]
        self._history.append(entry | dict(zip(CLOCK, clock, strict=True)))
        with self._devices.unshared():
            self._after_epoch()
        self.model.stop_training = stopped(self._history, self._settings)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set dropout's random state from the seed and the epoch; .keras files do not keep it."""
    for number, variable in enumerate(model.variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.default_rng([seed, epoch, number]).integers(0, 2**31, 2))
