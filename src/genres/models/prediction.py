"""Genre probabilities of windows, of any network: the only place that turns its output into probabilities."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from genres.models.backend import keras
from genres.models.pretrained import Patches

# Number of windows per forward pass, and of patches of a pretrained network, of which each takes some 30 MB.
BATCH_SIZE, PATCHES = 64, 24


def batch_size(network: keras.Model) -> int:
    """Return the number of windows per forward pass that keeps its memory below a gigabyte."""
    patches = [layer.n for layer in network.layers if isinstance(layer, Patches)]
    return max(1, PATCHES // max(patches)) if patches else BATCH_SIZE


def probabilities(network: keras.Model, windows: Iterable[np.ndarray], *, exclusive: bool = True) -> np.ndarray:
    """Predict the genre probabilities of windows.

    The network's last layer gives float32, whose rows sum to 1 up to rounding. Here they become float64 that sums to 1,
    and so do their means.

    Parameters
    ----------
    network : keras.Model
    windows : iterable of np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Windows of spectrograms; only a batch of them is held in memory.
    exclusive : bool
        A window has one genre, and its row sums to 1; False for tags, of which each has a probability of its own.

    Returns
    -------
    np.ndarray [shape=(n, n_genres), dtype=float64]
        Rows sum to 1 if `exclusive`.
    """
    windows, size = iter(windows), batch_size(network)
    parts = [np.empty((0, network.output_shape[-1]))]
    while batch := list(islice(windows, size)):
        # Called directly: the set-up of model.predict() takes longer than a song.
        output = network(np.stack(batch), training=False)
        parts.append(keras.ops.convert_to_numpy(output).astype(float))
    joined = np.concatenate(parts)
    return joined / joined.sum(axis=1, keepdims=True) if exclusive else joined
