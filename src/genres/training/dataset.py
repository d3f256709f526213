"""The data of one training: windows of the training and validation tracks, as batches."""

from typing import Any

import numpy as np
import pandas as pd

from genres.core.console import warn
from genres.core.files import read_table
from genres.core.params import ModelParams, Params, TrainParams
from genres.core.paths import MELS, TRACKS
from genres.data import windows
from genres.data.batches import Clips
from genres.data.shards import Spectrograms


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
    window_s : float or None
        Seconds of a window; None for the clips of the stage `clips`.
    frames, crop_frames : int
        Frames of a window and of a training crop.
    train, val : Clips
        Batches of crops.
    class_weights : dict of int to float
        See :func:`balanced_weights`.
    """

    def __init__(self, settings: Params, train: TrainParams, model: ModelParams, folds: tuple[str, ...]) -> None:
        self.spectrograms = Spectrograms(MELS)
        self._batch_size = train.batch_size
        by_clip = settings.split.protocol == "clip"
        # Under protocol clip only the clips have folds: a longer window would hold clips of several.
        self.window_s = None if by_clip else model.window_s
        crops = train.crops == "random" and not by_clip
        variation = train.augment
        if train.crops == "random" and by_clip:
            # Anywhere in the track would be where its test clips are: a worse leak than the one to be measured.
            warn("train.crops: fixed clips are used, since under protocol clip a random crop can overlap a test clip")
            variation = variation.model_copy(update={"stretch": 0.0})
        crop_s = train.crop_s if crops and train.crop_s else self.window_s
        in_use = windows.read(self.window_s, self.spectrograms.seconds)
        in_training = windows.read(crop_s, self.spectrograms.seconds)
        self.genres = sorted(set(in_use["genre"]))
        self.windows = in_use[in_use["fold"].isin(folds)]
        self.val_windows = in_use[in_use["fold"] == "val"]
        form, clip_s = self.spectrograms.format, settings.clips.length_s
        self.frames, self.crop_frames = form.frames(self.window_s or clip_s), form.frames(crop_s or clip_s)
        self.train = self.batches(
            self.windows,
            self.crop_frames,
            shuffle_seed=settings.seed,
            random_crops=crops,
            variation=variation if any(variation.model_dump().values()) else None,
        )
        self.val = self.batches(in_training[in_training["fold"] == "val"], self.crop_frames)
        self.class_weights = balanced_weights(self.windows["genre"], self.genres)

    def batches(self, clips: pd.DataFrame, frames: int, **options: Any) -> Clips:
        """Return batches of clips with their genres, as shares (one-hot)."""
        shares = (clips["genre"].to_numpy(dtype=str)[:, np.newaxis] == np.array(self.genres)).astype(np.float32)
        return Clips(
            self.spectrograms,
            clips,
            shares,
            frames=frames,
            batch_size=self._batch_size,
            repeat_short=self.window_s is not None,
            **options,
        )

    def labels(self) -> np.ndarray:
        """Return the number of the genre of each training window: int64 [shape=(n,)]."""
        return np.searchsorted(self.genres, self.windows["genre"].to_numpy(dtype=str))

    def artists(self) -> np.ndarray:
        """Return a number of the artist of each training window: int64 [shape=(n,)]."""
        artist_of = artist_numbers(read_table(TRACKS, dtype=str))
        return np.array([artist_of[track_id] for track_id in self.windows["track_id"]], dtype=np.int64)

    def spectrograms_of(self, fold: str) -> list[np.ndarray]:
        """Return the whole spectrograms of a fold's tracks, uint8 [shape=(frames, n_mels)] each, by track id."""
        clips = windows.read(None, self.spectrograms.seconds)
        return [self.spectrograms.track(name) for name in sorted({*clips["track_id"][clips["fold"] == fold]})]


def balanced_weights(genres: pd.Series, names: list[str]) -> dict[int, float]:
    """Return the weights with which each genre counts the same: clips / (genres * clips of the genre)."""
    counts = genres.value_counts()
    return {index: len(genres) / (len(names) * counts[name]) for index, name in enumerate(names)}


def artist_numbers(tracks: pd.DataFrame) -> dict[str, int]:
    """Number the artists of tracks (columns track_id, artist); an unknown one is an artist of its own."""
    names = tracks["artist"].str.strip().str.casefold()
    unknown = "#" + tracks["track_id"]
    numbers, _ = pd.factorize(names.where(names != "", unknown))
    return dict(zip(tracks["track_id"], map(int, numbers), strict=True))
