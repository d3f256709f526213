"""Training of one architecture: data, network, epochs."""

import hashlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src import augment, checkpoint, discriminant, familiarity, feed, models, schedule, shards, tracking, windows
from src.backend import keras
from src.card import write_card
from src.checkpoint import Checkpoint
from src.console import UserError, warn
from src.cost import multiply_adds
from src.devices import Devices
from src.feed import Clips, Epochs
from src.files import (
    CLIPS,
    MELS,
    TRACKS,
    atomic,
    cache_dir,
    one_at_a_time,
    read_table,
    sha256_of,
    write_table,
)
from src.params import Params, TrainParams
from src.schedule import History, best, learning_rate, stopped
from src.shards import Spectrograms

# What the clock says of an epoch: with validation, and without. Kept apart from what is equal between two runs.
CLOCK = ["seconds", "training_seconds"]


class DivergedError(UserError):
    """The loss is no number any more."""


class Training:
    """One training of one architecture: data, network, and what is kept to go on after a kill."""

    def __init__(
        self, architecture: str, settings: Params, *, folds: tuple[str, ...] = ("train",), **overrides: Any
    ) -> None:
        """Read the data.

        Parameters
        ----------
        architecture : str
            A key of `models`.
        settings : Params
            All of params.yaml.
        folds : tuple of str
            What is trained on.
        **overrides
            Keys of `train` that come before all that params.yaml says of them.
        """
        self.architecture, self.all_settings = architecture, settings
        self.settings = settings.training_of(architecture).model_copy(update=overrides)
        self.model_settings = settings.models[architecture]
        self.devices = Devices(self.settings.distribute, self.settings.batch_size)
        self.spectrograms = Spectrograms(MELS)
        by_clip = settings.split.protocol == "clip"
        # Under protocol clip only the clips have folds: a longer window would hold clips of several.
        self.window_s = None if by_clip else self.model_settings.window_s
        crops = self.settings.crops == "random" and not by_clip
        variation = self.settings.augment
        if self.settings.crops == "random" and by_clip:
            # Anywhere in the track would be where its test clips are: a worse leak than the one to be measured.
            warn("train.crops: fixed clips are used, since under protocol clip a random crop can overlap a test clip")
            variation = variation.model_copy(update={"stretch": 0.0})
        crop_s = self.settings.crop_s if crops and self.settings.crop_s else self.window_s
        clips_in_use = windows.read(self.window_s, self.spectrograms.seconds)
        clips_in_training = windows.read(crop_s, self.spectrograms.seconds)
        self.genres = sorted(set(clips_in_use["genre"]))
        self.windows = clips_in_use[clips_in_use["fold"].isin(folds)]
        self.val_windows = clips_in_use[clips_in_use["fold"] == "val"]
        form, clip_s = self.spectrograms.format, settings.clips.length_s
        self.frames, self.crop_frames = form.frames(self.window_s or clip_s), form.frames(crop_s or clip_s)
        self.train = self.batches(
            self.windows,
            self.crop_frames,
            shuffle_seed=settings.seed,
            random_crops=crops,
            variation=variation if any(variation.model_dump().values()) else None,
        )
        self.val = self.batches(clips_in_training[clips_in_training["fold"] == "val"], self.crop_frames)
        self.class_weights = balanced_weights(self.windows["genre"], self.genres)
        self.name = "-".join([architecture, *folds[1:], self.key()])

    def batches(self, clips: pd.DataFrame, frames: int, **how: Any) -> Clips:
        """Batches of clips with their genres, as shares (one-hot)."""
        genres = np.array(self.genres)
        shares = (clips["genre"].to_numpy(dtype=str)[:, np.newaxis] == genres).astype(np.float32)
        size, repeat = self.settings.batch_size, self.window_s is not None
        return Clips(self.spectrograms, clips, shares, frames=frames, batch_size=size, repeat_short=repeat, **how)

    def key(self) -> str:
        """Identifies what a checkpoint belongs to: settings, data and code."""
        model = self.model_settings
        sources = [
            Path(__file__),
            *(Path(str(module.__file__)) for module in (augment, checkpoint, feed, schedule)),
            *sorted(Path(models.__file__).parent.glob("*.py")),
        ]
        parts = [
            self.settings.model_dump_json(),
            model.model_dump_json(),
            f"{self.all_settings.seed} {self.frames} {keras.backend.backend()}",
            *(sha256_of(path) for path in (CLIPS, TRACKS, MELS / shards.INDEX, MELS / shards.FORMAT)),
            *map(sha256_of, sources),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold what belongs to this training; a queue worker with the very same one to do waits until it is free.

        Another host than the first holds nothing, and gets a copy.
        """
        self.devices.agree(self.name)
        if self.devices.leads:
            with one_at_a_time(cache_dir("locks") / f"{self.name}.lock", f"this training of {self.architecture}"):
                folder = cache_dir("training") / self.name
                self.devices.copy_from_leader(folder)
                self.checkpoint = Checkpoint(folder)
                yield
        else:
            with tempfile.TemporaryDirectory() as copy:
                self.devices.copy_from_leader(Path(copy))
                self.checkpoint = Checkpoint(Path(copy))
                yield

    def run(self) -> None:
        """Train, or go on training, and write the stage's outputs."""
        if not self.devices.leads:
            self._follow()
            return
        if self.devices.count > 1:
            print(f"on {self.devices.count} devices, processes: {self.devices.hosts}", flush=True)
        model = self.model()
        name, dataset = self.architecture, self.all_settings.dataset
        with tracking.run(dataset, name, self.checkpoint.run_id) as run:
            if self.checkpoint.run_id is None:
                self._describe(run)
                self.checkpoint.run_id = run.run_id
            self.fit(model, self.checkpoint.history, lambda: self._after_epoch(model, run))
            model = self.trained()
            card = self._card(model)
            if self.settings.refit:
                val = self.batches(self.val_windows, self.frames)
                card["validation"] = model.predict(val, verbose=0).astype(float).tolist()
                model = self._refitted(card)
            run.metrics({key: card[key] for key in ("seconds", "clips_per_second", "best_epoch")})
            self._write(model, card, run)
        self.checkpoint.remove()

    def _follow(self) -> None:
        """What another host than the first does: the same epochs, of which it keeps nothing."""
        self.fit(self.model(), self.checkpoint.history, lambda: None)
        if self.settings.refit:
            again = self._with_validation()
            with again.alone():
                again.fit(again.model(), again.checkpoint.history, lambda: None, validate=False)

    def _with_validation(self) -> "Training":
        return Training(self.architecture, self.all_settings, folds=("train", "val"))

    def _refitted(self, card: dict[str, Any]) -> keras.Model:
        """The network trained once more, as long as before, on the validation tracks, too."""
        again = self._with_validation()
        with again.alone():
            print("once more, with the validation tracks", flush=True)
            model, history = again.model(), again.checkpoint.history
            again.fit(model, history, lambda: again.checkpoint.save(model, is_best=True), validate=False)
            model = again.trained()
            card["seconds"] = round(card["seconds"] + sum(epoch["seconds"] for epoch in history), 1)
            again.checkpoint.remove()
        return model

    def trained(self) -> keras.Model:
        """The network after its best epoch, as it is used."""
        chosen = best(self.checkpoint.history, self.settings.monitor)["epoch"]
        return self.in_use(self.checkpoint.best_model(int(chosen)))

    def fit(
        self,
        model: keras.Model,
        history: History,
        after: Callable[[], None],
        *,
        validate: bool = True,
        verbose: int | None = None,
    ) -> None:
        """Train from the end of `history` on, which grows by an entry an epoch; `after` is called after each."""
        if stopped(history, self.settings):
            return
        with self.devices.share():
            model.fit(
                Epochs(self.train, len(history)),
                steps_per_epoch=len(self.train),
                validation_data=Epochs(self.val) if validate else None,
                validation_steps=len(self.val) if validate else None,
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

    def model(self) -> keras.Model:
        """The network after the last whole epoch that was kept, or before the first."""
        with self.devices.share():
            return self.checkpoint.model() or self.new_model()

    def new_model(self) -> keras.Model:
        """The network before its first epoch; the same one each time."""
        keras.utils.set_random_seed(self.all_settings.seed)
        with self.devices.share():
            model = self._network(self.crop_frames)
            model.compile(
                optimizer=optimizer(self.settings),
                loss=keras.losses.CategoricalCrossentropy(label_smoothing=self.settings.label_smoothing),
                metrics=["accuracy"],
                # JAX without it would compute operation by operation, on each device the whole batch.
                jit_compile=self.settings.jit_compile or keras.backend.backend() == "jax",
            )
        return model

    def _network(self, frames: int) -> keras.Model:
        mean, deviation = self.train.mean_and_deviation()
        form, chosen = self.spectrograms.format, self.model_settings
        try:
            return models.classifier(
                chosen.builder,
                chosen.arguments,
                n_mels=form.n_mels,
                frames=frames,
                n_classes=len(self.genres),
                mean=mean,
                deviation=deviation,
                thinning=form.frame_rate / (chosen.frame_rate or form.frame_rate),
            )
        except ValueError as error:
            raise UserError(f"params.yaml: models.{self.architecture}: {error}") from None

    def in_use(self, trained: keras.Model | None = None) -> keras.Model:
        """The network as it is used: for windows instead of crops, and joined with what it is to be joined with.

        Without a trained one it is as it is before training, to look at.
        """
        wide = self.model_settings.descriptors
        if self.frames == self.crop_frames and wide is None:
            return trained or self._network(self.frames)
        model = self._network(self.frames)
        if trained:
            model.set_weights(trained.get_weights())
        if wide is None:
            return model
        form = self.spectrograms.format
        try:
            model = models.join(
                model, top_db=form.top_db, frame_rate=form.frame_rate, network_weight=wide.network_weight
            )
        except ValueError as error:
            raise UserError(f"params.yaml: models.{self.architecture}.descriptors: {error}") from None
        if trained:
            labels = np.array([self.genres.index(genre) for genre in self.windows["genre"]], dtype=np.int64)
            artist_of = artist_numbers(read_table(TRACKS, dtype=str))
            artists = np.array([artist_of[track_id] for track_id in self.windows["track_id"]], dtype=np.int64)
            in_order = self.batches(self.windows, self.frames)
            discriminant.fit(model, in_order, labels, artists, wide, self.all_settings.seed)
        return model

    def _describe(self, run: tracking.Run) -> None:
        model = self.in_use()
        settings, form = self.all_settings, self.spectrograms.format
        run.params(
            {
                "dataset": settings.dataset,
                "seed": settings.seed,
                "clips": settings.clips.model_dump(),
                "split": settings.split.model_dump(),
                "mels": vars(form),
                "train": self.settings.model_dump(),
                "model": self.model_settings.model_dump(exclude={"train"}, exclude_none=True),
                "n_parameters": model.count_params(),
                "multiply_adds": multiply_adds(model),
                "backend": keras.backend.backend(),
                "devices": self.devices.count,
            }
        )
        leaky = settings.split.protocol == "clip"
        run.tags({"architecture": self.architecture, "dataset": settings.dataset, "leaky": leaky})
        run.tags({"protocol": settings.split.protocol, "genres": ", ".join(self.genres)})

    def _card(self, model: keras.Model) -> dict[str, Any]:
        history = self.checkpoint.history
        # The median: the first epoch also builds the graph.
        typical = statistics.median(epoch["training_seconds"] for epoch in history)
        clips, form = windows.read(None, self.spectrograms.seconds), self.spectrograms.format
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
            "window_s": self.window_s,  # null: clips
            "clip_length_s": self.window_s or self.all_settings.clips.length_s,
            "clip_overlap_s": 0.0 if self.window_s else self.all_settings.clips.overlap_s,
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

    def _write(self, model: keras.Model, card: dict[str, Any], run: tracking.Run) -> None:
        target = Path("models") / f"{self.architecture}.keras"
        with atomic(target) as temporary:
            model.save(temporary)
            write_card(temporary, card)
        history = pd.DataFrame(self.checkpoint.history).drop(columns=CLOCK)
        write_table(Path("plots") / self.architecture / "history.csv", history.astype({"epoch": int}))
        run.file(target, "model")


class _Epochs(keras.callbacks.Callback):
    """Sets up each epoch from what happened before it, and adds what came of it to the history."""

    def __init__(self, training: Training, history: History, after: Callable[[], None]) -> None:
        super().__init__()
        self._training, self._history, self._after = training, history, after
        self._trained: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seed_dropout(self.model, self._training.all_settings.seed, epoch)
        self.model.optimizer.learning_rate = learning_rate(self._history, self._training.settings)
        self._started, self._trained = time.perf_counter(), None

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._trained = time.perf_counter()  # validation begins

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        entry = {"epoch": epoch + 1} | {key: float(value) for key, value in (logs or {}).items()}
        if not all(map(math.isfinite, entry.values())):
            name = self._training.architecture
            raise DivergedError(f"{name}: the loss is no number after epoch {epoch + 1}: lower the rate")
        entry |= {"learning_rate": learning_rate(self._history, self._training.settings)}
        ended = time.perf_counter()
        clock = [ended - self._started, (self._trained or ended) - self._started]
        self._history.append(entry | dict(zip(CLOCK, clock, strict=True)))
        with self._training.devices.apart():
            self._after()
        self.model.stop_training = stopped(self._history, self._training.settings)


def optimizer(settings: TrainParams) -> keras.optimizers.Optimizer:
    """The optimiser that `settings` names, at its first learning rate."""
    if settings.optimizer == "sgd_nesterov":
        return keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum, nesterov=True)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(settings.learning_rate)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout's random numbers follow from the seed and the epoch; .keras files do not keep their state."""
    for number, variable in enumerate(model.variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.default_rng([seed, epoch, number]).integers(0, 2**31, 2))


def balanced_weights(genres: pd.Series, names: list[str]) -> dict[int, float]:
    """Weights with which each genre counts the same: clips / (genres * clips of the genre)."""
    counts = genres.value_counts()
    return {index: len(genres) / (len(names) * counts[name]) for index, name in enumerate(names)}


def artist_numbers(tracks: pd.DataFrame) -> dict[str, int]:
    """A number of the artist of each track (columns track_id, artist); an unknown one is an artist of its own."""
    names = tracks["artist"].str.strip().str.casefold()
    unknown = "#" + tracks["track_id"]
    numbers, _ = pd.factorize(names.where(names != "", unknown))
    return dict(zip(tracks["track_id"], map(int, numbers), strict=True))
