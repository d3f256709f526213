"""Decoding against closed forms and librosa, and every way in which a file can be broken."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr

from genres.audio import decode, sndfile
from genres.audio.decode import AudioError


def sine(rate: int, seconds: float = 3.0, hz: float = 1000.0) -> np.ndarray:
    """Stereo, 0.5 on the left and 0.25 on the right: a mono mix of 0.375."""
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.stack([0.5 * wave, 0.25 * wave], axis=1).astype(np.float32)


def frequency_and_level(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Of a sine, from its middle second."""
    middle = samples[len(samples) // 2 - rate // 2 :][:rate]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax()), float(np.sqrt(2) * middle.std())


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1e-3),
        ("a.wav", {"subtype": "PCM_24"}, 1e-3),
        ("a.wav", {"subtype": "PCM_U8"}, 0.02),
        ("a.wav", {"subtype": "FLOAT"}, 1e-3),
        ("a.au", {}, 1e-3),
        ("a.au", {"subtype": "ULAW"}, 0.02),
        ("a.flac", {}, 1e-3),
        ("a.ogg", {}, 0.02),
        ("a.mp3", {}, 0.02),
        ("A.MP3", {}, 0.02),
        ("a.m4a", {}, 0.02),
    ],
)
def test_every_format_keeps_pitch_level_and_duration(
    tmp_path: Path, write_audio: Callable, name: str, options: dict, tolerance: float
) -> None:
    samples = decode.load(write_audio(tmp_path / name, sine(44100), 44100, **options), 22050)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    # AAC has a frame or two of priming.
    assert len(samples) / 22050 == pytest.approx(3.0, abs=0.06 if name == "a.m4a" else 1e-3)
    hz, level = frequency_and_level(samples, 22050)
    assert hz == pytest.approx(1000, abs=1)
    assert level == pytest.approx(0.375, rel=tolerance)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 48000, 96000, 192000])
@pytest.mark.parametrize("wanted", [11025, 22050])
def test_every_rate_keeps_pitch_level_and_duration(
    tmp_path: Path, write_audio: Callable, rate: int, wanted: int
) -> None:
    samples = decode.load(write_audio(tmp_path / "a.wav", sine(rate), rate), wanted)
    assert abs(len(samples) - 3 * wanted) <= 1
    hz, level = frequency_and_level(samples, wanted)
    assert hz == pytest.approx(1000, abs=1)
    assert level == pytest.approx(0.375, rel=2e-3)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac"])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_is_what_librosa_loads(tmp_path: Path, compose: Callable, write_audio: Callable, name: str, rate: int) -> None:
    stereo = np.stack([compose(1, rate=rate), compose(2, rate=rate)], axis=1)
    path = write_audio(tmp_path / name, stereo, rate)
    expected, _ = librosa.load(path, sr=22050)
    samples = decode.load(path, 22050)
    assert samples.shape == expected.shape
    np.testing.assert_allclose(samples, expected, atol=1e-4)


@pytest.mark.parametrize("wanted", [8000, 11025])
def test_blocks_leave_no_seams(tmp_path: Path, write_audio: Callable, wanted: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (70 * 8000, 2)).astype(np.float32)
    assert len(noise) > 2 * sndfile.BLOCK_VALUES // 2
    path = write_audio(tmp_path / "a.wav", noise, 8000, subtype="FLOAT")
    mono = noise.mean(axis=1)
    expected = mono if wanted == 8000 else soxr.resample(mono, 8000, wanted, quality="HQ")
    samples = decode.load(path, wanted)
    assert abs(len(samples) - len(expected)) <= 1
    length = min(len(samples), len(expected))
    np.testing.assert_allclose(samples[:length], expected[:length], atol=1e-5)


