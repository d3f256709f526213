"""Training of a classifier on a frozen, pretrained network: embeddings once, then a closed-form discriminant."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from genres.core.console import progress
from genres.core.params import DiscriminantParams, Params
from genres.core.paths import WEIGHTS, cache_dir
from genres.models import pretrained, weights
from genres.models.backend import keras
from genres.models.embeddings import Embeddings
from genres.training import discriminant
from genres.training.fitting import CLOCK
from genres.training.loop import Training
from genres.training.schedule import History

# Number of columns of each block of an embedding.
SIZES = [pretrained.EMBEDDING] * len(pretrained.STATISTICS)


class FrozenTraining(Training):
    """A training of one epoch, which fits the linear classifier of a frozen network."""

    def _network(self, frames: int, frame_stride: float = 1.0) -> keras.Model:
        return pretrained.classifier(
            weights.read(WEIGHTS),
            frames=frames,
            n_classes=len(self.data.genres),
            patches=self.model_settings.arguments["patches"],
            top_db=self.data.spectrograms.format.top_db,
        )

    def completed(self, trained: keras.Model | None = None) -> keras.Model:
        """Return the network for prediction: the trained one, or one that is not fitted."""
        return trained or self._network(self.data.frames)

    def fit(
        self,
        model: keras.Model,
        history: History,
        after_epoch: Callable[[], None],
        *,
        validate: bool = True,
        verbose: int | None = None,
    ) -> None:
        """Fit the discriminant of the training windows, and score the validation windows."""
        if history:
            return
        started = time.perf_counter()
        train = self._embed(model, self.data.windows)
        labels = self.data.labels()
        discriminant.fit(model, train, labels, self.data.artists(), SIZES, self.options, self.all_settings.seed)
        trained = time.perf_counter()
        entry = {"epoch": 1.0} | _scores(model, train, labels)
        if validate:
            scored = _scores(model, self._embed(model, self.data.val_windows), self.data.val_labels())
            entry |= {f"val_{name}": value for name, value in scored.items()}
        clock = [time.perf_counter() - started, trained - started]
        history.append(entry | {"learning_rate": 0.0} | dict(zip(CLOCK, clock, strict=True)))
        after_epoch()

    @property
    def options(self) -> DiscriminantParams:
        """Settings of the discriminant."""
        assert self.model_settings.discriminant is not None  # checked with the parameters
        return self.model_settings.discriminant

    def embeddings(self) -> np.ndarray:
        """Return the embedding of each window of `data.windows`: float64 [shape=(n, 600)]."""
        return self._embed(self._network(self.data.frames), self.data.windows)

    def _embed(self, model: keras.Model, windows: Any) -> np.ndarray:
        """Return the embedding of each window: float64 [shape=(n, 600)]; those that are cached are not computed."""
        embeddings = Embeddings(model, cache_dir("embeddings"))
        batches = self.data.batches(windows, self.data.windowing)
        rows = [embeddings.of(batches[index][0]) for index in progress(range(len(batches)), what="embeddings")]
        return np.concatenate(rows).astype(np.float64)


def _scores(model: keras.Model, embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return accuracy and loss of the fitted classifier."""
    head = keras.Model(model.get_layer("scores").input, model.output)
    # Called directly: predict() compiles anew for each model.
    probabilities = keras.ops.convert_to_numpy(head(embeddings.astype(np.float32), training=False)).astype(float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return {"accuracy": accuracy, "loss": float(log_loss(labels, probabilities, labels=range(probabilities.shape[1])))}


def training_of(architecture: str, settings: Params, **options: Any) -> Training:
    """Return the training of an architecture, frozen or from scratch."""
    kind = FrozenTraining if settings.models[architecture].pretrained_on else Training
    return kind(architecture, settings, **options)
