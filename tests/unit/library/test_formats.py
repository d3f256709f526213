"""Genres in the tags of each format: others read them, nothing else changes, and undo gives the former bytes."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEv2
from mutagen.asf import ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4Cover

from genres.library import undo
from genres.library.change import genres_of, write
from genres.library.error import LeftAloneError
from genres.library.replace import signature
from genres.library.undo import Journal

from .conftest import FORMATS

SOURCE = "music-genres 1.0: tiny, probability 0.91"


def tag(path: Path, genre: str = "rock") -> Path:
    """Write a genre; return the undo file."""
    number = len(list(path.parent.parent.glob("undo*")))
    journal = Journal(path.parent.parent / f"undo{number}.jsonl", path.parent)
    write(path, signature(path), genre, SOURCE, journal)
    return journal.path


def restore(undo_file: Path) -> list[bool]:
    return [undo.restore(entry) for entry in undo.entries(undo_file)]


def decoded(path: Path, complaints: str = "error") -> str:
    """MD5 of the samples, by FFmpeg, which must not complain (about covers that are none it may: "fatal")."""
    command = ["ffmpeg", "-v", complaints, "-i", str(path), "-map", "0:a", "-f", "md5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def packets(path: Path) -> str:
    """Times and MD5 of each packet of encoded audio, by FFmpeg, without the tags that it adds to the first of Ogg."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r", S=1,.*", "", lines)