def test_m4a_sounds_as_what_was_encoded(tmp_path: Path, compose: Callable, write_audio: Callable) -> None:
    original = compose(3, rate=44100)
    samples = decode.load(write_audio(tmp_path / "12:30 mix.m4a", original, 44100), 44100)
    delay = int(np.argmax(np.correlate(samples[:30000], original[4000:20000], "valid"))) - 4000
    assert 0 <= delay <= 3000
    assert np.corrcoef(samples[delay : delay + 100_000], original[:100_000])[0, 1] > 0.99


def test_colon_in_a_relative_name_is_no_protocol(
    tmp_path: Path, write_song: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_song(tmp_path / "12:30.m4a")
    monkeypatch.chdir(tmp_path)
    assert len(decode.load(Path("12:30.m4a"), 22050)) > 3 * 22050


@pytest.mark.parametrize("name", ["a.wav", "a.au", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"this is no music\n" * 200, "cannot be decoded"), (None, "cannot be")]
)
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(0).bytes(20000) if content is None else content)
    with pytest.raises(AudioError, match=f"^{reason}"):
        decode.load(path, 22050)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_missing_files_and_folders_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AudioError, match=r"cannot be opened \(No such file"):
        decode.load(tmp_path / name, 22050)
    (tmp_path / name).mkdir()
    with pytest.raises(AudioError, match=r"cannot be opened \(not a regular file"):
        decode.load(tmp_path / name, 22050)


@pytest.mark.parametrize("name", ["a.wav", "a.au", "a.flac"])
def test_a_file_without_samples_is_empty(tmp_path: Path, write_audio: Callable, name: str) -> None:
    with pytest.raises(AudioError, match=r"empty|cannot be decoded"):
        decode.load(write_audio(tmp_path / name, np.zeros(0, np.float32)), 22050)


@pytest.mark.parametrize("name", ["a.wav", "a.au", "a.flac", "a.ogg", "a.mp3"])
def test_silence_is_refused(tmp_path: Path, write_audio: Callable, name: str) -> None:
    with pytest.raises(AudioError, match=r"^silent$"):
        decode.load(write_audio(tmp_path / name, np.zeros(66150, np.float32)), 22050)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("wanted", [22050, 11025])
def test_samples_that_are_no_numbers_are_refused(
    tmp_path: Path, compose: Callable, write_audio: Callable, value: float, wanted: int
) -> None:
    samples = compose(1)
    samples[5000] = value
    with pytest.raises(AudioError, match="not numbers"):
        decode.load(write_audio(tmp_path / "a.wav", samples, subtype="FLOAT"), wanted)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("a.wav", {"subtype": "PCM_16"}, r"truncated: 2\.0 s of the 4\.0 s"),
        ("a.wav", {"subtype": "PCM_24"}, r"truncated: 2\.0 s of the 4\.0 s"),
        ("a.wav", {"subtype": "FLOAT"}, r"truncated: 2\.0 s of the 4\.0 s"),
        ("a.au", {}, r"truncated: 2\.0 s of the 4\.0 s"),
        ("a.au", {"subtype": "ULAW"}, r"truncated: 2\.0 s of the 4\.0 s"),
        ("a.mp3", {}, r"truncated: \d\.\d s of the 4\.0 s"),
        ("a.flac", {}, "truncated|damaged"),
        ("a.m4a", {}, "truncated|damaged"),
    ],
)
def test_a_file_cut_in_the_middle_is_refused(
    tmp_path: Path, write_song: Callable, name: str, options: dict, reason: str
) -> None:
    path = write_song(tmp_path / name, 1, **options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=reason):
        decode.load(path, 22050)


