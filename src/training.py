"""Training of one architecture: the network, the epochs, and what is kept to go on after a kill.

What is kept lies in .cache/training/ until the training has ended.
"""

import hashlib
import math
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from src import familiarity, models, tracking
from src.backend import keras
from src.card import write_card
from src.console import UserError, warn
from src.cost import multiply_adds
from src.feed import Clips
from src.files import (
    CLIPS,
    MELS,
    TRACKS,
    atomic,
    cache_dir,
    read_clips,
    read_json,
    sha256_of,
    write_json,
    write_table,
)
from src.params import Params, TrainParams
from src.spectrogram import Spectrograms

# An epoch is better only by more than this, as in Keras' own ReduceLROnPlateau.
MIN_DELTA = 1e-4

# What the clock says of an epoch: with validation, and without. Kept apart from what is equal between two runs.
CLOCK = ["seconds", "training_seconds"]

History = list[dict[str, float]]


class DivergedError(UserError):
    """The loss is no number any more."""


class Training:
    """One training of one architecture: data, network, and what is kept to go on after a kill."""

    def __init__(self, architecture: str, settings: Params, **overrides: Any) -> None:
        """Read the data; `overrides` are keys of `train` that come before all that params.yaml says of them."""
        self.architecture, self.all_settings = architecture, settings
        self.settings = settings.training_of(architecture).model_copy(update=overrides)
        self.spectrograms = Spectrograms(MELS)
        self.frames = self.spectrograms.format.frames(settings.clips.length_s)
        clips = read_clips()
        self.genres = sorted(set(clips["genre"]))
        self.train, self.val = (self._feed(clips[clips["fold"] == fold], fold) for fold in ("train", "val"))
        self.class_weights = balanced_weights(clips["genre"][clips["fold"] == "train"], self.genres)
        self.name = f"{architecture}-{self.key()}"

    def _feed(self, clips: pd.DataFrame, fold: str) -> Clips:
        labels = np.searchsorted(self.genres, clips["genre"].to_numpy(dtype=str))
        random_crops = fold == "train" and self.settings.crops == "random"
        if random_crops and self.all_settings.split.protocol == "clip":
            # Anywhere in the track would be where its test clips are: a worse leak than the one to be measured.
            warn("train.crops: fixed clips are used, since under protocol clip a random crop can overlap a test clip")
            random_crops = False
        return Clips(
            self.spectrograms,
            clips,
            labels,
            frames=self.frames,
            batch_size=self.settings.batch_size,
            shuffle_seed=self.all_settings.seed if fold == "train" else None,
            random_crops=random_crops,
        )

    def key(self) -> str:
        """Identifies what a checkpoint belongs to: settings, data and code."""
        model = self.all_settings.models[self.architecture]
        sources = [Path(__file__), *sorted(Path(models.__file__).parent.glob("*.py"))]
        parts = [
            self.settings.model_dump_json(),
            model.model_dump_json(),
            f"{self.all_settings.seed} {self.frames} {keras.backend.backend()}",
            *(sha256_of(path) for path in (CLIPS, TRACKS, MELS / Spectrograms.INDEX, MELS / Spectrograms.FORMAT)),
            *map(sha256_of, sources),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold what belongs to this training; a queue worker with the very same one to do waits until it is free."""
        with FileLock(cache_dir("locks") / f"{self.name}.lock"):
            self.checkpoint = Checkpoint(cache_dir("training") / self.name)
            yield

    def run(self) -> None:
        """Train, or go on training, and write the stage's outputs."""
        model = self.checkpoint.model() or self.new_model()
        name, dataset = self.architecture, self.all_settings.dataset
        with tracking.run(dataset, name, self.checkpoint.run_id) as run:
            if self.checkpoint.run_id is None:
                self._describe(run, model)
                self.checkpoint.run_id = run.run_id
            self.fit(model, self.checkpoint.history, lambda: self._after_epoch(model, run))
            card = self._card(model)
            run.metrics({key: card[key] for key in ("seconds", "clips_per_second", "best_epoch")})
            self._write(card, run)
        self.checkpoint.remove()

    def fit(self, model: keras.Model, history: History, after: Callable[[], None], verbose: int | None = None) -> None:
        """Train from the end of `history` on, which grows by an entry an epoch; `after` is called after each."""
        if stopped(history, self.settings):
            return
        model.fit(
            self.train,
            validation_data=self.val,
            initial_epoch=len(history),
            epochs=self.settings.epochs,
            class_weight=self.class_weights if self.settings.class_weights else None,
            callbacks=[_Epochs(self, history, after)],
            shuffle=False,  # the feed does it, by epoch
            verbose=(1 if sys.stdout.isatty() else 2) if verbose is None else verbose,
        )

    def _after_epoch(self, model: keras.Model, run: tracking.Run) -> None:
        history = self.checkpoint.history
        self.checkpoint.save(model, best(history, self.settings.monitor) is history[-1])
        scores = {key: value for key, value in history[-1].items() if key not in ("epoch", *CLOCK)}
        run.metrics(scores, step=len(history))

    def new_model(self) -> keras.Model:
        """The network before its first epoch; the same one each time."""
        keras.utils.set_random_seed(self.all_settings.seed)
        mean, deviation = self.train.mean_and_deviation()
        chosen = self.all_settings.models[self.architecture]
        try:
            model = models.classifier(
                chosen.builder,
                chosen.arguments,
                n_mels=self.spectrograms.format.n_mels,
                frames=self.frames,
                n_classes=len(self.genres),
                mean=mean,
                deviation=deviation,
            )
        except ValueError as error:
            raise UserError(f"params.yaml: models.{self.architecture}: {error}") from None
        model.compile(
            optimizer=optimizer(self.settings),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=self.settings.jit_compile,
        )
        return model

    def _describe(self, run: tracking.Run, model: keras.Model) -> None:
        settings, form = self.all_settings, self.spectrograms.format
        run.params(
            {
                "dataset": settings.dataset,
                "seed": settings.seed,
                "clips": settings.clips.model_dump(),
                "split": settings.split.model_dump(),
                "mels": vars(form),
                "train": self.settings.model_dump(),
                "model": {"builder": settings.models[self.architecture].builder}
                | settings.models[self.architecture].arguments,
                "n_parameters": model.count_params(),
                "multiply_adds": multiply_adds(model),
                "backend": keras.backend.backend(),
            }
        )
        leaky = settings.split.protocol == "clip"
        run.tags({"architecture": self.architecture, "dataset": settings.dataset, "leaky": leaky})
        run.tags({"protocol": settings.split.protocol, "genres": ", ".join(self.genres)})

    def _card(self, model: keras.Model) -> dict[str, Any]:
        history = self.checkpoint.history
        # The median: the first epoch also builds the graph.
        typical = statistics.median(epoch["training_seconds"] for epoch in history)
        clips, form = read_clips(), self.spectrograms.format
        train, val = (
            map(self.spectrograms.track, sorted({*clips["track_id"][clips["fold"] == fold]}))
            for fold in ("train", "val")
        )
        return {
            "architecture": self.architecture,
            "dataset": self.all_settings.dataset,
            "protocol": self.all_settings.split.protocol,
            "genres": self.genres,
            "spectrogram": vars(self.spectrograms.format),
            "clip_length_s": self.all_settings.clips.length_s,
            "clip_overlap_s": self.all_settings.clips.overlap_s,
            "frames": self.frames,
            "usual": familiarity.usual(train, val, form.top_db),
            "n_parameters": model.count_params(),
            "multiply_adds": multiply_adds(model),
            "epochs": len(history),
            "best_epoch": int(best(history, self.settings.monitor)["epoch"]),
            "seconds": round(sum(epoch["seconds"] for epoch in history), 1),
            "clips_per_second": round(self.train.n_clips / typical, 1),
            "run_id": self.checkpoint.run_id,
        }

    def _write(self, card: dict[str, Any], run: tracking.Run) -> None:
        target = Path("models") / f"{self.architecture}.keras"
        with atomic(target) as temporary:
            shutil.copyfile(self.checkpoint.best_model(card["best_epoch"]), temporary)
            write_card(temporary, card)
        history = pd.DataFrame(self.checkpoint.history).drop(columns=CLOCK)
        write_table(Path("plots") / self.architecture / "history.csv", history.astype({"epoch": int}))
        run.file(target, "model")


class _Epochs(keras.callbacks.Callback):
    """Sets up each epoch from what happened before it, and adds what came of it to the history."""

    def __init__(self, training: Training, history: History, after: Callable[[], None]) -> None:
        super().__init__()
        self._training, self._history, self._after = training, history, after

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._training.train.set_epoch(epoch)
        seed_dropout(self.model, self._training.all_settings.seed, epoch)
        self.model.optimizer.learning_rate = learning_rate(self._history, self._training.settings)
        self._started = time.perf_counter()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._trained = time.perf_counter()  # validation begins

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        entry = {"epoch": epoch + 1} | {key: float(value) for key, value in (logs or {}).items()}
        if not all(map(math.isfinite, entry.values())):
            name = self._training.architecture
            raise DivergedError(f"{name}: the loss is no number after epoch {epoch + 1}: lower the rate")
        entry |= {"learning_rate": learning_rate(self._history, self._training.settings)}
        clock = [time.perf_counter() - self._started, self._trained - self._started]
        self._history.append(entry | dict(zip(CLOCK, clock, strict=True)))
        self._after()
        self.model.stop_training = stopped(self._history, self._training.settings)


class Checkpoint:
    """The last whole epoch of a training, on disk: the network with its optimiser, the best one yet, the history.

    state.json is renamed into place last and names the other files, so that at any moment it describes whole ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history: History = []
        self.run_id: str | None = None
        if self._state.exists():
            state = read_json(self._state)
            self.history, self.run_id = state["history"], state["run_id"]

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def model(self) -> keras.Model | None:
        """The network after the last whole epoch, or None at the start."""
        if not self.history:
            return None
        print(f"going on after epoch {len(self.history)}", flush=True)
        return keras.models.load_model(self.folder / f"last-{len(self.history)}.keras")

    def best_model(self, epoch: int) -> Path:
        """The file of the network after that epoch."""
        return self.folder / f"best-{epoch}.keras"

    def save(self, model: keras.Model, is_best: bool) -> None:
        """Keep the network after the epoch that was just appended to the history."""
        epoch = len(self.history)
        last = self.folder / f"last-{epoch}.keras"
        with atomic(last) as temporary:
            model.save(temporary)
        if is_best:
            shutil.copyfile(last, self.best_model(epoch))
        write_json(self._state, {"run_id": self.run_id, "history": self.history})
        for path in self.folder.glob("[!.]*.keras"):  # not what a kill left half-written
            kind, number = path.stem.split("-")
            if (kind == "last" or is_best) and int(number) < epoch:
                path.unlink()

    def remove(self) -> None:
        """Forget the training: its results are the stage's outputs now."""
        shutil.rmtree(self.folder)


def optimizer(settings: TrainParams) -> keras.optimizers.Optimizer:
    """The optimiser that `settings` names, at its first learning rate."""
    if settings.optimizer == "sgd_nesterov":
        return keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum, nesterov=True)
    return keras.optimizers.Adam(settings.learning_rate)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout's random numbers follow from the seed and the epoch; .keras files do not keep their state."""
    for number, variable in enumerate(model.variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.default_rng([seed, epoch, number]).integers(0, 2**31, 2))


def best(history: History, monitor: str) -> dict[str, float]:
    """The epoch with the lowest val_loss or the highest val_accuracy; the first of equals."""
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

    `plateau` gives what keras.callbacks.ReduceLROnPlateau does, `cosine` falls from the first epoch's rate to zero
    behind the last (Loshchilov and Hutter 2017, without restarts).
    """
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        return rate * (1 + math.cos(math.pi * len(history) / settings.epochs)) / 2
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


def balanced_weights(genres: pd.Series, names: list[str]) -> dict[int, float]:
    """Weights with which each genre counts the same: clips / (genres * clips of the genre)."""
    counts = genres.value_counts()
    return {index: len(genres) / (len(names) * counts[name]) for index, name in enumerate(names)}
