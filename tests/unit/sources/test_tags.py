"""Tags of every kind, written by ffmpeg and mutagen; damaged ones are no tags."""

import shutil
import subprocess
from pathlib import Path

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TPE1, TPE2

from genres.sources.tags import read_tags


def write(path: Path, **tags: str) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    given = [part for key, value in tags.items() for part in ("-metadata", f"{key}={value}")]
    source = ["-f", "lavfi", "-i", "sine=440:d=0.5"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *given, str(path)], check=True)
    return path


@pytest.mark.parametrize(
    "suffix", ["wav", "mp3", "flac", "oga", "opus", "m4a", "wma", "aiff", "wv", "tta", "mka", "webm"]
)
def test_artist_and_title_of_every_kind_of_tag(tmp_path: Path, suffix: str) -> None:
    song = write(
        tmp_path / f"a.{suffix}", artist="Björk", title="Jóga", **{"write_id3v2": "1"} if suffix == "aiff" else {}
    )
    if suffix == "aiff":
        opened = mutagen.File(song)
        opened.add_tags()
        opened.tags.add(TPE1(encoding=3, text=["Björk"]))
        opened.save()
        assert read_tags(song)["artist"] == "Björk"
    else:
        assert read_tags(song) == {"artist": "Björk", "title": "Jóga", "isrc": ""}


def test_an_info_list_in_windows_1252(tmp_path: Path) -> None:
    song = write(tmp_path / "a.wav", artist="Bj??rk", title="J??ga")
    song.write_bytes(song.read_bytes().replace(b"Bj??rk", b"Bj\xf6rk\0").replace(b"J??ga", b"J\xf3ga\0"))
    assert read_tags(song)["artist"] == "Björk"


@pytest.mark.parametrize("suffix", ["mp3", "aac"])
def test_ape_tags_alone(tmp_path: Path, suffix: str) -> None:
    song = write(tmp_path / f"a.{suffix}")
    ID3(song).delete(song) if suffix == "mp3" else None
    tags = APEv2()
    tags["Artist"], tags["Title"] = ["Ann", "Bob"], "Song"
    tags.save(song)
    assert read_tags(song) == {"artist": "Ann; Bob", "title": "Song", "isrc": ""}


def test_all_values_and_the_albums_artist_count_but_placeholders_do_not(tmp_path: Path) -> None:
    song = write(tmp_path / "a.mp3")
    tags = ID3(song)
    tags.add(TPE1(encoding=3, text=["Ann", "Bob"]))
    for albums, expected in (("Cy", "Ann; Bob; Cy"), ("Various Artists", "Ann; Bob"), ("ann", "Ann; Bob")):
        tags.setall("TPE2", [TPE2(encoding=3, text=[albums])])
        tags.save(song)
        assert read_tags(song)["artist"] == expected
    tags.delall("TPE1")
    tags.setall("TPE2", [TPE2(encoding=3, text=["Cy"])])
    tags.save(song)
    assert read_tags(song)["artist"] == "Cy"


def test_damaged_tags_are_no_tags(tmp_path: Path) -> None:
    song = write(tmp_path / "a.ogg", artist="Ann", title="Song")
    content = song.read_bytes()
    at = content.index(b"\x03vorbis") + 7
    for damage in (b"\xff\xff\xff\x7f", b"\xff\xff\x00\x00", b"\x00\x00\x00\x00"):
        song.write_bytes(content[:at] + damage + content[at + 4 :])
        assert set(read_tags(song)) == {"artist", "title", "isrc"}


def test_any_exception_of_the_reader_is_no_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise IndexError("mutagen#725")

    monkeypatch.setattr(mutagen, "File", fail)
    (tmp_path / "a.mp3").write_bytes(b"audio")
    assert read_tags(tmp_path / "a.mp3") == {"artist": "", "title": "", "isrc": ""}