def test_a_cut_mp3_that_declares_no_length_is_taken_as_far_as_it_goes(tmp_path: Path, write_song: Callable) -> None:
    whole = write_song(tmp_path / "whole.mp3", 1, seconds=6)
    bare = _without_frame_count(whole.read_bytes())
    path = tmp_path / "cut.mp3"
    path.write_bytes(bare[: len(bare) // 2])
    samples = decode.load(path, 22050)
    assert 2.5 < len(samples) / 22050 < 3.5
    expected, _ = librosa.load(whole, sr=22050)
    best = max(np.corrcoef(samples[5000 + lag : 40000 + lag], expected[5000:40000])[0, 1] for lag in range(-1300, 1300))
    assert best > 0.95


def test_an_mp3_of_varying_bit_rate_without_a_length_is_not_taken_for_truncated(
    tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    noise = 0.2 * np.random.default_rng(0).standard_normal(10 * 44100).astype(np.float32)
    samples = np.concatenate([np.zeros(10 * 44100, np.float32), noise])
    path = write_audio(tmp_path / "a.mp3", samples, 44100, bitrate_mode="VARIABLE", compression_level=0.2)
    path.write_bytes(_without_frame_count(path.read_bytes()))
    assert soundfile.info(path).duration > 25, "libsndfile's guess was to be wrong"
    assert len(decode.load(path, 22050)) / 22050 == pytest.approx(20, abs=0.2)


def _without_frame_count(mp3: bytes) -> bytes:
    """Cut off the first frame, which holds the table with the number of frames."""
    assert b"Xing" in mp3[:200] or b"Info" in mp3[:200]
    return mp3[mp3.index(mp3[:2], 100) :]


def test_an_mp3_behind_tags_declares_its_length(tmp_path: Path, write_song: Callable) -> None:
    content = write_song(tmp_path / "a.mp3", 1).read_bytes()
    cover = b"\0" * 5000
    tag = b"ID3\x03\0\0" + bytes([0, 0, len(cover) >> 7, len(cover) & 127]) + cover
    (tmp_path / "a.mp3").write_bytes(tag + content)
    assert len(decode.load(tmp_path / "a.mp3", 22050)) / 22050 == pytest.approx(4.0, abs=0.1)
    (tmp_path / "a.mp3").write_bytes(tag + content[: len(content) // 2])
    with pytest.raises(AudioError, match="truncated"):
        decode.load(tmp_path / "a.mp3", 22050)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_wav_from_a_pipe_declares_no_length(tmp_path: Path, write_song: Callable, size: int) -> None:
    path = write_song(tmp_path / "a.wav", 1)
    expected = decode.load(path, 22050)
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = size.to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(decode.load(path, 22050), expected)


def test_au_from_a_pipe_declares_no_length(tmp_path: Path, write_song: Callable) -> None:
    path = write_song(tmp_path / "a.au", 1)
    expected = decode.load(path, 22050)
    content = bytearray(path.read_bytes())
    content[8:12] = b"\xff" * 4
    path.write_bytes(content)
    np.testing.assert_array_equal(decode.load(path, 22050), expected)


def test_a_second_missing_at_the_end_is_no_truncation(tmp_path: Path, write_song: Callable) -> None:
    path = write_song(tmp_path / "a.wav", 1)
    path.write_bytes(path.read_bytes()[: -22050 // 2 * 2])
    assert len(decode.load(path, 22050)) / 22050 == pytest.approx(3.5, abs=1e-3)


@pytest.mark.parametrize("name", ["list", "list.wav", "list.m4a"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, write_song: Callable, name: str) -> None:
    """FFmpeg would read what a concat script names, which with a song that somebody sends is a hole."""
    write_song(tmp_path / "secret.mp3")
    (tmp_path / name).write_text("ffconcat version 1.0\nfile secret.mp3\n")
    with pytest.raises(AudioError, match="cannot be decoded"):
        decode.load(tmp_path / name, 22050)


def test_all_channels_at_the_files_own_rate(tmp_path):
    samples = (0.2 * np.random.default_rng(0).standard_normal((3000, 3))).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", samples, 11025, subtype="FLOAT")
    decoded, rate = decode.load_channels(tmp_path / "song.wav", 10.0)
    assert rate == 11025 and np.array_equal(decoded.T, samples)
    with pytest.raises(AudioError, match="longer than 0 minutes"):
        decode.load_channels(tmp_path / "song.wav", 0.1)
