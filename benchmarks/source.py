"""Measure whether a song's source is audible, against its own re-encodings and against songs of another source.

    python -m benchmarks.source FOLDER OTHER_FOLDER

Both folders hold genre folders of audio (`<genre>/*`). Songs of FOLDER are re-encoded like store previews (44.1 kHz,
mp3 and AAC) in a temporary folder. The classifier of stage `confounding` predicts the source, with the default
`mels` of params.yaml and with those of the recipes from playlists. 50 % is chance. Copies of a song share a fold.
"""

import argparse
import tempfile
from pathlib import Path

import av
import joblib
import numpy as np
import pandas as pd
import soundfile

from genres.audio import decode
from genres.audio.mel import of_samples
from genres.audio.walk import EXTENSIONS
from genres.core import params
from genres.core.console import UserError, command, print_table, progress
from genres.core.params import MelParams
from genres.stats.confounding import audible

STORE_RATE = 44100  # Hz
AAC_BIT_RATE = 128_000
MP3_COMPRESSION = 0.6  # libsndfile's scale from 0 to 1; about 160 kbit/s here
RESAMPLES, SEED = 2000, 42


@command
def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="genre folders of songs that are re-encoded")
    parser.add_argument("other", type=Path, help="genre folders of songs of another source")
    parser.add_argument("--most", type=int, default=75, metavar="N", help="songs of each folder (default: 75)")
    arguments = parser.parse_args()
    settings = params.load()
    recipe = settings.datasets["gtzan_plus"].mels
    mels = {
        "default": settings.mels_of_dataset(),
        "recipe": MelParams(**settings.front_ends["default"].model_dump() | recipe),
    }
    jobs = [(path, kind) for path in songs_in(arguments.folder, arguments.most) for kind in ("as it is", "mp3", "AAC")]
    jobs += [(path, "other") for path in songs_in(arguments.other, arguments.most)]
    run = joblib.Parallel(n_jobs=-1, return_as="generator")
    measured = run(joblib.delayed(columns_of)(path, kind, list(mels.values())) for path, kind in jobs)
    columns = list(progress(measured, total=len(jobs), what="spectrograms", unit="song"))
    tracks = pd.DataFrame(
        {
            "genre": [path.parent.name for path, _ in jobs],
            "family": [kind for _, kind in jobs],
            "source": [kind for _, kind in jobs],
            "group": pd.factorize(pd.Series([str(path) for path, _ in jobs]))[0],
        }
    )
    rows = []
    for other in ("mp3", "AAC", "other"):
        chosen = tracks["family"].isin(["as it is", other]).to_numpy()
        for number, name in enumerate(mels):
            values = np.array([row[number] for row, mine in zip(columns, chosen, strict=True) if mine])
            result = audible(values, tracks[chosen].reset_index(drop=True), RESAMPLES, SEED)
            rows.append([f"as it is / {other}", name, shown(result, "source"), shown(result, "source_within_genre")])
    print_table(
        f"How often the source is recognised, balanced accuracy; recipe: {recipe}",
        ["sources", "mels", "all songs", "within shared genres"],
        rows,
    )


def songs_in(folder: Path, most: int) -> list[Path]:
    """Return at most `most` evenly spaced songs of a folder."""
    paths = [path for path in sorted(folder.glob("*/*")) if path.suffix.lower() in EXTENSIONS]
    if not paths:
        raise UserError(f"{folder}: no <genre>/ folders with audio here; name another folder")
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int))]


def columns_of(path: Path, kind: str, mels: list[MelParams]) -> list[np.ndarray]:
    """Compute the classifier's columns of a song, re-encoded or not, for each spectrogram format."""
    with tempfile.TemporaryDirectory() as folder:
        if kind in ("mp3", "AAC"):
            samples = decode.load(path, STORE_RATE)
            path = Path(folder) / {"mp3": "song.mp3", "AAC": "song.m4a"}[kind]
            (write_mp3 if kind == "mp3" else write_aac)(path, samples)
        loaded = {rate: decode.load(path, rate) for rate in {mel.sample_rate for mel in mels}}
    spectrograms = [of_samples(loaded[mel.sample_rate], mel) for mel in mels]
    return [np.concatenate([frames.mean(axis=0), frames.std(axis=0)]) for frames in spectrograms]


def write_mp3(path: Path, samples: np.ndarray) -> None:
    """Write mono samples at `STORE_RATE`."""
    soundfile.write(path, samples, STORE_RATE, bitrate_mode="CONSTANT", compression_level=MP3_COMPRESSION)


def write_aac(path: Path, samples: np.ndarray) -> None:
    """Write mono samples at `STORE_RATE`."""
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=STORE_RATE, layout="mono")
        stream.bit_rate = AAC_BIT_RATE
        for start in range(0, len(samples), 1024):
            block = np.ascontiguousarray(samples[np.newaxis, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = STORE_RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def shown(result: dict[str, float | None], name: str) -> str:
    """Format an accuracy with its 95 % interval."""
    value, low, high = (result[f"{name}_{key}"] for key in ("balanced_accuracy", "ci95_low", "ci95_high"))
    if value is None or low is None or high is None:
        return "none"
    return f"{value:.0%} [{low:.0%}, {high:.0%}]"


if __name__ == "__main__":
    main()
