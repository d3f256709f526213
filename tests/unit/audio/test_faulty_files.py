"""Files that declare one thing and hold another: every sound in them is decoded, or the place of the loss is named."""

import contextlib
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from genres.audio import decode, mpeg
from genres.audio.decode import AudioError

RATE = 44100


def chirp(seconds: float = 6.0, rate: int = RATE, start_hz: float = 300.0) -> np.ndarray:
    """A tone whose pitch rises by 200 Hz a second: what is missing or moved changes the pitch at a time."""
    time_s = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (start_hz * time_s + 100 * time_s**2))).astype(np.float32)


def pitch(samples: np.ndarray, at_s: float, rate: int = RATE) -> float:
    part = samples[round(at_s * rate) :][: rate // 10]
    return float(np.abs(np.fft.rfft(part * np.hanning(len(part)), 4 * rate)).argmax() / 4)


def write_with_ffmpeg(path: Path, codec: str, samples: np.ndarray, rate: int = RATE, video_s: float = 0) -> Path:
    channels = np.atleast_2d(samples.T).astype(np.float32)
    with av.open(str(path), "w") as container:
        audio = container.add_stream(codec, rate=rate, layout={1: "mono", 2: "stereo"}[len(channels)])
        video = container.add_stream("mpeg4", rate=5) if video_s else None
        if video is not None:
            video.width, video.height = 64, 64
            for _ in range(round(5 * video_s)):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
        size = audio.codec_context.frame_size or 1024
        to_encoder = av.AudioResampler(audio.codec_context.format, audio.layout, rate, size)
        for start in range(0, channels.shape[1], size):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(channels[:, start : start + size]), "fltp", audio.layout.name
            )
            frame.sample_rate, frame.pts = rate, start
            for part in to_encoder.resample(frame):
                container.mux(audio.encode(part))
        container.mux(audio.encode(None))
    return path


@pytest.fixture
def mp3(tmp_path: Path, write_audio: Callable) -> bytes:
    """A chirp of 6 s behind a first frame that declares its length."""
    return write_audio(tmp_path / "whole.mp3", chirp(), RATE, bitrate_mode="CONSTANT").read_bytes()


def frames_of(content: bytes) -> list[int]:
    """Positions of the frames of an mp3 file of MPEG 1, layer III, at 44.1 kHz."""
    positions, kbits = [0], (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    while positions[-1] < len(content):
        third = content[positions[-1] + 2]
        positions.append(positions[-1] + 144000 * kbits[third >> 4] // 44100 + (third >> 1 & 1))
    return positions[:-1]


def write(folder: Path, content: bytes, name: str = "song.mp3") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("byte", [1, 2])
def test_a_frame_that_cannot_be_decoded_is_skipped(tmp_path: Path, mp3: bytes, byte: int) -> None:
    frames = frames_of(mp3)
    bad = bytearray(mp3[frames[1] :])  # without a declared length
    bad[frames[100] - frames[1] + byte] ^= 0x0C
    samples = decode.load(write(tmp_path, bytes(bad)), RATE)
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.12)
    assert pitch(samples, 5.0) == pytest.approx(300 + 200 * 5.05, abs=30)


def test_bad_bytes_in_m4a_are_skipped(tmp_path: Path, write_audio: Callable) -> None:
    content = bytearray(write_audio(tmp_path / "a.m4a", chirp(), RATE).read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 300] = random.Random(0).randbytes(300)
    samples = decode.load(write(tmp_path, bytes(content), "b.m4a"), RATE)
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.12)
    assert pitch(samples, 5.0) == pytest.approx(300 + 200 * 5.05, abs=30)


def test_bad_bytes_in_an_mp3_that_declares_its_length_are_no_truncation(tmp_path: Path, mp3: bytes) -> None:
    middle = len(mp3) // 2
    bad = mp3[:middle] + random.Random(0).randbytes(800) + mp3[middle + 800 :]
    samples = decode.load(write(tmp_path, bad), RATE)
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.3)


