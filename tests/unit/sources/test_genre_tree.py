"""What the texts of genre tags mean, and which files of genres are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import TCON

from genres.core.console import UserError
from genres.sources import genre_file
from genres.sources.genre_tree import spelling_key

TREE = genre_file.load()


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("hip hop", "hiphop"),
        ("Hip-Hop/Rap", "hiphop"),
        ("HipHop", "hiphop"),
        ("HIP–HOP", "hiphop"),
        ("deep house", "deep_house"),
        ("R&B/Soul", "rnb"),
        ("r'n'b", "rnb"),
        ("Rhythm, and Blues", "rnb"),
        ("Drum & Bass", "drum_and_bass"),
        ("Drum'n'Bass", "drum_and_bass"),
        ("Rock’n’Roll", "rock_and_roll"),
        ("Ｒｏｃｋ", "rock"),
        ("Música Clásica", "classical"),
        ("House Music", "house"),
        ("рок", "rock"),
        ("ロック", "rock"),
        ("\u202bרוק\u202c", "rock"),
        ("Rock;Pop", "rock pop"),
        ("Rock\0Pop", "rock pop"),
        ("Jazz, Funk", "jazz funk"),
        ("Jazz/Funk", "jazz funk"),
        ("Jazz-Funk", "jazz_funk"),
        ("Jazz | Blues", "jazz blues"),
        ("Jazz & Blues", "jazz blues"),
        ("Jazz - Blues", "jazz blues"),
        ("Rock/Pop", "rock"),  # one of iTunes' and shops' genres
        ("Drum & Bass/Deep House", "drum_and_bass deep_house"),
        ("Electronic; House", "house"),  # the first is above the second
        ("Electronic---Deep House", "deep_house"),
        ("Rock (Live)", "rock"),
        ("17", "rock"),
        ("(17)", "rock"),
        ("(17)(9)", "rock metal"),
        ("(17)Rock", "rock"),
        ("(4)Eurodisco", "euro_disco"),
        ("(17)\x01", "rock"),
        ("Ro\x02ck", "rock"),
        ("Ðîê", "rock"),  # cp1251 read as Latin-1
        ("Ðîê; Äæàç", "rock jazz"),
        ("Рок".encode().decode("latin-1"), "rock"),
        ("Electrónica".encode().decode("cp1252"), "electronic"),
    ],
)
def test_spellings_numbers_and_separators(text: str, genres: str) -> None:
    assert TREE.resolve([text]).genres == tuple(genres.split())


@pytest.mark.parametrize(
    "text", ["Other", "Unknown", "<unknown>", "255", "(255)", "12", "n/a", "None", "🎸", "???", "²", "", "()", "[/b]"]
)
def test_texts_that_say_nothing(text: str) -> None:
    meaning = TREE.resolve([text])
    assert (meaning.genres, meaning.unknown) == ((), ("b",) if "b" in text else ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Podcast", "no music"),
        ("Hörbuch", "no music"),
        ("Christmas", "an occasion"),
        ("RX", "an occasion"),
        ("(CR)", "an occasion"),
        ("90's", "an occasion"),
    ],
)
def test_texts_that_name_no_genre_give_the_reason(text: str, reason: str) -> None:
    meaning = TREE.resolve([text])
    assert meaning.genres == ()
    assert reason in meaning.reasons[0]


@pytest.mark.parametrize("text", ["Genre 12", "((foo", "https://example.org/rock/", "www.rock.com", "rock" * 2500])
def test_unknown_texts_stay_whole(text: str) -> None:
    meaning = TREE.resolve([text])
    assert (meaning.genres, meaning.unknown) == ((), (text.removeprefix("(("),) if "foo" in text else (text,))


def test_very_long_and_odd_texts_are_quick() -> None:
    for text in ("Rock, " * 1700, "/" * 10_000, "(" * 10_000, "(17)" * 2500, "a;" * 5000, "\ud800", "\0" * 10_000):
        assert set(TREE.resolve([text]).genres) <= {"rock"}


@given(st.text())
def test_any_text_means_genres_of_the_tree_unknown_parts_or_nothing(text: str) -> None:
    meaning = TREE.resolve([text])
    assert set(meaning.genres) <= set(TREE.parents)
    assert meaning.genres or meaning.unknown or meaning.reasons or spelling_key(text) == ""


TOPS = sorted(genre for genre, above in TREE.parents.items() if above is None)


@given(st.lists(st.sampled_from(TOPS), min_size=1, unique=True), st.sampled_from([";", " ; ", "|", "\0", "\n"]))
def test_values_in_one_text_mean_as_much_as_separate_values(genres: list[str], between: str) -> None:
    assert TREE.resolve([between.join(genres)]) == TREE.resolve(genres)
    assert TREE.resolve(genres).genres == tuple(genres)


def test_each_name_of_id3v1_means_something() -> None:
    assert [name for name in TCON.GENRES if TREE.resolve([name]).unknown] == []
    assert TREE.resolve([str(TCON.GENRES.index("Techno"))]).genres == ("techno",)


def test_each_genre_and_its_name_are_found_and_lead_to_the_top() -> None:
    for genre in TREE.parents:
        assert TREE.genre_of(genre) == genre
        assert TREE.parents[TREE.lineage(genre)[0]] is None
    assert TREE.lineage("deep_house") == ("electronic", "house", "deep_house")


def test_the_key_of_a_spelling_has_neither_case_nor_signs() -> None:
    assert len({spelling_key(text) for text in ("Rock & Roll", "rock and roll", "ROCK-N-ROLL", "Röck  roll")}) == 1


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_own_file_adds_moves_and_renames(tmp_path: Path) -> None:
    path = own(
        tmp_path,
        """
        genres:
          Sea Shanty: {also: [shanty songs]}
          house: {italo_house: }
          rock: {metal: }
          jazz: {also: [my evening mood, folk rock ballad]}
        no_genre: {is a mood of mine: [sunny, polka]}
        """,
    )
    tree = genre_file.load(path)
    assert tree.resolve(["Shanty-Songs"]).genres == ("Sea Shanty",)
    assert tree.lineage("italo_house") == ("electronic", "house", "italo_house")
    assert tree.lineage("black_metal") == ("rock", "metal", "black_metal")
    assert tree.resolve(["My evening mood"]).genres == ("jazz",)
    assert tree.resolve(["Sunny"]).reasons == ("is a mood of mine",)
    assert tree.resolve(["Polka"]).genres == ()
    assert TREE.resolve(["Polka"]).genres == ("polka",)  # the package's is as it was


def test_an_own_file_may_replace_the_tree(tmp_path: Path) -> None:
    tree = genre_file.load(own(tmp_path, "replaces: true\ngenres: {calm: {also: [ambient]}, loud: }"))
    assert set(tree.parents) == {"calm", "loud"}
    assert tree.resolve(["Ambient; Rock"]).genres == ("calm",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("genre: {}", "unknown key 'genre'"),
        ("genres: [rock]", "genres: must have entries 'name: …'"),
        ("genres: {rock: hard}", "genres: rock: must have entries"),
        ("genres: {rock: {also: hard}}", "rock: also: must be a list"),
        ("genres: {rock: {alias: [hard]}}", "rock: alias: must have entries"),
        ("genres: {1990: }", "1990 is no text: write it in quotes"),
        ("genres: {a: {x: }, b: {x: }}", "'x' is named twice: genres: a: x; and genres: b: x"),
        ("genres: {a: {also: [x]}, b: {also: [X]}}", "'X' is named twice"),
        ("genres: {a: {b: {a: }}}", "'a' is named twice"),
        ("genres: {deep_house: {electronic: }}", "is below itself"),
        ("genres: {rock: {also: [metal]}}", "'metal' is a genre of the tree: write it below as 'metal:'"),
        ("genres: &a {x: *a}", "is named twice"),
        ("genres: {a: , a: }", "is not valid YAML"),
        ("genres: {a", "is not valid YAML"),
        ("- rock", "the file: must have entries"),
        ("replaces: 1", "replaces: must be true or false"),
        ("no_genre: {mood: sunny}", "no_genre: mood: must be a list"),
        ("genres: {a: {also: [x]}}\nno_genre: {mood: [x]}", "'x' is named twice"),
    ],
)
def test_wrong_files_are_one_line_that_names_the_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UserError) as raised:
        genre_file.load(own(tmp_path, text))
    message = str(raised.value)
    assert message.startswith(str(tmp_path / "own.yaml")) and problem in message and "\n" not in message


def test_a_missing_or_binary_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: cannot be read \(No such file"):
        genre_file.load(tmp_path / "nowhere.yaml")
    (tmp_path / "own.yaml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(UserError, match=r"own\.yaml: cannot be read"):
        genre_file.load(tmp_path / "own.yaml")
