"""The data of one training: windows of the training and validation tracks, as batches."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from genres.core.console import warn
from genres.core.files import read_clips, read_table
from genres.core.labels import numbers_of
from genres.core.names import artist_groups
from genres.core.params import ModelParams, Params, TrainParams
from genres.core.paths import TRACKS, mels_dir
from genres.data import windows
from genres.data.batches import Clips
from genres.data.shards import Spectrograms
from genres.data.windows import Windowing, windowing_of
from genres.models.blocks import kept_frames


class Dataset:
    """Batches for training and validation, and what a network must know of them.

    Parameters
    ----------
    settings : Params
        All of params.yaml.
    train : TrainParams
        Those of this architecture and data set.
    model : ModelParams
        Those of the architecture.
    folds : tuple of str
        Folds that are trained on.

    Attributes
    ----------
    genres : list of str
        Sorted; a genre's place is its number.
    windows, val_windows : pd.DataFrame
        The windows that the trained network is used for: track_id, start_s, fold, genre.
    windowing, cropping : Windowing
        Windows that the trained network takes, and the crops that it is trained on.
    frames, crop_frames : int
        Frames of a window, and those of a training crop that the network takes.
    frame_stride : float
        Stored frames per frame that the network takes, at least 1.
    train, val : Clips
        Batches of crops.
    class_weights : dict of int to float
        See :func:`balanced_weights`.
    """

    def __init__(self, settings: Params, train: TrainParams, model: ModelParams, folds: tuple[str, ...]) -> None:
        self.spectrograms = Spectrograms(mels_dir(model.front_end))
        self._batch_size = train.batch_size
        by_clip = settings.split.protocol == "clip"
        self.windowing = self.cropping = windowing_of(model, settings)
        crops = train.crops == "random" and not by_clip
        variation = train.augment
        if train.crops == "random" and by_clip:
            # Anywhere in the track would be where its test clips are: a worse leak than the one to be measured.
            warn("train.crops: fixed clips are used, since under protocol clip a random crop can overlap a test clip")
            variation = variation.model_copy(update={"stretch": 0.0})
        if crops and train.crop_s:
            self.cropping = replace(self.windowing, length_s=train.crop_s, overlap_s=0.0, of="tracks")
        form = self.spectrograms.format
        self.frame_stride = max(1.0, form.frame_rate / (model.frame_rate or form.frame_rate))
        self.frames = self.windowing.frames(form)
        self.crop_frames = len(kept_frames(self.cropping.frames(form), self.frame_stride))
        in_use = windows.read(self.windowing, self.spectrograms.seconds)
        in_training = windows.read(self.cropping, self.spectrograms.seconds)
        self.genres = sorted(set(in_use["genre"]))
        self.windows = in_use[in_use["fold"].isin(folds)]
        self.val_windows = in_use[in_use["fold"] == "val"]
        self.train = self.batches(
            self.windows,
            self.cropping,
            shuffle_seed=settings.seed,
            random_crops=crops,
            variation=variation if any(variation.model_dump().values()) else None,
            frame_stride=self.frame_stride,
        )
        val = in_training[in_training["fold"] == "val"]
        self.val = self.batches(val, self.cropping, frame_stride=self.frame_stride)
        # Keras takes labels of one column for numbers of classes, so that a single genre has no weight.
        self.class_weights = balanced_weights(self.windows["genre"], self.genres) if len(self.genres) > 1 else None

    def batches(self, clips: pd.DataFrame, windowing: Windowing, **options: Any) -> Clips:
        """Return batches of clips with their genres, as shares (one-hot)."""
        shares = np.eye(len(self.genres), dtype=np.float32)[numbers_of(clips["genre"], self.genres)]
        return Clips(self.spectrograms, clips, shares, windowing, batch_size=self._batch_size, **options)

    def labels(self) -> np.ndarray:
        """Return the number of the genre of each training window: int64 [shape=(n,)]."""
        return numbers_of(self.windows["genre"], self.genres)

    def val_labels(self) -> np.ndarray:
        """Return the number of the genre of each validation window: int64 [shape=(n,)]."""
        return numbers_of(self.val_windows["genre"], self.genres)

    def artists(self) -> np.ndarray:
        """Return a number of the artist of each training window: int64 [shape=(n,)]."""
        return _artists_of(self.windows["track_id"])

    def known_tracks(self) -> tuple[Iterator[np.ndarray], np.ndarray]:
        """Return the spectrograms of the training and validation tracks, and the number of the artist of each.

        Returns
        -------
        spectrograms : iterator of np.ndarray [shape=(frames, n_mels), dtype=uint8]
            Whole tracks, by track id.
        artists : np.ndarray [shape=(n,), dtype=int64]
        """
        clips = read_clips()
        names = sorted({*clips["track_id"][clips["fold"].isin(["train", "val"])]})
        return map(self.spectrograms.track, names), _artists_of(names)


def _artists_of(track_ids: Iterable[str]) -> np.ndarray:
    artist_of = artist_numbers(read_table(TRACKS, dtype=str))
    return np.array([artist_of[track_id] for track_id in track_ids], dtype=np.int64)


def balanced_weights(genres: pd.Series, names: list[str]) -> dict[int, float]:
    """Return the weights with which each genre counts the same: clips / (genres * clips of the genre)."""
    counts = genres.value_counts()
    return {index: len(genres) / (len(names) * counts[name]) for index, name in enumerate(names)}


def artist_numbers(tracks: pd.DataFrame) -> dict[str, int]:
    """Number the artists of tracks (columns track_id, artist); an unknown one is an artist of its own."""
    return dict(zip(tracks["track_id"], artist_groups(tracks["artist"]), strict=True))
