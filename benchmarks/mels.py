"""Mel spectrograms: caching.

The stage `mels` on all cores with its workers started (their start is listed separately), on the same songs in each
format (those of the folder, or converted from them). *Cold* is with an empty cache, *warm* with all songs in it. It is
compared with

- a plain loop over librosa.load and melspectrogram, which cannot read m4a;
- the paper's way: a JPEG of each clip of 3 s (extrapolated from 5 clips);
- the floor, a lower bound: in the same workers, with one thread each, only decoding (libsndfile or FFmpeg, soxr) and
  scipy.fft.rfft of the same windowed frames. It lacks the mel bands, the logarithm, the check that the song is the one
  that was ingested, and the writing.

    python -m benchmarks.mels DIR [--tracks N] [--rounds N]
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import joblib
import librosa
import librosa.display as librosa_display
import matplotlib.figure
import numpy as np
import pandas as pd
from joblib.externals import loky

from benchmarks import songs
from benchmarks.figures import Figure, show
from benchmarks.floor import floor, warm_up
from benchmarks.machine import describe, interleaved, timed, times_as_fast
from genres.core import params
from genres.core.console import command
from genres.core.files import sha256_of
from genres.core.params import MelParams
from genres.data import cache

CLIP_SECONDS = 3  # the paper's
PICTURES = 5  # pictures in a round; each takes a tenth of a second or more

PLAIN, PAPER, FLOOR = "plain loop", "paper's way", "floor"
COLD, STARTING, WARM, ONE, TWO = "cold", "cold, with start", "warm", "one process", "two processes"

# Goals: least speed ratio; largest time ratio to the floor, and least speed ratio of two processes.
GOALS = {(".mp3", PLAIN): 1.8, (".wav", PAPER): 60.0}
FLOOR_GOAL, PROCESSES_GOAL = 1.3, 1.8


@command
def main() -> None:
    """Measure and print."""
    options = songs.options("python -m benchmarks.mels", __doc__.splitlines()[0], tracks=40)
    print(describe(), flush=True)
    show("Mel caching", measure(options.dir, tracks=options.tracks, rounds=options.rounds))


def measure(music: Path, quick: bool = False, *, tracks: int = 40, rounds: int = 5) -> list[Figure]:
    """Measure each format, `tracks` songs at most; see benchmarks/figures.py."""
    if quick:
        tracks, rounds = 6, 1
    settings = params.load().mels_of_dataset()
    measured = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        for suffix, paths in songs.in_each_format(music, tracks, Path(temporary)).items():
            seconds = take_turns(paths, settings, rounds, Path(temporary))
            measured += figures_of(suffix, len(paths), seconds)
    return measured


def figures_of(suffix: str, n_songs: int, seconds: dict[str, list[float]]) -> list[Figure]:
    """Return the figures of the contenders' seconds, round by round."""
    kind = suffix[1:]
    result = [
        Figure(f"{kind}, {name}", tuple(n_songs / value for value in seconds[name]), "songs a second")
        for name in (COLD, WARM, FLOOR)
    ]
    for reference in (PLAIN, PAPER):
        if reference in seconds:
            ratios = times_as_fast(seconds[COLD], seconds[reference])
            result.append(
                Figure(f"{kind}, {COLD}: as fast as the {reference}", ratios, goal=GOALS.get((suffix, reference)))
            )
    if STARTING in seconds:
        longer = tuple(a - b for a, b in zip(seconds[STARTING], seconds[COLD], strict=True))
        result.append(Figure(f"{kind}, start of the workers", longer, "seconds", higher_is_better=False))
    slow = times_as_fast(seconds[FLOOR], seconds[COLD])
    result.append(
        Figure(f"{kind}, {COLD}: time against the {FLOOR}", slow, "times", FLOOR_GOAL, False, comparable=True)
    )
    if TWO in seconds:
        ratios = times_as_fast(seconds[TWO], seconds[ONE])
        result.append(
            Figure(f"{kind}, {COLD}: {TWO} as fast as {ONE}", ratios, "times", PROCESSES_GOAL, comparable=True)
        )
    return result


