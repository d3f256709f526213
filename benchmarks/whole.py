"""From songs on disk to a leaderboard.

A full `dvc repro`, stage by stage: the paper's eight architectures at its ten epochs, on songs of half a minute. The
songs are noise, since only time is measured. The page uses 90 songs instead of the paper's 900; checking songs,
spectrograms, training and evaluation grow in proportion to their number.

    python -m benchmarks.whole [--songs 900] [--epochs 10]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.figures import Figure, show
from benchmarks.machine import describe
from benchmarks.project import SONG_RATE, Project
from genres.core.console import UserError, command
from genres.models.card import read_card

PAPERS = [
    *("baseline", "fewer_filters", "fewer_layers", "inverted_pyramid"),
    *("kernel_5x5", "l2", "batch_norm", "bn_5x5"),
]
GENRES, SONGS_PER_ARTIST, SECONDS = 9, 2, 30


@command
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=900, help="the paper's 900")
    parser.add_argument("--epochs", type=int, default=10, help="the paper's 10")
    arguments = parser.parse_args()
    if arguments.songs < 3 * SONGS_PER_ARTIST * GENRES or arguments.epochs < 1:
        raise UserError(f"--songs: must be at least {3 * SONGS_PER_ARTIST * GENRES}; --epochs: at least 1")
    print(describe(("keras", "tensorflow", "dvc", "mlflow")))
    show(__doc__.splitlines()[0], figures(arguments.songs, arguments.epochs, PAPERS))


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """Measure the figures of docs/benchmarks.md, on a tenth of the songs."""
    return figures(54, 1, ["baseline"]) if quick else figures(90, 10, PAPERS)


def figures(songs: int, epochs: int, architectures: list[str]) -> list[Figure]:
    """Measure the share of each stage (all architectures together), and of the epochs themselves in training."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        music = Path(temporary) / "music"
        write_long_songs(music, songs)
        project = Project(Path(temporary) / "project")
        project.set(
            dataset="folder",
            datasets__folder__dir=str(music),
            architectures=architectures,
            train__epochs=epochs,
            train__early_stopping_patience=None,
        )
        targets = {
            "checking the songs": ["ingest"],
            "clips and spectrograms": ["clips", "mels"],
            "training": [f"train@{name}" for name in architectures],
            "evaluation": [f"evaluate@{name}" for name in architectures],
            "comparison and the rest": [],
        }
        seconds = {what: project.seconds("dvc", "repro", *stages) for what, stages in targets.items()}
        clock = sum(read_card(project.folder / "models" / f"{name}.keras")["seconds"] for name in architectures)
    whole = sum(seconds.values())
    about = f"{songs} songs, {len(architectures)} architectures, {epochs} epochs"
    result = [Figure(f"{about}: from songs to leaderboard", (whole,), "s", higher_is_better=False)]
    for what, value in seconds.items():
        result.append(Figure(f"of this {what}", (100 * value / whole,), "%", higher_is_better=False))
    result.append(
        Figure("in training the epochs themselves, of the whole", (100 * clock / whole,), "%", higher_is_better=False)
    )
    return result


def write_long_songs(folder: Path, songs: int) -> None:
    """Write songs of noise of changing loudness; the folder is the genre, and an artist has two songs of one genre."""
    rows = ["path,genre,artist,title"]
    for number in range(songs):
        rng = np.random.default_rng(number)
        genre, artist = number % GENRES, number // GENRES // SONGS_PER_ARTIST
        loudness = np.repeat(rng.uniform(0.02, 0.5, 4 * SECONDS), SONG_RATE // 4 + 1)[: SONG_RATE * SECONDS]
        path = folder / f"genre{genre}" / f"{number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, loudness * rng.uniform(-1, 1, len(loudness)), SONG_RATE, subtype="PCM_16")
        rows.append(f"{path.relative_to(folder)},genre{genre},artist {artist} of genre {genre},song {number}")
    (folder / "tracks.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