@pytest.mark.parametrize("declares", [True, False])
@pytest.mark.parametrize("junk", [bytes, lambda n: random.Random(0).randbytes(n)], ids=["zeros", "junk"])
def test_more_than_a_second_lost_names_the_place(tmp_path: Path, mp3: bytes, declares: bool, junk: Callable) -> None:
    frames = frames_of(mp3)
    bad = mp3[: frames[115]] + junk(frames[172] - frames[115]) + mp3[frames[172] :]  # from 3 s to 4.5 s
    with pytest.raises(AudioError, match=r"^damaged at (2\.9|3\.0) s") as caught:
        decode.load(write(tmp_path, bad if declares else bad[frames[1] :]), RATE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac"])
def test_all_of_joined_files_is_decoded(tmp_path: Path, write_audio: Callable, suffix: str) -> None:
    first = write_audio(tmp_path / f"1{suffix}", chirp(3), RATE).read_bytes()
    second = write_audio(tmp_path / f"2{suffix}", chirp(3, start_hz=2000), RATE).read_bytes()
    samples = decode.load(write(tmp_path, first + second, f"both{suffix}"), RATE)
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.1)
    assert pitch(samples, 1.0) == pytest.approx(300 + 200 * 1.05, abs=30)
    assert pitch(samples, 4.0) == pytest.approx(2000 + 200 * 1.05, abs=30)


def test_tags_between_joined_files_are_no_loss(tmp_path: Path, mp3: bytes) -> None:
    tag = b"ID3\x03\0\0" + bytes([0, 20, 0, 0]) + b"\x55" * (20 << 14)  # a cover
    samples = decode.load(write(tmp_path, mp3 + b"TAG" + bytes(125) + tag + mp3), RATE)
    assert len(samples) / RATE == pytest.approx(12.0, abs=0.15)


@pytest.mark.parametrize("suffix", [".wav", ".m4a"])
def test_files_of_which_only_the_first_can_be_read_are_named(
    tmp_path: Path, write_audio: Callable, suffix: str, capsys: pytest.CaptureFixture
) -> None:
    content = write_audio(tmp_path / f"a{suffix}", chirp(3), RATE).read_bytes()
    path = write(tmp_path, content + content, f"both{suffix}")
    decode.load(path, RATE)
    assert capsys.readouterr().err.startswith(f"warning: {path}: several files joined")


def test_a_first_frame_without_a_number_of_frames_declares_nothing(tmp_path: Path, write_audio: Callable) -> None:
    quiet_then_loud = np.concatenate([np.zeros(5 * RATE, np.float32), chirp(5)])
    options = {"bitrate_mode": "VARIABLE", "compression_level": 0.2}
    content = bytearray(write_audio(tmp_path / "a.mp3", quiet_then_loud, RATE, **options).read_bytes())
    content[content.index(b"Xing") + 7] &= ~1
    assert len(decode.load(write(tmp_path, bytes(content)), RATE)) / RATE == pytest.approx(10, abs=0.2)


def test_each_part_is_resampled_from_its_own_rate(tmp_path: Path, write_audio: Callable) -> None:
    parts = []
    for rate in (44100, 48000):
        tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate).astype(np.float32)
        parts.append(write_audio(tmp_path / f"{rate}.mp3", tone, rate).read_bytes())
    samples = decode.load(write(tmp_path, b"".join(parts)), 22050)
    assert len(samples) / 22050 == pytest.approx(6.0, abs=0.15)
    assert [pitch(samples, at, 22050) for at in (1.5, 4.5)] == pytest.approx([1000, 1000], abs=1)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "flac"), ("a.webm.mkv", "libopus")])
