"""Learning-rate schedule, best epoch and early stopping, as functions of the epochs so far."""

import math

from genres.core.params import TrainParams

# Least improvement that counts for the plateau, as in Keras' ReduceLROnPlateau.
MIN_DELTA = 1e-4

# Factor of `plateau` after each epoch that is not better: Rodríguez and Alizadeh-Shabdiz (2023).
FACTOR = 0.8

# One dict per epoch: its number, losses, accuracies, learning rate, seconds.
History = list[dict[str, float]]


def best(history: History, monitor: str) -> dict[str, float]:
    """Return the epoch with the lowest val_loss or highest val_accuracy, the first of equals; or the last epoch."""
    if monitor == "last_epoch":
        return history[-1]
    return min(history, key=lambda epoch: -epoch[monitor] if monitor == "val_accuracy" else epoch[monitor])


def stopped(history: History, settings: TrainParams) -> bool:
    """Return True after the last epoch, or when the best one is `early_stopping_patience` epochs ago."""
    if len(history) >= settings.epochs:
        return True
    if settings.early_stopping_patience is None or not history:
        return False
    return len(history) - best(history, settings.monitor)["epoch"] >= settings.early_stopping_patience


def learning_rate(history: History, settings: TrainParams) -> float:
    """Return the learning rate of the epoch after `history`.

    It depends on the history alone, so a checkpoint needs no other state. `plateau` equals
    keras.callbacks.ReduceLROnPlateau with a patience of 1. `cosine` rises in equal steps over the warm-up epochs, then
    falls from the full rate to zero after the last epoch (Loshchilov and Hutter 2017, without restarts).
    """
    rate, done = settings.learning_rate, len(history)
    warmup = min(settings.warmup_epochs, settings.epochs - 1)
    if settings.schedule == "cosine" and done < warmup:
        return rate * (done + 1) / (warmup + 1)
    if settings.schedule == "cosine":
        share = (done - warmup) / (settings.epochs - warmup)
        return rate * (1 + math.cos(math.pi * share)) / 2
    if settings.schedule == "plateau":
        sign = -1 if settings.monitor == "val_accuracy" else 1
        lowest = math.inf
        for epoch in history:
            value = sign * epoch[settings.monitor]
            if value < lowest - MIN_DELTA:
                lowest = value
            else:
                rate *= FACTOR
    return rate
