"""Files that are cut off, and whole ones beside them, in each format that can be written here."""

import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from genres.audio import decode, structure
from genres.audio.decode import AudioError

RATE, SECONDS = 48000, 8

# Format of FFmpeg, codec, options.
FILES = {
    "wav": ("wav", "pcm_s16le", {}),
    "float.wav": ("wav", "pcm_f32le", {}),
    "rf64.wav": ("wav", "pcm_s16le", {"rf64": "always"}),
    "w64": ("w64", "pcm_s16le", {}),
    "aiff": ("aiff", "pcm_s16be", {}),
    "au": ("au", "pcm_s16be", {}),
    "caf": ("caf", "pcm_s16le", {}),
    "ima.caf": ("caf", "adpcm_ima_qt", {}),
    "voc": ("voc", "pcm_u8", {}),
    "flac": ("flac", "flac", {}),
    "wv": ("wv", "wavpack", {}),
    "tta": ("tta", "tta", {}),
    "ogg": ("ogg", "vorbis", {}),
    "flac.ogg": ("ogg", "flac", {}),
    "opus": ("ogg", "libopus", {}),
    "mp3": ("mp3", "libmp3lame", {}),
    "bare.mp3": ("mp3", "libmp3lame", {"write_xing": "0"}),
    "aac": ("adts", "aac", {}),
    "ac3": ("ac3", "ac3", {}),
    "rm": ("rm", "ac3", {}),
    "m4a": ("ipod", "aac", {}),
    "index_first.m4a": ("ipod", "aac", {"movflags": "faststart"}),
    "fragments.m4a": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}),
    "dash.m4a": ("mp4", "aac", {"movflags": "dash", "frag_duration": "500000"}),
    "mka": ("matroska", "flac", {}),
    "double.mka": ("matroska", "pcm_f64le", {}),
    "live.mka": ("matroska", "libopus", {"live": "1"}),
    "webm": ("webm", "libopus", {}),
    "wma": ("asf", "wmav2", {}),
    "avi": ("avi", "libmp3lame", {}),
    "flv": ("flv", "aac", {}),
    "mpg": ("mpeg", "mp2", {}),
    "ts": ("mpegts", "aac", {}),
}


