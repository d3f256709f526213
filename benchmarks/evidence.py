"""Test occlusion saliency by deletion, on songs that the model was not trained on.

    python -m benchmarks.evidence models/bn_5x5.keras /path/to/music

Takes each song's middle window and the occlusion saliency of its predicted genre (src/genres/inference/saliency.py).
Then the window is covered part by part: highest saliency first, cells of the same size in random order, and lowest
saliency first. The mean probability of the genre over the covered shares should be lowest for the first order and
highest for the last. Parts are covered with the filling that the saliency was computed with, and with another one.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks import held_out
from benchmarks.machine import describe, spread
from genres.audio.decode import AudioError
from genres.core.console import UserError, command, print_table, progress
from genres.core.text import dataset_note
from genres.inference.classifier import Classifier
from genres.inference.saliency import deletion, filling, occlusion_saliency, window_at
from genres.stats.sign_flip import sign_flip

SEED = 42


def quiet(window: np.ndarray) -> np.ndarray:
    """Return another filling: the tenth percentile of each band's level."""
    return np.broadcast_to(np.quantile(window, 0.1, axis=0).astype(window.dtype), window.shape)


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="models/<architecture>.keras")
    parser.add_argument("music", type=Path, help="a folder of songs")
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)
    card, form = classifier.card, classifier.format
    paths, description = held_out.songs(arguments.music, card["dataset"])
    means: dict[str, list[tuple[float, float, float]]] = {"the same": [], "another": []}
    seconds = []
    for path in progress(paths, what="songs", unit="song"):
        try:
            song = classifier.spectrogram(path)
        except AudioError as error:
            raise UserError(f"{path}: {error}") from None
        window = window_at(classifier, song, (len(song) / form.frame_rate - classifier.window_s) / 2)
        genre = classifier.genres[int(classifier.probabilities(window[np.newaxis])[0].argmax())]
        started = time.perf_counter()
        saliency = occlusion_saliency(classifier, window, genre)
        seconds.append(time.perf_counter() - started)
        for name, fill in (("the same", filling), ("another", quiet)):
            first = deletion(classifier, window, genre, saliency, seed=SEED, fill=fill)
            last = deletion(classifier, window, genre, -saliency, seed=SEED, orders=1, fill=fill)
            means[name].append((first.marked.mean(), first.random.mean(), last.marked.mean()))
    rows = []
    for name, values in means.items():
        marked, random, last = np.array(values).T
        gain = sign_flip(random - marked, SEED)
        interval = "" if gain.low is None else f" [{100 * gain.low:.1f}, {100 * (gain.high or 0):.1f}]"
        rows.append(
            [
                name,
                *(f"{100 * mean.mean():.1f} %" for mean in (marked, random, last)),
                f"{100 * gain.mean:.1f}{interval}",
                f"{gain.p:.2g}",
                f"{np.mean(marked < random):.0%}",
            ]
        )
    print(describe(("keras", "numpy")))
    print(f"saliency of a window of {classifier.window_s:.1f} s takes {spread(seconds)} s")
    print_table(
        f"{card['architecture']}, {description}, {dataset_note(card['dataset'], card['protocol'])}: mean probability "
        "while covered",
        ["filling", "salient first", "random", "salient last", "lower than random, points", "p", "windows"],
        rows,
    )


if __name__ == "__main__":
    main()
