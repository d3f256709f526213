"""Measure how far predictions move under changes that keep the genre: null distributions for original against remix.

    python -m benchmarks.perturbations models/bn_5x5.keras /path/to/music

Each song that the model was not trained on (test tracks, and songs in no fold) is compared with changed versions of
itself (an mp3 of 64 kbit/s, louder, faster), its first half with its second, and, for scale, the song with others of
the same folder name. The table has the mean Jensen–Shannon distance and the share of songs whose first genre changes,
with 95 % intervals (bootstrap over songs), and the tests of stage `remix`: whether the distance exceeds that of the two
halves of one song, and towards which genre the songs shift most. Decodes, changes and encodes in mono at the song's own
rate; writes only to a temporary folder.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from benchmarks import held_out
from genres.audio import decode
from genres.core.console import UserError, command, print_table, progress
from genres.core.text import dataset_note
from genres.inference.classifier import Classifier
from genres.stats import pairs
from genres.stats.pairs import Pair, Song
from genres.stats.scores import CI95, accuracy_interval
from genres.stats.sign_flip import sign_flip

MP3_RATES = (16000, 22050, 24000, 32000, 44100, 48000)  # Hz, rates of mp3; the fifth is used for songs of other rates
MP3_BIT_RATE = 64_000
RESAMPLES, SEED = 2000, 42
SPEED = 1.02
GAIN_DB = 3.0
OTHERS = 20  # songs of the same folder that each song is compared with


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.perturbations", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="models/<architecture>.keras")
    parser.add_argument("music", type=Path, help="a folder of songs; the name of a song's folder is its genre")
    parser.add_argument("--most", type=int, metavar="N", help="songs at most, evenly taken (default: all)")
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)
    card = classifier.card
    paths, description = held_out.songs(arguments.music, card["dataset"])
    if arguments.most is not None and arguments.most < len(paths):
        paths = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, arguments.most).astype(int))]
        description = f"{len(paths)} songs of {description}"
    predictions: dict[str, list[Pair]] = {name: [] for name in CHANGES}
    for path in progress(paths, what="songs", unit="song"):
        for name, pair in changed(classifier, path).items():
            predictions[name].append(pair)
    rows = [row(name, compared, classifier.genres) for name, compared in predictions.items()]
    originals = [pair.original for pair in predictions["as it is"]]
    rows += [row(*of, classifier.genres) for of in (halves_of(originals), same_genre_of(originals)) if of[1]]
    print_table(
        f"{card['architecture']}: {description}, {dataset_note(card['dataset'], card['protocol'])}; 95 % intervals",
        [
            "a song and",
            "number",
            "distance",
            "first genre changes",
            "distance less halves'",
            "shifts most",
            "p (Holm)",
        ],
        rows,
    )


def encode_mp3(samples: np.ndarray, rate: int, path: Path) -> None:
    """Write mono samples as mp3."""
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=rate, layout="mono")
        stream.bit_rate = MP3_BIT_RATE
        for start in range(0, len(samples), 1152):
            block = np.ascontiguousarray(samples[np.newaxis, start : start + 1152], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _wav(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, int, Path], None]:
    def write(samples: np.ndarray, rate: int, path: Path) -> None:
        soundfile.write(path, change(samples), rate, subtype="FLOAT")

    return write


def louder(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Raise the level and clip at full scale, as a louder master would."""
    return (samples * 10 ** (decibels / 20)).clip(-1, 1)


def faster(samples: np.ndarray, speed: float) -> np.ndarray:
    """Change speed and pitch together."""
    return soxr.resample(samples, speed, 1)


# Name: suffix of the file, and function that writes it.
CHANGES: dict[str, tuple[str, Callable[[np.ndarray, int, Path], None]]] = {
    "as it is": (".wav", _wav(lambda samples: samples)),
    "mp3, 64 kbit/s": (".mp3", encode_mp3),
    f"{GAIN_DB:g} dB softer": (".wav", _wav(lambda samples: louder(samples, -GAIN_DB))),
    f"{GAIN_DB:g} dB louder, clipped": (".wav", _wav(lambda samples: louder(samples, GAIN_DB))),
    f"{SPEED - 1:.0%} faster": (".wav", _wav(lambda samples: faster(samples, SPEED))),
    f"{SPEED - 1:.0%} slower": (".wav", _wav(lambda samples: faster(samples, 1 / SPEED))),
}


