"""Predictions for the page: from a song and a network to everything that the page shows.

No data of visitors are kept here. Visitors share only the loaded networks, which one visitor at a time uses.
"""

import io
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genres.audio.decode import AudioError, read
from genres.audio.format import Format
from genres.audio.mel import of_blocks
from genres.core.console import UserError
from genres.core.files import read_json
from genres.core.paths import LEADERBOARD, TAGGER, WEIGHTS
from genres.inference.answer import warning_of
from genres.inference.classifier import (
    Classifier,
    Timeline,
    choose_model,
    knows_only_synthetic_music,
    trained_models,
)
from genres.models.card import ModelCard
from genres.remixing.versions import spectrogram_at

MOST_MINUTES, LEAST_SECONDS, MOST_MEGABYTES = 20, 1.0, 100

# Resolution of a waveform's outline: steps per second while it is computed, points when it is drawn.
_STEPS_PER_S, _POINTS = 40, 480


@dataclass(frozen=True)
class Prediction:
    """Prediction of a network for a song, with the pictures' data.

    Attributes
    ----------
    card : dict
        Card of the network.
    form : Format
        Format of the spectrogram.
    genres : list of str
        Genres in the order of the probabilities.
    seconds : float
        Duration of the song.
    outline : np.ndarray [shape=(points, 2)]
        Lowest and highest sample of equal parts of the song; full scale is 1.
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    timeline : Timeline
    warning : str or None
        Out-of-distribution warning.
    """

    card: ModelCard
    form: Format
    genres: list[str]
    seconds: float
    outline: np.ndarray
    spectrogram: np.ndarray
    timeline: Timeline
    warning: str | None

    @property
    def mean(self) -> dict[str, float]:
        """Mean probabilities of the song by genre, most probable first."""
        shares = dict(zip(self.genres, map(float, self.timeline.mean()), strict=True))
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def genre(self) -> str:
        """Most probable genre; of a tagger, the most probable tag that is one."""
        candidates = self.card.get("genre_tags", self.genres)
        return next(genre for genre in self.mean if genre in candidates)


