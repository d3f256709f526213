"""Batches of clips for Keras, cut from the memory-mapped spectrograms on demand.

The order of the clips, the random crops and all other random draws depend only on the seed and the number of the epoch,
so that a resumed training gives the same result as an uninterrupted one.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Union

import numpy as np
import pandas as pd

from genres.core.params import Augment
from genres.data import augment
from genres.data.shards import Spectrograms
from genres.data.windows import Windowing
from genres.models.backend import keras
from genres.models.blocks import kept_frames

if TYPE_CHECKING:
    import tensorflow as tf

# Number of clips for the mean and the standard deviation; more do not change the second digit.
_SAMPLED_CLIPS = 500
_PREFETCHED = 4  # batches that are ready before the network asks for them


class Clips:
    """The batches of a table's clips; indexing gives those of the first epoch.

    Parameters
    ----------
    spectrograms : Spectrograms
        Stored spectrograms of the tracks.
    clips : pd.DataFrame
        Columns track_id, start_s.
    labels : np.ndarray [shape=(n,), dtype=int] or [shape=(n, n_genres), dtype=float]
        Genre of each clip, or its share of each genre.
    windowing : Windowing
        Length of a clip and completion of shorter tracks.
    batch_size : int
        Clips in a batch; the last batch may be smaller.
    shuffle_seed : int or None
        Seed of a new order in each epoch; None keeps the order of the table.
    random_crops : bool
        Draw a new position of each clip in its track in each epoch.
    variation : Augment or None
        Random augmentation; needs a seed, and for mixup labels that are shares.
    frame_stride : float
        Frames of a window per frame of the batches, at least 1: the frames that the network would leave out are not
        read.
    """

    def __init__(
        self,
        spectrograms: Spectrograms,
        clips: pd.DataFrame,
        labels: np.ndarray,
        windowing: Windowing,
        *,
        batch_size: int,
        shuffle_seed: int | None = None,
        random_crops: bool = False,
        variation: Augment | None = None,
        frame_stride: float = 1.0,
    ) -> None:
        self._format, self._frame_stride = spectrograms.format, frame_stride
        self._offsets = kept_frames(windowing.frames(self._format), frame_stride)
        # One view per track, shared by its clips.
        views = {track_id: spectrograms.track(track_id) for track_id in clips["track_id"].unique()}
        self._tracks = [views[track_id] for track_id in clips["track_id"]]
        starts = [
            windowing.start(track, start_s, self._format)
            for track, start_s in zip(self._tracks, clips["start_s"], strict=True)
        ]
        self._fixed_starts = np.array(starts, dtype=int)
        last_starts = [windowing.last_start(track, self._format) for track in self._tracks]
        self._last_starts = np.array(last_starts, dtype=int)
        self._labels, self._windowing, self._batch_size = labels, windowing, batch_size
        self._seed, self._random_crops, self._variation = shuffle_seed, random_crops, variation
        self._drawn = functools.lru_cache(maxsize=2)(self._draw)

    def _draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the order of the clips in an epoch and the start of each one."""
        if self._seed is None:
            return np.arange(len(self._labels)), self._fixed_starts
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._labels))
        return order, rng.integers(0, self._last_starts + 1) if self._random_crops else self._fixed_starts

    @property
    def n_clips(self) -> int:
        """Clips in an epoch."""
        return len(self._labels)

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch(0, index)

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index` of an epoch: uint8 [shape=(batch, frames, n_mels)] and the labels of its clips."""
        order, starts = self._drawn(epoch)
        rows = order[index * self._batch_size : (index + 1) * self._batch_size]
        if self._variation is None:
            return np.stack([self._clip(row, starts[row]) for row in rows]), self._labels[rows]
        options, labels, form = self._variation, self._labels[rows], self._format
        rng = np.random.default_rng([self._seed or 0, epoch, index])
        factors = np.exp(rng.uniform(-options.stretch, options.stretch, len(rows)))
        batch = np.stack([self._stretched(row, starts[row], factor) for row, factor in zip(rows, factors, strict=True)])
        frame_rate = form.frame_rate / self._frame_stride
        levels = augment.augmented(batch, options, rng, frame_rate=frame_rate, top_db=form.top_db)
        clips = iter(levels)
        if options.mixup:
            clips, labels = augment.mixup(levels, labels, options.mixup, rng)
        for place, clip in zip(batch, clips, strict=True):  # as in augment.augmented
            place[:] = np.rint(clip, out=clip)
        return batch, labels

    def _cut(self, row: int, start: int) -> np.ndarray:
        return self._windowing.cut(self._tracks[row], start, self._format)

    def _clip(self, row: int, start: int) -> np.ndarray:
        clip = self._cut(row, start)
        return clip if self._frame_stride == 1 else clip[self._offsets]

    def _stretched(self, row: int, start: int, factor: float) -> np.ndarray:
        track = self._tracks[row]
        if self._last_starts[row] > 0:
            return augment.window(track, start, self._offsets, factor)
        return self._clip(row, start)

    def mean_and_deviation(self) -> tuple[float, float]:
        """Compute both over all cells of up to 500 evenly spaced clips of epoch 0; the deviation is at least 1."""
        _, starts = self._drawn(0)
        rows = np.linspace(0, len(self._labels) - 1, min(_SAMPLED_CLIPS, len(self._labels))).astype(int)
        cells = np.stack([self._cut(row, starts[row]) for row in rows])
        return float(cells.mean()), max(1.0, float(cells.std()))


class Epochs(keras.utils.PyDataset):
    """Endless data set of epochs, for fit() with `steps_per_epoch` set to the number of batches of the clips.

    Keras reopens a finite data set for each epoch and once more at the end; TensorFlow then waits for batches that it
    prefetched in vain. With this one it prefetches from the next epoch instead.

    Parameters
    ----------
    clips : Clips
    first : int
        Number of the first epoch.
    """

    def __init__(self, clips: Clips, first: int = 0) -> None:
        super().__init__()
        self._clips, self._first = clips, first

    @property
    def num_batches(self) -> None:
        """None: the data set is endless."""
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = divmod(index, len(self._clips))
        return self._clips.batch(self._first + epoch, index)


def for_fit(epochs: Epochs) -> Union[Epochs, "tf.data.Dataset"]:
    """Return what fit() is to read: on the TensorFlow backend a tf.data.Dataset of the epochs, else these themselves.

    Keras would make a tf.data.Dataset with autotuning, whose thread sleeps for 10 ms, 20 ms and so on up to a minute.
    Closing an iterator, as each validation does, waits for the end of that sleep if its notification is lost: in half
    of the epochs, for up to the time since the last validation. So autotuning is off.
    """
    if keras.backend.backend() != "tensorflow":
        return epochs
    import tensorflow as tf

    signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in epochs[0])
    options = tf.data.Options()
    options.autotune.enabled = False

    def in_order() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return map(epochs.__getitem__, itertools.count())

    dataset = tf.data.Dataset.from_generator(in_order, output_signature=signature)
    return dataset.prefetch(_PREFETCHED).with_options(options)
