"""Speed of the mel spectrograms, on any folder of music.

    python -m benchmarks.mels DIR [--tracks N] [--rounds N]

What the stage `mels` does (decoding, spectrogram, writing to its cache; over all cores) is compared with a plain loop
over librosa, and with the paper's way: a picture of each clip of 3 s. Each format in the folder has a row of its own.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import joblib
import librosa
import librosa.display as librosa_display
import numpy as np
import pandas as pd
import soundfile
from joblib.externals import loky
from matplotlib.figure import Figure

from benchmarks.machine import describe, interleaved, spread, timed, times_as_fast
from src import audio, mels, params, spectrogram
from src.console import UserError, command, print_table, progress, warn
from src.files import sha256_of
from src.params import MelParams

CLIP_SECONDS = 3  # the paper's
PICTURES = 5  # a round, each of which takes a tenth of a second or more
STEP_TRACKS = 20  # of the single steps, which vary little

PLAIN, PAPER, OURS, STARTING = "plain loop", "paper's way", "ours", "ours, with start"
DECODING, SPECTROGRAM = "decoding only", "spectrogram only"

# What we want to be at least, in times as fast.
TARGETS = {(".mp3", OURS, PLAIN): 1.8, (".mp3", STARTING, PLAIN): 1.5, (".wav", OURS, PAPER): 60.0}


@command
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mels", description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path, help="a folder of music, searched with all its subfolders")
    parser.add_argument("--tracks", type=int, default=300, help="at most so many files of each format (300)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything takes its turn (3)")
    arguments = parser.parse_args()
    if arguments.tracks < 1 or arguments.rounds < 1:
        raise UserError("--tracks and --rounds: must be at least 1")
    settings = params.load().mels
    music = find(arguments.dir, arguments.tracks, settings.sample_rate)
    print(describe(("numpy", "scipy", "librosa", "soundfile", "soxr", "joblib", "matplotlib")), flush=True)
    show(music, {kind: measure(lengths, settings, arguments.rounds) for kind, lengths in music.items()})


def find(folder: Path, at_most: int, sample_rate: int) -> dict[str, dict[Path, float]]:
    """For each format its files, evenly taken, with their lengths in seconds.

    Reading them all once leaves them in the page cache, so that no disk is measured. Of equal files, which the stage
    computes once, one is taken.
    """
    music: dict[str, dict[Path, float]] = {}
    seen: set[str] = set()
    for extension in audio.EXTENSIONS:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == extension and path.is_file())
        for path in progress(paths[:: max(1, -(-len(paths) // at_most))], what=f"reading {extension}"):
            digest = sha256_of(path)
            if digest in seen:
                continue
            seen.add(digest)
            try:
                soundfile.info(path)
                music.setdefault(extension, {})[path] = len(audio.load(path, sample_rate)) / sample_rate
            except audio.AudioError as error:
                warn(f"{path}: left out: {error}")
            except soundfile.LibsndfileError:
                warn(f"{path}: left out: librosa alone cannot read it, so there is nothing to compare with")
    if not music:
        raise UserError(f"{folder}: no music in it ({', '.join(audio.EXTENSIONS)}): name a folder that has some")
    return music


def measure(lengths: dict[Path, float], settings: MelParams, rounds: int) -> dict[str, list[float]]:
    """Let everything take turns on the files of one format.

    Returns
    -------
    dict of str to list of float
        For each contender and round the seconds that one track takes, on average.
    """
    paths = list(lengths)
    some = paths[:: -(-len(paths) // STEP_TRACKS)]
    clip = librosa.load(paths[0], sr=settings.sample_rate, duration=CLIP_SECONDS)[0]
    pictures_a_track = sum(lengths.values()) / len(paths) / CLIP_SECONDS / PICTURES
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        plain_loop(paths[:1], settings)  # the first use loads and compiles things, here and in pictures()
        pictures(clip, settings, folder)
        contenders: dict[str, Callable[[], float]] = {
            PLAIN: lambda: timed(lambda: plain_loop(paths, settings)) / len(paths),
            STARTING: lambda: stage_seconds(paths, settings, folder, start=True) / len(paths),
            OURS: lambda: stage_seconds(paths, settings, folder, start=False) / len(paths),
            PAPER: lambda: timed(lambda: pictures(clip, settings, folder)) * pictures_a_track,
            DECODING: lambda: steps_in_worker(some, settings)[0] / len(some),
            SPECTROGRAM: lambda: steps_in_worker(some, settings)[1] / len(some),
        }
        return interleaved(contenders, rounds, paths[0].suffix.lower())


def plain_loop(paths: list[Path], settings: MelParams) -> None:
    """What a first script would do: one process, librosa's own functions, nothing kept."""
    for path in paths:
        samples, rate = librosa.load(path, sr=settings.sample_rate)
        librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=settings.n_fft, hop_length=settings.hop_length, n_mels=settings.n_mels
        )


