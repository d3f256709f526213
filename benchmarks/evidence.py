"""Does a model need what its evidence marks? The deletion test on songs that it was not trained on.

    python -m benchmarks.evidence models/bn_5x5.keras /path/to/music

Of each song the middle window is taken, and the occlusion saliency of its predicted genre
(src/genres/inference/saliency.py).
Then the window is covered part by part: what the evidence marks first, cells of the same size in random order, and what
the evidence marks last. The mean probability of the genre over the covered shares should be lowest for the first and
highest for the last. Covered is with the filling that the evidence was found with, and with another one.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks import held_out
from benchmarks.machine import describe, spread
from genres.audio.decode import AudioError
from genres.core.console import UserError, command, print_table, progress
from genres.core.text import whose
from genres.inference.classifier import Classifier
from genres.inference.saliency import deletion, evidence, filling, window_at
from genres.stats.sign_flip import sign_flip

SEED = 42


def quiet(window: np.ndarray) -> np.ndarray:
    """Another filling: the level that each band stays below in a tenth of the window."""
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
    paths, said = held_out.songs(arguments.music, card["dataset"])
    means: dict[str, list[tuple[float, float, float]]] = {"the same": [], "another": []}
    seconds = []
    for path in progress(paths, what="songs", unit="song"):
        try:
            song = classifier.spectrogram(path)
        except AudioError as error:
            raise UserError(f"{path}: {error}") from None
        window = window_at(classifier, song, (len(song) - classifier.frames) / 2 / form.frame_rate)
        genre = classifier.genres[int(classifier.probabilities(window[np.newaxis])[0].argmax())]
        started = time.perf_counter()
        found = evidence(classifier, window, genre)
        seconds.append(time.perf_counter() - started)
        for name, fill in (("the same", filling), ("another", quiet)):
            first = deletion(classifier, window, genre, found, seed=SEED, fill=fill)
            last = deletion(classifier, window, genre, -found, seed=SEED, orders=1, fill=fill)
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
    print(f"evidence of a window of {classifier.window_s:.1f} s takes {spread(seconds)} s")
    print_table(
        f"{card['architecture']}, {said}, {whose(card['dataset'], card['protocol'])}: mean probability while covered",
        ["filling", "marked first", "random", "marked last", "lower than random, points", "p", "windows"],
        rows,
    )


if __name__ == "__main__":
    main()
