"""Memory at once and twenty times the songs.

The most that the processes of a stage hold at a time, of what is theirs alone (Linux counts the pages of a mapped file
to whoever reads them, and takes them back when it likes: those are left out). With twenty times the songs it should be
the same within a tenth.

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
    parser.add_argument("--songs", type=int, default=40, help=f"at once; then {TIMES} times as many (40)")
    songs = parser.parse_args().songs
    if songs < 40:
        raise UserError("--songs: at least 40")
    print(describe(("numpy", "keras", "tensorflow")))
    show(__doc__.splitlines()[0], figures(songs))


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """The figures of docs/benchmarks.md."""
    return figures(40)


def figures(songs: int) -> list[Figure]:
    """Of the stages `mels` and `train`, with so many songs and `TIMES` as many."""
    if not Path("/proc/self/status").exists():
        raise UserError("benchmarks.memory: needs Linux, which tells what memory is a process's own")
    found = []
    for stage, peak in (("mels", mels_peak), ("train", train_peak)):
        small, large = peak(songs), peak(TIMES * songs)
        for number, value in ((songs, small), (TIMES * songs, large)):
            found.append(Figure(f"{stage}: {number:,} songs", (value,), "MiB", higher_is_better=False))
        ratio = (large / small,)
        name = f"{stage}: {TIMES * songs:,} songs against {songs:,}"
        found.append(Figure(name, ratio, goal=GOAL, higher_is_better=False, comparable=True))
    return found


def mels_peak(songs: int) -> float:
    """MiB of the stage `mels` with its workers, on songs of two seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        music = Path(temporary) / "music"
        write_songs(music, 0, songs)
        project = Project(Path(temporary) / "project")
        project.set(dataset="folder", datasets__folder__dir=str(music))
        project.run("python", "src/ingest.py")
        return peak_mib([sys.executable, "-m", "mels"], project.folder)


def train_peak(songs: int) -> float:
    """MiB of the stage `train` over one epoch, on songs of half a minute."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        project = Project(Path(temporary))
        project.set(train__epochs=1)
        settings = params.load(project.folder / "params.yaml")
        write_tracks(project.folder, settings, TRAINED, 10 * songs)
        return peak_mib([sys.executable, "-m", "train", TRAINED], project.folder)


def peak_mib(command_line: list[str], folder: Path) -> float:
    """Run a command and watch what it and its children hold together."""
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
    """Resident memory of a process and its children, less the pages of mapped files and of memory that is shared."""
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
