"""A music library with genres in its tags: which songs get which genre, and what is said of the others."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import pandas as pd
import pytest
from checkout import ROOT

from genres.core.console import UserError
from genres.core.files import read_table
from genres.core.recipes import LibraryRecipe
from genres.sources import CANDIDATE_COLUMNS, genre_file, library, tag_index
from genres.sources.tags import SongTags, read_song_tags

TREE = ROOT / "data/sources/library/genres.yaml"


@pytest.fixture
def add(tmp_path: Path, write_song: Callable) -> Callable[..., Path]:
    """Add a short song with tags to the library; a list gives several values."""
    base = write_song(tmp_path / "base.flac", seconds=0.1)

    def add(name: str, **tags: str | list[str]) -> Path:
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base, path)
        opened = mutagen.File(path)
        for key, value in tags.items():
            opened[key] = value
        opened.save()
        return path

    return add


@pytest.fixture
def collect(project: Path, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Collect the songs of the library, by track_id."""

    def collect(**changes: object) -> pd.DataFrame:
        values = {"source": "library", "dir": tmp_path / "music", "tree": TREE, "scan": 1, "genres": None}
        values |= {"exclude_genres": [], "level": "top", "several": "drop", "min_artists": 1, "train": {}}
        songs = library.collect(LibraryRecipe(**values | changes), tmp_path / "raw")
        assert list(songs.columns) == [*CANDIDATE_COLUMNS, "album"]
        return songs.set_index("track_id")

    return collect


@pytest.fixture
def outcome(tmp_path: Path) -> Callable[[], dict[str, tuple[int, str, str]]]:
    """Read songs, genre and reason of each tag."""

    def read() -> dict[str, tuple[int, str, str]]:
        table = read_table(tmp_path / "raw/tags.csv")
        return {row.tag: (row.songs, row.became, row.why) for row in table.itertuples()}

    return read


def test_songs_of_any_layout_get_the_genre_of_their_tags(add: Callable, collect: Callable, tmp_path: Path) -> None:
    add("Ann/First/01.flac", genre="hip hop", artist="Ann", album="First", title="One")
    add("two.flac", genre="Hip-Hop/Rap", artist="Bob")
    add("x/y/z/three.flac", genre=["Deep House", "Electronic"], artist="Cy")
    add("four.flac", artist="Dee")
    add("five.flac", genre="My favourites")
    songs = collect()
    assert songs["genre"].to_dict() == {
        "Ann/First/01.flac": "hiphop",
        "two.flac": "hiphop",
        "x/y/z/three.flac": "electronic",
    }
    assert songs.loc["Ann/First/01.flac", ["artist", "title", "source"]].tolist() == ["Ann", "One", "library"]
    assert songs.loc["two.flac", "path"] == str(tmp_path / "music/two.flac")
    left = read_table(tmp_path / "raw/left_out.csv").set_index("track_id")["why"].to_dict()
    assert left == {"four.flac": "has no genre tag", "five.flac": "not in the tree: My favourites"}


def test_what_became_of_each_tag_is_a_table(add: Callable, collect: Callable, outcome: Callable) -> None:
    for number, genre in enumerate(["Rock", "Rock", "rock", "Rock; Jazz", "Other", "Podcast", "Grunge"]):
        add(f"{number}.flac", genre=genre, artist=f"artist {number}")
    collect()
    assert outcome() == {
        "Rock": (2, "rock", "rock"),
        "rock": (1, "rock", "rock"),
        "Grunge": (1, "rock", "grunge < rock"),
        "Rock; Jazz": (1, "", "several genres: rock, jazz"),
        "Other": (1, "", "names no genre"),
        "Podcast": (1, "", "is no music"),
    }


@pytest.mark.parametrize(
    ("level", "genre"), [("top", "electronic"), (1, "electronic"), (2, "house"), (3, "deep_house"), (9, "deep_house")]
)
def test_the_level(add: Callable, collect: Callable, level: int | str, genre: str) -> None:
    add("a.flac", genre="Deep House")
    assert collect(level=level)["genre"].tolist() == [genre]
    assert collect(level="as_tagged")["genre"].tolist() == ["deep_house"]


def test_several_genres_of_one_song(add: Callable, collect: Callable) -> None:
    add("a.flac", genre=["House", "Techno"])
    add("b.flac", genre=["Jazz", "Rock"])
    assert collect()["genre"].to_dict() == {"a.flac": "electronic"}
    assert collect(several="first")["genre"].to_dict() == {"a.flac": "electronic", "b.flac": "jazz"}
    assert collect(several="first", level=2)["genre"].to_dict() == {"a.flac": "house", "b.flac": "jazz"}
    songs = collect(several="first", exclude_genres=["jazz"])
    assert songs["genre"].to_dict() == {"a.flac": "electronic", "b.flac": "rock"}


