"""Short songs of each format whose tags are written."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SECONDS, RATE = 2, 44100
# Options of FFmpeg by the name of the file; APE, which it cannot write, is made by hand.
ENCODERS = {
    "old.mp3": ("-c:a", "libmp3lame", "-id3v2_version", "3", "-write_id3v1", "1"),
    "new.mp3": ("-c:a", "libmp3lame", "-id3v2_version", "4"),
    "bare.mp3": ("-c:a", "libmp3lame", "-id3v2_version", "0"),
    "song.flac": (),
    "song.ogg": ("-c:a", "libvorbis"),
    "song.opus": ("-c:a", "libopus"),
    "song.m4a": ("-c:a", "aac"),
    "fast.m4a": ("-c:a", "aac", "-movflags", "+faststart"),
    "lossless.m4a": ("-c:a", "alac"),
    "song.wma": ("-c:a", "wmav2"),
    "song.aiff": ("-write_id3v2", "1"),
    "bare.aiff": (),
    "song.wav": (),
    "bare.wav": ("-bitexact",),
    "song.wv": ("-c:a", "wavpack"),
}
FORMATS = [*ENCODERS, "song.ape"]


def encode(path: Path, *options: str) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    tone = f"aevalsrc=0.4*sin(440*2*PI*t*(1+0.1*t))+0.1*random(0):d={SECONDS}:s={RATE}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", tone, "-ac", "1"]
    about = ["-metadata", "title=Ein Lied für dich", "-metadata", "artist=Zoë", "-metadata", "comment=a; b"]
    has_tags = not path.name.startswith("bare")
    subprocess.run([*command, *about * has_tags, *options, str(path)], check=True)
    return path


def silent_ape(path: Path) -> Path:
    """Monkey's Audio of silent frames, which have no more than a flag: the header is as in its documentation."""
    samples, per_frame = SECONDS * RATE, 73728
    total = -(-samples // per_frame)
    header = struct.pack("<HHIIIHHI", 2000, 0, per_frame, samples - (total - 1) * per_frame, total, 16, 1, RATE)
    frame = struct.pack("<II", 0x80000000, 3) + bytes(8)
    first = 52 + len(header) + 4 * total
    places = b"".join(struct.pack("<I", first + number * len(frame)) for number in range(total))
    sizes = struct.pack("<HHIIIIIII", 3990, 0, 52, len(header), len(places), 0, total * len(frame), 0, 0)
    path.write_bytes(b"MAC " + sizes + bytes(16) + header + places + total * frame)
    return path


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a song of each format."""
    folder = tmp_path_factory.mktemp("songs")
    for name, options in ENCODERS.items():
        encode(folder / name, *options)
    silent_ape(folder / "song.ape")
    return folder


@pytest.fixture
def song(originals: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a song into a folder of the test's own."""

    def copy(name: str) -> Path:
        (tmp_path / "music").mkdir(exist_ok=True)
        path = tmp_path / "music" / name
        path.write_bytes((originals / name).read_bytes())
        return path

    return copy
