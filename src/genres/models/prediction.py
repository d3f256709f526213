"""Genre probabilities of windows, of any network: the only place that turns its output into probabilities."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from genres.models.engines import Network

# Largest number of windows per forward pass, and of their multiply-adds, with which memory grows: a song's tags take
# 200 MB with these, 390 MB with three times as many, and 64 windows of a pretrained network 13 GB.
BATCH_SIZE, MULTIPLY_ADDS = 64, 5.5e9


def batch_size(multiply_adds: int | None) -> int:
    """Return the number of windows per forward pass of a network with these multiply-adds a window; None: unknown."""
    return max(1, min(BATCH_SIZE, int(MULTIPLY_ADDS // (multiply_adds or 1))))


def probabilities(
    network: Network, n_genres: int, windows: Iterable[np.ndarray], *, size: int = BATCH_SIZE, exclusive: bool = True
) -> np.ndarray:
    """Predict the genre probabilities of windows.

    The network's last layer gives float32, whose rows sum to 1 up to rounding. Here they become float64 that sums to 1,
    and so do their means.

    Parameters
    ----------
    network : callable
        See :func:`genres.models.engines.load`.
    n_genres : int
        Number of columns.
    windows : iterable of np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Windows of spectrograms; only a batch of them is held in memory.
    size : int
        Number of windows per forward pass.
    exclusive : bool
        A window has one genre, and its row sums to 1; False for tags, of which each has a probability of its own.

    Returns
    -------
    np.ndarray [shape=(n, n_genres), dtype=float64]
        Rows sum to 1 if `exclusive`.
    """
    windows = iter(windows)
    parts = [np.empty((0, n_genres))]
    while batch := list(islice(windows, size)):
        parts.append(network(np.stack(batch)).astype(float))
    joined = np.concatenate(parts)
    return joined / joined.sum(axis=1, keepdims=True) if exclusive else joined
