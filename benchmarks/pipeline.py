"""Overhead of the pipeline.

Few and many songs of two seconds of noise: `dvc repro` of the data stages (ingest, clips, mels) with nothing to do, and
with one song added. The scan of the index and DVC's check of the files grow with the number of songs. Then a training:
by itself, as one more architecture in `dvc repro`, and as a queued experiment, which DVC runs in a copy of the project.

    python -m benchmarks.pipeline [--sizes 1000 20000] [--rounds N]
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.machine import describe
from benchmarks.project import Project, write_songs
from genres.core.console import UserError, command

DATA = ("dvc", "repro", "clips", "mels")
TRAINED = "separable_cnn"  # the fastest to train, so that overhead shows best


@command
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs=2, type=int, default=(1000, 20_000), help="numbers of songs (1000 20000)")
    parser.add_argument("--rounds", type=int, default=3, help="songs that are added, one at a time (3)")
    arguments = parser.parse_args()
    few, many = arguments.sizes
    if not 120 <= few < many or arguments.rounds < 1:
        raise UserError("--sizes: must be two rising numbers, the first at least 120; --rounds: at least 1")
    print(describe(("dvc", "mlflow", "keras")))
    show(__doc__.splitlines()[0], [*adding(few, many, arguments.rounds), *training(few, arguments.rounds)])


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """Measure the figures of docs/benchmarks.md."""
    if quick:
        return adding(120, 400, 1)
    return [*adding(1000, 20_000, 3), *training(200, 2)]


def adding(few: int, many: int, rounds: int) -> list[Figure]:
    """Time the data stages with nothing to do and with one song added, for few songs and many."""
    idle: dict[int, list[float]] = {}
    added: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        projects = {}
        for size in (few, many):
            music = Path(temporary) / f"music{size}"
            write_songs(music, 0, size)
            project = Project(Path(temporary) / f"project{size}")
            project.set(dataset="folder", datasets__folder__dir=str(music), split__protocol="artist")
            cold = project.seconds(*DATA)
            print(f"{size} songs: {cold:.0f} s to begin with", flush=True)
            projects[size] = project, music
            idle[size], added[size] = [], []
        for number in range(rounds):
            for size, (project, music) in projects.items():
                idle[size].append(project.seconds(*DATA))
                write_songs(music, size + number, size + number + 1)
                added[size].append(project.seconds(*DATA))
    return [
        *(Figure(f"{n:,} songs: nothing to do", tuple(idle[n]), "s") for n in (few, many)),
        *(Figure(f"{n:,} songs: one song more", tuple(added[n]), "s") for n in (few, many)),
        Figure(
            f"nothing to do: {many:,} songs against {few:,}",
            tuple(b / a for a, b in zip(idle[few], idle[many], strict=True)),
            higher_is_better=False,
            comparable=True,
        ),
        Figure(
            f"one song more: {many:,} songs against {few:,}",
            tuple(b / a for a, b in zip(added[few], added[many], strict=True)),
            higher_is_better=False,
            comparable=True,
        ),
    ]


def training(songs: int, rounds: int) -> list[Figure]:
    """Time a training by itself, under `dvc repro`, and as a queued experiment."""
    alone, reproduced, queued = [], [], []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        music = Path(temporary) / "music"
        write_songs(music, 0, songs)
        project = Project(Path(temporary) / "project")
        project.set(
            dataset="folder",
            datasets__folder__dir=str(music),
            architectures=[TRAINED],
            clips__length_s=2.0,
            train__epochs=1,
        )
        project.run("dvc", "repro", f"train@{TRAINED}")
        project.commit()
        for number in range(rounds):
            project.set(seed=100 + number)
            project.run("dvc", "repro", "clips", "mels")
            project.commit()
            alone.append(project.seconds("python", "src/train.py", TRAINED))
            project.run("git", "checkout", "--quiet", ".")
            reproduced.append(project.seconds("dvc", "repro", f"train@{TRAINED}"))
            project.commit()
            faster = f"train.learning_rate=0.00{number + 2}"
            project.run("dvc", "exp", "run", "--queue", "-S", faster, f"train@{TRAINED}")
            queued.append(project.seconds("dvc", "exp", "run", "--run-all"))
    return [
        Figure(f"training of {TRAINED} for one epoch, by itself", tuple(alone), "s"),
        Figure(
            "the same as an architecture more in `dvc repro`: what that adds",
            tuple(b - a for a, b in zip(alone, reproduced, strict=True)),
            "s",
            higher_is_better=False,
        ),
        Figure(
            "the same as a queued experiment: what that adds",
            tuple(b - a for a, b in zip(alone, queued, strict=True)),
            "s",
            higher_is_better=False,
        ),
    ]


if __name__ == "__main__":
    main()
