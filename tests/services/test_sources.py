"""Deezer and iTunes with their odd habits: what is offered, and why not."""

import re
from dataclasses import replace
from itertools import pairwise, product

import pytest
from fakes.previews import BUSY, ITEMS, NO_DATA, QUOTA, THROTTLED, FakeStores
from fakes.server import Answer, FakeServer, services

from genres.core.console import UserError
from genres.sources import web
from genres.sources.spotify import sources
from genres.sources.spotify.song import Song
from genres.sources.spotify.sources import NoAnswerError, NotFoundError, Sources
from genres.sources.web import UnavailableError

SONG = Song("4t1", "Song One", ("Artist", "Guest"), isrc="QZFAK0000001", duration_s=200.4)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(sources, "DEEZER_WINDOW_S", 0.02)
    monkeypatch.setattr(sources, "ITUNES_PAUSE_S", 0.03)
    with FakeServer() as server:
        yield server


@pytest.fixture
def stores(server, monkeypatch):
    stores = FakeStores(server)
    for name, value in stores.environment.items():
        monkeypatch.setenv(name, value)
    return stores


def asking(market: str = "US", **changes) -> Sources:
    return Sources(services(**changes), market)


def why_not(source: str, song: Song = SONG, **changes) -> str:
    with pytest.raises(NotFoundError) as error:
        asking(**changes).offer(source, song)
    return str(error.value)


def test_spotifys_own_preview_where_there_is_one():
    assert why_not("spotify") == "no preview_url"
    url = "https://p.scdn.co/mp3-preview/0123"
    assert asking().offer("spotify", replace(SONG, preview_url=url)).url == url


@pytest.mark.parametrize(
    ("source", "only", "address"),
    [
        ("deezer_isrc", "deezer_isrc", "/cdn/dzcdn/"),
        ("deezer_search", "deezer_search", "/cdn/dzcdn/"),
        ("itunes_isrc", "itunes_isrc", "/cdn/apple/"),
        ("itunes_search", "itunes", "/cdn/apple/"),
    ],
)
def test_each_source_offers_what_its_store_sells(server, stores, source, only, address):
    places = {"deezer_isrc": False, "deezer_search": False, "itunes": False, "itunes_isrc": False}
    stores.add(SONG, **places | {only: True})
    offer = asking().offer(source, SONG)
    assert offer.url.startswith(server.url + address)
    assert (offer.title, offer.artist) == ("Song One", "Artist")
    others = {"deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"} - {source}
    assert {why_not(other) for other in others} == {"unknown there"}


def test_what_is_asked(server, stores):
    stores.add(SONG, itunes_isrc=True)
    song = replace(SONG, title='Song "One" (feat. Guest) - Remastered 2011')
    for source in ("deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"):
        asking("BR").offer(source, song)
    track, search, lookup, shop = server.asked()
    assert track.path == "/deezer/track/isrc:QZFAK0000001"
    assert search.query["q"] == 'artist:"Artist" track:"song one"'
    assert lookup.query == {"isrc": "QZFAK0000001", "entity": "song", "country": "BR"}
    assert shop.query["term"] == "Artist song one"
    assert shop.query["country"] == "BR" and shop.query["entity"] == "song"
    assert all("music-genre-experiments" in request.headers["user-agent"] for request in server.asked())


def test_without_a_code_or_a_name_nothing_is_asked(server, stores):
    for source in ("deezer_isrc", "itunes_isrc"):
        assert why_not(source, replace(SONG, isrc="")) == "no ISRC"
    for source in ("deezer_search", "itunes_search"):
        assert why_not(source, replace(SONG, artists=())) == "no title or no artist to search for"
    assert server.asked() == []


def test_a_manifest_with_nothing_but_codes_takes_the_stores_word(stores):
    stores.add(SONG, itunes_isrc=True)
    for source in ("deezer_isrc", "itunes_isrc"):
        assert asking().offer(source, Song("", "", (), isrc=SONG.isrc)).title == "Song One"
        known = Song("", "", (), isrc=SONG.isrc, duration_s=260.0)
        assert why_not(source, known) == "another length (200 s instead of 260 s)"