class Networks:
    """Trained networks, loaded at first use and again after a new training."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[int, Classifier]] = {}

    def names(self) -> list[str]:
        """Return the trained architectures, best first by validation; those not on the leaderboard come last.

        The pretrained tagger is among them if its weights are there: first if the others know only synthetic music.
        """
        rows = read_json(LEADERBOARD) if LEADERBOARD.exists() else []
        ranks = {row["arch"]: rank for rank, row in enumerate(rows)}
        names = sorted(trained_models(), key=lambda name: (ranks.get(name, 999), name))
        if names and WEIGHTS.exists():
            names.insert(0 if knows_only_synthetic_music() else len(names), TAGGER)
        return names

    def predict(self, song: Path, architecture: str) -> Prediction:
        """Predict the genres of a song.

        Raises
        ------
        AudioError
            If the file cannot be used as music, or is too short or too long.
        UserError
            If the network is missing or damaged.
        """
        with self._lock:
            classifier = self._get(architecture)
        # Decoding needs no network, so songs are decoded concurrently.
        outline, spectrogram, seconds = decode(song, classifier.format)
        with self._lock:
            timeline = classifier.timeline(spectrogram)
        return Prediction(
            classifier.card,
            classifier.format,
            classifier.genres,
            seconds,
            outline,
            spectrogram,
            timeline,
            warning_of(classifier.distance(spectrogram), classifier.threshold),
        )

    def genres(self, architecture: str) -> list[str]:
        """Return the genres that a song can be of; of a tagger, the tags that are genres."""
        with self._lock:
            return self._get(architecture).candidates

    def shares(self, samples: np.ndarray, rate: int, architecture: str) -> np.ndarray:
        """Return the probabilities of these genres for a song that is no file: float64 [shape=(genres,)].

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), dtype=float32]
        rate : int
            Hz.
        architecture : str
        """
        with self._lock:
            classifier = self._get(architecture)
            found = classifier.timeline(spectrogram_at(samples, rate, classifier.format)).mean()
            return found[[classifier.genres.index(genre) for genre in classifier.candidates]]

    def saliency(self, song: Path, name: str, architecture: str) -> tuple[str, bytes]:
        """Return the most probable genre, and the picture of its occlusion saliency as PNG.

        Raises
        ------
        AudioError, UserError
            As :meth:`predict`.
        """
        from genres.core.text import dataset_note, display_name
        from genres.figures.style import DPI
        from genres.inference.saliency import draw_parts, most_probable_window

        prediction = self.predict(song, architecture)
        with self._lock:  # Matplotlib's settings are global, too
            classifier = self._get(architecture)
            part = most_probable_window(classifier, prediction.spectrogram, prediction.genre, name)
            figure = draw_parts(
                [part],
                prediction.form,
                prediction.genre,
                title=f"What sounds like {display_name(prediction.genre)} to {architecture}",
                note=f"trained on {dataset_note(prediction.card['dataset'], prediction.card['protocol'])}; "
                f"the window of the song that is most like {display_name(prediction.genre)}",
            )
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", dpi=DPI)
        return prediction.genre, drawn.getvalue()

    def _get(self, architecture: str) -> Classifier:
        file = choose_model(architecture)
        written = file.stat().st_mtime_ns
        if architecture not in self._loaded or self._loaded[architecture][0] != written:
            self._loaded[architecture] = (written, Classifier(file))
        return self._loaded[architecture][1]


def decode(song: Path, form: Format) -> tuple[np.ndarray, np.ndarray, float]:
    """Compute a song's outline and spectrogram in a single pass over its audio.

    Returns
    -------
    outline : np.ndarray [shape=(points, 2)]
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    seconds : float

    Raises
    ------
    AudioError
        If the file cannot be used as music, or is too short or too long.
    """

    def consume(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
        outline = Outline(form.sample_rate)
        spectrogram = of_blocks(outline.through(blocks), form)
        return outline.points(), spectrogram, outline.seconds

    outline, spectrogram, seconds = read(song, form.sample_rate, consume)
    if seconds < LEAST_SECONDS:
        raise AudioError(f"too short ({seconds:.1f} s; at least {LEAST_SECONDS:g} s are needed)")
    return outline, spectrogram, seconds


class Outline:
    """Lowest and highest samples of a song that arrives in blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._step = sample_rate, sample_rate // _STEPS_PER_S
        self._samples = 0
        self._steps: list[np.ndarray] = []

    @property
    def seconds(self) -> float:
        return self._samples / self._rate

    def through(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the blocks unchanged while recording their outline.

        Raises
        ------
        AudioError
            As soon as the song is too long.
        """
        rest = np.empty(0, np.float32)
        for block in blocks:
            self._samples += len(block)
            if self.seconds > 60 * MOST_MINUTES:
                raise AudioError(f"too long (longer than {MOST_MINUTES} minutes)")
            joined = np.concatenate([rest, block])
            whole = len(joined) - len(joined) % self._step
            self._take(joined[:whole].reshape(-1, self._step))
            rest = joined[whole:]
            yield block
        if len(rest):
            self._take(rest[np.newaxis])

    def _take(self, rows: np.ndarray) -> None:
        if rows.size:
            self._steps.append(np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1))

    def points(self) -> np.ndarray:
        """Return lowest and highest sample of equal parts: float32 [shape=(points, 2)]."""
        steps = np.concatenate([np.zeros((0, 2), np.float32), *self._steps])
        starts = np.unique(np.linspace(0, len(steps), _POINTS, endpoint=False).astype(int))
        if not len(steps):
            return steps
        return np.stack([np.minimum.reduceat(steps[:, 0], starts), np.maximum.reduceat(steps[:, 1], starts)], axis=1)


def complaint(name: str, error: AudioError | UserError) -> str:
    """Return a one-line message for the visitor whose file cannot be used."""
    reason = " ".join(str(error).split())
    if isinstance(error, UserError):
        return reason
    advice = next((advice for start, advice in _ADVICE.items() if reason.startswith(start)), None)
    if advice is not None:
        return f"“{name}” is {reason}{advice and f': {advice}'}."
    return f"“{name}” {reason}. Use an audio file of any common format, as mp3, flac, wav or m4a."


_ADVICE = {
    "silent": "use a file with audible music",
    "empty": "the file has no content",
    "too long": "use a part of it",
    "too short": "use a longer part",
    "truncated": "copy the file again",
    "longer than": "",  # says itself what to do
}