def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(SECONDS * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same sound in each format."""
    folder, found = tmp_path_factory.mktemp("formats"), {}
    for name, (form, codec, options) in FILES.items():
        if codec == "vorbis":  # which FFmpeg writes in stereo only
            soundfile.write(folder / name, noise(), RATE, format="OGG", subtype="VORBIS")
            found[name] = (folder / name).read_bytes()
            continue
        with av.open(str(folder / name), "w", format=form, options=options) as container:
            stream = container.add_stream(codec, rate=RATE, layout="mono")
            stream.bit_rate = 96_000
            stream.codec_context.options = {"strict": "experimental"}
            size = stream.codec_context.frame_size or 1024
            to_encoder = av.AudioResampler(stream.codec_context.format, "mono", RATE, size)
            frame = av.AudioFrame.from_ndarray(noise()[None], "flt", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            for part in (*to_encoder.resample(frame), *to_encoder.resample(None)):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        found[name] = (folder / name).read_bytes()
    return found


def load(folder: Path, name: str, content: bytes) -> float:
    """Return the seconds that are decoded."""
    (folder / name).write_bytes(content)
    return len(decode.load(folder / name, RATE)) / RATE


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_read_without_a_word(
    tmp_path: Path, contents: dict[str, bytes], name: str, capfd: pytest.CaptureFixture
) -> None:
    assert load(tmp_path, name, contents[name]) == pytest.approx(SECONDS, abs=0.1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("share", [0.31, 0.61, 0.83])
@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_off_is_refused_or_named_with_the_place(
    tmp_path: Path, contents: dict[str, bytes], name: str, share: float, capfd: pytest.CaptureFixture
) -> None:
    cut = contents[name][: int(share * len(contents[name])) + 1]
    try:
        seconds = load(tmp_path, name, cut)
    except AudioError as error:
        assert str(error).startswith(("truncated: ", "damaged at ", "cannot be decoded"))
        return
    assert name in ("bare.mp3", "aac", "ac3", "mpg", "ts"), "formats without a length and without parts of known size"
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(
        tuple(f"warning: {tmp_path / name}: {word} at {seconds:.1f} s" for word in ("cut off", "ends"))
    )


def junk(seed: int, length: int) -> bytes:
    return random.Random(seed).randbytes(length)


@pytest.mark.parametrize("name", ["fragments.m4a", "dash.m4a"])
def test_junk_that_looks_like_a_part_of_an_mp4_file_does_not_end_it(
    tmp_path: Path, contents: dict[str, bytes], name: str
) -> None:
    content = contents[name]
    fragments = [match.start() - 4 for match in re.finditer(b"moof", content)]
    place = fragments[len(fragments) * 2 // 3]
    for seed in range(200):
        rest = b"\x7f" + junk(seed, 3) + b"Abcd" + junk(seed + 1000, len(content) - place - 8)
        (tmp_path / name).write_bytes(content[:place] + (rest if seed % 2 else junk(seed, len(content) - place)))
        end = structure.end_of_sound(tmp_path / name)
        assert end is not None and end.position > place + 8, seed


@pytest.mark.parametrize("make", [bytes, partial(junk, 0), partial(junk, 1)], ids=["zeros", "junk 0", "junk 1"])
@pytest.mark.parametrize("name", FILES)
def test_a_third_without_sound_is_no_silent_loss(
    tmp_path: Path, contents: dict[str, bytes], name: str, make: Callable[[int], bytes]
) -> None:
    """As of a download whose file was made in its full size: the samples of uncompressed formats cannot be told."""
    kept = len(contents[name]) * 2 // 3
    try:
        assert load(tmp_path, name, contents[name][:kept] + make(len(contents[name]) - kept)) > SECONDS - 1
    except AudioError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "name", ["wav", "w64", "aiff", "caf", "flac", "wv", "tta", "ogg", "opus", "mp3", "m4a", "mka", "webm", "wma"]
)
def test_zeros_behind_a_whole_file_are_neither_loss_nor_sound(
    tmp_path: Path, contents: dict[str, bytes], name: str
) -> None:
    assert load(tmp_path, name, contents[name] + bytes(400_000)) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("name", ["wav", "rf64.wav", "w64", "aiff", "caf", "wv", "tta", "voc", "m4a", "wma", "flv"])
def test_a_file_joined_to_another_of_which_one_is_read_is_named(
    tmp_path: Path, contents: dict[str, bytes], name: str, capfd: pytest.CaptureFixture
) -> None:
    seconds = load(tmp_path, name, 2 * contents[name])
    assert seconds == pytest.approx(SECONDS, abs=0.1)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"warning: {tmp_path / name}: several files joined into one, of which only the first, up to")
    assert f" {seconds:.1f} s" in line


def test_an_ogg_file_without_the_mark_of_its_end_is_read_and_named(
    tmp_path: Path, contents: dict[str, bytes], capfd: pytest.CaptureFixture
) -> None:
    content = bytearray(contents["opus"])
    last = content.rindex(b"OggS")
    load(tmp_path, "a.opus", bytes(content[:last]))  # cut at a page, or written by a program that sets no mark
    assert "without the mark of an end" in capfd.readouterr().err


def test_a_tag_tells_how_much_of_a_cut_mp3_file_is_missing(tmp_path: Path, contents: dict[str, bytes]) -> None:
    text = b"\0" + str(1000 * SECONDS).encode()
    frame = b"TLEN" + len(text).to_bytes(4, "big") + b"\0\0" + text
    tag = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    assert load(tmp_path, "a.mp3", tag + contents["bare.mp3"]) == pytest.approx(SECONDS, abs=0.1)
    with pytest.raises(AudioError, match=r"truncated: 4\.\d s of the 8\.0 s that its tag declares"):
        load(tmp_path, "a.mp3", tag + contents["bare.mp3"][: len(contents["bare.mp3"]) // 2])


@pytest.mark.parametrize("name", ["float.wav", "double.mka"])
def test_samples_beyond_all_numbers_are_refused_without_another_line(
    tmp_path: Path, contents: dict[str, bytes], name: str, capfd: pytest.CaptureFixture
) -> None:
    content = contents[name]
    middle = len(content) // 2 // 8 * 8
    with pytest.raises(AudioError):
        load(tmp_path, name, content[:middle] + b"\xfe\x7f" * 20_000 + content[middle + 40_000 :])
    assert capfd.readouterr().err == ""


def test_an_excerpt_with_the_header_of_the_whole_is_read_and_named(
    tmp_path: Path, contents: dict[str, bytes], capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "whole.flac").write_bytes(contents["flac"])
    with av.open(str(tmp_path / "whole.flac")) as source, av.open(str(tmp_path / "a.flac"), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None and packet.dts * packet.time_base < 4:
                packet.stream = stream
                target.mux(packet)
    seconds = load(tmp_path, "a.flac", (tmp_path / "a.flac").read_bytes())
    assert seconds == pytest.approx(4, abs=0.2)
    assert capfd.readouterr().err == (
        f"warning: {tmp_path / 'a.flac'}: an excerpt of {seconds:.1f} s, whose header declares 8.0 s\n"
    )


def test_lyrics_behind_the_frames_are_no_cut(
    tmp_path: Path, contents: dict[str, bytes], capfd: pytest.CaptureFixture
) -> None:
    lyrics = b"LYRICSBEGIN" + b"la " * 500 + b"LYRICSEND" + b"TAG" + bytes(125)
    assert load(tmp_path, "a.mp3", contents["bare.mp3"] + lyrics) == pytest.approx(SECONDS, abs=0.1)
    assert capfd.readouterr().err == ""
