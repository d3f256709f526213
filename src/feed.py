"""Batches of clips for Keras: windows into the memory-mapped spectrograms, cut when they are asked for.

The order of the clips, the place of random crops and what else is drawn follow from the seed and the number of the
epoch alone, so that a training that was killed goes on as if it had not been.
"""

import numpy as np
import pandas as pd

from src import augment, windows
from src.backend import keras
from src.params import Augment
from src.shards import Spectrograms

# Cells from which mean and deviation are taken; more do not change the second digit.
_SAMPLED_CLIPS = 500


class Clips(keras.utils.PyDataset):
    """The clips of a table, batch by batch.

    Parameters
    ----------
    spectrograms : Spectrograms
        Where the clips lie.
    clips : pd.DataFrame
        Columns track_id, start_s.
    labels : np.ndarray [shape=(n,), dtype=int] or [shape=(n, n_genres), dtype=float]
        The genre of each clip, or its share in each.
    frames : int
        Length of a clip.
    batch_size : int
        Clips in a batch; the last batch may be smaller.
    shuffle_seed : int or None
        Seed of a new order in each epoch; None keeps the order of the table.
    random_crops : bool
        Take each clip from anywhere in its track, anew in each epoch.
    repeat_short : bool
        Fill up a shorter track with itself; else with silence.
    variation : Augment or None
        How clips are changed at random; needs a seed, and for mixup labels that are shares.
    """

    def __init__(
        self,
        spectrograms: Spectrograms,
        clips: pd.DataFrame,
        labels: np.ndarray,
        *,
        frames: int,
        batch_size: int,
        shuffle_seed: int | None = None,
        random_crops: bool = False,
        repeat_short: bool = False,
        variation: Augment | None = None,
    ) -> None:
        super().__init__()
        self._format = spectrograms.format
        # A view a track, that its clips share.
        views = {track_id: spectrograms.track(track_id) for track_id in clips["track_id"].unique()}
        self._tracks = [views[track_id] for track_id in clips["track_id"]]
        wanted = np.round(clips["start_s"].to_numpy(dtype=float) * self._format.frame_rate).astype(int)
        # Rounding may ask for a frame or two behind the end.
        self._last_starts = np.array([max(0, len(track) - frames) for track in self._tracks], dtype=int)
        self._fixed_starts = np.minimum(wanted, self._last_starts)
        self._labels, self._frames, self._batch_size = labels, frames, batch_size
        self._seed, self._random_crops, self._repeat_short = shuffle_seed, random_crops, repeat_short
        self._variation = variation
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order and the crops of an epoch."""
        self._epoch = epoch
        self._order, self._starts = np.arange(len(self._labels)), self._fixed_starts
        if self._seed is not None:
            rng = np.random.default_rng([self._seed, epoch])
            self._order = rng.permutation(len(self._labels))
            if self._random_crops:
                self._starts = rng.integers(0, self._last_starts + 1)

    @property
    def n_clips(self) -> int:
        """Clips in an epoch."""
        return len(self._labels)

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch number `index`: uint8 [shape=(batch, frames, n_mels)] and the labels of its clips."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        if self._variation is None:
            return np.stack([self._cut(row) for row in rows]), self._labels[rows]
        how, labels = self._variation, self._labels[rows]
        rng = np.random.default_rng([self._seed or 0, self._epoch, index])
        clips = np.stack([self._varied(row, rng) for row in rows])
        if how.mixup:
            clips, labels = augment.mixed(clips, labels, how.mixup, rng)
        return np.round(clips).astype(np.uint8), labels

    def _cut(self, row: int) -> np.ndarray:
        return windows.cut(self._tracks[row], self._starts[row], self._frames, repeat_short=self._repeat_short)

    def _varied(self, row: int, rng: np.random.Generator) -> np.ndarray:
        how = self._variation
        assert how is not None
        clip = self._cut(row)
        if how.stretch and len(self._tracks[row]) > self._frames:
            factor = float(np.exp(rng.uniform(-how.stretch, how.stretch)))
            clip = augment.window(self._tracks[row], self._starts[row], self._frames, factor)
        form = self._format
        return augment.varied(clip, how, rng, frame_rate=form.frame_rate, top_db=form.top_db)

    def mean_and_deviation(self) -> tuple[float, float]:
        """Of all cells of up to 500 clips, evenly taken; the deviation is at least 1."""
        rows = np.linspace(0, len(self._labels) - 1, min(_SAMPLED_CLIPS, len(self._labels))).astype(int)
        cells = np.stack([self._cut(row) for row in rows])
        return float(cells.mean()), max(1.0, float(cells.std()))
