"""A folder of one's own music: what is found there, what is known of it, and that nothing in it is touched."""

import os
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import mutagen.mp4
import pandas as pd
import pytest

from genres.core.console import UserError
from genres.core.recipes import FolderRecipe
from genres.sources import CANDIDATE_COLUMNS, folder


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of look-alikes: listing opens nothing but tags."""
    root = tmp_path / "music"
    for name in ("pop/b.mp3", "pop/a.wav", "rock/album/c.FLAC", "rock/d.Au", "jazz/e.ogg", "jazz/f.M4A"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"audio")
    return root


def collect(root: Path, **changes: object) -> pd.DataFrame:
    values = {"source": "folder", "dir": root, "genres": None, "exclude_genres": [], "train": {}}
    return folder.collect(FolderRecipe(**values | changes), root.parent / "raw")


ALL = ["jazz/e.ogg", "jazz/f.M4A", "pop/a.wav", "pop/b.mp3", "rock/album/c.FLAC", "rock/d.Au"]


def test_songs_are_listed_by_genre_folder(music: Path) -> None:
    songs = collect(music)
    assert list(songs.columns) == CANDIDATE_COLUMNS
    assert songs["track_id"].tolist() == ALL
    assert songs["path"].tolist() == [str(music / name) for name in ALL]
    assert songs["genre"].tolist() == [name.split("/")[0] for name in ALL]
    assert set(songs["source"]) == {"folder"}
    for column in ("artist", "title", "isrc", "split", "song", "version"):
        assert set(songs[column]) == {""}


def test_what_is_no_song_is_not_listed(music: Path) -> None:
    for name in (
        "pop/._a.wav",
        "pop/.hidden.mp3",
        "pop/.AppleDouble/a.wav",
        ".Trash/x.wav",
        "pop/cover.jpg",
        "pop/list.m3u",
        "pop/wav",
        "top.wav",
    ):
        (music / name).parent.mkdir(exist_ok=True)
        (music / name).write_bytes(b"audio")
    (music / "pop" / "folder.mp3").mkdir()
    (music / "empty").mkdir()
    assert collect(music)["track_id"].tolist() == ALL


def test_a_hidden_folder_above_is_no_matter(music: Path) -> None:
    hidden = music.rename(music.parent / ".music")
    assert collect(hidden)["track_id"].tolist() == ALL


@pytest.mark.parametrize(
    ("changes", "genres"),
    [
        ({}, {"jazz", "pop", "rock"}),
        ({"genres": ["pop", "rock"]}, {"pop", "rock"}),
        ({"exclude_genres": ["jazz"]}, {"pop", "rock"}),
        ({"exclude_genres": ["jazz", "fado"]}, {"pop", "rock"}),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_genres_and_exclude_genres(music: Path, changes: dict, genres: set[str], listed: bool) -> None:
    if listed:
        rows = [{"path": name, "genre": name.split("/")[0]} for name in ALL]
        pd.DataFrame(rows).to_csv(music / "tracks.csv", index=False)
    assert set(collect(music, **changes)["genre"]) == genres


def test_a_genre_that_is_not_there_is_named(music: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.folder\.genres: no music of genre 'fado'"):
        collect(music, genres=["pop", "fado"])


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.folder\.dir: .*/nowhere: no such folder"):
        collect(tmp_path / "nowhere")
    (tmp_path / "music").mkdir()
    with pytest.raises(UserError, match=r"music: no music found.*datasets\.folder\.dir=") as raised:
        collect(tmp_path / "music")
    assert "\n" not in str(raised.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no such folder"):
        collect(tmp_path / "file")


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac", ".m4a", ".wav"])
def test_tags_of_every_format(tmp_path: Path, write_song: Callable, suffix: str) -> None:
    path = write_song(tmp_path / "music" / "pop" / f"a{suffix}", seconds=1)
    if suffix == ".m4a":
        tags = mutagen.mp4.MP4(path)
        tags["\xa9ART"], tags["\xa9nam"] = ["Björk"], [" Jóga "]
        tags.save()
    elif suffix in (".mp3", ".wav"):
        opened = mutagen.File(path)
        if opened.tags is None:
            opened.add_tags()
        opened.tags.add(mutagen.id3.TPE1(encoding=3, text=["Björk"]))
        opened.tags.add(mutagen.id3.TIT2(encoding=3, text=[" Jóga "]))
        opened.tags.add(mutagen.id3.TSRC(encoding=3, text=["GBAAA9700001"]))
        opened.save()
    else:
        opened = mutagen.File(path)
        opened["artist"], opened["title"], opened["isrc"] = "Björk", " Jóga ", "GBAAA9700001"
        opened.save()
    song = collect(tmp_path / "music").iloc[0]
    assert (song["artist"], song["title"]) == ("Björk", "Jóga")
    assert song["isrc"] == ("" if suffix == ".m4a" else "GBAAA9700001")


def test_tracks_csv_goes_before_folders_and_tags(music: Path) -> None:
    (music / "tracks.csv").write_text(
        "path,genre,artist,title,split,bpm,mood\n"
        'pop/a.wav,dance,NA,"One, two",test,120,happy\n'
        "gone.wav,rock,Ann,Three,,,\n"
        "rock/d.Au,dance,,,train\n",
        encoding="utf-8-sig",
    )
    songs = collect(music)
    assert list(songs.columns) == CANDIDATE_COLUMNS
    assert songs["track_id"].tolist() == ["pop/a.wav", "gone.wav", "rock/d.Au"]
    assert songs["genre"].tolist() == ["dance", "rock", "dance"]
    assert songs["artist"].tolist() == ["NA", "Ann", ""]
    assert songs["title"].tolist() == ["One, two", "Three", ""]
    assert songs["split"].tolist() == ["test", "", "train"]
    assert songs["isrc"].tolist() == ["", "", ""]
    assert songs["path"].tolist() == [str(music / name) for name in songs["track_id"]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,artist\npop/a.wav,Ann\n", "has no column 'genre'"),
        ("file,genre\npop/a.wav,pop\n", "has no column 'path'"),
        ("path,genre\npop/a.wav,pop\nrock/d.Au,rock\npop/a.wav,rock\n", "lists pop/a.wav twice"),
        ("", "cannot be read as a CSV table"),
    ],
)
def test_tracks_csv_that_cannot_be_used(music: Path, content: str, says: str) -> None:
    (music / "tracks.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"tracks\.csv: {says}"):
        collect(music)


def test_remix_pairs_are_marked(music: Path) -> None:
    (music / "remixes.csv").write_text(
        "song,original,remix,note\nHit,pop/a.wav,jazz/e.ogg,x\nOther,pop/b.mp3,rock/d.Au,\n", encoding="utf-8"
    )
    songs = collect(music).set_index("track_id")
    assert songs["version"].to_dict() == {
        "jazz/e.ogg": "remix",
        "jazz/f.M4A": "",
        "pop/a.wav": "original",
        "pop/b.mp3": "original",
        "rock/album/c.FLAC": "",
        "rock/d.Au": "remix",
    }
    assert songs.loc[["pop/a.wav", "jazz/e.ogg"], "song"].tolist() == ["Hit", "Hit"]
    assert songs.loc[["pop/b.mp3", "rock/d.Au"], "song"].tolist() == ["Other", "Other"]
    assert songs.loc["jazz/f.M4A", "song"] == ""


def test_one_original_may_have_several_remixes(music: Path) -> None:
    (music / "remixes.csv").write_text("song,original,remix\nHit,pop/a.wav,jazz/e.ogg\nHit,pop/a.wav,rock/d.Au\n")
    songs = collect(music).set_index("track_id")
    assert songs["version"][songs["song"] == "Hit"].to_dict() == {
        "jazz/e.ogg": "remix",
        "pop/a.wav": "original",
        "rock/d.Au": "remix",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("song,original,remix\nHit,pop/a.wav,pop/nothing.wav\n", "pop/nothing.wav is not among the songs"),
        ("song,original\nHit,pop/a.wav\n", "has no column 'remix'"),
        ("song,original,remix\n ,pop/a.wav,pop/b.mp3\n", "pop/b.mp3 has no song"),
        (
            "song,original,remix\nHit,pop/a.wav,jazz/e.ogg\nOther,pop/a.wav,rock/d.Au\n",
            "pop/a.wav is the original of 'Other' and the original of 'Hit'; give all remixes",
        ),
    ],
)
def test_remixes_csv_that_cannot_be_used(music: Path, content: str, says: str) -> None:
    (music / "remixes.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"remixes\.csv: {says}"):
        collect(music)


def test_a_folder_below_home_is_found(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(music.parent))
    recipe = FolderRecipe(source="folder", dir="~/music", genres=None, exclude_genres=[], train={})
    assert folder.collect(recipe, music.parent)["path"].tolist() == [str(music / name) for name in ALL]


def test_a_song_without_a_genre_is_named_and_blanks_do_not_make_genres(music: Path) -> None:
    (music / "tracks.csv").write_text("path,genre\npop/a.wav,rock\npop/b.mp3,rock \n")
    assert collect(music)["genre"].tolist() == ["rock", "rock"]
    (music / "tracks.csv").write_text("path,genre\npop/a.wav,rock\npop/b.mp3, \n")
    with pytest.raises(UserError, match=r"tracks\.csv: pop/b\.mp3 has no genre"):
        collect(music)


def test_a_name_that_is_not_utf_8_is_left_out_with_a_warning(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        (music / "pop" / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"audio")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    assert collect(music)["track_id"].tolist() == ALL
    assert "its name is not UTF-8" in capsys.readouterr().err


def test_what_is_left_out_is_said_in_one_line(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("polka/a.mid", "polka/b.mid", "pop/cover.jpg", "pop/c.opus", "top.wav"):
        (music / name).parent.mkdir(exist_ok=True)
        (music / name).write_bytes(b"audio")
    assert collect(music)["track_id"].tolist() == sorted([*ALL, "pop/c.opus"])
    left_out = capsys.readouterr().err
    assert f"{music}: left out: 2 .mid, 1 .jpg; no music of polka\n" in left_out
    assert f"{music}: left out: 1 songs that are in no genre folder, such as top.wav\n" in left_out


def test_genres_that_differ_in_form_only_are_one(music: Path) -> None:
    for name in ("Caf\u00e9", "Cafe\u0301", "caf\u00e9", "rock ", "_unsorted", "genre", " "):
        (music / name).mkdir()
        (music / name / "x.wav").write_bytes(b"audio")
    genres = collect(music).set_index("track_id")["genre"]
    assert len({genres[f"{name}/x.wav"] for name in ("Caf\u00e9", "Cafe\u0301", "caf\u00e9")}) == 1
    assert genres["rock /x.wav"] == "rock"
    assert genres["_unsorted/x.wav"] == "_unsorted"
    assert {genres["genre/x.wav"], genres[" /x.wav"]} == {"genre (genre)", "(genre)"}
    assert set(collect(music, genres=["CAFE\u0301", "pop"])["genre"]) == {"CAFE\u0301", "pop"}


def test_a_table_made_on_windows_is_read(music: Path) -> None:
    (music / "pop" / "Cafe\u0301.wav").write_bytes(b"audio")
    (music / "tracks.csv").write_text(
        "Path;Genre\n./pop/a.wav;pop\nrock\\D.AU;rock\npop\\Caf\u00e9.wav;Pop\n;\n", encoding="utf-8-sig"
    )
    songs = collect(music)
    assert songs["track_id"].tolist() == ["pop/a.wav", "rock/d.Au", "pop/Cafe\u0301.wav"]
    assert songs["genre"].tolist() == ["pop", "rock", "pop"]
    (music / "tracks.csv").write_text("path;genre\nrock/d.Au;rock\nrock\\d.Au;rock\n")
    with pytest.raises(UserError, match=r"tracks\.csv: lists rock/d\.Au twice"):
        collect(music)


def test_fma_as_it_is_unzipped_is_named(tmp_path: Path) -> None:
    for number in (2, 5, 1482):
        path = tmp_path / f"fma_small/{number // 1000:03}/{number:06}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"audio")
    for root in (tmp_path / "fma_small", tmp_path):
        with pytest.raises(UserError, match=r"is the FMA data set .* fma_metadata/tracks\.csv"):
            collect(root)
