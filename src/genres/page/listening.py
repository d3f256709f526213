"""What the page hears: a song and a network in, all that the page shows of it out.

Nothing of a visitor is kept here. The loaded networks are all that visitors share, and one visitor at a time uses them.
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
from genres.core.paths import LEADERBOARD, MODELS
from genres.inference.answer import warning_of
from genres.inference.classifier import Classifier, Timeline, choose_model
from genres.models.card import ModelCard

MOST_MINUTES, LEAST_SECONDS, MOST_MEGABYTES = 20, 1.0, 100

# Of the outline of a waveform: steps a second while it is heard, points when it is drawn.
_STEPS_PER_S, _POINTS = 40, 480


@dataclass(frozen=True)
class Heard:
    """A song as a network hears it.

    Attributes
    ----------
    card : dict
        The network's.
    form : Format
        Of the spectrogram.
    genres : list of str
        In the order of the probabilities.
    seconds : float
        How long the song is.
    outline : np.ndarray [shape=(points, 2)]
        Lowest and highest sample of equal parts of the song; full scale is 1.
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    timeline : Timeline
    warning : str or None
        Where the song is unlike all of training.
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
        """The song's probabilities by genre, most probable first."""
        shares = dict(zip(self.genres, map(float, self.timeline.mean()), strict=True))
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def genre(self) -> str:
        """The most probable one."""
        return next(iter(self.mean))


class Networks:
    """The trained networks: loaded when they are asked for, again where they have been trained again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[int, Classifier]] = {}

    def names(self) -> list[str]:
        """The trained architectures, best first by validation; those that the leaderboard does not know come last."""
        rows = read_json(LEADERBOARD) if LEADERBOARD.exists() else []
        ranks = {row["arch"]: rank for rank, row in enumerate(rows)}
        return sorted((file.stem for file in MODELS.glob("*.keras")), key=lambda name: (ranks.get(name, 999), name))

    def hear(self, song: Path, architecture: str) -> Heard:
        """Let a network listen to a song.

        Raises
        ------
        AudioError
            If the file cannot be used as music, or is too short or too long.
        UserError
            If the network is gone or damaged.
        """
        with self._lock:
            classifier = self._get(architecture)
        # Songs are decoded side by side: no network takes part.
        outline, spectrogram, seconds = decode(song, classifier.format)
        with self._lock:
            timeline = classifier.timeline(spectrogram)
        return Heard(
            classifier.card,
            classifier.format,
            classifier.genres,
            seconds,
            outline,
            spectrogram,
            timeline,
            warning_of(classifier.distance(spectrogram), classifier.threshold),
        )

    def evidence(self, song: Path, name: str, architecture: str) -> tuple[str, bytes]:
        """Where a network looks: the most probable genre, and the picture of what speaks for it, a PNG.

        Raises
        ------
        AudioError, UserError
            As :meth:`hear`.
        """
        from genres.core.text import shown, whose
        from genres.figures.style import DPI
        from genres.inference.saliency import draw_parts, telling

        heard = self.hear(song, architecture)
        with self._lock:  # Matplotlib's settings are shared, too
            classifier = self._get(architecture)
            part = telling(classifier, heard.spectrogram, heard.genre, name)
            figure = draw_parts(
                [part],
                heard.form,
                heard.genre,
                title=f"What sounds like {shown(heard.genre)} to {architecture}",
                note=f"trained on {whose(heard.card['dataset'], heard.card['protocol'])}; "
                f"the window of the song that is most like {shown(heard.genre)}",
            )
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", dpi=DPI)
        return heard.genre, drawn.getvalue()

    def _get(self, architecture: str) -> Classifier:
        file = choose_model(architecture)
        written = file.stat().st_mtime_ns
        if architecture not in self._loaded or self._loaded[architecture][0] != written:
            self._loaded[architecture] = (written, Classifier(file))
        return self._loaded[architecture][1]


def decode(song: Path, form: Format) -> tuple[np.ndarray, np.ndarray, float]:
    """Decode a song once, for its outline and its spectrogram.

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
    """Lowest and highest samples of a song that passes by in blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._step = sample_rate, sample_rate // _STEPS_PER_S
        self._samples = 0
        self._steps: list[np.ndarray] = []

    @property
    def seconds(self) -> float:
        return self._samples / self._rate

    def through(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass the blocks on.

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
        """Lowest and highest of equal parts: float32 [shape=(points, 2)]."""
        steps = np.concatenate([np.zeros((0, 2), np.float32), *self._steps])
        starts = np.unique(np.linspace(0, len(steps), _POINTS, endpoint=False).astype(int))
        if not len(steps):
            return steps
        return np.stack([np.minimum.reduceat(steps[:, 0], starts), np.maximum.reduceat(steps[:, 1], starts)], axis=1)


def complaint(name: str, error: AudioError | UserError) -> str:
    """One line for the visitor whose file cannot be used."""
    reason = " ".join(str(error).split())
    if isinstance(error, UserError):
        return reason
    advice = next((advice for start, advice in _ADVICE.items() if reason.startswith(start)), None)
    if advice:
        return f"“{name}” is {reason}: {advice}."
    return f"“{name}” {reason}. Songs are wav, au, flac, ogg, mp3 or m4a files."


_ADVICE = {
    "silent": "there is nothing to hear in it",
    "empty": "there is nothing in it",
    "too long": "try a part of it",
    "too short": "try more of it",
    "truncated": "is the copy whole?",
}
