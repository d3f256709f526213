"""Trained models as a Python API: a song or its spectrogram in, genre probabilities out.

Exported models (.onnx) run without Keras, which takes seconds to load; others (.keras) need it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genres.audio.format import Format
from genres.audio.mel import spectrogram_of
from genres.core.console import UserError
from genres.core.files import read_json, sha256_of
from genres.core.paths import (
    DEFAULT_FRONT_END,
    LEADERBOARD,
    MODELS,
    SUMMARY,
    TAGGER,
    WEIGHTS,
    cache_dir,
    model_path,
    onnx_path,
)
from genres.data.windows import Windowing
from genres.models import engines, out_of_distribution, prediction
from genres.models.card import read_card


def choose_model(name: str | None = None) -> Path:
    """Return the model file of an architecture; by default, of the best one by validation that knows real music.

    Networks that were trained on synthetic music know none: in their place the default is the pretrained tagger, if its
    weights are there.

    Of an architecture it is the exported model, or the .keras file if there is none or if it is of another training.

    Parameters
    ----------
    name : str or None
        Architecture, path of a model file (ends in .keras or .onnx), or msd_musicnn, the tagger.

    Raises
    ------
    UserError
        If the model does not exist, or none is trained.
    """
    trained = trained_models()
    if name == TAGGER and name not in trained:
        if exported := exported_model(name, WEIGHTS):
            return exported
        from genres.inference.tagger import model_file  # loads Keras, which takes seconds

        return model_file()
    if name is not None:
        path = Path(name)
        if path.suffix not in (".keras", ".onnx"):
            path = exported_model(name, model_path(name)) or model_path(name)
        if not path.is_file():
            names = [*trained, *([TAGGER] if WEIGHTS.exists() or onnx_path(TAGGER).exists() else [])]
            hint = f"there is {', '.join(names)}" if names else "none is trained yet: run `make repro`"
            raise UserError(f"{path}: no such model; {hint}")
        return path
    if not trained and (WEIGHTS.exists() or onnx_path(TAGGER).exists()):
        return choose_model(TAGGER)
    if not trained:
        raise UserError(
            f"{MODELS.absolute()}: no trained model yet; `make repro` in the project's folder trains those of "
            f"params.yaml, --model takes a model file, or {TAGGER}: pretrained tags"
        )
    # Sorted by validation, best first. The ensemble has no model file.
    if not LEADERBOARD.exists():
        raise UserError(f"{LEADERBOARD}: no such file; name a model by --model: {', '.join(trained)}")
    rows = read_json(LEADERBOARD)
    best = next((row["arch"] for row in rows if row["arch"] in trained), None)
    if best is None:
        raise UserError(f"{LEADERBOARD}: ranks none of the trained models; name one by --model: {', '.join(trained)}")
    return choose_model(TAGGER if WEIGHTS.exists() and knows_only_synthetic_music() else best)


def trained_models() -> list[str]:
    """Return the architectures that have a model file, in alphabetical order."""
    files = [*MODELS.glob("*.keras"), *(file for file in MODELS.glob("*.onnx") if file.stem != TAGGER)]
    return sorted({file.stem for file in files if file.stat().st_size})


def exported_model(architecture: str, source: Path) -> Path | None:
    """Return the exported model; None if there is none, or if it was made from another file than `source` is now."""
    exported = onnx_path(architecture)
    if not exported.is_file() or not exported.stat().st_size:
        return None
    # Not by the times of the files, which DVC's checkout changes.
    is_outdated = source.exists() and read_card(exported).get("source_sha256") != sha256_of(source)
    return None if is_outdated else exported


def for_stages(architecture: str) -> "Classifier":
    """Return a trained architecture as the stages run it, with all of its card.

    It is the exported model, which needs no Keras; of a pretrained network the .keras file, whose frozen network's
    output is kept for other stages and trainings.
    """
    model_file = model_path(architecture)
    frozen = read_card(model_file).get("pretrained_on")
    exported = None if frozen else exported_model(architecture, model_file)
    return Classifier(model_file, cache_dir("embeddings"), exported)


def knows_only_synthetic_music() -> bool:
    """Return True if the compared networks were trained on the synthetic demo."""
    return SUMMARY.exists() and read_json(SUMMARY)["dataset"] == "demo"


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
        return self.probabilities.mean(axis=0)


class Classifier:
    """A trained network with the settings of its input.

    Parameters
    ----------
    model_file : Path
        models/<architecture>.onnx or models/<architecture>.keras.
    embeddings : Path or None
        Folder that keeps what a frozen network computes, if Keras runs it; None: nothing is kept.
    exported : Path or None
        Exported model of the same training, which runs in place of `model_file`.

    Attributes
    ----------
    card : dict
        Card of the model: see src/genres/models/card.py.
    genres : list of str
        Genres, in the order of the probabilities.
    format : Format
        Format of the spectrograms that the network takes.
    front_end : str
        Name of that format in params.yaml.
    windowing : Windowing
        Windows that the network takes.
    window_s : float
        Length of a window, in seconds, after its rounding to frames.

    Raises
    ------
    UserError
        If the file is not a model of this project, or cannot be loaded.
    """

    def __init__(self, model_file: Path, embeddings: Path | None = None, exported: Path | None = None) -> None:
        self.card = read_card(model_file)
        self.genres: list[str] = self.card["genres"]
        self.format = Format(**self.card["spectrogram"])
        self.front_end = self.card.get("front_end", DEFAULT_FRONT_END)
        self.windowing = Windowing(**self.card["windowing"])
        self.window_s = self.windowing.frames(self.format) / self.format.frame_rate
        self._network = engines.load(exported or model_file, embeddings)

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
            Spectrogram of any length; one shorter than a window is completed as in training.
        """
        seconds = len(spectrogram) / self.format.frame_rate
        starts = [
            self.windowing.start(spectrogram, start_s, self.format) for start_s in self.windowing.starts_s(seconds)
        ]
        cut = (self.windowing.cut(spectrogram, start, self.format) for start in starts)
        start_s = np.array(starts) / self.format.frame_rate
        return Timeline(start_s, np.minimum(start_s + self.window_s, seconds), self.probabilities(cut))

    @property
    def candidates(self) -> list[str]:
        """The genres that a song can be of: of a tagger, the tags that are genres."""
        return self.card.get("genre_tags", self.genres)

    def distance(self, spectrogram: np.ndarray) -> float | None:
        """Return the out-of-distribution score of a song; None if the card has no reference."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else out_of_distribution.distance(spectrogram, reference, self.format.top_db)

    @property
    def threshold(self) -> float | None:
        """Out-of-distribution score that 5 % of the songs of new artists exceed; None if the card has none."""
        reference = self.card.get("out_of_distribution")
        return None if reference is None else float(reference["threshold"])

    def probabilities(self, windows: Iterable[np.ndarray]) -> np.ndarray:
        """Predict the genre probabilities of windows: see :func:`genres.models.prediction.probabilities`."""
        exclusive, size = "genre_tags" not in self.card, prediction.batch_size(self.card.get("multiply_adds"))
        return prediction.probabilities(self._network, len(self.genres), windows, size=size, exclusive=exclusive)