def shown(path: Path) -> dict[str, str]:
    """All tags that ffprobe shows, names in lower case."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    parts = [found["format"], *found["streams"]]
    return {name.lower(): value for part in parts for name, value in part.get("tags", {}).items()}


@pytest.mark.parametrize("name", FORMATS)
def test_write_and_undo(name, song):
    path = song(name)
    os.utime(path, ns=(1_111_111_111_111_111_111, 1_222_222_222_222_222_222))
    path.chmod(0o640)
    before, status, sound, encoded, tags = path.read_bytes(), path.stat(), decoded(path), packets(path), shown(path)
    assert genres_of(path) == []
    undo_file = tag(path)

    assert genres_of(path) == ["rock"]
    after = shown(path)
    assert after.pop("genre") == "rock"
    assert after.pop("genre_source", SOURCE) == SOURCE  # FFmpeg does not read it from wav
    assert after == tags
    assert decoded(path) == sound
    if not name.endswith(".ape"):  # of which FFmpeg takes the tag as a part of the last packet
        assert packets(path) == encoded
    assert (path.stat().st_mode, path.stat().st_mtime_ns) == (status.st_mode, status.st_mtime_ns)

    assert undo_file.stat().st_size < 4096
    assert restore(undo_file) == [True]
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert restore(undo_file) == [False]
    assert sorted(entry.name for entry in path.parent.iterdir()) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_mutagen_reads_it(name, song):
    path = song(name)
    tag(path, "drum & bass, 100 % naïve")
    file = mutagen.File(path)
    values = {
        str(key).lower(): value for key, value in (file.tags.items() if hasattr(file.tags, "items") else file.tags)
    }
    genre = next(values[key] for key in ("tcon", "genre", "\xa9gen", "wm/genre") if key in values)
    assert [*map(str, genre if isinstance(genre, list) else getattr(genre, "text", [genre]))] == [
        "drum & bass, 100 % naïve"
    ]
    assert any("genre_source" in key for key in values)


@pytest.mark.parametrize("name", FORMATS)
def test_a_genre_is_replaced_and_comes_back(name, song):
    path = song(name)
    first = tag(path, "a genre with quite a long name that takes some room")
    between = path.read_bytes()
    second = tag(path, "pop")
    assert genres_of(path) == ["pop"]
    with pytest.raises(LeftAloneError, match="changed since"):
        restore(first)
    assert path.read_bytes() != between
    restore(second)
    assert path.read_bytes() == between
    restore(first)
    assert genres_of(path) == []


@pytest.mark.parametrize(
    ("name", "wrong"), [("old.mp3", "song.flac"), ("song.flac", "song.mp3"), ("song.m4a", "a.ogg")]
)
def test_a_wrong_extension_does_not_matter(name, wrong, song):
    path = song(name)
    path = path.rename(path.with_name(wrong))
    sound = decoded(path)
    tag(path)
    assert shown(path)["genre"] == "rock"
    assert decoded(path) == sound


@pytest.mark.parametrize("version", [3, 4])
def test_the_version_of_id3_stays(version, song):
    path = song("old.mp3" if version == 3 else "new.mp3")
    tag(path)
    assert ID3(path, translate=False).version == (2, version, 0)


def test_id3v1_and_ape_behind_the_music_stay(song):
    path = song("old.mp3")
    data = path.read_bytes()
    path.write_bytes(data[:-128])
    gain = APEv2()
    gain["REPLAYGAIN_TRACK_GAIN"] = "-3.00 dB"
    gain.save(path)
    path.write_bytes(path.read_bytes() + data[-128:-1] + b"\xff")
    before = path.read_bytes()
    tag(path)
    assert path.read_bytes().endswith(before[-400:])
    assert APEv2(path)["REPLAYGAIN_TRACK_GAIN"] == "-3.00 dB"


@pytest.mark.parametrize("genre", [17, 0])
def test_a_genre_in_id3v1_alone_is_one(genre, song):
    path = song("bare.mp3")
    path.write_bytes(path.read_bytes() + b"TAG" + b"\0" * 124 + bytes([genre]))
    assert genres_of(path)


def test_of_a_genre_beside_the_tag_that_is_written_the_song_is_left_alone(song):
    """Else players would go on to show the old one."""
    path = song("old.mp3")
    path.write_bytes(path.read_bytes()[:-1] + b"\x11")
    before = path.read_bytes()
    assert genres_of(path)
    with pytest.raises(LeftAloneError, match="another kind of tag"):
        tag(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("bad", ["latin.flac", "text.mp3", "empty.ogg", "cut.wav", "long.wav", "cut.m4a", "video.mka"])
def test_what_cannot_be_changed_safely_stays(bad, song, tmp_path):
    name = {"flac": "song.flac", "mp3": "old.mp3", "ogg": "song.ogg", "wav": "song.wav", "m4a": "song.m4a"}
    suffix = bad.partition(".")[2]
    path = song(name.get(suffix, "song.wav"))
    data = path.read_bytes()
    changed = {
        "latin.flac": data.replace("Zoë".encode(), b"Zo\xeb!"),  # a comment that is not UTF-8
        "text.mp3": b"no music",
        "empty.ogg": b"",
        "cut.wav": data[:5000],
        "long.wav": data + b"behind the end",
        "cut.m4a": data[: len(data) // 2],
        "video.mka": b"\x1a\x45\xdf\xa3" + data,
    }[bad]
    path = path.with_name(bad)
    path.write_bytes(changed)
    with pytest.raises(LeftAloneError):
        tag(path)
    assert path.read_bytes() == changed
    assert not [entry for entry in path.parent.iterdir() if entry.name.startswith(".")]


def test_frames_that_nobody_knows_stay_byte_for_byte(song):
    path = song("bare.mp3")
    odd = b"TIT2\0\0\0\x05\0\0\0abc\0" + b"XYZQ\0\0\0\x03\0\0\x01\x02\x03" + b"TIT2\0\0\0\x02\0\0\0b"
    size = bytes([0, 0, 0, len(odd) + 9])
    path.write_bytes(b"ID3\x03\0\0" + size + odd + bytes(9) + path.read_bytes())
    tag(path)
    assert odd in path.read_bytes()
    assert MP3(path).tags["TCON"].text == ["rock"]


def test_a_tag_with_room_does_not_move_the_music(song):
    path = song("old.mp3")
    tag(path)
    size = path.stat().st_size
    tag(path, "another genre")
    assert path.stat().st_size == size


def with_id3(path: Path, version: int, flags: int, body: bytes, padding: int = 40) -> Path:
    size = len(body) + padding
    header = b"ID3" + bytes([version, 0, flags, 0, size >> 14 & 127, size >> 7 & 127, size & 127])
    path.write_bytes(header + body + bytes(padding) + path.read_bytes())
    return path


@pytest.mark.parametrize(
    ("version", "flags", "body"),
    [
        (2, 0, b"TT2\0\0\x05\0Song" + b"PIC\0\0\x0b\0PNG\x03\0\xff\x00\xff\xe0\x01"),
        (3, 0x80, b"TIT2\0\0\0\x05\0\0\0Song" + b"PRIV\0\0\0\x06\0\0a\0\xff\x00\xe0\xff\x00\x00"),
        (4, 0x80, b"TIT2\0\0\0\x05\0\0\0Song" + b"PRIV\0\0\0\x08\0\x03\0\0\0\x06a\0\xff\x00"),
        (4, 0, b"PRIV\0\0\0\x86\0\0a\0" + bytes(range(132)) + b"TIT2\0\0\0\x05\0\0\0Song"),  # sizes as in 2.3
    ],
    ids=["2.2", "2.3 unsynchronised", "2.4 unsynchronised", "2.4 with wrong sizes"],
)
@pytest.mark.parametrize("padding", [40, 400])
def test_kinds_of_id3(version, flags, body, padding, song):
    path = with_id3(song("bare.mp3"), version, flags, body, padding)
    before, sound = path.read_bytes(), decoded(path, "fatal")
    undo_file = tag(path)
    assert body in path.read_bytes()
    assert path.read_bytes()[3] == version
    assert ID3(path)["TCON"].text == ["rock"] and decoded(path, "fatal") == sound
    assert (path.stat().st_size == len(before)) == (padding == 400)
    restore(undo_file)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("version", "flags", "body", "reason"),
    [
        (3, 0x40, b"\0\0\0\x06\0\0\0\0\0\0", "extended header"),
        (4, 0x10, b"TIT2\0\0\0\x05\0\0\0Song", "footer"),
        (5, 0, b"TIT2\0\0\0\x05\0\0\0Song", "unknown version"),
        (3, 0, b"TIT2\0\0\0\x05\0\0\0Song" + b"\0" * 9 + b"rest", "behind its frames"),
        (3, 0, b"TIT2\0\x7f\xff\xff\0\0\0Song", "no frames"),
    ],
)
def test_id3_tags_that_are_left_alone(version, flags, body, reason, song):
    path = with_id3(song("bare.mp3"), version, flags, body)
    before = path.read_bytes()
    with pytest.raises(LeftAloneError, match=reason):
        tag(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["song.ogg", "song.opus", "song.flac", "song.m4a", "song.wma", "song.wv", "old.mp3"])
def test_large_covers_take_no_room_in_the_undo_file(name, song):
    """A cover of many pages of Ogg, of which all that follow are numbered anew if there is one more."""
    path, cover = song(name), np.random.default_rng(0).bytes(300_000)
    put_cover(path, cover)
    for genre in ("rock", "x" * 100, "pop"):
        before, sound = path.read_bytes(), decoded(path, "fatal")
        undo_file = tag(path, genre)
        assert decoded(path, "fatal") == sound
        assert undo_file.stat().st_size < 20_000
        changed = path.read_bytes()
        restore(undo_file)
        assert path.read_bytes() == before
        path.write_bytes(changed)


def put_cover(path: Path, cover: bytes) -> None:
    file = mutagen.File(path)
    if path.suffix == ".flac":
        file.add_picture(picture(cover))
    elif path.suffix in (".ogg", ".opus"):
        file["METADATA_BLOCK_PICTURE"] = base64.b64encode(picture(cover).write()).decode()
    elif path.suffix == ".m4a":
        file["covr"] = [MP4Cover(cover, MP4Cover.FORMAT_PNG)]
    elif path.suffix == ".mp3":
        file.tags.add(APIC(encoding=0, mime="image/png", type=3, desc="", data=cover))
    elif path.suffix == ".wv":
        file["Cover Art (Front)"] = b"a.png\0" + cover
    else:
        file["WM/Picture"] = ASFByteArrayAttribute(cover)
    file.save()


def picture(cover: bytes) -> Picture:
    made = Picture()
    made.type, made.mime, made.data = 3, "image/png", cover
    return made


def test_flac_behind_an_id3_tag(song):
    path = with_id3(song("song.flac"), 3, 0, b"TIT2\0\0\0\x05\0\0\0Song")
    before, prefix, sound = path.read_bytes(), path.read_bytes()[:60], decoded(path)
    undo_file = tag(path)
    assert path.read_bytes().startswith(prefix)
    assert FLAC(path)["genre"] == ["rock"] and decoded(path) == sound
    restore(undo_file)
    assert path.read_bytes() == before


def test_a_genre_in_a_second_kind_of_tag_stays(song):
    path = with_id3(song("song.flac"), 3, 0, b"TCON\0\0\0\x05\0\0\0Funk")
    before = path.read_bytes()
    assert genres_of(path) == ["Funk"]
    with pytest.raises(LeftAloneError, match="another kind of tag"):
        tag(path)
    assert path.read_bytes() == before


def test_flac_without_a_tag(song):
    path = song("song.flac")
    data = path.read_bytes()
    place, kept = 4, b"fLaC"
    while not data[place] & 0x80:
        end = place + 4 + int.from_bytes(data[place + 1 : place + 4], "big")
        kept += data[place:end] if data[place] == 0 else b""
        place = end
    path.write_bytes(kept + data[place:])
    sound = decoded(path)
    undo_file = tag(path)
    assert FLAC(path)["genre"] == ["rock"] and decoded(path) == sound
    restore(undo_file)
    assert path.read_bytes() == kept + data[place:]


def test_id3v1_behind_ape_stays(song):
    path = song("song.wv")
    old = b"TAG" + b"a title".ljust(124, b"\0") + b"\xff"
    path.write_bytes(path.read_bytes() + old)
    tag(path)
    assert path.read_bytes().endswith(old)
    assert str(APEv2(path)["Genre"]) == "rock"


def test_the_number_of_a_genre_in_mp4_is_one(song):
    path = song("song.m4a")
    tag(path, "Rock")
    data = path.read_bytes()
    atom = b"\0\0\0\x1c\xa9gen\0\0\0\x14data\0\0\0\x01\0\0\0\0Rock"
    assert atom in data
    number = b"\0\0\0\x1agnre\0\0\0\x12data\0\0\0\0\0\0\0\0\0\x12"
    path.write_bytes(data.replace(atom, number + b"\0\0"))  # two bytes of padding, which no list of tags may have
    with pytest.raises(LeftAloneError):
        tag(path)


@pytest.mark.parametrize("info", [b"IGNR", b"IART"])
def test_the_list_of_a_wav_counts(info, song):
    path = song("bare.wav")
    chunk = b"LIST" + (4 + 8 + 6).to_bytes(4, "little") + b"INFO" + info + (5).to_bytes(4, "little") + b"Funk\0\0"
    data = bytearray(path.read_bytes() + chunk)
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    path.write_bytes(data)
    assert genres_of(path) == (["Funk"] if info == b"IGNR" else [])
    undo_file = tag(path)
    assert genres_of(path) == ["rock"]
    assert (b"Funk" in path.read_bytes()) == (info == b"IART")
    restore(undo_file)
    assert path.read_bytes() == data