def take_turns(paths: list[Path], settings: MelParams, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Return the seconds of each contender for all songs of one format, in each round."""
    suffix = paths[0].suffix.lower()
    contenders: dict[str, Callable[[], float]] = {
        COLD: lambda: stage_seconds(paths, settings, folder),
        FLOOR: lambda: floor_seconds(paths, settings),
        WARM: lambda: stage_seconds(paths, settings, folder, warm=True),
    }
    if suffix != ".m4a":
        plain_loop(paths[:1], settings)  # the first use loads and compiles code, here and in pictures()
        contenders[PLAIN] = lambda: timed(lambda: plain_loop(paths, settings))
    if suffix == ".wav":
        clip = librosa.load(paths[0], sr=settings.sample_rate, duration=CLIP_SECONDS)[0]
        n_pictures = sum(map(songs.seconds, paths)) / CLIP_SECONDS
        pictures(clip, settings, folder)
        contenders[STARTING] = lambda: stage_seconds(paths, settings, folder, start=True)
        contenders[PAPER] = lambda: timed(lambda: pictures(clip, settings, folder)) * n_pictures / PICTURES
        if joblib.cpu_count() > 1:
            contenders[ONE] = lambda: stage_seconds(paths, settings, folder, processes=1)
            contenders[TWO] = lambda: stage_seconds(paths, settings, folder, processes=2)
    return interleaved(contenders, rounds, suffix)


def plain_loop(paths: list[Path], settings: MelParams) -> None:
    """Compute spectrograms in one process with librosa's own functions, without a cache."""
    for path in paths:
        samples, rate = librosa.load(path, sr=settings.sample_rate)
        librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=settings.n_fft, hop_length=settings.hop_length, n_mels=settings.n_mels
        )


def pictures(clip: np.ndarray, settings: MelParams, folder: Path) -> None:
    """Draw a clip a few times as the paper does: a spectrogram on a logarithmic axis, saved as JPEG."""
    for _ in range(PICTURES):
        figure = matplotlib.figure.Figure()
        decibels = librosa.amplitude_to_db(np.abs(librosa.stft(clip)), ref=np.max)
        librosa_display.specshow(decibels, sr=settings.sample_rate, y_axis="log", ax=figure.subplots())
        figure.savefig(folder / "clip.jpg")


def stage_seconds(
    paths: list[Path],
    settings: MelParams,
    folder: Path,
    *,
    start: bool = False,
    warm: bool = False,
    processes: int | None = None,
) -> float:
    """Time the stage's function, with a cold or warm cache, with or without the start of its workers."""
    cores = {} if processes is None else {"LOKY_MAX_CPU_COUNT": str(processes)}
    digests = [sha256_of(path) for path in paths]  # not timed, since the stage reads them from tracks.csv
    tracks = pd.DataFrame({"path": [str(path.resolve()) for path in paths], "sha256": digests})
    with tempfile.TemporaryDirectory(dir=folder) as root, mock.patch.dict(os.environ, cores, DVC_ROOT=root):
        if start:
            loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
        else:
            start_workers(paths[0], settings)
        if warm:
            cache.compute(tracks, folder, settings)  # its cache lies in DVC_ROOT
        return timed(lambda: cache.compute(tracks, folder, settings))


def start_workers(path: Path, settings: MelParams) -> None:
    """Start a process on each core and let each compute a song."""
    ready: set[int] = set()
    while len(ready) < joblib.cpu_count():
        run = joblib.Parallel(n_jobs=-1, batch_size=1)
        ready = set(run(joblib.delayed(warm_up)(path, settings) for _ in range(joblib.cpu_count())))


def floor_seconds(paths: list[Path], settings: MelParams) -> float:
    """Time the floor in the stage's workers, where linear algebra uses one thread."""
    start_workers(paths[0], settings)
    run = joblib.Parallel(n_jobs=-1, batch_size=4)
    return timed(lambda: run(joblib.delayed(floor)(path, settings) for path in paths))


if __name__ == "__main__":
    main()
