"""Embeddings of windows by a frozen network. Each is computed once: in memory by patch, and on disk by window."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from genres.core.files import atomic
from genres.models import pretrained
from genres.models.backend import keras

# Patches in memory, 3 MB. Windows with a covered part, as in saliency, differ from each other in a few patches.
MOST_PATCHES = 4096


def is_frozen(model: keras.Model) -> bool:
    """Return True if a network is a linear classifier on a frozen network: see :func:`pretrained.classifier`."""
    return any(layer.name == "embedding" for layer in model.layers)


class Embeddings:
    """Compute the embeddings of a classifier's windows, and its answers.

    Parameters
    ----------
    model : keras.Model
        Network from :func:`genres.models.pretrained.classifier`.
    cache : Path or None
        Folder that keeps the embeddings by the content of their windows; None: memory only.
    """

    def __init__(self, model: keras.Model, cache: Path | None = None) -> None:
        cut = next(layer for layer in model.layers if isinstance(layer, pretrained.Patches))
        self._frozen = next(layer for layer in model.layers if isinstance(layer, keras.Model))
        self._cut, self._summary = cut, model.get_layer("embedding")
        self._head = keras.Model(model.get_layer("scores").input, model.output)
        settings = (cut.n, cut.top_db, self._summary.statistics, pretrained.PEAK_POWER)
        digest = hashlib.sha256(f"{settings}".encode())
        for array in self._frozen.get_weights():
            digest.update(array.tobytes())
        self._folder = cache and cache / digest.hexdigest()[:16]
        self._patches: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Predict windows, uint8 [shape=(n, frames, 96)]: float32 [shape=(n, n_classes)]."""
        return keras.ops.convert_to_numpy(self._head(self.of(windows), training=False))

    def of(self, windows: Iterable[np.ndarray]) -> np.ndarray:
        """Return the embedding of each window: float32 [shape=(n, 600)]."""
        return np.stack([self._of_window(window) for window in windows])

    def _of_window(self, window: np.ndarray) -> np.ndarray:
        if self._folder is None:
            return self._compute(window)
        name = hashlib.sha256(window.tobytes()).hexdigest()
        file = self._folder / name[:2] / f"{name}.npy"
        try:
            return np.load(file)
        except (OSError, ValueError, EOFError):  # missing or damaged
            embedding = self._compute(window)
            with atomic(file) as temporary:
                np.save(temporary, embedding)
            return embedding

    def _compute(self, window: np.ndarray) -> np.ndarray:
        patches = keras.ops.convert_to_numpy(self._cut(window[np.newaxis]))
        names = [hashlib.sha256(patch.tobytes()).digest() for patch in patches]
        new = {name: row for row, name in enumerate(names) if name not in self._patches}
        if new:
            rows, _ = self._frozen.predict_on_batch(patches[list(new.values())])  # compiled: 1.6 times as fast
            self._patches.update(zip(new, rows, strict=True))
        found = np.stack([self._patches[name] for name in names])
        for name in names:
            self._patches.move_to_end(name)
        while len(self._patches) > MOST_PATCHES:
            self._patches.popitem(last=False)
        return keras.ops.convert_to_numpy(self._summary(found))[0]
