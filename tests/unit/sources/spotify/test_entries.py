"""Entries of playlists that are no songs."""

from genres.sources.spotify.entries import LOCAL, names_of_others, songs_of


def test_a_local_file_is_named_with_artist_and_title() -> None:
    named = {"is_local": True, "track": {"name": "Song", "artists": [{"name": "Ann"}, {"name": "Bob"}, None]}}
    entries = [named, {"is_local": True, "item": {"name": "Title alone"}}, {"is_local": True, "track": None}, None]
    assert names_of_others(entries) == {LOCAL: ["Ann, Bob - Song", "Title alone"]}
    assert songs_of(entries)[1][LOCAL] == 3
