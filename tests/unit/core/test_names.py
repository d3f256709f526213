"""Names that are one in several spellings, names of nobody, and songs that share an artist."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from genres.core.names import artist_groups, known_artists, normalised_artist, proven_codes, same_text


@given(st.text(max_size=12))
def test_unicode_forms_and_case_are_one_text(text: str) -> None:
    forms = {same_text(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert len(forms) == 1
    assert same_text(same_text(text)) == same_text(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Various Artists",
            "VARIOUS",
            "VA",
            "V.A.",
            "v/a",
            "<unknown>",
            "[Unknown]",
            "Unknown Artist (2)",
            "N/A",
            "?",
        ),
        *("Unbekannter Künstler", "Varios artistas", "Artiste inconnu", "Неизвестный исполнитель", "群星", " - ", "?"),
        *("不明なアーティスト", "Various Artists; <unknown>", "unbekannter ku\u0308nstler"),
    ],
)
def test_placeholders_are_nobody(text: str) -> None:
    assert known_artists(text) == ()


@pytest.mark.parametrize(
    "text", ["NA", "!!!", "311", "Va Va Voom", "Unknown Mortal Orchestra", "The The", "AC/DC", "+/-", "Artist 3"]
)
def test_odd_names_are_names(text: str) -> None:
    assert known_artists(text) == (text,)


def test_values_are_split_and_counted_once() -> None:
    assert known_artists("Ann; Bob\0ann ;Various Artists") == ("Ann", "Bob")


@pytest.mark.parametrize(
    "joined",
    [
        "{} feat. {}",
        "{} (ft. {})",
        "{} featuring {}",
        "{} vs. {}",
        "{} x {}",
        "{} & {}",
        "{}/{}",
        "{}, {}",
        "{}; {}",
        "{} and {}",
    ],
)
def test_a_shared_name_ties_songs_together(joined: str) -> None:
    text = joined.format("Ann", "BOB")
    assert artist_groups([text, "ann", "Bob", "Cy"]) == [0, 0, 0, 3]
    # Neither has a song of their own.
    assert len(set(artist_groups([joined.format("Ann Able", "Bob"), joined.format("Cy", "Ann Able")]))) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Duke Example & His Orchestra", "Count Sample & His Orchestra"),
        ("Davis, Miles", "Davis, Sammy"),
        ("Beatles, The", "Doors, The"),
        ("Ann and Friends", "Bob & Friends"),
        ("Various Artists", "Various Artists"),
        ("", ""),
        ("Various feat. Ann", "Various feat. Bob"),
    ],
)
def test_common_words_tie_nothing(first: str, second: str) -> None:
    assert artist_groups([first, second]) == [0, 1]


def test_spellings_of_one_name() -> None:
    for first, second in (
        ("Beyonc\u00e9", "beyonce\u0301"),
        ("The Wailers", "Wailers"),
        ("Earth, Wind & Fire", "Earth Wind and Fire"),
    ):
        assert normalised_artist(first) == normalised_artist(second)


def test_one_code_for_a_whole_library_takes_no_time() -> None:
    songs = range(50_000)
    labels = proven_codes(["US0000000000"] * len(songs), [str(n // 2) for n in songs], [100.0 + 5 * n for n in songs])
    assert len(set(labels)) == len(songs) // 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "one", "two"]), st.sampled_from([0.0, 100.0, 101.5, 103.0, 200.0])), min_size=1
    )
)
def test_codes_are_proven_as_pairs_are(songs: list[tuple[str, float]]) -> None:
    titles, lengths = [title for title, _ in songs], [length for _, length in songs]
    same = np.array([[_proven(one, two) for two in songs] for one in songs], dtype=int)
    parts = connected_components(same, directed=False)[1]
    labels = proven_codes(["GBAAA9700001"] * len(songs), titles, lengths)
    assert {tuple(np.flatnonzero(parts == part)) for part in parts} == {
        tuple(n for n, other in enumerate(labels) if other == label) for label in labels
    }


def _proven(one: tuple[str, float], two: tuple[str, float]) -> bool:
    same_length = abs(one[1] - two[1]) < 2
    return (one[0] == two[0] and (one[0] != "" or same_length)) or (same_length and one[1] > 0)


def test_a_code_counts_with_title_or_length_only() -> None:
    codes = ["N/A", "N/A", "gb-aaa-97-00001", "GBAAA9700001", "GBAAA9700001", "GBAAA9700001", "GBAAA9700001"]
    titles = ["", "", "one", "one", "two", "three", "four"]
    lengths = [10.0, 10.0, 200.0, 90.0, 90.5, 30.0, 0.0]
    labels = proven_codes(codes, titles, lengths)
    assert labels[:2] == ["", ""]
    assert labels[2] == labels[3] == labels[4]  # by title, by length
    assert len(set(labels[4:])) == 3
