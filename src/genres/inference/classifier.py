"""Trained models as a Python API: a song or its spectrogram in, genre probabilities out.

Creating a :class:`Classifier` loads Keras; :func:`choose_model` does not.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genres.audio.format import Format
from genres.audio.mel import spectrogram_of
from genres.core.console import UserError
from genres.core.files import read_json
from genres.core.paths import LEADERBOARD, MODELS, model_path
from genres.data import windows
from genres.models import out_of_distribution
from genres.models.card import read_card

# Number of windows per forward pass.
BATCH_SIZE = 64


def choose_model(name: str | None = None) -> Path:
    """Return the model file of an architecture; by default, of the best trained one by validation.

    Parameters
    ----------
    name : str or None
        Architecture, or path of a model file (ends in .keras).

    Raises
    ------
    UserError
        If the model does not exist, or none is trained.
    """
    trained = sorted(path.stem for path in MODELS.glob("*.keras"))
    if name is not None:
        path = Path(name) if name.endswith(".keras") else model_path(name)
        if not path.is_file():
            hint = f"there is {', '.join(trained)}" if trained else "none is trained yet: run `make repro`"
            raise UserError(f"{path}: no such model; {hint}")
        return path
    if not trained:
        raise UserError("models/: no trained model yet; `make repro` trains those of params.yaml")
    # Sorted by validation, best first. The ensemble has no model file.
    rows = read_json(LEADERBOARD) if LEADERBOARD.exists() else []
    best = next((row["arch"] for row in rows if row["arch"] in trained), None)
    if best is None:
        raise UserError(f"{LEADERBOARD}: ranks none of the trained models; name one by --model: {', '.join(trained)}")
    return model_path(best)


@dataclass(frozen=True)
class Timeline:
    """Predictions for the windows of a song.

    Attributes
    ----------
    start_s, end_s : np.ndarray [shape=(n,)]
        Start and end of each window, in seconds; of a song shorter than a window, the end is the song's.
    probabilities : np.ndarray [shape=(n, n_genres), dtype=float64]
        Rows sum to 1.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    probabilities: np.ndarray

    def mean(self) -> np.ndarray:
        """Return the song's probabilities, averaged as in evaluation: float64 [shape=(n_genres,)], sum 1."""
        mean = self.probabilities.mean(axis=0)
        return mean / mean.sum()


class Classifier:
    """A trained network with the settings of its input.

    Parameters
    ----------
    model_file : Path
        models/<architecture>.keras.

    Attributes
    ----------
    card : dict
        Card of the model: see src/genres/models/card.py.
    genres : list of str
        Genres, in the order of the probabilities.
    format : Format
        Format of the spectrograms that the network takes.
    frames : int
        Length of a window, in frames.
    window_s : float
        Length of a window, in seconds.

    Raises
    ------
    UserError
        If the file is not a model of this project, or Keras cannot load it.
    """

    def __init__(self, model_file: Path) -> None:
        self.card = read_card(model_file)
        self.genres: list[str] = self.card["genres"]
        self.format = Format(**self.card["spectrogram"])
        self.frames: int = self.card["frames"]
        self.window_s: float = self.frames / self.format.frame_rate
        from genres.models import builders  # loads Keras, which takes seconds

        self._network = builders.load(model_file)

    def spectrogram(self, song: Path) -> np.ndarray:
        """Compute the mel spectrogram of a song, equal to that of the stage `mels`: uint8 [shape=(frames, n_mels)].

        Raises
        ------
        genres.audio.decode.AudioError
            If the file cannot be used as music.
        """
        return spectrogram_of(song, self.format)

    def timeline(self, spectrogram: np.ndarray) -> Timeline:
        """Predict the windows of a whole song, the same windows as in evaluation.

        Parameters
        ----------
        spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
            Spectrogram of any length; one shorter than a window is padded as in training.
        """
        rate, length = self.format.frame_rate, self.card["clip_length_s"]
        seconds = len(spectrogram) / rate
        starts_s = np.array(windows.starts(seconds, length, self.card.get("clip_overlap_s", 0.0)))
        starts = np.minimum(np.round(starts_s * rate).astype(int), max(0, len(spectrogram) - self.frames))
        parts = []
        for first in range(0, len(starts), BATCH_SIZE):  # an hour has a thousand windows
            batch = [
                windows.cut(spectrogram, start, self.frames, repeat_short=self.card.get("window_s") is not None)
                for start in starts[first : first + BATCH_SIZE]
            ]
            parts.append(self.probabilities(np.stack(batch)))
        start_s = starts / rate
        return Timeline(start_s, np.minimum(start_s + self.window_s, seconds), np.concatenate(parts))

    def distance(self, spectrogram: np.ndarray) -> float | None:
        """Return the out-of-distribution score of a song; None if the card has no reference."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else out_of_distribution.distance(spectrogram, reference, self.format.top_db)

    @property
    def threshold(self) -> float | None:
        """Out-of-distribution score that at most 5 % of the validation tracks exceed; None if the card has none."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else float(reference["threshold"])

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Predict the genre probabilities of windows.

        Parameters
        ----------
        clips : np.ndarray [shape=(n, frames, n_mels), dtype=uint8]
            Windows of spectrograms.

        Returns
        -------
        np.ndarray [shape=(n, n_genres), dtype=float64]
            Rows sum to 1.
        """
        from genres.models.backend import keras

        parts = [np.empty((0, len(self.genres)))]
        for first in range(0, len(clips), BATCH_SIZE):
            # Called directly: the set-up of model.predict() takes longer than a song.
            batch = self._network(clips[first : first + BATCH_SIZE], training=False)
            parts.append(keras.ops.convert_to_numpy(batch).astype(float))
        probabilities = np.concatenate(parts)
        return probabilities / probabilities.sum(axis=1, keepdims=True)