def test_genres_are_chosen_at_any_level_by_any_spelling(add: Callable, collect: Callable, outcome: Callable) -> None:
    for genre in ("Deep House", "Techno", "Grunge", "Jazz"):
        add(f"{genre}.flac", genre=genre)
    songs = collect(genres=["House Music", "electronica", "ROCK"])
    assert songs["genre"].tolist() == ["house", "rock", "electronic"]
    assert outcome()["Jazz"][1:] == ("", "jazz: not of genres")
    songs = collect(exclude_genres=["house", "fado"])
    assert songs["genre"].tolist() == ["rock", "jazz", "electronic"]
    assert outcome()["Deep House"][1:] == ("", "exclude_genres has house")


@pytest.mark.parametrize("key", ["genres", "exclude_genres"])
def test_a_genre_that_the_tree_does_not_have_is_named(add: Callable, collect: Callable, key: str) -> None:
    add("a.flac", genre="Rock")
    with pytest.raises(UserError, match=rf"^datasets\.library\.{key}: 'rokc' is no genre of the tree"):
        collect(**{key: ["rokc"]})


def test_a_chosen_genre_without_songs_is_named(add: Callable, collect: Callable) -> None:
    add("a.flac", genre="Rock")
    with pytest.raises(UserError, match=r"^datasets\.library\.genres: no song of genre 'jazz'"):
        collect(genres=["rock", "jazz"])


def test_genres_of_few_artists_go_up_the_tree_or_out(
    add: Callable, collect: Callable, outcome: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"Deep House": 1, "House": 2, "Techno": 3, "Trance": 1, "Jazz": 2}
    for genre, artists in numbers.items():
        for artist in range(artists):
            for song in range(3):
                add(f"{genre} {artist} {song}.flac", genre=genre, artist=f"{genre} {artist}")
    songs = collect(level="as_tagged", min_artists=3)
    assert songs["genre"].value_counts().to_dict() == {"house": 9, "techno": 9}
    table = outcome()
    assert table["Deep House"] == (3, "house", "deep_house: 1 artist, fewer than min_artists: counts as house")
    assert table["Trance"] == (3, "", "trance: 1 artist, fewer than min_artists: left out")
    assert table["Jazz"] == (6, "", "jazz: 2 artists, fewer than min_artists: left out")
    out = capsys.readouterr().out
    assert "27 songs: 18 have a genre; 9 are left for prediction (0 have no genre tag)" in out
    assert collect(level="top", min_artists=7)["genre"].unique().tolist() == ["electronic"]
    with pytest.raises(UserError, match="no genre has songs of 8 artists") as raised:
        collect(min_artists=8)
    assert "\n" not in str(raised.value)


def test_songs_without_an_artist_of_one_album_count_as_one_artist(add: Callable, collect: Callable) -> None:
    for song in range(5):
        add(f"a/b/{song}.flac", genre="Rock")
        add(f"{song}.flac", genre="Jazz")
    assert collect(min_artists=2)["genre"].unique().tolist() == ["jazz"]


def test_albums(add: Callable, collect: Callable) -> None:
    same = {"artist": "Ann", "album": "First", "albumartist": "Ann"}
    add("a/cd/1.flac", genre="Rock", **same)
    add("elsewhere/2.flac", genre="Rock", **same | {"album": "first (Disc 2)", "artist": "Bob"})
    add("hits/1.flac", genre="Rock", artist="Cy", album="Hits", albumartist="Various Artists")
    add("other/2.flac", genre="Rock", artist="Dee", album="Hits", albumartist="VA")
    add("x/Best/CD1/1.flac", genre="Rock", artist="Eve", album="Best")
    add("x/Best/CD 2/2.flac", genre="Rock", artist="Flo", album="Best")
    add("y/Best/1.flac", genre="Rock", artist="Gus", album="Best")
    add("u/v/1.flac", genre="Rock", artist="Hal")
    add("u/v/2.flac", genre="Rock")
    add("singles/all/1.flac", genre="Rock", artist="Ian", album="Unknown Album")
    add("singles/all/2.flac", genre="Rock", artist="Jo")
    add("rock/1.flac", genre="Rock")
    add("rock/2.flac", genre="Rock")
    albums = collect()["album"]
    together = albums[albums != ""].groupby(albums).apply(lambda album: sorted(album.index)).tolist()
    assert sorted(together) == [
        ["a/cd/1.flac", "elsewhere/2.flac"],
        ["hits/1.flac", "other/2.flac"],
        ["u/v/1.flac", "u/v/2.flac"],
        ["x/Best/CD 2/2.flac", "x/Best/CD1/1.flac"],
        ["y/Best/1.flac"],
    ]


