"""Formats times faults, decoded here and by the program `ffmpeg`; thousands of headers with changed bytes."""

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genres.audio import decode
from genres.audio.decode import AudioError

pytestmark = pytest.mark.soak

RATE, SECONDS = 44100, 12
FORMATS = [
    "wav",
    "w64",
    "au",
    "aiff",
    "caf",
    "flac",
    "mp3",
    "ogg",
    "opus",
    "m4a",
    "mka",
    "webm",
    "wma",
    "wv",
    "tta",
    "ac3",
]
OPTIONS = {"mp3": ["-b:a", "128k"], "mka": ["-c:a", "flac"], "ogg": ["-c:a", "libvorbis"]}
FAULTS = ["whole", "bytes", "hole", "cut", "zeros", "joined"]
# Of joined files FFmpeg reads the first only.
FIRST_ONLY = ("wav", "w64", "aiff", "caf", "m4a", "wma", "wv", "tta", "au")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A melody in noise in each format."""
    if not shutil.which("ffmpeg"):
        pytest.skip("the program ffmpeg is not installed")
    directory, rng = tmp_path_factory.mktemp("formats"), np.random.default_rng(0)
    time_s = np.arange(SECONDS * RATE) / RATE
    wave = 0.3 * np.sin(2 * np.pi * (300 * time_s + 50 * time_s**2)) + 0.02 * rng.standard_normal(len(time_s))
    soundfile.write(directory / "source.wav", np.stack([wave, 0.5 * wave], axis=1), RATE)
    for suffix in FORMATS:
        options = OPTIONS.get(suffix, [])
        command = ["ffmpeg", "-v", "error", "-i", "source.wav", *options, f"a.{suffix}"]
        subprocess.run(command, cwd=directory, check=True)
    return {suffix: (directory / f"a.{suffix}").read_bytes() for suffix in FORMATS}


def reference(path: Path) -> np.ndarray:
    """The mean of both channels, as `ffmpeg` decodes them."""
    mix = "pan=mono|c0=0.5*c0+0.5*c1"
    command = [
        "ffmpeg",
        "-v",
        "quiet",
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-af",
        mix,
        "-ar",
        str(RATE),
        "-f",
        "f32le",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=False).stdout, np.float32)


def damaged(content: bytes, fault: str) -> bytes:
    rng, middle = random.Random(fault), len(content) // 2
    if fault == "bytes":
        return content[:middle] + rng.randbytes(200) + content[middle + 200 :]
    if fault == "hole":
        return content[:middle] + content[middle + len(content) // 4 :]
    if fault == "zeros":
        return content[:middle] + bytes(len(content) // 4) + content[middle + len(content) // 4 :]
    return {"whole": content, "cut": content[: 2 * middle // 3 + 100], "joined": content + content}[fault]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_is_what_ffmpeg_decodes_or_is_rejected_for_a_loss(
    tmp_path: Path, whole: dict[str, bytes], suffix: str, fault: str, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(damaged(whole[suffix], fault))
    expected, length = reference(path), SECONDS * (2 if fault == "joined" and suffix not in FIRST_ONLY else 1)
    try:
        samples = decode.load(path, RATE)
    except AudioError as error:
        assert len(expected) / RATE < length - 0.9, f"rejected without a loss: {error}"
        assert str(error).startswith(("damaged at ", "truncated: ", "cannot be decoded", "empty"))
        return
    finally:
        lines = capfd.readouterr().err.splitlines()
        assert all(line.startswith("warning: ") for line in lines)
    lost = length - len(samples) / RATE
    assert lost < 1.1 or fault == "hole" or lines, "more than a second is lost without a word"
    if (suffix == "flac" and fault != "whole") or (suffix, fault) == ("opus", "joined"):
        return  # versions of FFmpeg differ by some frames around damage and joints
    assert len(samples) / RATE == pytest.approx(len(expected) / RATE, abs=0.1)
    both = min(len(samples), len(expected))
    assert samples[:both].std() == pytest.approx(expected[:both].std(), rel=0.01)
    assert np.corrcoef(samples[:both], expected[:both])[0, 1] > 0.999


@pytest.mark.parametrize("suffix", FORMATS)
def test_changed_headers_end_in_sound_or_one_line(
    tmp_path: Path, whole: dict[str, bytes], suffix: str, capfd: pytest.CaptureFixture
) -> None:
    for seed in range(200):
        rng, content = random.Random(seed), bytearray(whole[suffix][: 150_000 if suffix != "m4a" else None])
        for _ in range(rng.randint(1, 5)):
            content[rng.randrange(600)] = rng.randrange(256)
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(content)
        try:
            decode.load(path, 11025)
        except AudioError as error:
            assert str(error) and "\n" not in str(error)
        path.unlink()
    assert all(line.startswith("warning: ") for line in capfd.readouterr().err.splitlines())