def pictures(clip: np.ndarray, settings: MelParams, folder: Path) -> None:
    """What the paper does with each clip, a few times: a spectrogram on a logarithmic axis, drawn and saved as JPEG."""
    for _ in range(PICTURES):
        figure = Figure()
        decibels = librosa.amplitude_to_db(np.abs(librosa.stft(clip)), ref=np.max)
        librosa_display.specshow(decibels, sr=settings.sample_rate, y_axis="log", ax=figure.subplots())
        figure.savefig(folder / "clip.jpg")


def stage_seconds(paths: list[Path], settings: MelParams, folder: Path, *, start: bool) -> float:
    """Seconds of the stage's function with an empty cache, with or without the start of its workers."""
    if start:
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
    else:
        start_workers(paths[0], settings)
    digests = [sha256_of(path) for path in paths]  # which comes with the tracks
    tracks = pd.DataFrame({"path": [str(path.resolve()) for path in paths], "sha256": digests})
    with tempfile.TemporaryDirectory(dir=folder) as empty, mock.patch.dict(os.environ, DVC_ROOT=empty):  # holds .cache
        return timed(lambda: mels.compute(tracks, folder, settings))


def start_workers(path: Path, settings: MelParams) -> None:
    """Have a process on each core that has done a track."""
    ready: set[int] = set()
    while len(ready) < joblib.cpu_count():
        run = joblib.Parallel(n_jobs=-1, batch_size=1)
        ready = set(run(joblib.delayed(_warm_up)(path, settings) for _ in range(joblib.cpu_count())))


def _warm_up(path: Path, settings: MelParams) -> int:
    step_seconds([path], settings)
    time.sleep(0.2)  # or a quick worker takes all of these tasks, while another is starting
    return os.getpid()


def steps_in_worker(paths: list[Path], settings: MelParams) -> tuple[float, float]:
    """Seconds of the single steps in one of the stage's workers, where linear algebra keeps to one thread."""
    return joblib.Parallel(n_jobs=-1)([joblib.delayed(step_seconds)(paths, settings)])[0]


def step_seconds(paths: list[Path], settings: MelParams) -> tuple[float, float]:
    """Seconds of the decoding of some tracks, and of their spectrograms."""
    decoding = spectrograms = 0.0
    for path in paths:
        started = time.perf_counter()
        samples = audio.load(path, settings.sample_rate)
        decoded = time.perf_counter()
        spectrogram.of_samples(samples, settings)
        decoding, spectrograms = decoding + decoded - started, spectrograms + time.perf_counter() - decoded
    return decoding, spectrograms


def show(music: dict[str, dict[Path, float]], measured: dict[str, dict[str, list[float]]]) -> None:
    """Print tracks a second, ratios, and what is still missing."""
    speeds, ratios, verdicts = [], [], []
    for extension, seconds in measured.items():
        lengths = list(music[extension].values())
        speeds.append(
            [extension, len(lengths), f"{np.mean(lengths):.1f} s"]
            + [spread([1 / value for value in values]) for values in seconds.values()]
        )
        row = [extension]
        for contender, reference in ((OURS, PLAIN), (STARTING, PLAIN), (OURS, PAPER)):
            ratio = times_as_fast(seconds[contender], seconds[reference])
            target = TARGETS.get((extension, contender, reference))
            row.append(str(ratio))
            if target is not None:
                verdicts.append(f"{extension}: {contender} : {reference}: {ratio}; {verdict(ratio.median, target)}")
        started = [(a - b) * len(lengths) for a, b in zip(seconds[STARTING], seconds[OURS], strict=True)]
        ratios.append([*row, f"{spread(started)} s"])
    print_table(
        "Tracks a second: median (lowest–highest) of the rounds",
        ["format", "tracks", "mean length", PLAIN, STARTING, OURS, PAPER, DECODING, SPECTROGRAM],
        speeds,
    )
    print_table(
        "Times as fast, within a round",
        ["format", f"{OURS} : {PLAIN}", f"{STARTING} : {PLAIN}", f"{OURS} : {PAPER}", "start of the workers"],
        ratios,
    )
    print("\n".join(verdicts))
    print(
        f"{OURS}: the stage's function over {joblib.cpu_count()} cores, workers already started; single steps in one"
        f"\n{PAPER}: measured on {PICTURES} clips of {CLIP_SECONDS} s, extrapolated to whole tracks (ten clips in 30 s)"
    )


if __name__ == "__main__":
    main()
