"""Songs for speed benchmarks: some of a folder, in each format."""

import argparse
from pathlib import Path

import numpy as np
import soundfile

from genres.audio.decode import AudioError, load
from genres.audio.walk import EXTENSIONS
from genres.core.console import UserError, progress, warn
from genres.core.files import sha256_of

FORMATS = (".wav", ".mp3", ".flac", ".m4a")

AAC_FRAME = 1024  # samples
AAC_BIT_RATE = 192_000


def options(name: str, about: str, tracks: int) -> argparse.Namespace:
    """Parse the command line of a benchmark on a folder of music: dir, tracks, rounds.

    Raises
    ------
    UserError
        If there is less than one song or round.
    """
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("dir", type=Path, help="a folder of music, searched with all its subfolders")
    parser.add_argument("--tracks", type=int, default=tracks, help=f"most songs of a format ({tracks})")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (5)")
    given = parser.parse_args()
    if given.tracks < 1 or given.rounds < 1:
        raise UserError("--tracks and --rounds: must be at least 1")
    return given


def find(folder: Path, at_most: int) -> dict[str, list[Path]]:
    """Return evenly spaced songs of each format in a folder.

    Reading them here leaves them in the page cache, so that the disk is not measured. Duplicate files are left out,
    since the stage computes them once.
    """
    by_format: dict[str, list[Path]] = {}
    seen: set[str] = set()
    for suffix in EXTENSIONS:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == suffix and path.is_file())
        for path in progress(paths[:: max(1, -(-len(paths) // at_most))], what=f"reading {suffix}"):
            digest = sha256_of(path)
            if digest in seen:
                continue
            seen.add(digest)
            try:
                load(path, 22050)
                decode(path)
            except AudioError as error:
                warn(f"{path}: left out: {error}")
            except soundfile.LibsndfileError:
                warn(f"{path}: left out: libsndfile cannot read it, so there is nothing to compare with")
            else:
                by_format.setdefault(suffix, []).append(path)
    if not by_format:
        raise UserError(f"{folder}: no music in it; name a folder with music")
    return by_format


def in_each_format(folder: Path, at_most: int, made: Path) -> dict[str, list[Path]]:
    """Return songs of the folder in each of `FORMATS`; missing formats are converted from another into `made`."""
    by_format = find(folder, at_most)
    source = next(iter(by_format.values()))
    for suffix in FORMATS:
        if suffix not in by_format:
            by_format[suffix] = [made / f"{number}{suffix}" for number in range(len(source))]
            for path, target in zip(source, progress(by_format[suffix], what=f"making {suffix}"), strict=True):
                write(target, *decode(path))
    return {suffix: by_format[suffix] for suffix in FORMATS}


def decode(path: Path) -> tuple[np.ndarray, int]:
    """Decode with libsndfile, or FFmpeg for m4a, and do nothing else.

    Returns
    -------
    samples : np.ndarray [shape=(channels, n), dtype=float32]
    rate : int
    """
    if path.suffix.lower() != ".m4a":
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples.T, rate
    import av  # loads FFmpeg

    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]  # AAC decodes to planes of float32
        return np.concatenate(parts, axis=1), container.streams.audio[0].codec_context.sample_rate


def seconds(path: Path) -> float:
    """Return the duration of a song."""
    samples, rate = decode(path)
    return samples.shape[1] / rate


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    """Encode samples [shape=(channels, n)] in the format of the suffix, with at most two channels."""
    samples = samples[:2]
    if path.suffix != ".m4a":
        soundfile.write(path, samples.T, rate)
        return
    import av

    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = AAC_BIT_RATE
        for start in range(0, samples.shape[1], AAC_FRAME):
            block = np.ascontiguousarray(samples[:, start : start + AAC_FRAME])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