def test_a_longer_video_does_not_make_its_sound_truncated(tmp_path: Path, name: str, codec: str) -> None:
    rate = 48000 if codec == "libopus" else RATE
    path = write_with_ffmpeg(tmp_path / name, codec, chirp(3, rate), rate, video_s=6)
    assert len(decode.load(path, RATE)) / RATE == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("declared", [0, 20000, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_file_is_read_to_its_end_whatever_it_declares(
    tmp_path: Path, write_audio: Callable, declared: int
) -> None:
    path = write_audio(tmp_path / "a.wav", chirp(), RATE)
    expected = decode.load(path, 22050)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = declared.to_bytes(4, "little")
    np.testing.assert_allclose(decode.load(write(tmp_path, bytes(content), "b.wav"), 22050), expected, atol=1e-6)


def test_metadata_behind_the_samples_of_a_wav_file_are_no_sound(tmp_path: Path, write_audio: Callable) -> None:
    path = write_audio(tmp_path / "a.wav", chirp()[:-1], RATE, subtype="PCM_U8")  # an odd number of bytes
    expected = decode.load(path, RATE)
    cover = b"LIST" + (200_000).to_bytes(4, "little") + random.Random(0).randbytes(200_000)
    content = path.read_bytes()
    for padded in (content, content.rstrip(b"\0")):
        np.testing.assert_array_equal(decode.load(write(tmp_path, padded + cover, "b.wav"), RATE), expected)


@pytest.mark.parametrize("suffix", [".wav", ".m4a"])
@pytest.mark.parametrize("rest", [0.0, 0.02])
def test_one_of_channels_that_cancel_each_other_out_is_used(
    tmp_path: Path, write_audio: Callable, suffix: str, rest: float, capsys: pytest.CaptureFixture
) -> None:
    wave = chirp()
    path = write_audio(tmp_path / f"a{suffix}", np.stack([wave, (rest - 1) * wave], axis=1), RATE)
    samples = decode.load(path, RATE)
    assert samples[RATE : 2 * RATE].std() == pytest.approx(wave.std(), rel=0.02)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {path}: its channels cancel each other out; only channel ")


def test_channels_of_equal_sound_do_not_cancel_each_other_out(
    tmp_path: Path, write_audio: Callable, capsys: pytest.CaptureFixture
) -> None:
    wave = chirp()
    decode.load(write_audio(tmp_path / "a.wav", np.stack([wave, -0.5 * wave], axis=1), RATE), RATE)
    assert capsys.readouterr().err == ""


def test_decoders_write_nothing_to_stderr(tmp_path: Path, mp3: bytes, capfd: pytest.CaptureFixture) -> None:
    frames = frames_of(mp3)
    for seed in range(12):
        bad, rng = bytearray(mp3), random.Random(seed)
        for frame in rng.sample(frames[5:-5], 3):
            bad[frame + 4 + rng.randrange(30)] ^= 0xFF  # what mpg123 remarks on
        with contextlib.suppress(AudioError):
            decode.load(write(tmp_path, bytes(bad)), RATE)
    os.write(2, b"own\n")
    assert capfd.readouterr().err == "own\n"


def test_own_messages_are_not_muted_while_other_threads_decode(
    tmp_path: Path, mp3: bytes, capfd: pytest.CaptureFixture
) -> None:
    path = write(tmp_path, mp3)
    threads = [threading.Thread(target=decode.load, args=(path, RATE)) for _ in range(4)]
    for thread in threads:
        thread.start()
    lines = 0
    while any(thread.is_alive() for thread in threads):
        print("a line", file=sys.stderr)
        lines += 1
        time.sleep(0.001)
    assert capfd.readouterr().err == "a line\n" * lines


def test_a_file_with_all_of_its_frames_is_known(tmp_path: Path, mp3: bytes) -> None:
    frames = frames_of(mp3)
    assert mpeg.is_whole(write(tmp_path, mp3))
    assert mpeg.is_whole(write(tmp_path, mp3 + b"TAG" + bytes(125)))
    assert not mpeg.is_whole(write(tmp_path, mp3[: frames[-20]]))
    assert not mpeg.is_whole(write(tmp_path, mp3[: frames[50]] + mp3[frames[52] :]))
    assert not mpeg.is_whole(write(tmp_path, mp3 + mp3))
    assert not mpeg.is_whole(write(tmp_path, mp3[frames[1] :]))


@pytest.mark.parametrize("suffix", [".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a"])
def test_changed_bytes_in_a_header_end_in_sound_or_one_line(
    tmp_path: Path, write_audio: Callable, suffix: str, capfd: pytest.CaptureFixture
) -> None:
    content = write_audio(tmp_path / f"a{suffix}", chirp(1.5), RATE).read_bytes()
    for seed in range(25):
        try:
            samples = decode.load(write(tmp_path, changed(content, seed), f"b{suffix}"), 11025)
        except AudioError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert samples.dtype == np.float32 and np.isfinite(samples).all()
    assert all(line.startswith("warning: ") for line in capfd.readouterr().err.splitlines())


def changed(content: bytes, seed: int) -> bytes:
    """Change one to four bytes of the header, or of the index at the end of mp4 files."""
    rng, result = random.Random(seed), bytearray(content)
    for _ in range(rng.randint(1, 4)):
        index = content.find(b"moov")
        start = index if index > 0 and rng.random() < 0.8 else 0
        at = start + rng.randrange(min(400, len(content) - start))
        result[at] = rng.choice([0, 0xFF, 0x7F, 0x80, rng.randrange(256), result[at] ^ (1 << rng.randrange(8))])
    return bytes(result)


def test_a_codec_that_nobody_knows_is_one_line(tmp_path: Path, write_audio: Callable) -> None:
    """PyAV alone would end the process at the first packet."""
    content = bytearray(write_audio(tmp_path / "known.wav", chirp(1.0), RATE).read_bytes())
    place = content.index(b"fmt ") + 8
    content[place : place + 2] = b"\x99\x77"
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError, match="cannot be decoded: of a codec that FFmpeg does not know"):
        decode.load(tmp_path / "a.wav", RATE)
