"""Tags of every kind, written by ffmpeg and mutagen; damaged ones are no tags."""

import shutil
import subprocess
from pathlib import Path

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TALB, TCON, TPE1, TPE2
from mutagen.mp4 import MP4

from genres.sources.tags import SongTags, read_song_tags, read_tags


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


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "oga", "opus", "m4a", "wma", "aiff", "wv", "tta", "mka"])
def test_genre_and_album_of_every_kind_of_tag(tmp_path: Path, suffix: str) -> None:
    options = {"write_id3v2": "1"} if suffix == "aiff" else {}
    song = write(tmp_path / f"a.{suffix}", artist="Ann", title="One", album="First", genre="Deep House", **options)
    if suffix == "aiff":
        opened = mutagen.File(song)
        opened.add_tags()
        opened.tags.add(TCON(encoding=3, text=["Deep House"]))
        opened.tags.add(TALB(encoding=3, text=["First"]))
        opened.save()
    tags = read_song_tags(song)
    assert (tags.album, tags.genres) == ("First", ("Deep House",))


@pytest.mark.parametrize("suffix", ["flac", "ogg", "m4a", "wma", "mp3", "wv"])
def test_several_genres_of_every_kind_of_tag(tmp_path: Path, suffix: str) -> None:
    song = write(tmp_path / f"a.{suffix}", artist="Ann", title="One")
    opened = mutagen.File(song)
    if suffix == "mp3":
        opened.tags.add(TCON(encoding=3, text=["Rock", "Pop"]))
    else:
        opened[{"m4a": "\xa9gen", "wma": "WM/Genre"}.get(suffix, "genre")] = ["Rock", "Pop"]
    opened.save()
    assert read_song_tags(song).genres == ("Rock", "Pop")


@pytest.mark.parametrize(("number", "genres"), [(17, ("Rock",)), (255, ()), (191, ("Psybient",)), (200, ("Unknown",))])
def test_an_id3v1_tag_alone(tmp_path: Path, number: int, genres: tuple[str, ...]) -> None:
    song = write(tmp_path / "a.mp3")
    ID3(song).delete(song)
    tag = b"TAG" + b"One".ljust(30, b"\0") + b"Ann".ljust(30, b"\0") + b"First".ljust(30, b"\0") + bytes(34)
    song.write_bytes(song.read_bytes() + tag + bytes([number]))
    assert read_song_tags(song) == SongTags("Ann", "One", "", "First", "", genres)


def test_the_number_of_an_mp4_file(tmp_path: Path) -> None:
    song = write(tmp_path / "a.m4a")
    opened = MP4(song)
    opened["\xa9gen"] = ["xx"]
    opened.save()
    text = b"\xa9gen\0\0\0\x12data\0\0\0\x01\0\0\0\0xx"
    content = song.read_bytes()
    assert content.count(text) == 1
    number = b"gnre\0\0\0\x12data\0\0\0\0\0\0\0\0\0\x12"  # one more than ID3v1's
    song.write_bytes(content.replace(text, number))
    assert read_song_tags(song).genres == ("Rock",)


@pytest.mark.parametrize("text", ["(17)(9)", "(4)Eurodisco", "(RX)", "((foo", "\0", "Rock\0Pop"])
@pytest.mark.parametrize("version", [3, 4])
def test_old_and_odd_genres_of_id3(tmp_path: Path, text: str, version: int) -> None:
    song = write(tmp_path / "a.mp3", artist="Ann", title="One")
    tags = ID3(song)
    tags.add(TCON(encoding=3, text=[text]))
    tags.save(song, v2_version=version)
    expected = {"(17)(9)": ("Rock", "Metal"), "(4)Eurodisco": ("Disco", "Eurodisco"), "(RX)": ("Remix",)}
    expected |= {"((foo": ("(foo",), "\0": (), "Rock\0Pop": ("Rock", "Pop")}
    assert read_song_tags(song).genres == expected[text]


def test_an_id3_chunk_and_an_info_list_of_a_wav_file(tmp_path: Path) -> None:
    song = write(tmp_path / "a.wav", artist="Ann", title="One", genre="Rock")
    assert read_song_tags(song).genres == ("Rock",)
    opened = mutagen.File(song)
    opened.add_tags()
    opened.tags.add(TCON(encoding=3, text=["Jazz"]))
    opened.save()
    assert read_song_tags(song).genres == ("Jazz",)


def test_an_ape_tag_beside_an_id3_tag(tmp_path: Path) -> None:
    song = write(tmp_path / "a.mp3", artist="Ann", title="One", genre="Rock")
    tags = APEv2()
    tags["Genre"] = ["Jazz", "Funk"]
    tags.save(song)
    read = read_song_tags(song)
    assert (read.genres, read.ape_genres) == (("Rock",), ("Jazz", "Funk"))
    ID3(song).delete(song)
    assert read_song_tags(song).genres == ("Jazz", "Funk")


def test_half_a_character_does_not_reach_a_table(tmp_path: Path) -> None:
    song = write(tmp_path / "a.flac")
    opened = mutagen.File(song)
    opened["artist"], opened["genre"] = "An??n", "Ro??ck"
    opened.save()
    song.write_bytes(song.read_bytes().replace(b"??", b"\xed\xa0"))
    assert all(text.encode() for text in (read_song_tags(song).artist, *read_song_tags(song).genres))
