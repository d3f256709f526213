"""Memory with N songs and with twenty times as many.

Peak memory of the processes of a stage together, without pages of mapped files (which Linux counts for each process
that reads them, and reclaims when needed). With twenty times the songs it should be the same within a tenth.

    python -m benchmarks.memory [--songs 40]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import Figure, show
from benchmarks.machine import describe
from benchmarks.project import Project, write_songs
from benchmarks.steps import write_tracks
from genres.core import params
from genres.core.console import UserError, command

TIMES = 20
GOAL = 1.1
TRAINED = "separable_cnn"
INTERVAL_S = 0.02


@command
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=40, help=f"number of songs; then {TIMES} times as many (40)")
    songs = parser.parse_args().songs
    if songs < 40:
        raise UserError("--songs: must be at least 40")
    print(describe(("numpy", "keras", "tensorflow")))
    show(__doc__.splitlines()[0], figures(songs))


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """Measure the figures of docs/benchmarks.md."""
    return figures(40)


def figures(songs: int) -> list[Figure]:
    """Measure the stages `mels` and `train` with `songs` songs and `TIMES` as many."""
    if not Path("/proc/self/status").exists():
        raise UserError("benchmarks.memory: needs Linux, which reports the private memory of a process; run it there")
    result = []
    for stage, peak in (("mels", mels_peak), ("train", train_peak)):
        small, large = peak(songs), peak(TIMES * songs)
        for number, value in ((songs, small), (TIMES * songs, large)):
            result.append(Figure(f"{stage}: {number:,} songs", (value,), "MiB", higher_is_better=False))
        ratio = (large / small,)
        name = f"{stage}: {TIMES * songs:,} songs against {songs:,}"
        result.append(Figure(name, ratio, goal=GOAL, higher_is_better=False, comparable=True))
    return result


def mels_peak(songs: int) -> float:
    """Measure the peak MiB of the stage `mels` with its workers, on songs of two seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        music = Path(temporary) / "music"
        write_songs(music, 0, songs)
        project = Project(Path(temporary) / "project")
        project.set(dataset="folder", datasets__folder__dir=str(music))
        project.run("python", "src/ingest.py")
        return peak_mib([sys.executable, "-m", "mels"], project.folder)


def train_peak(songs: int) -> float:
    """Measure the peak MiB of the stage `train` over one epoch, on songs of half a minute."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        project = Project(Path(temporary))
        project.set(train__epochs=1)
        settings = params.load(project.folder / "params.yaml")
        write_tracks(project.folder, settings, TRAINED, 10 * songs)
        return peak_mib([sys.executable, "-m", "train", TRAINED], project.folder)


def peak_mib(command_line: list[str], folder: Path) -> float:
    """Run a command and return the peak memory of it and its children together."""
    process = subprocess.Popen(command_line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watched, most = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        most = max(most, _own_mib(watched))
        time.sleep(INTERVAL_S)
    assert process.stderr is not None
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command_line)}: {process.stderr.read()[-2000:]}")
    return most


def _own_mib(process: psutil.Process) -> float:
    """Return the resident memory of a process and its children, without mapped files and shared memory."""
    total = 0.0
    try:
        for one in (process, *process.children(recursive=True)):
            used = one.memory_info()
            total += (used.rss - used.shared) / 2**20
    except psutil.NoSuchProcess:
        pass
    return total


if __name__ == "__main__":
    main()
