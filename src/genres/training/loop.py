"""Training of one architecture: checkpoints, refit, MLflow run, model file with its card."""

import functools
import hashlib
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genres.core.code import digest_of_stage
from genres.core.console import UserError
from genres.core.files import atomic, one_at_a_time, sha256_of, write_table
from genres.core.params import Params
from genres.core.paths import CLIPS, PLOTS, TRACKS, cache_dir, mels_dir, model_path
from genres.data import shards
from genres.models import builders, descriptors, engines, out_of_distribution
from genres.models.backend import keras
from genres.models.card import ModelCard, write_card
from genres.models.multiply_adds import multiply_adds
from genres.models.prediction import batch_size, probabilities
from genres.tracking import runs
from genres.training import discriminant, fitting
from genres.training.checkpoint import Checkpoint
from genres.training.dataset import Dataset
from genres.training.devices import Devices
from genres.training.fitting import CLOCK
from genres.training.schedule import History, best


class Training:
    """One training of one architecture.

    Parameters
    ----------
    architecture : str
        A key of `models` in params.yaml.
    all_settings : Params
        All of params.yaml.
    folds : tuple of str
        Folds that are trained on.
    **overrides
        Values of `train` that win over params.yaml.
    """

    def __init__(
        self, architecture: str, all_settings: Params, *, folds: tuple[str, ...] = ("train",), **overrides: Any
    ) -> None:
        self.architecture, self.all_settings, self._folds = architecture, all_settings, folds
        self.settings = all_settings.training_of(architecture).model_copy(update=overrides)
        self.model_settings = all_settings.models[architecture]
        self.devices = Devices(self.settings.distribute, self.settings.batch_size)
        self.data = Dataset(all_settings, self.settings, self.model_settings, folds)

    @functools.cached_property
    def key(self) -> str:
        """Digest of what a checkpoint belongs to: settings, data and code."""
        mels = mels_dir(self.model_settings.front_end)
        parts = [
            self.settings.model_dump_json(),
            self.model_settings.model_dump_json(),
            f"{self.all_settings.seed} {self.data.frames} {keras.backend.backend()}",
            *(sha256_of(path) for path in (CLIPS, TRACKS, mels / shards.INDEX, mels / shards.FORMAT)),
            digest_of_stage("train"),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this training's checkpoint; a queue worker with the very same training waits until it is free.

        Another host than the first holds nothing, and gets a copy.
        """
        name = "-".join([self.architecture, *self._folds[1:], self.key])
        self.devices.check_agreement(name)
        if self.devices.is_leader:
            with one_at_a_time(cache_dir("locks") / f"{name}.lock", f"this training of {self.architecture}"):
                folder = cache_dir("training") / name
                self.devices.copy_from_leader(folder)
                self.checkpoint = Checkpoint(folder)
                yield
        else:
            with tempfile.TemporaryDirectory() as copy:
                self.devices.copy_from_leader(Path(copy))
                self.checkpoint = Checkpoint(Path(copy))
                yield

    def run(self) -> None:
        """Train, or resume training, and write the stage's outputs."""
        if not self.devices.is_leader:
            self._follow()
            return
        if self.devices.count > 1:
            print(f"on {self.devices.count} devices, processes: {self.devices.hosts}", flush=True)
        model = self.model()
        with runs.run(self.all_settings.dataset, self.architecture, self.checkpoint.run_id) as run:
            if self.checkpoint.run_id is None:
                self._describe(run)
                self.checkpoint.run_id = run.run_id
            self.fit(model, self.checkpoint.history, lambda: self._after_epoch(model, run))
            model = self.trained()
            card = self._card(model)
            if self.settings.refit:
                card["validation"] = self._validation_predictions(model)
                model = self._refitted(card)
            self._write(model, card, run)
            clock = {"seconds": card["seconds"], "clips_per_second": card["clips_per_second"]}
            run.metrics(clock | {"best_epoch": card["best_epoch"]})
        self.checkpoint.remove()

    def _follow(self) -> None:
        """Train the same epochs on another host than the first, which keeps none of it."""
        self.fit(self.model(), self.checkpoint.history, lambda: None)
        if self.settings.refit:
            again = self._with_validation()
            with again.locked():
                again.fit(again.model(), again.checkpoint.history, lambda: None, validate=False)

    def _with_validation(self) -> "Training":
        return type(self)(self.architecture, self.all_settings, folds=("train", "val"))

    def _validation_predictions(self, model: keras.Model) -> dict[str, list[Any]]:
        """Predict the validation windows, before the network is trained on them."""
        table, spectrograms = self.data.val_windows, self.data.spectrograms
        windows = self.data.windowing.cut_all(table, spectrograms.track, spectrograms.format)
        return {
            "track_id": table["track_id"].tolist(),
            "start_s": table["start_s"].tolist(),
            "probabilities": probabilities(
                engines.of_keras(model, cache_dir("embeddings")),
                model.output_shape[-1],
                windows,
                size=batch_size(multiply_adds(model)),
            ).tolist(),
        }

    def _refitted(self, card: ModelCard) -> keras.Model:
        """Train the network once more, as long as before, on training and validation tracks."""
        again = self._with_validation()
        with again.locked():
            print("once more, with the validation tracks", flush=True)
            model, history = again.model(), again.checkpoint.history
            again.fit(model, history, lambda: again.checkpoint.save(model, is_best=True), validate=False)
            model = again.trained()
            card["seconds"] = round(card["seconds"] + sum(epoch["seconds"] for epoch in history), 1)
            again.checkpoint.remove()
        return model

    def trained(self) -> keras.Model:
        """Return the network after its best epoch, completed for prediction."""
        chosen = best(self.checkpoint.history, self.settings.monitor)["epoch"]
        return self.completed(self.checkpoint.best_model(int(chosen)))

    def fit(
        self,
        model: keras.Model,
        history: History,
        after_epoch: Callable[[], None],
        *,
        validate: bool = True,
        verbose: int | None = None,
    ) -> None:
        """Train from the end of `history` on: see :func:`genres.training.fitting.fit`."""
        fitting.fit(
            model,
            self.data,
            self.settings,
            self.all_settings.seed,
            history,
            after_epoch,
            devices=self.devices,
            validate=validate,
            verbose=verbose,
        )

    def _after_epoch(self, model: keras.Model, run: runs.Run) -> None:
        history = self.checkpoint.history
        self.checkpoint.save(model, best(history, self.settings.monitor) is history[-1])
        scores = {key: value for key, value in history[-1].items() if key not in ("epoch", *CLOCK)}
        run.metrics(scores, step=len(history))

    def model(self) -> keras.Model:
        """Return the network after the last whole epoch that was kept, or before the first."""
        with self.devices.share():
            return self.checkpoint.model() or self.new_model()

    def new_model(self) -> keras.Model:
        """Build and compile the network before its first epoch; the same weights each time."""
        keras.utils.set_random_seed(self.all_settings.seed)
        with self.devices.share():
            model = self._network(self.data.crop_frames)
            fitting.compile_model(model, self.settings)
        return model

    def _network(self, frames: int, frame_stride: float = 1.0) -> keras.Model:
        mean, deviation = self.data.train.mean_and_deviation()
        form, chosen = self.data.spectrograms.format, self.model_settings
        try:
            return builders.classifier(
                chosen.builder,
                chosen.arguments,
                n_mels=form.n_mels,
                frames=frames,
                n_classes=len(self.data.genres),
                mean=mean,
                deviation=deviation,
                frame_stride=frame_stride,
            )
        except ValueError as error:
            raise UserError(f"params.yaml: models.{self.architecture}: {error}") from None

    def completed(self, trained: keras.Model | None = None) -> keras.Model:
        """Return the network for prediction: on windows in place of crops, joined with its discriminant if it has one.

        Parameters
        ----------
        trained : keras.Model or None
            The trained network; None leaves the weights as they are before training.
        """
        wide = self.model_settings.descriptors
        if trained and self.data.frames == self.data.crop_frames and self.data.frame_stride == 1 and wide is None:
            return trained
        model = self._network(self.data.frames, self.data.frame_stride)
        if trained:
            model.set_weights(trained.get_weights())
        if wide is None:
            return model
        form = self.data.spectrograms.format
        try:
            model = builders.join(
                model, top_db=form.top_db, frame_rate=form.frame_rate, network_weight=wide.network_weight
            )
        except ValueError as error:
            raise UserError(f"params.yaml: models.{self.architecture}.descriptors: {error}") from None
        if trained:
            in_order = self.data.batches(self.data.windows, self.data.windowing)
            seed = self.all_settings.seed
            describe = keras.Model(model.input, model.get_layer("descriptors").output)
            batches = (in_order[index][0] for index in range(len(in_order)))
            columns = np.concatenate([describe.predict_on_batch(batch) for batch in batches]).astype(np.float64)
            sizes = descriptors.sizes()
            discriminant.fit(model, columns, self.data.labels(), self.data.artists(), sizes, wide, seed)
        return model

    def _describe(self, run: runs.Run) -> None:
        """Log parameters and tags."""
        model = self.completed()
        settings = self.all_settings
        run.params(
            {
                "dataset": settings.dataset,
                "seed": settings.seed,
                "clips": settings.clips.model_dump(),
                "split": settings.split.model_dump(),
                "mels": vars(self.data.spectrograms.format),
                "train": self.settings.model_dump(),
                "model": self.model_settings.model_dump(exclude={"train"}, exclude_none=True),
                "n_parameters": model.count_params(),
                "multiply_adds": multiply_adds(model),
                "backend": keras.backend.backend(),
                "devices": self.devices.count,
            }
        )
        run.dataset(settings.dataset, TRACKS)
        leaky = settings.split.protocol == "clip"
        run.tags({"architecture": self.architecture, "dataset": settings.dataset, "leaky": leaky})
        run.tags({"protocol": settings.split.protocol, "genres": ", ".join(self.data.genres)})

    def _card(self, model: keras.Model) -> ModelCard:
        history = self.checkpoint.history
        # The median: the first epoch also builds the graph.
        typical = statistics.median(epoch["training_seconds"] for epoch in history)
        data, settings = self.data, self.all_settings
        form = data.spectrograms.format
        return {
            "architecture": self.architecture,
            "dataset": settings.dataset,
            "protocol": settings.split.protocol,
            "genres": data.genres,
            "front_end": self.model_settings.front_end,
            "pretrained_on": self.model_settings.pretrained_on,
            "spectrogram": asdict(form),
            "windowing": asdict(data.windowing),
            "out_of_distribution": out_of_distribution.reference(*data.known_tracks(), form.top_db),
            "n_parameters": model.count_params(),
            "multiply_adds": multiply_adds(model),
            "epochs": len(history),
            "best_epoch": int(best(history, self.settings.monitor)["epoch"]),
            "seconds": round(sum(epoch["seconds"] for epoch in history), 1),
            "clips_per_second": round(data.train.n_clips / typical, 1),
            "run_id": self.checkpoint.run_id or "",
        }

    def _write(self, model: keras.Model, card: ModelCard, run: runs.Run) -> None:
        target = model_path(self.architecture)
        with atomic(target) as temporary:
            model.save(temporary)
            write_card(temporary, card)
        history = pd.DataFrame(self.checkpoint.history).drop(columns=CLOCK)
        write_table(PLOTS / self.architecture / "history.csv", history.astype({"epoch": int}))
        run.model(self.architecture, target)