def changed(classifier: Classifier, path: Path) -> dict[str, Pair]:
    """Pair a song with each of its changed versions."""
    try:
        rate = rate_of(path)
        samples = decode.load(path, rate)
        original = song_of(classifier, path, path)
        changed_pairs = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, (suffix, write) in CHANGES.items():
                file = Path(folder) / f"song{suffix}"
                write(samples, rate, file)
                changed_pairs[name] = Pair(path.stem, original, song_of(classifier, file, path))
    except decode.AudioError as error:
        raise UserError(f"{path}: {error}") from None
    return changed_pairs


def rate_of(path: Path) -> int:
    """Return the song's own sample rate if mp3 supports it, else 44100."""
    try:
        rate = int(soundfile.info(path).samplerate)
    except soundfile.LibsndfileError:  # formats that only FFmpeg reads
        return MP3_RATES[4]
    return rate if rate in MP3_RATES else MP3_RATES[4]


def song_of(classifier: Classifier, file: Path, named: Path) -> Song:
    """Predict a file, under the name and the folder of another."""
    timeline = classifier.timeline(classifier.spectrogram(file))
    return Song(named.stem, named.parent.name, timeline.probabilities, timeline.start_s, timeline.end_s)


def halves_of(songs: list[Song]) -> tuple[str, list[Pair]]:
    """Pair the first half of each song with its second."""
    split = [(song, song.halves) for song in songs]
    return "its two halves", [
        Pair(song.track_id, _alone(song, halves[0]), _alone(song, halves[1])) for song, halves in split if halves
    ]


def _alone(song: Song, probabilities: np.ndarray) -> Song:
    return Song(song.track_id, song.genre, probabilities[np.newaxis], song.start_s[:1], song.end_s[-1:])


def same_genre_of(songs: list[Song]) -> tuple[str, list[Pair]]:
    """Pair each song with others of its folder."""
    rng, result = np.random.default_rng(SEED), []
    for song in songs:
        others = [other for other in songs if other.genre == song.genre and other is not song]
        for index in rng.permutation(len(others))[:OTHERS]:
            result.append(Pair(song.track_id, song, others[index]))
    return "others of its folder", result


def row(name: str, compared: list[Pair], genres: list[str]) -> list[str]:
    """Return a row of the table; the bootstrap draws all comparisons of a song together."""
    table = pairs.table(compared, [], genres)
    by_song = table.groupby("song")[["distance", "changes"]].mean()
    drawn = np.random.default_rng(SEED).integers(0, len(by_song), (RESAMPLES, len(by_song)))
    cells = [name, str(len(table))]
    for column, form in (("distance", "{:.3f}"), ("changes", "{:.1%}")):
        values = by_song[column].to_numpy(dtype=float)
        low, high = np.quantile(values[drawn].mean(axis=1), CI95)
        if column == "changes" and set(values) <= {0, 1}:
            low, high = accuracy_interval(values, RESAMPLES, SEED)  # has a width also where none changes
        cells.append(f"{form} [{form}, {form}]".format(values.mean(), low, high))
    if len(table) > len(by_song):  # several comparisons per song cannot be tested as pairs
        return [*cells, "", "", ""]
    apart = table["distance"] - table["distance_halves"]
    if apart.notna().all():
        more = sign_flip(apart, SEED)
        ends = "" if more.low is None or more.high is None else f" [{more.low:+.2f}, {more.high:+.2f}]"
        cells.append(f"{more.mean:+.2f}{ends}")
    else:
        cells.append("")
    most = max(pairs.shifts(table, genres, SEED).to_dict("records"), key=lambda shift: abs(shift["shift"]))
    return [*cells, f"{most['genre']} {100 * most['shift']:+.1f}", f"{most['p_holm']:.2g}"]


if __name__ == "__main__":
    main()
