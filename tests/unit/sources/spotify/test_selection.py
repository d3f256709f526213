"""Which songs are taken, against small cases that one can check by eye, and properties."""

from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.sources.spotify.selection import Entry, conflicts_by_sound, interleave, select, surplus
from genres.sources.spotify.song import Song


def song(number: int, **changes) -> Song:
    known = {"isrc": f"BRUM7230{number:04d}", "duration_s": 180.0 + number}
    return Song(
        **{"spotify_id": f"{number:022d}", "title": f"Title {number}", "artists": (f"Singer {number}",)}
        | known
        | changes
    )


def recipe(**changes):
    return SimpleNamespace(**{"conflicts": "drop", "max_tracks": None} | changes)


def reasons(entries, **changes):
    known = changes.pop("existing", ())
    return [entry.left_out for entry in select(entries, recipe(**changes), known)]


def test_the_same_recording_is_taken_once():
    twice = [
        song(1),
        song(1),  # the same entry again
        song(2, isrc="BRUM72300001"),  # another id, the same ISRC and length
        song(3, title="TITLE 1", artists=("singer 1",), duration_s=182.0, isrc=""),  # the same name and length
        song(4, title="Title 1", artists=("Singer 1",), duration_s=240.0),  # another version
    ]
    assert reasons([Entry("rap", s) for s in twice]) == ["", *["asked for twice"] * 3, ""]


@pytest.mark.parametrize("code", ["N/A", "BRUM72300001"])
def test_a_code_alone_is_no_recording(code):
    songs = [song(1, isrc=code), song(9, isrc=code)]
    assert reasons([Entry("rap", songs[0]), Entry("pop", songs[1])]) == ["", ""]


def test_versions_of_a_song_are_songs_of_their_own():
    titles = ["Umbrella", "Umbrella - Acoustic", "Umbrella (Live)", "Umbrella (A Remix)", "Umbrella (B Remix)"]
    songs = [song(n, title=title, artists=("Rihanna",), duration_s=0.0) for n, title in enumerate(titles)]
    assert reasons([Entry("pop", s) for s in songs]) == [""] * 5
    known = [("rap", "Rihanna", "Umbrella (Funk Remix)")]
    assert reasons([Entry("pop", songs[0])], existing=known) == [""]


def test_a_song_in_two_genres_is_dropped_from_both_or_kept_in_the_first():
    entries = [Entry("rap", song(1)), Entry("pop", song(2)), Entry("pop", song(9, isrc=song(1).isrc, duration_s=181.0))]
    assert reasons(entries) == ["label conflict: also in pop", "", "label conflict: also in rap"]
    assert reasons(entries, conflicts="first") == ["", "", "label conflict: also in rap"]


def test_versions_of_remix_pairs_are_not_taken_for_training():
    entries = [
        Entry("pop", song(1), pair="Rude", version="original"),
        Entry("funk", song(2), pair="Rude", version="remix"),
        Entry("pop", song(1)),
        Entry("funk", song(3)),
    ]
    assert reasons(entries) == ["", "", "one of a remix pair", ""]


def test_songs_of_another_source_are_known_by_artist_and_title():
    known = [("hiphop", "Singer 1", "title 1"), ("rap", "singer 2", "Title 2"), ("rap", "", "Title 3")]
    entries = [Entry("rap", song(number)) for number in (1, 2, 3)]
    assert reasons(entries, existing=known) == ["label conflict: also in hiphop", "known already", ""]


def test_max_tracks_counts_what_is_taken_only():
    entries = [Entry("rap", song(1)), Entry("rap", song(1)), Entry("rap", song(2)), Entry("rap", song(3))]
    assert reasons(entries, max_tracks=2) == ["", "asked for twice", "", "more than max_tracks"]


def test_what_was_left_out_before_stays_so_and_takes_nothing_with_it():
    entries = [Entry("rap", song(1), left_out="episode"), Entry("pop", song(1))]
    assert reasons(entries) == ["episode", ""]


def test_titles_in_other_scripts_are_told_apart():
    entries = [
        Entry("kpop", song(1, title="사랑", artists=("가수",), duration_s=200)),
        Entry("kpop", song(2, title="이별", artists=("가수",), duration_s=200)),
    ]
    assert reasons(entries) == ["", ""]


def test_playlists_take_turns():
    assert interleave([[1, 2, 3], [4], [5, 6]]) == [1, 4, 5, 2, 6, 3]


def tracks(*rows, source="deezer_isrc"):
    return pd.DataFrame(rows, columns=["track_id", "genre", "recording", "version"]).assign(source=source)


def test_conflicts_by_sound():
    table = tracks(
        ("a", "rap", "a", ""),
        ("b", "pop", "a", ""),
        ("c", "pop", "c", ""),
        ("d", "pop", "c", ""),
        ("e", "rap", "e", ""),
    )
    assert set(conflicts_by_sound(table, "drop")) == {"a", "b", "d"}
    assert set(conflicts_by_sound(table, "first")) == {"b", "d"}
    assert conflicts_by_sound(table, "first")["d"] == "asked for twice: sounds like c"
    # GTZAN has copies, which stay.
    assert set(conflicts_by_sound(table.assign(source="gtzan"), "first")) == {"b"}
    table.loc[3, "source"] = "gtzan"
    assert "c" in conflicts_by_sound(table, "first")
    paired = tracks(("a", "pop", "a", "original"), ("b", "rap", "a", ""))
    assert conflicts_by_sound(paired, "drop") == {}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 12), min_size=1))
def test_surplus_leaves_every_genre_as_large_as_the_smallest(sizes):
    table = tracks(*[(f"{g}{n}", g, f"{g}{n}", "") for g, size in sizes.items() for n in range(size)])
    left = table[~table["track_id"].isin(surplus(table))]
    assert set(left["genre"].value_counts()) == {min(sizes.values())}
    # The order of the rows does not matter.
    assert surplus(table.sample(frac=1, random_state=1)).keys() == surplus(table).keys()


def test_one_song_more_changes_one_song():
    base = [("a0", "a", "", ""), ("a1", "a", "", "")]
    before = tracks(*base, *[(f"b{n}", "b", "", "") for n in range(9)])
    after = tracks(*base, *[(f"b{n}", "b", "", "") for n in range(10)])
    kept = [set(t["track_id"]) - set(surplus(t)) for t in (before, after)]
    assert len(kept[0] ^ kept[1]) in (0, 2)


@pytest.mark.parametrize("version", ["original", "remix"])
def test_remix_pairs_are_not_counted_in_the_balance(version):
    table = tracks(("a", "a", "a", ""), ("b", "b", "b", ""), ("p", "b", "p", version))
    assert surplus(table) == {}
