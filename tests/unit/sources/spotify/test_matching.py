"""The gate for what stores offer: realistic titles by table, and laws that hold for all."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genres.core.names import normalised_artist
from genres.sources.spotify.matching import mismatch, normalised_title, search_title, versions
from genres.sources.spotify.song import Song

# Letters of several scripts, signs that stand in titles, emoji.
titles = st.text("abyzABÉãçñßЖλ한국어東京かがहिن0129 '’-–()[]&.,!?🔥💃", min_size=1, max_size=30).filter(str.strip)
names = st.text("abyzABÉãçñЖλ한국東京0129 .'!🔥", min_size=1, max_size=15).filter(str.strip)
lengths = st.floats(30, 900)


def offered(asked: str, title: str, artist: str = "Artist", duration_s: float = 200.0, **song) -> str:
    """The reason why a title is refused for a song; the same artist and length unless said otherwise."""
    return mismatch(
        Song("id", asked, **{"artists": ("Artist",), "duration_s": 200.0} | song),
        title=title,
        artist=artist,
        duration_s=duration_s,
    )


@given(titles, names, lengths)
def test_a_song_is_itself(title, name, length):
    assert mismatch(Song("id", title, (name,), duration_s=length), title=title, artist=name, duration_s=length) == ""
    assert mismatch(Song("id", title, (name,)), title=title, artist=name, duration_s=length) == ""


@given(titles, names, lengths)
def test_case_and_the_form_of_accents_do_not_matter(title, name, length):
    song = Song("id", title, (name,), duration_s=length)
    for change in (str.upper, str.casefold, lambda text: unicodedata.normalize("NFD", text)):
        assert mismatch(song, title=change(title), artist=change(name), duration_s=length) == ""


@given(titles)
def test_no_title_normalises_to_nothing(title):
    assert normalised_title(title)
    assert normalised_title(title.upper()) == normalised_title(title)


@given(titles, titles, names, lengths)
def test_the_gate_is_the_same_from_both_sides(one, other, name, length):
    forth = mismatch(Song("id", one, (name,), duration_s=length), title=other, artist=name, duration_s=length)
    back = mismatch(Song("id", other, (name,), duration_s=length), title=one, artist=name, duration_s=length)
    assert bool(forth) == bool(back)


@given(
    st.sampled_from(["한국어 노래", "東京", "かがく", "हिन्दी", "Ключ", "🔥", "💃💃", "!!!", "Ação", "Ela"]),
    titles,
    lengths,
)
def test_other_titles_are_refused_in_every_script(asked, title, length):
    assume(normalised_title(title) != normalised_title(asked))
    assert mismatch(Song("id", asked, ("A",), duration_s=length), title=title, artist="A", duration_s=length) != ""


@given(st.from_regex(r"[a-zé]{3,12}", fullmatch=True), st.from_regex(r"[a-zé]{3,12}", fullmatch=True))
def test_two_words_are_two_titles(asked, title):
    assume(asked.replace("é", "e") != title.replace("é", "e") and "part" not in (asked + title))
    assert offered(asked, title) == "another title"


@given(lengths, st.floats(0.1, 60))
def test_the_length_may_differ_by_three_seconds(length, difference):
    assume(abs(difference - 3) > 1e-6)
    song = Song("id", "Song", ("Artist",), duration_s=length)
    reason = mismatch(song, title="Song", artist="Artist", duration_s=length + difference)
    assert bool(reason) == (difference > 3)


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("Umbrella", "Umbrella (feat. JAY-Z)"),
        ("Umbrella", "Umbrella ft. Jay-Z"),
        ("Vai Malandra (feat. Tropkillaz & DJ Yuri Martins)", "Vai Malandra"),
        ("Vai Malandra", "Vai Malandra (part. MC Zaac)"),
        ("Deu Onda", "Deu Onda part. MC G15"),
        ("Time - 2011 Remaster", "Time"),
        ("Time - Remastered 2011", "Time (2011 Remastered Version)"),
        ("Hey Jude - Remastered 2015", "Hey Jude (Remaster)"),
        ("Le Freak - Single Version", "Le Freak"),
        ("Le Freak - Mono", "Le Freak (Single Edit)"),
        ("Don't Stop 'Til You Get Enough", "Dont Stop ’Til You Get Enough"),
        ("(I Can't Get No) Satisfaction - Mono Version", "(I Can't Get No) Satisfaction"),
        ('Lose Yourself - From "8 Mile" Soundtrack', "Lose Yourself (From “8 Mile”)"),
        ("AÇÃO", "acao"),
        ("Baile de Favela", "BAILE DE FAVELA"),
        ("MTG - Quero Te Encontrar", "MTG Quero Te Encontrar"),
        ("MONTAGEM - DIAMANTE ROSA", "Montagem - Diamante Rosa"),
        ("Another Brick in the Wall, Pt. 2", "Another Brick in the Wall, Part 2"),
        ("Shine On, Pts. 1-5", "Shine On (Pts. 1-5)"),
        ("Dança, Parte 2", "Dança (Pt. II)"),
        ("Song - DJ A Remix", "Song (DJ A Remix)"),
        ("Song - Funk Remix feat. B", "Song (Funk Remix) [feat. B]"),
        ("Song - Radio Mix", "Song"),
        ("Song - 2018 Mix", "Song (Remastered 2018)"),
        ("Song (with B)", "Song (feat. B)"),
        ("Rude (feat. Trap House)", "Rude"),
        ("Live and Let Die - Remastered", "Live And Let Die"),
        ("Part of Me", "Part Of Me (feat. B)"),
        ("Come Together - Remastered 2009", "Come Together"),
        ("Com Você", "COM VOCE (part. B)"),
        ("U.S.A.", "USA"),
        ("m.A.A.d city", "M.A.A.D. City"),
        ("Rock & Roll", "Rock and Roll"),
        ("A$AP Forever", "ASAP Forever"),
        ("\u2764\ufe0f", "\u2764"),
        ("Amor \u2764\ufe0f", "Amor"),
        ("Song - Ao Vivo", "Song (Live)"),
        ("Song (Live at Wembley)", "Song - Live"),
        ("강남스타일", "강남스타일"),
        ("Boom Boom 🔥", "Boom Boom"),
        ("Song (feat. X", "Song"),
        ("Ｓｏｎｇ（feat. X）", "Song"),
    ],
)
def test_the_same_recording_under_another_title(asked, title):
    assert offered(asked, title) == ""
    assert offered(title, asked) == ""


@pytest.mark.parametrize(
    ("asked", "title", "reason"),
    [
        ("Song", "Song (Remix)", "another version (remix)"),
        ("Song", "Song - DJ Guuga Remix", "another version (remix)"),
        ("Song (Remix)", "Song", "another version (remix)"),
        ("Song - DJ A Remix", "Song (DJ B Remix)", "another remix"),
        ("Song", "Song (Live)", "another version (live)"),
        ("Song", "Song - Ao Vivo", "another version (live)"),
        ("Song", "Song (En Vivo)", "another version (live)"),
        ("Song", "Song - Live at Wembley", "another version (live)"),
        ("Song", "Song (Karaoke Version)", "another version (karaoke)"),
        ("Song", "Song [Originally Performed by Artist]", "another version (cover)"),
        ("Song", "Song (Acústico)", "another version (acoustic)"),
        ("Song", "Song - Acoustic", "another version (acoustic)"),
        ("Song", "Song (Instrumental)", "another version (instrumental)"),
        ("Song", "Song (Mixed)", "another version (mixed)"),
        ("Song", "Song - Sped Up", "another version (sped)"),
        ("Song", "Song (Slowed + Reverb)", "another version (slowed)"),
        ("Song", "Song (Nightcore)", "another version (nightcore)"),
        ("Song", "Song - Demo", "another version (demo)"),
        ("Song", "Song (8-Bit Version)", "another version (8bit)"),
        ("Song", "Song (Extended Mix)", "another version (extended)"),
        ("Song", "Song (A Cappella)", "another version (acapella)"),
        ("Love Story", "Love Story (Taylor’s Version)", "another version (rerecorded)"),
        ("Envolver", "Envolver (MTG)", "another version (montagem)"),
        # What is behind the dash, or in brackets, is the name.
        ("MTG - Quero Te Encontrar", "MTG - Vai Com Calma", "another title"),
        ("MONTAGEM - DIAMANTE ROSA", "MONTAGEM - XONADA", "another title"),
        ("Symphony No. 5 - I. Allegro", "Symphony No. 5 - II. Andante", "another title"),
        ("Another Brick in the Wall, Pt. 1", "Another Brick in the Wall, Pt. 2", "another title"),
        ("Song (Part 1)", "Song (Part 2)", "another title"),
        ("Rap God (Night)", "Rap God (Day)", "another title"),
        ("Song", "Song (Funk Remix)", "another version (remix, style)"),
        ("Song", "Song (Versão Funk)", "another version (style)"),
        ("Song", "Song (Brega Funk)", "another version (style)"),
        ("Song", "Song - Spanish Version", "another version (spanish)"),
        ("Song - Jellybean Mix", "Song", "another version (jellybean)"),
        ("Song", "Song - DJ A Edit", "another version (dj)"),
        ("MTG - A Noite Ao Vivo", "MTG - O Dia Ao Vivo", "another title"),
        ("Montagem - Xonada - Slowed", "Montagem - Xonada", "another version (slowed)"),
        # Words of titles that announce guests elsewhere.
        ("Vem com Tudo", "Vem com Calma", "another title"),
        ("Bailar con Ella", "Bailar con Todos", "another title"),
        ("Part of Me", "Part of You", "another title"),
        ("A Part of Me", "A Part of You", "another title"),
        ("Com Você", "Com Ela", "another title"),
        ("Come Together", "Come Apart", "another title"),
        ("6 ft Under", "6 ft Deep", "another title"),
        ("A Feat of Love", "A Feat of Hate", "another title"),
        ("Live and Let Die", "Live and Let Live", "another title"),
        ("\u2764\ufe0f", "\u2b50\ufe0f", "another title"),
        ("\u2764\ufe0f (Remix)", "\u2b50\ufe0f (Remix)", "another title"),
        ("강남스타일", "젠틀맨", "another title"),
        ("東京", "大阪", "another title"),
        ("🔥", "💃", "another title"),
        ("Ação", "Atração", "another title"),
    ],
)
def test_another_recording_is_refused(asked, title, reason):
    assert offered(asked, title) == reason


def test_edits_are_told_apart_by_their_length():
    assert offered("Song", "Song (Radio Edit)", duration_s=201.0) == ""
    assert offered("Song", "Song (Radio Edit)", duration_s=175.0) == "another length (175 s instead of 200 s)"


def test_the_name_of_a_song_is_no_version():
    for title in ("Live and Let Die", "Karaoke", "Remix to Ignition", "Demo", "Cover Me"):
        assert versions(title) == frozenset()
        assert offered(title, title) == ""


@pytest.mark.parametrize(
    ("artists", "artist", "same"),
    [
        (("The Beatles",), "Beatles", True),
        (("Simon & Garfunkel",), "Simon and Garfunkel", True),
        (("Henrique & Juliano",), "Henrique e Juliano", True),
        (("Run-D.M.C.",), "RUN DMC", True),
        (("A$AP Rocky",), "ASAP Rocky", True),
        (("Mano Brown",), "Brown", False),
        (("Rihanna", "JAY-Z"), "Rihanna & JAY-Z", True),
        (("Rihanna", "JAY-Z"), "RIHANNA Feat. Jay Z", True),
        (("Rihanna",), "Rihanna feat. JAY-Z", True),
        (("JAY-Z", "Rihanna"), "Rihanna", True),
        (("Earth, Wind & Fire",), "Earth, Wind & Fire", True),
        (("Tyler, The Creator",), "Tyler, The Creator", True),
        (("MC Kevinho",), "Kevinho", False),
        (("Beyoncé",), "BEYONCE", True),
        (("Anitta",), "Anitta x Cardi B", True),
        (("Lil Nas X",), "Lil Nas X", True),
        (("Lil Nas",), "Lil Nas X", False),
        (("방탄소년단",), "블랙핑크", False),
        (("!!!",), "???", False),
        (("Artist",), "Another", False),
        (("Artist",), "", False),
        ((), "Artist", False),
        (("",), "", False),
    ],
)
def test_artists(artists, artist, same):
    assert offered("Song", "Song", artist, artists=artists) == ("" if same else "another artist")


@pytest.mark.parametrize("artist", ["Artist Karaoke", "Artist & Party Tyme Karaoke", "Artist / Tribute Band"])
def test_imitators_are_refused(artist):
    assert offered("Song", "Song", artist) == "an imitator"
    assert offered("Song", "Song", "Karaoke Tribute", artists=("Karaoke Tribute",)) == ""


def test_without_a_length_everything_else_has_to_be_equal():
    assert offered("Song", "SONG", duration_s=0) == ""
    reason = "a slightly different title, of unknown length"
    assert offered("Song", "Song (Radio Edit)", duration_s=0) == reason
    unknown = Song("id", "Song - Remastered 2011", ("Artist",))
    assert mismatch(unknown, title="Song", artist="Artist", duration_s=200) == reason
    assert mismatch(unknown, title="song (remastered 2011)", artist="Artist", duration_s=200) == ""


def test_one_code_can_stand_for_two_recordings_but_names_may_be_written_otherwise():
    song = Song("id", "Dynamite", ("방탄소년단",), isrc="QM6MZ2014927", duration_s=200.0)

    def by_isrc(title="Dynamite", artist="BTS", duration_s=199.0):
        return mismatch(song, title=title, artist=artist, duration_s=duration_s, same_isrc=True)

    assert by_isrc() == ""
    assert by_isrc("다이너마이트", "방탄소년단") == ""
    assert by_isrc("다이너마이트") == "another title"
    assert by_isrc(duration_s=0) == "another artist"
    assert by_isrc(duration_s=260).startswith("another length")
    assert by_isrc("Dynamite (Mixed)") == "another version (mixed)"
    assert by_isrc(artist="BTS Tribute") == "an imitator"
    assert mismatch(song, title="Dynamite", artist="BTS", duration_s=199.0) == "another artist"


def test_a_search_asks_for_the_version_but_not_for_guests():
    assert search_title("Vai Malandra (feat. Tropkillaz) - DJ A Remix") == "vai malandra dj a remix"
    assert search_title("Hey Jude - Remastered 2015") == "hey jude"
    assert search_title("Ação (Ao Vivo)") == "acao ao vivo"
    assert search_title("Song - Spanish Version") == "song spanish version"
    assert search_title("Song - Radio Edit") == "song"
    assert search_title("Another Brick in the Wall, Pt. 2 - 2011 Remaster") == "another brick in the wall"
    assert search_title("Part 1") == "part 1"
    assert search_title("🔥") == "🔥"
    assert normalised_artist("The The") and normalised_artist("!!!") == "!!!"
