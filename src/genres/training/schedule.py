"""What follows from the epochs so far: the next learning rate, the best epoch, whether it is enough."""

import math

from genres.core.params import TrainParams

# An epoch is better only by more than this, as in Keras' own ReduceLROnPlateau.
MIN_DELTA = 1e-4

# An entry an epoch, by name: its number, losses, accuracies, learning rate, seconds.
History = list[dict[str, float]]


def best(history: History, monitor: str) -> dict[str, float]:
    """The epoch with the lowest val_loss or the highest val_accuracy, the first of equals; or simply the last."""
    if monitor == "last_epoch":
        return history[-1]
    return min(history, key=lambda epoch: -epoch[monitor] if monitor == "val_accuracy" else epoch[monitor])


def stopped(history: History, settings: TrainParams) -> bool:
    """Whether training ends here: all epochs done, or none better for `early_stopping_patience` of them."""
    if len(history) >= settings.epochs:
        return True
    if settings.early_stopping_patience is None or not history:
        return False
    return len(history) - best(history, settings.monitor)["epoch"] >= settings.early_stopping_patience


def learning_rate(history: History, settings: TrainParams) -> float:
    """The learning rate of the epoch that follows `history`; a function of it alone, so that nothing else is kept.

    `plateau` gives what keras.callbacks.ReduceLROnPlateau does, `cosine` falls from the full rate to zero behind the
    last epoch (Loshchilov and Hutter 2017, without restarts), after it has risen in equal steps over the first ones.
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
        lowest, waited = math.inf, 0
        for epoch in history:
            value = sign * epoch[settings.monitor]
            if value < lowest - MIN_DELTA:
                lowest, waited = value, 0
                continue
            waited += 1
            if waited >= settings.plateau_patience:
                rate, waited = rate * settings.plateau_factor, 0
    return rate
