"""The walk through a music folder: what is music, what is skipped, and that it ends."""

import os
from pathlib import Path

import pytest

from genres.audio.walk import EXTENSIONS, find_music, kinds


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_music_is_every_format_and_the_rest_is_counted_by_kind(tmp_path: Path) -> None:
    songs = sorted(Path(f"rock/{number:02d}{suffix}") for number, suffix in enumerate(EXTENSIONS))
    assert {
        ".opus",
        ".webm",
        ".wma",
        ".aiff",
        ".aif",
        ".wv",
        ".ape",
        ".mp4",
        ".m4b",
        ".aac",
        ".oga",
        ".caf",
        ".tta",
    } < set(EXTENSIONS)
    touch(tmp_path, *map(str, songs), "rock/a.mid", "rock/b.MID", "rock/c.txt", "rock/plain")
    found = find_music(tmp_path)
    assert found.songs == songs
    assert kinds(found.others) == "2 .mid, 1 .txt, 1 without extension"


def test_hidden_and_system_files_are_skipped(tmp_path: Path) -> None:
    touch(
        tmp_path, "rock/a.wav", "rock/._a.wav", ".Trash/old.wav", "$RECYCLE.BIN/b.wav", "__MACOSX/c.wav", "@eaDir/d.mp3"
    )
    touch(tmp_path, "rock/Thumbs.db", ".DS_Store", "$/e.wav")
    found = find_music(tmp_path)
    assert list(map(str, found.songs)) == ["$/e.wav", "rock/a.wav"]
    assert found.others == []


def test_placeholders_of_songs_that_are_not_on_this_disk_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "rock/a.wav", "rock/.b.mp3.icloud")
    assert kinds(find_music(tmp_path).others) == "1 .icloud"


def test_circles_of_links_end_and_linked_songs_count_once_in_a_genre(tmp_path: Path) -> None:
    music = tmp_path / "music"
    touch(music, "rock/album/a.wav", "pop/b.wav")
    (music / "rock/0 up").symlink_to(tmp_path)
    (music / "rock/0 self").symlink_to(music / "rock")
    (music / "rock/0 again").symlink_to(music / "rock/album")
    (music / "pop/album").symlink_to(music / "rock/album")
    assert list(map(str, find_music(music).songs)) == ["pop/album/a.wav", "pop/b.wav", "rock/album/a.wav"]


def test_names_that_are_not_utf_8_are_told_apart(tmp_path: Path) -> None:
    try:
        touch(tmp_path, os.fsdecode(b"Mod\x85.wav"), "a.wav")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    found = find_music(tmp_path)
    assert [list(map(os.fsencode, paths)) for paths in (found.songs, found.misnamed)] == [[b"a.wav"], [b"Mod\x85.wav"]]
