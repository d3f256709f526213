"""Time and memory by number of tracks.

The work per song does not depend on the number of songs. The bookkeeping does: matching recordings, folds and clips,
the index of the spectrograms. It is measured on tables of invented tracks of half a minute without audio, each step in
a process of its own; docs/scaling.md calculates with it.

    python -m benchmarks.scaling [--tracks 10000 100000]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import clips
from benchmarks.figures import Figure, show
from benchmarks.machine import describe
from genres.audio import fingerprint, format
from genres.core import params
from genres.core.console import UserError, command
from genres.core.files import write_table
from genres.core.params import Params
from genres.data import shards

GENRES, TRACKS_AN_ARTIST, SECONDS = 10, 10, 30.0
ROOT = Path(__file__).resolve().parents[1]


@command
def main() -> None:
    """Measure and print; or do one step, as a child process of figures()."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tracks", nargs="+", type=int, default=[10_000, 100_000], help="numbers of tracks (10000 100000)"
    )
    parser.add_argument("--step", choices=STEPS, help="run one step only, and print JSON")
    arguments = parser.parse_args()
    if min(arguments.tracks) < 100:
        raise UserError("--tracks: must be at least 100")
    if arguments.step:
        print(json.dumps(STEPS[arguments.step](arguments.tracks[0], params.load(ROOT / "params.yaml"))))
        return
    print(describe(("numpy", "pandas")))
    show(__doc__.splitlines()[0], figures(sorted(arguments.tracks)))


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """Measure the figures of docs/benchmarks.md."""
    return figures([1000, 4000] if quick else [10_000, 100_000])


def figures(sizes: list[int]) -> list[Figure]:
    """Measure seconds and memory of each step at each size."""
    result = []
    for step in STEPS:
        for size in sizes:
            module = [sys.executable, "-m", "benchmarks.scaling", "--step", step, "--tracks", str(size)]
            done = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=True)
            seconds, mebibytes = json.loads(done.stdout.splitlines()[-1])
            result.append(Figure(f"{step}: {size:,} tracks", (seconds,), "s", higher_is_better=False))
            if mebibytes >= 1:  # else the step fits into memory that the process had before
                result.append(Figure(f"{step}: {size:,} tracks, memory", (mebibytes,), "MiB", higher_is_better=False))
    return result


def recordings(n: int, settings: Params) -> tuple[float, float]:
    """Match recordings by their fingerprints, of which one in a hundred is a copy of another one."""
    rng = np.random.default_rng(0)
    # 128 numbers spread over 2048 roughly imitate the correlation of neighbouring bands and times in music.
    patterns = rng.normal(size=(128, fingerprint.BANDS * fingerprint.SEGMENTS)).astype(np.float32)
    vectors = np.empty((n, patterns.shape[1]), np.int8)
    for start in range(0, n, 1000):
        some = rng.normal(size=(min(1000, n - start), 128)).astype(np.float32) @ patterns
        vectors[start : start + 1000] = np.round(some / np.linalg.norm(some, axis=1, keepdims=True) * 1016)
    vectors[n - n // 100 :] = vectors[: n // 100]
    table = tracks(n)
    names, durations = list(table["track_id"]), np.full(n, SECONDS)

    def work() -> None:
        matched = fingerprint.recordings(list(table["sha256"]), [""] * n, durations, vectors, names)
        assert len(set(matched)) == n - n // 100

    return cost(work)


def folds_and_clips(n: int, settings: Params) -> tuple[float, float]:
    """Do the work of the stage `clips`, with reading and writing its tables."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        write_table(folder / "raw.csv", tracks(n))

        def work() -> None:
            tables = clips.split_tracks(pd.read_csv(folder / "raw.csv", dtype=str, keep_default_na=False), settings)
            for name, table in zip(("tracks.csv", "clips.csv"), tables, strict=True):
                write_table(folder / name, table)

        return cost(work)


def index(n: int, settings: Params) -> tuple[float, float]:
    """Open the spectrograms, as each training does, and look up every track."""
    form = format.format_of(settings.mels_of_dataset())
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        one_frame = np.zeros((1, form.n_mels), np.uint8)
        table = tracks(n)
        shards.write(Path(temporary), table, lambda row: one_frame, form, key="", n_shards=16)

        def work() -> None:
            stored = shards.Spectrograms(Path(temporary))
            for track_id in table["track_id"]:
                stored.track(track_id)

        return cost(work)


STEPS: dict[str, Callable[[int, Params], tuple[float, float]]] = {
    "recordings": recordings,
    "folds and clips": folds_and_clips,
    "index": index,
}


def tracks(n: int) -> pd.DataFrame:
    """Return the contents of a raw tracks.csv."""
    numbers = np.arange(n)
    return pd.DataFrame(
        {
            "track_id": [f"genre{k % GENRES}/{k:09d}.mp3" for k in numbers],
            "genre": [f"genre{k % GENRES}" for k in numbers],
            "artist": [f"artist {k // TRACKS_AN_ARTIST // GENRES} of genre {k % GENRES}" for k in numbers],
            "recording": [f"genre{k % GENRES}/{k:09d}.mp3" for k in numbers],
            "sha256": [f"{k:064x}" for k in numbers],
            "duration_s": SECONDS,
            "split": "",
            "version": "",
        }
    )


def cost(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of `work`, and the MiB by which it raises the peak memory of the process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


if __name__ == "__main__":
    main()
