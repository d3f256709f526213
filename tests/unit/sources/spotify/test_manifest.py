"""Manifests: written and read again, made by hand, made by others, damaged."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.core.console import UserError
from genres.core.names import clean_isrc
from genres.sources.spotify.manifest import read_manifest, read_manifests, write_manifest
from genres.sources.spotify.song import Song, name_of

ID = "3n3Ppam7vgaVa1iaRUc9Lp"
ARTIST_ID = "0C0XlULifJtAgn6ZNCW2eu"

names = st.text(st.characters(categories=["L", "N", "Zs", "P"], exclude_characters=';,"'), min_size=1).map(str.strip)
songs = st.builds(
    Song,
    spotify_id=st.text("0123456789abcXYZ", min_size=22, max_size=22),
    title=names.filter(bool),
    artists=st.lists(names.filter(bool), min_size=1, max_size=3).map(tuple),
    artist_ids=st.lists(st.text("0123456789abcXYZ", min_size=22, max_size=22), max_size=3).map(tuple),
    isrc=st.sampled_from(["", "GBDUW0000059", "BRUM72300001"]),
    duration_s=st.integers(0, 3_000_000).map(lambda ms: ms / 1000),
)


@given(st.lists(st.tuples(names.filter(bool), songs), min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    write_manifest(path, rows)
    found = read_manifest(path)
    assert [genre for genre, _ in found] == [genre for genre, _ in rows]
    for (_, read), (_, written) in zip(found, rows, strict=True):
        assert read.duration_s == pytest.approx(written.duration_s, rel=1e-5)
        assert (read.spotify_id, read.title, read.artists, read.artist_ids, read.isrc) == (
            (written.spotify_id, written.title, written.artists, written.artist_ids, written.isrc)
        )


def test_exportify_table_takes_its_genre_from_the_file_name(tmp_path):
    (tmp_path / "rap.csv").write_text(
        "\ufeffTrack URI,Track Name,Artist URI(s),Artist Name(s),Track Duration (ms),Genres,ISRC\n"
        f'spotify:track:{ID},Mr. Brightside,spotify:artist:{ARTIST_ID},The Killers,222973,"rock, pop",'
        "us-ir2-04-00195\n",
        encoding="utf-8",
    )
    expected = Song(ID, "Mr. Brightside", ("The Killers",), (ARTIST_ID,), "USIR20400195", 222.973)
    assert read_manifests(tmp_path) == [("rap", expected)]


def test_a_table_made_by_hand_needs_title_artist_and_genre(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("genre,title,artist,duration\nforró,Asa Branca,Luiz Gonzaga,2:53\n", encoding="utf-8")
    assert read_manifest(path) == [("forró", Song("", "Asa Branca", ("Luiz Gonzaga",), duration_s=173.0))]


@pytest.mark.parametrize(
    ("cell", "artists"),
    [
        ('"Tyler, The Creator;Kali Uchis"', ("Tyler, The Creator", "Kali Uchis")),
        ('"Dua Lipa, Elton John"', ("Dua Lipa", "Elton John", "Dua Lipa, Elton John")),
        ("AC/DC", ("AC/DC",)),
        ('"Tyler\\, The Creator, Kali Uchis"', ("Tyler, The Creator", "Kali Uchis")),
    ],
)
def test_several_artists(tmp_path, cell, artists):
    path = tmp_path / "rock.csv"
    path.write_text(f"title,artist\nSong,{cell}\n", encoding="utf-8")
    assert read_manifest(path)[0][1].artists == artists


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title,artist\nSong,Someone\n", "has no column 'genre'"),
        ("genre,title\nrap,Song\n", "needs the columns title and artist, or isrc"),
    ],
)
def test_a_bad_table_is_one_line_that_names_it(tmp_path, text, complaint):
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint) as error:
        read_manifest(path)
    assert str(path) in str(error.value)


def test_rows_that_say_too_little_are_left_out_with_their_line(tmp_path, capsys):
    path = tmp_path / "manifest.csv"
    rows = [
        "rap,Song,,,",
        ",Song,Someone,,",
        "rap,,,GBDUW0000059,",
        "rap,Local,Me,,",
        f"rap,Talk,Me,,spotify:episode:{ID}",
    ]
    path.write_text("\n".join(["genre,title,artist,isrc,spotify_id", *rows]))
    assert [song.title for _, song in read_manifest(path)] == ["", "Local"]
    warned = capsys.readouterr().err
    assert "skipped line 2: neither" in warned
    assert "skipped line 3: no genre" in warned
    assert "skipped line 6: " in warned


def test_local_files_of_a_playlist_have_no_id(tmp_path):
    path = tmp_path / "rap.csv"
    path.write_text("Track URI,Track Name,Artist Name(s)\nspotify:local:Me:Demo:Tape:200,Tape,Me\n")
    assert read_manifest(path)[0][1].spotify_id == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [("gbduw0000059", "GBDUW0000059"), ("GB-DUW-00-00059", "GBDUW0000059"), ("GBDUW00", ""), (None, ""), ("-", "")],
)
def test_isrc(text, code):
    assert clean_isrc(text) == code


def test_names_of_songs_without_codes_tell_songs_apart():
    one, other = Song("", "Garota", ("A",)), Song("", "Garota", ("B",))
    assert name_of(one) == name_of(Song("", "GAROTA", ("a",))) != name_of(other)
    assert name_of(Song(ID, "x", (), isrc="GBDUW0000059")) == ID


@pytest.mark.parametrize(
    ("column", "text", "seconds"),
    [
        ("duration_s", "215,3", 215.3),
        ("duration_s", "215.3", 215.3),
        ("duration_s", "3:35", 215),
        ("duration_s", "3:35,5", 215.5),
        ("duration_s", "", 0),
        ("duration (ms)", "215300", 215.3),
        ("duration (ms)", "215.300", 215.3),
        ("duration (ms)", "1,215,300", 1215.3),
    ],
)
def test_durations_as_spreadsheets_write_them(
    tmp_path: Path, column: str, text: str, seconds: float, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "pop.csv"
    path.write_text(f"title;artist;{column}\nA;B;{text}\n")
    ((_, song),) = read_manifest(path)
    assert song.duration_s == pytest.approx(seconds)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["1.215,3", "3 min", "-5", "nan", "inf"])
def test_a_duration_that_is_none_is_named(tmp_path: Path, text: str, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "pop.csv"
    path.write_text(f"title;artist;duration\nA;B;215\nC;D;{text}\nE;F;{text}\n")
    assert [song.duration_s for _, song in read_manifest(path)] == [215, 0, 0]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {path}: 2 durations count as unknown, such as '{text}' in line 3")
