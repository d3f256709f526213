"""The songs that speed is measured with: some of a folder, in each format."""

import argparse
from pathlib import Path

import numpy as np
import soundfile

from genres.audio.decode import EXTENSIONS, AudioError, load
from genres.core.console import UserError, progress, warn
from genres.core.files import sha256_of

FORMATS = (".wav", ".mp3", ".flac", ".m4a")

AAC_FRAME = 1024  # samples
AAC_BIT_RATE = 192_000


def options(name: str, about: str, tracks: int) -> argparse.Namespace:
    """What a benchmark on a folder of music is asked on the command line: dir, tracks, rounds.

    Raises
    ------
    UserError
        Where it is to take less than one song or round.
    """
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("dir", type=Path, help="a folder of music, searched with all its subfolders")
    parser.add_argument("--tracks", type=int, default=tracks, help=f"at most so many songs of a format ({tracks})")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything takes its turn (5)")
    given = parser.parse_args()
    if given.tracks < 1 or given.rounds < 1:
        raise UserError("--tracks and --rounds: must be at least 1")
    return given


def find(folder: Path, at_most: int) -> dict[str, list[Path]]:
    """For each format in a folder some of its songs, evenly taken.

    Reading them once leaves them in the page cache, so that no disk is measured. Of equal files, which the stage
    computes once, one is taken.
    """
    found: dict[str, list[Path]] = {}
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
                found.setdefault(suffix, []).append(path)
    if not found:
        raise UserError(f"{folder}: no music in it ({', '.join(EXTENSIONS)}): name a folder that has some")
    return found


def in_each_format(folder: Path, at_most: int, made: Path) -> dict[str, list[Path]]:
    """For each of `FORMATS` some songs of the folder; where it has none, made in `made` from those of another one."""
    found = find(folder, at_most)
    source = next(iter(found.values()))
    for suffix in FORMATS:
        if suffix not in found:
            found[suffix] = [made / f"{number}{suffix}" for number in range(len(source))]
            for path, target in zip(source, progress(found[suffix], what=f"making {suffix}"), strict=True):
                write(target, *decode(path))
    return {suffix: found[suffix] for suffix in FORMATS}


def decode(path: Path) -> tuple[np.ndarray, int]:
    """Samples as libsndfile or, of m4a, FFmpeg gives them, and nothing else done.

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
    """How long a song is."""
    samples, rate = decode(path)
    return samples.shape[1] / rate


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    """Encode samples [shape=(channels, n)] as the suffix says; two channels at most."""
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
