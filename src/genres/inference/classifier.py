"""Trained models as programs use them: a song or its spectrogram in, genre probabilities out.

Cards come without Keras (:func:`read_card`); a :class:`Classifier` loads it when it is made.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genres.audio.format import Format
from genres.audio.mel import spectrogram_of
from genres.core.console import UserError
from genres.core.files import read_json
from genres.core.paths import LEADERBOARD, MODELS
from genres.data import windows
from genres.models import out_of_distribution
from genres.models.card import read_card, write_card

__all__ = ["Classifier", "Timeline", "choose_model", "read_card", "write_card"]


# Windows that the network sees at a time.
BATCH_SIZE = 64


def choose_model(name: str | None = None) -> Path:
    """The model file of an architecture; by default that of the best one by validation that has a file.

    Parameters
    ----------
    name : str or None
        An architecture, or a model file (it ends in .keras).

    Raises
    ------
    UserError
        If there is no such model, or none at all.
    """
    trained = sorted(path.stem for path in MODELS.glob("*.keras"))
    if name is not None:
        path = Path(name) if name.endswith(".keras") else MODELS / f"{name}.keras"
        if not path.is_file():
            known = f"there is {', '.join(trained)}" if trained else "none is trained yet: run `make repro`"
            raise UserError(f"{path}: no such model; {known}")
        return path
    if not trained:
        raise UserError("models/: no trained model yet; `make repro` trains those of params.yaml")
    # Best first by validation. The ensemble is no model of its own.
    rows = read_json(LEADERBOARD) if LEADERBOARD.exists() else []
    best = next((row["arch"] for row in rows if row["arch"] in trained), None)
    if best is None:
        raise UserError(f"{LEADERBOARD}: ranks no model that is here; name one by --model: {', '.join(trained)}")
    return MODELS / f"{best}.keras"


@dataclass(frozen=True)
class Timeline:
    """What a network says of each window of a song.

    Attributes
    ----------
    start_s, end_s : np.ndarray [shape=(n,)]
        Of each window, in seconds; the last may end before a whole window does, where a song is shorter than one.
    probabilities : np.ndarray [shape=(n, n_genres), dtype=float64]
        Rows sum to 1.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    probabilities: np.ndarray

    def mean(self) -> np.ndarray:
        """The song's probabilities, as evaluation takes them: float64 [shape=(n_genres,)], sum 1."""
        mean = self.probabilities.mean(axis=0)
        return mean / mean.sum()


class Classifier:
    """A trained network with all that it must know of its input.

    Parameters
    ----------
    model_file : Path
        models/<architecture>.keras.

    Attributes
    ----------
    card : dict
        See src/genres/models/card.py.
    genres : list of str
        In the order of the probabilities.
    format : Format
        Of the spectrograms that the network takes.
    frames : int
        Length of a window.
    window_s : float
        The same in seconds.

    Raises
    ------
    UserError
        If the file is no model of this project, or Keras cannot load it.
    """

    def __init__(self, model_file: Path) -> None:
        self.card = read_card(model_file)
        self.genres: list[str] = self.card["genres"]
        self.format = Format(**self.card["spectrogram"])
        self.frames: int = self.card["frames"]
        self.window_s: float = self.frames / self.format.frame_rate
        from genres.models import builders  # loads Keras: takes seconds

        self._network = builders.load(model_file)

    def spectrogram(self, song: Path) -> np.ndarray:
        """What the networks see of a song, exactly what the stage `mels` stores: uint8 [shape=(frames, n_mels)].

        Raises
        ------
        genres.audio.decode.AudioError
            If the file cannot be used as music.
        """
        return spectrogram_of(song, self.format)

    def timeline(self, spectrogram: np.ndarray) -> Timeline:
        """Go through a whole song, in the windows in which evaluation goes through it.

        Parameters
        ----------
        spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
            Of any length; one that is shorter than a window is filled up as in training.
        """
        rate, length = self.format.frame_rate, self.card["clip_length_s"]
        seconds = len(spectrogram) / rate
        wanted = np.array(windows.starts(seconds, length, self.card.get("clip_overlap_s", 0.0)))
        starts = np.minimum(np.round(wanted * rate).astype(int), max(0, len(spectrogram) - self.frames))
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
        """How far a song is from those of training; beyond `threshold`, hardly any is. None where the card lacks it."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else out_of_distribution.distance(spectrogram, reference, self.format.top_db)

    @property
    def threshold(self) -> float | None:
        """The distance that at most 5 % of the validation tracks exceed; None where the card lacks it."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else float(reference["threshold"])

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Genre probabilities of windows.

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
            # Called, not model.predict(), which takes longer to set up than a song takes.
            batch = self._network(clips[first : first + BATCH_SIZE], training=False)
            parts.append(keras.ops.convert_to_numpy(batch).astype(float))
        found = np.concatenate(parts)
        return found / found.sum(axis=1, keepdims=True)
