"""Prediction: its start, a song, many songs.

Untrained networks (predictions do not matter here), exported, the first and the last from scratch of params.yaml, on
songs of the folder. *Start* is a fresh process of `genres predict` with one song, against one that only imports NumPy
and soundfile. *A song* is one song in a running process, against its decoding alone. *In bulk* is all songs in one
fresh call. Start and bulk use the last network.

    python -m benchmarks.prediction DIR [--tracks N] [--rounds N]
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import songs
from benchmarks.figures import Figure, show
from benchmarks.machine import describe, interleaved, timed, times_as_fast
from benchmarks.steps import from_scratch
from genres.audio import decode
from genres.audio.format import format_of
from genres.core import params
from genres.core.console import command
from genres.core.params import Params
from genres.data.windows import windowing_of
from genres.inference import answer, export
from genres.inference.classifier import Classifier
from genres.models import builders, out_of_distribution
from genres.models.backend import keras
from genres.models.card import ModelCard, write_card

IMPORTS, START, BULK = "import numpy, soundfile", "start with one song", "in bulk"
MOST_SECONDS, LEAST_SONGS = 1.0, 10.25  # goals, on two idle cores; the latter is five times that of Keras
DECODING = "its decoding alone"
GENRES = [f"genre{number}" for number in range(9)]
ROOT = Path(__file__).resolve().parents[1]


@command
def main() -> None:
    """Measure and print."""
    options = songs.options("python -m benchmarks.prediction", __doc__.splitlines()[0], tracks=100)
    print(describe(), flush=True)
    show("Prediction", measure(options.dir, tracks=options.tracks, rounds=options.rounds))


def measure(music: Path, quick: bool = False, *, tracks: int = 100, rounds: int = 5) -> list[Figure]:
    """Measure with `tracks` songs at most; see benchmarks/figures.py."""
    if quick:
        tracks, rounds = 5, 2
    paths = next(iter(songs.find(music, tracks).values()))
    settings = params.load()
    trained = from_scratch(settings.architectures, settings)
    names = list(dict.fromkeys((trained[0], trained[-1])))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        files = [Path(temporary) / f"{name}.onnx" for name in names]
        for name, file in zip(names, files, strict=True):
            model_file = write_untrained(file.with_suffix(".keras"), settings, name)
            export.write(model_file, file, model_file)
        classifiers = dict(zip(names, map(Classifier, files), strict=True))
        for classifier in classifiers.values():
            for path in paths[:2]:
                answer.predict(classifier, path)  # the first calls build graphs and caches
        last = ("--model", str(files[-1]))
        contenders: dict[str, Callable[[], float]] = {
            IMPORTS: lambda: fresh("-c", IMPORTS),
            START: lambda: fresh("-m", "genres", "predict", str(paths[0]), *last),
            BULK: lambda: fresh("-m", "genres", "predict", *map(str, paths), *last),
            DECODING: lambda: timed(
                lambda: [decode.load(path, settings.front_ends["default"].sample_rate) for path in paths]
            ),
        }
        for name, classifier in classifiers.items():
            contenders[name] = partial(timed, partial(all_of, classifier, paths))
        return figures_of(interleaved(contenders, rounds, "prediction"), names, len(paths))


def all_of(classifier: Classifier, paths: list[Path]) -> None:
    """Predict some songs."""
    for path in paths:
        answer.predict(classifier, path)


def figures_of(seconds: dict[str, list[float]], names: list[str], n_songs: int) -> list[Figure]:
    """Return the figures of the contenders' seconds, round by round; seconds of songs are those of all songs."""
    against_imports = times_as_fast(seconds[IMPORTS], seconds[START])
    result = [
        Figure(START, tuple(seconds[START]), "seconds", goal=MOST_SECONDS, higher_is_better=False),
        Figure(f"{START}: time against {IMPORTS}", against_imports, higher_is_better=False, comparable=True),
        Figure(BULK, tuple(n_songs / value for value in seconds[BULK]), "songs a second", goal=LEAST_SONGS),
    ]
    for name in names:
        of_one, slow = (
            tuple(value / n_songs for value in seconds[name]),
            times_as_fast(seconds[DECODING], seconds[name]),
        )
        result += [
            Figure(f"a song, {name}", of_one, "seconds", higher_is_better=False),
            Figure(f"a song, {name}: time against {DECODING}", slow, higher_is_better=False),
        ]
    return result


def fresh(*arguments: str) -> float:
    """Time a Python process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    call = [sys.executable, *arguments]
    return timed(lambda: subprocess.run(call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True))


def write_untrained(path: Path, settings: Params, architecture: str) -> Path:
    """Write a model file as the stage `train` does, of an untrained network."""
    chosen, form = settings.models[architecture], format_of(settings.mels_of_dataset())
    windowing = windowing_of(chosen, settings)
    frames = windowing.frames(form)
    keras.utils.set_random_seed(settings.seed)
    model = builders.classifier(
        chosen.builder,
        chosen.arguments,
        n_mels=form.n_mels,
        frames=frames,
        n_classes=len(GENRES),
        mean=127.5,
        deviation=74.0,
        frame_stride=form.frame_rate / (chosen.frame_rate or form.frame_rate),
    )
    if chosen.descriptors:
        weight = chosen.descriptors.network_weight
        model = builders.join(model, top_db=form.top_db, frame_rate=form.frame_rate, network_weight=weight)
    model.save(path)
    noise = [np.random.default_rng(seed).integers(0, 256, (frames, form.n_mels), np.uint8) for seed in range(4)]
    card: ModelCard = {
        "architecture": architecture,
        "dataset": "noise",
        "protocol": "artist",
        "genres": GENRES,
        "spectrogram": asdict(form),
        "windowing": asdict(windowing),
        "out_of_distribution": out_of_distribution.reference(noise, np.arange(4), form.top_db),
    }
    write_card(path, card)
    return path


if __name__ == "__main__":
    main()