# ── F44, F45: Deezer's errors come with HTTP 200 ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(NO_DATA), "unknown there"),
        (Answer(NO_DATA, 404), "unknown there"),
        (Answer({"error": "Not Found"}, 404), "unknown there"),
        (
            Answer({"error": {"type": "ParameterException", "message": "Wrong parameter", "code": 500}}),
            "refused (Wrong parameter)",
        ),
    ],
)
def test_deezers_errors_that_are_final(server, stores, answer, reason):
    stores.add(SONG)
    server.fault("/deezer/", answer)
    assert why_not("deezer_isrc") == reason
    assert len(server.asked()) == 1


def test_a_code_is_one_part_of_the_address_whatever_it_holds(server, stores):
    why_not("deezer_isrc", replace(SONG, isrc="QZ/../search?q=x&limit=1#"))
    (request,) = server.asked()
    assert request.path == "/deezer/track/isrc:QZ%2F..%2Fsearch%3Fq%3Dx%26limit%3D1%23"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("Something", "an error without a code"),
        ({"type": "Exception", "message": "An error has occured"}, "an error without a code"),
        ({"type": "OAuthException", "message": "Permission denied", "code": 200}, "an error of code 200"),
        ({"type": "Exception", "message": "Something new", "code": 4711}, "an error of code 4711"),
    ],
)
def test_deezers_errors_that_are_not_about_the_question_are_not_final(server, stores, error, says):
    server.fault("/deezer/", Answer({"error": error}))
    with pytest.raises(NoAnswerError, match=says):
        asking().offer("deezer_isrc", SONG)


PASSING = [
    Answer(status=503),
    Answer("<html>busy</html>"),
    Answer(b""),
    Answer([]),
    Answer(None),
    Answer({}),
    Answer({"resultCount": 1, "total": 1}),
    Answer({"id": 1}, cut_after=3),
    Answer(b"no gzip", headers={"Content-Encoding": "gzip"}),
    Answer(reset=True),
]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        *product(["deezer_isrc", "deezer_search"], [Answer(QUOTA), Answer(ITEMS), Answer(BUSY), *PASSING]),
        *product(["itunes_isrc", "itunes_search"], [THROTTLED, *PASSING]),
    ],
)
def test_faults_that_pass_are_waited_for(server, stores, source, answer):
    stores.add(SONG, itunes_isrc=True)
    server.fault("/(deezer|itunes)/", answer, times=2)
    assert asking().offer(source, SONG).title == "Song One"
    assert len(server.asked()) == 3


def test_deezers_quota_that_lasts_stops_the_run_and_says_how_to_go_on(server, stores):
    stores.add(SONG)
    server.fault("/deezer/", Answer(QUOTA), times=99)
    with pytest.raises(UnavailableError) as error:
        asking().offer("deezer_isrc", SONG)
    assert error.value.status == 3
    assert "limits requests without saying for how long (Quota limit exceeded)" in str(error.value)
    assert re.search(r"again at \d{4}-\d\d-\d\d \d\d:\d\d or later", str(error.value))
    assert "remove deezer's sources from audio_from" in str(error.value)


def test_an_answer_with_an_empty_list_of_errors_is_one(stores):
    stores.add(SONG, changes={"error": []})
    assert asking().offer("deezer_isrc", SONG).title == "Song One"


def test_a_hit_without_a_preview(stores):
    stores.add(SONG, preview=False, itunes_isrc=True)
    for source in ("deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"):
        assert why_not(source) == "no preview there"


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"preview": None}, "no preview there"),
        ({"artist": None}, "another artist"),
        ({"artist": "Artist"}, "another artist"),
        ({"title": None}, "another title"),
        ({"duration": "long", "title": "Song One (Edit)"}, "a slightly different title, of unknown length"),
    ],
)
def test_hits_with_something_missing_are_no_surprise(stores, odd, reason):
    stores.add(SONG, changes=odd)
    assert why_not("deezer_search") == reason


def test_the_quota_that_deezer_publishes_is_kept_by_the_pace(server, stores):
    stores.add(SONG)
    stores.deezer_limit = (10, 0.5)  # 50 in 5 s, scaled
    rates = dict.fromkeys(("spotify", "deezer", "itunes", "downloads"), 14.0)
    polite = asking(requests_per_second=rates, attempts=1)
    for _ in range(15):
        polite.offer("deezer_isrc", SONG)
    assert len(server.asked("/deezer/")) == 15