def test_a_group_that_is_too_large_for_a_fold_is_said(
    add: Callable, collect: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        add(f"{number}.flac", genre="Rock", artist=f"artist {number}", album="Hits" * (number < 3), albumartist="VA")
    collect()
    assert "warning: 3 of 6 songs hang together by their artists and albums" in capsys.readouterr().err


ODD = ["", " ", "Unknown", "Other", "Genre 12", "<unknown>", "🎸", "x" * 10_000, "Rock, " * 2000, "a\x01b\x1b[31m"]
ODD += ["https://example.org/rock", "[/bold]", "=1+1", '"', "a\nb", "²", "\u202eabc", "(17", "((", "{genre}", "%s"]
ODD += ["Ðîê"]


def test_odd_tags_end_in_the_report(
    add: Callable, collect: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, genre in enumerate(ODD):
        add(f"{number}.flac", genre=genre, artist=genre or "Ann", album=genre, title=genre)
    songs = collect()
    assert songs["genre"].to_dict() == {f"{ODD.index('Ðîê')}.flac": "rock"}
    table = read_table(tmp_path / "raw/tags.csv")
    assert table["songs"].sum() == len(ODD)
    assert table["why"].ne("").all()
    assert table["tag"].str.len().max() <= 200
    assert len(read_table(tmp_path / "raw/left_out.csv")) == len(ODD) - 1
    out = capsys.readouterr().out
    assert "\x1b" not in out and "[/bold]" in out


def test_odd_files_end_in_the_report(
    add: Callable, collect: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = tmp_path / "music"
    song = add("a/b/one.flac", genre="Rock", artist="Ann")
    (music / "a/b/loop").symlink_to(music)
    (music / "gone.flac").symlink_to(music / "nowhere.flac")
    for name in (".hidden.flac", "a/.DS_Store", "a/._one.flac"):
        (music / name).write_bytes(b"x")
    for name in ("a/b/one.cue", "list.m3u8", "a/b/cover.jpg", "empty.mp3"):
        (music / name).write_bytes(b"")
    (music / "text.mp3").write_text("no music")
    os.mkfifo(music / "pipe.mp3")
    shutil.copy(song, os.fsencode(music) + b"/Mod\x85.flac")
    shutil.copy(song, music / "ключ 鍵.flac")
    closed = add("closed.flac", genre="Jazz")
    closed.chmod(0)
    can_read = os.access(closed, os.R_OK)  # root can
    songs = collect()
    assert set(songs.index) == {"a/b/one.flac", "ключ 鍵.flac"} | ({"closed.flac"} if can_read else set())
    left = read_table(tmp_path / "raw/left_out.csv").set_index("track_id")["why"].to_dict()
    assert left["empty.mp3"] == "empty or cannot be opened"
    assert left["text.mp3"] == "has no genre tag"
    errors = capsys.readouterr().err
    assert "1 songs are left out, such as" in errors and "Mod\\x85.flac: its name is not UTF-8" in errors
    for kind in ("1 .cue", "1 .m3u8", "1 .jpg", "1 .mp3", "1 .flac"):
        assert kind in errors


def test_the_id3_tag_goes_before_an_ape_tag_and_that_is_said(
    add: Callable, collect: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add("a.flac", artist="Ann")
    add("b.flac", artist="Bob")
    read = {"a.flac": SongTags(genres=("Rock",), ape_genres=("Jazz",)), "b.flac": SongTags(genres=("Rock",))}
    read["b.flac"] = SongTags(genres=("Rock",), ape_genres=("rock", "Rock"))
    monkeypatch.setattr(tag_index, "read_song_tags", lambda path: read[path.name])
    assert collect()["genre"].tolist() == ["rock", "rock"]
    assert "1 songs have another genre in their APE tag, such as a.flac: the ID3 tag counts" in capsys.readouterr().err


def test_missing_folders_and_folders_without_music(collect: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^datasets\.library\.dir: .*music: no such folder"):
        collect()
    (tmp_path / "music").mkdir()
    with pytest.raises(UserError, match=r"music: no music found"):
        collect()
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        collect(tree=tmp_path / "none.yaml")


def test_only_new_and_changed_files_are_read_again(
    add: Callable, collect: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def read(path: Path) -> SongTags:
        opened.append(path.name)
        return read_song_tags(path)

    monkeypatch.setattr(tag_index, "read_song_tags", read)
    monkeypatch.setattr(tag_index, "_BATCH", 2)
    for number in range(5):
        add(f"{number}.flac", genre=["Rock", "Pop"], album="First", artist="Ann")
    first = collect(several="first")
    assert sorted(opened) == [f"{number}.flac" for number in range(5)]
    opened.clear()
    assert collect(several="first").equals(first)
    assert opened == []
    add("1.flac", genre="Jazz")
    add("5.flac", genre="Jazz")
    status = (tmp_path / "music/2.flac").stat()
    changed = mutagen.File(tmp_path / "music/2.flac")
    changed["genre"] = ["Soul", "Pop"]  # as long as before
    changed.save()
    os.utime(tmp_path / "music/2.flac", ns=(status.st_atime_ns, status.st_mtime_ns))
    songs = collect(several="first")
    assert sorted(opened) == ["1.flac", "2.flac", "5.flac"]
    assert songs["genre"].tolist() == ["rock", "jazz", "soul", "rock", "rock", "jazz"]


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + bytes(100)])
def test_a_damaged_index_is_made_again(add: Callable, collect: Callable, project: Path, damage: bytes) -> None:
    add("a.flac", genre="Rock")
    first = collect()
    (project / ".cache/library/tags.sqlite").write_bytes(damage)
    assert collect().equals(first)
    assert collect().equals(first)


def test_the_empty_changes_to_the_tree_change_nothing() -> None:
    assert genre_file.load(TREE) == genre_file.load()