# ── F47: wrong matches ────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_several_hits_the_right_one_is_taken(stores):
    for title, artist, length in [
        ("Song One (Remix)", "Artist", 200),
        ("Song One", "Artist Karaoke", 200),
        ("Song One", "Artist", 260),
        ("Song One (Live)", "Artist", 200),
        ("Song One (feat. Guest)", "Artist", 201),
        ("Song One", "Artist", 201),
    ]:
        stores.add(SONG, title=title, artist=artist, duration_s=length)
    for source in ("deezer_search", "itunes_search"):
        assert asking().offer(source, SONG).title == "Song One (feat. Guest)"


def test_a_remix_is_searched_for_by_its_name(stores):
    for number in range(30):
        stores.add(SONG, title=f"Song One (Edit {number})")
    stores.add(SONG, title="Song One (DJ A Remix)")
    asked = replace(SONG, title="Song One - DJ A Remix")
    for source in ("deezer_search", "itunes_search"):
        assert asking().offer(source, asked).title == "Song One (DJ A Remix)"


def test_one_code_for_two_recordings(stores):
    stores.add(SONG, title="Song One (Mixed)", itunes_isrc=True)
    for source in ("deezer_isrc", "itunes_isrc"):
        assert why_not(source) == "another version (mixed)"


def test_a_code_vouches_for_a_name_in_another_script_and_a_search_does_not(stores):
    stores.add(SONG, artist="아티스트", itunes_isrc=True)
    stores.sold.append(replace(stores.sold[0], number=2, isrc="", artist="아티스트 Artist 2"))
    assert asking().offer("deezer_isrc", SONG).artist == "아티스트"
    assert asking().offer("itunes_isrc", SONG).artist == "아티스트"
    assert why_not("deezer_search") == "another artist"


# ── F48: iTunes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_itunes_says_403_without_a_word_and_is_waited_for(server, stores, monkeypatch):
    monkeypatch.setattr(sources, "ITUNES_PAUSE_S", 0.2)
    stores.add(SONG)
    server.fault("/itunes/", THROTTLED, times=2)
    assert asking().offer("itunes_search", SONG).title == "Song One"
    times = [request.time for request in server.asked()]
    assert [later - earlier > 0.19 for earlier, later in pairwise(times)] == [True, True]


@pytest.mark.parametrize("name", ["deezer_isrc", "itunes_search"])
def test_one_song_that_a_store_stumbles_over_is_no_outage(server, stores, name):
    """Its answer stays open, and the next source is asked; only several in a row mean that the store is closed."""
    asked = asking()
    stumbling, other = SONG, replace(SONG, isrc="QZFAK0000099", title="Other")
    for _ in range(sources.OUTAGE):
        server.fault("GET /(deezer|itunes)/", Answer(status=500), times=3)
        with pytest.raises(NoAnswerError, match="no answer from"):
            asked.offer(name, stumbling)
        with pytest.raises(NotFoundError):
            asked.offer(name, other)
    server.fault("GET /(deezer|itunes)/", Answer(status=500), times=3 * sources.OUTAGE)
    for _ in range(sources.OUTAGE - 1):
        with pytest.raises(NoAnswerError):
            asked.offer(name, stumbling)
    with pytest.raises(UnavailableError, match="run the same command again later"):
        asked.offer(name, stumbling)


def test_itunes_that_stays_shut_stops_the_run(server, stores):
    server.fault("/itunes/", THROTTLED, times=99)
    with pytest.raises(
        UnavailableError, match=r"for how long \(asked too often.*remove itunes's sources from audio_from"
    ):
        asking().offer("itunes_search", SONG)


def test_the_store_of_another_country(stores):
    stores.add(SONG, countries=("BR",))
    assert why_not("itunes_search") == "unknown there"
    assert asking("BR").offer("itunes_search", SONG).title == "Song One"


def test_a_market_that_is_none_is_the_users_error(stores):
    with pytest.raises(UserError, match="iTunes has no store for market: XX"):
        asking("XX").offer("itunes_search", SONG)


def test_itunes_without_a_length(stores):
    stores.add(SONG, changes={"trackTimeMillis": None})
    assert asking().offer("itunes_search", SONG).title == "Song One"
    stores.sold[0].title = "Song One (Radio Edit)"
    assert "unknown length" in why_not("itunes_search")


def test_music_videos_are_no_songs(stores):
    stores.add(SONG, changes={"kind": "music-video"})
    assert why_not("itunes_search") == "unknown there"
