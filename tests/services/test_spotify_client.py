"""Playlists and tracks against a fake of Spotify's Web API; F4 to F42 are the ways in which the real one fails."""

import dataclasses
import email.utils
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fakes.server import Answer, FakeServer, Request, Route, services
from fakes.spotify import (
    CLIENT_ID,
    CLIENT_SECRET,
    ME,
    SOMEBODY,
    FakeSpotify,
    artist_id,
    error,
    make_episode,
    make_local,
    make_track,
    too_many,
    track_id,
)
from hypothesis import given
from hypothesis import strategies as st

from genres.core.console import UserError
from genres.sources import web
from genres.sources.spotify import api, client
from genres.sources.spotify.account import AccountError, read_configuration
from genres.sources.spotify.client import Client, Playlist, PlaylistError, TrackError
from genres.sources.spotify.entries import song_of_entry, song_of_track, songs_of
from genres.sources.spotify.song import Song
from genres.sources.spotify.tokens import Token, save_token, token_path
from genres.sources.web import ServiceError, UnavailableError

ID = "49eCUcvvK1NJbzn8LewQma"
OTHER_ID = "4kG4PPMg4vAEXdeRbnsDmo"
SPOTIFYS_OWN = "37i9dQZF1DX38t16fuNXJJ"
ANY = "GET /v1/"
HEAD = f"GET /v1/playlists/{ID}$"
ITEMS = f"GET /v1/playlists/{ID}/items"


@pytest.fixture
def spotify(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpotify]:
    """Spotify as a new app sees it, whose user is logged in."""
    for name in [name for name in os.environ if name.startswith(("SPOTIPY_", "SPOTIFY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    with FakeServer() as server:
        fake = FakeSpotify(server)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        log_in(fake)
        yield fake


@pytest.fixture
def app(spotify: FakeSpotify) -> FakeSpotify:
    """The same without a login: the app acts for itself."""
    token_path(CLIENT_ID).unlink()
    return spotify


def log_in(spotify: FakeSpotify, scope: str | None = None) -> None:
    access, refresh = spotify.log_in()
    if scope is not None:
        spotify.tokens[access].scope = scope
    accounts_url = read_configuration().accounts_url
    save_token(token_path(CLIENT_ID), Token(access, time.time() + 3600, refresh), CLIENT_ID, accounts_url)


def read(link: str = ID, market: str | None = None, **changes: Any) -> Playlist:
    return Client(services(**changes), market=market).playlist(link)


def ids(playlist: Playlist) -> list[str]:
    return [song.spotify_id for song in playlist.songs]


def numbers(*ranges: range) -> list[str]:
    return [track_id(n) for one in ranges for n in one]


def mine(spotify: FakeSpotify, count: int = 3) -> None:
    spotify.add_playlist(ID, "Funk", [make_track(n) for n in range(count)], owner=ME)


def refused(link: str = ID) -> str:
    with pytest.raises(PlaylistError) as caught:
        read(link)
    message = str(caught.value)
    assert "\n" not in message and caught.value.status == 2
    return message


# ── What is read ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_own_playlist_becomes_songs(spotify: FakeSpotify) -> None:
    tracks = [make_track(1, artist=5, name="Ação 🎵", preview_url="https://p.scdn.co/mp3-preview/0"), make_track(2)]
    playlist = spotify.add_playlist(ID, "Brazilian funk", tracks, owner=ME)
    found = read(f"https://open.spotify.com/intl-pt/playlist/{ID}?si=1")
    assert (found.id, found.name, found.snapshot_id, found.total) == (ID, "Brazilian funk", playlist.snapshot_id, 2)
    assert found.left_out == {}
    assert found.songs[0] == Song(
        track_id(1),
        "Ação 🎵",
        ("Artist 5",),
        (artist_id(5),),
        "QZFAK0000001",
        180.001,
        "https://p.scdn.co/mp3-preview/0",
    )
    assert found.songs[1].preview_url == ""


def test_a_playlist_one_collaborates_on_is_read(spotify: FakeSpotify) -> None:
    spotify.add_playlist(ID, "Ours", [make_track(1)], owner=SOMEBODY, collaborators=(ME,), public=False)
    assert ids(read()) == numbers(range(1, 2))


@pytest.mark.parametrize("shape", ["item", "track", "both"])
def test_f34_both_shapes_of_entries_are_read(spotify: FakeSpotify, shape: str) -> None:
    spotify.shape = shape
    mine(spotify)
    assert ids(read()) == numbers(range(3))


def test_a_market_is_asked_for_where_one_is_given(spotify: FakeSpotify) -> None:
    tracks = [make_track(1), make_track(2, restrictions={"reason": "market"}), make_track(3, is_playable=False)]
    spotify.add_playlist(ID, "Funk", tracks, owner=ME)
    found = read(market="BR")
    assert ids(found) == numbers(range(1, 2)) and found.left_out == {"unplayable": 2}  # F41
    assert {request.query["market"] for request in spotify.server.asked(ANY)} == {"BR"}


def test_a_track_is_read_once(spotify: FakeSpotify) -> None:
    spotify.tracks[track_id(7)] = make_track(7)
    for link in (track_id(7), f"https://open.spotify.com/track/{track_id(7)}?si=1"):
        assert Client(services()).track(link).isrc == "QZFAK0000007"
    assert len(spotify.server.asked("tracks")) == 1


def test_f16_a_track_that_is_not_there_says_so(spotify: FakeSpotify) -> None:
    with pytest.raises(TrackError, match=f"track {track_id(8)}: Spotify has no such track"):
        Client(services()).track(track_id(8))
    spotify.tracks[track_id(9)] = make_track(9, name="", external_ids={})
    with pytest.raises(TrackError, match="not available any more"):
        Client(services()).track(track_id(9))


# ── Access ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f4_a_token_that_expires_midway_is_renewed_once(spotify: FakeSpotify) -> None:
    mine(spotify, 120)
    reader = Client(services())
    spotify.server.fault(ITEMS, lambda request, route: (spotify.expire_tokens(), route(request))[1])
    assert ids(reader.playlist(ID)) == numbers(range(120))
    assert len(spotify.server.asked("POST")) == 1


def test_f4_a_token_that_is_no_good_even_when_new_ends_the_run(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(ANY, error(401, "Invalid access token"), times=9)
    with pytest.raises(AccountError, match="refuses a token that it has just issued"):
        read()
    assert len(spotify.server.asked("POST")) == 1


def test_f10_somebody_elses_playlist_says_to_copy_it(spotify: FakeSpotify) -> None:
    spotify.add_playlist(ID, "Theirs", [make_track(1)])
    message = refused()
    for part in (ID, "that you own or collaborate on", "copy its songs into your own playlist", "HTTP 403"):
        assert part in message


def test_f10_without_a_login_a_new_app_is_told_to_log_in(app: FakeSpotify) -> None:
    app.add_playlist(ID, "Theirs", [make_track(1)])
    message = refused()
    assert "make spotify-login" in message and "copy its songs" in message


def test_f11_the_older_address_is_asked_only_where_the_newer_is_closed(app: FakeSpotify) -> None:
    app.app = "old"
    app.add_playlist(ID, "Theirs", [make_track(n) for n in range(230)])
    app.add_playlist(OTHER_ID, "Others'", [make_track(n) for n in range(3)])
    reader = Client(services())
    assert ids(reader.playlist(ID)) == numbers(range(230))
    assert ids(reader.playlist(OTHER_ID)) == numbers(range(3))
    asked = [(r.path.split("/")[-1], r.query["limit"], r.query["offset"]) for r in app.server.asked("items|tracks")]
    assert asked == [("items", "50", "0"), *[("tracks", "100", str(n)) for n in (0, 100, 200)], ("tracks", "100", "0")]


def test_f11_an_extended_app_reads_all_at_the_newer_address(app: FakeSpotify) -> None:
    app.app = "extended"
    app.add_playlist(SPOTIFYS_OWN, "RapCaviar", [make_track(n) for n in range(60)])
    assert ids(read(SPOTIFYS_OWN)) == numbers(range(60))
    assert app.server.asked("/tracks$") == []


def test_f12_no_premium_is_said(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.premium = False
    message = refused()
    assert "owner has no Spotify Premium" in message and "some hours" in message
    assert len(spotify.server.asked(ANY)) == 1


def test_f12_no_premium_is_not_asked_for_at_another_address(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(ITEMS, Answer("Active premium subscription required for the owner of the app.", 403))
    assert "Premium" in refused()
    assert spotify.server.asked("/tracks$") == []


def test_f13_a_user_who_is_not_on_the_list_is_told(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.registered = False
    assert "User Management" in refused()


def test_f14_a_login_without_the_scope_is_told(spotify: FakeSpotify) -> None:
    mine(spotify)
    log_in(spotify, scope="")
    message = refused()
    assert "log in again with `make spotify-login`" in message and "Insufficient client scope" in message


def test_f15_what_only_a_user_may_read_says_so_and_no_token_is_wasted(app: FakeSpotify) -> None:
    app.app_is_refused_with = 401
    app.add_playlist(ID, "Theirs", [make_track(1)])
    message = refused()
    assert "make spotify-login" in message and "HTTP 401: Valid user authentication required" in message
    assert len(app.server.asked("POST")) == 1


@pytest.mark.parametrize(
    ("identity", "said"),
    [(SPOTIFYS_OWN, "one of Spotify's own"), (OTHER_ID, "deleted or is another user's private playlist")],
)
def test_f16_what_cannot_be_found_says_why(spotify: FakeSpotify, identity: str, said: str) -> None:
    spotify.add_playlist(SPOTIFYS_OWN, "RapCaviar", [make_track(1)], owner="spotify")
    spotify.add_playlist(OTHER_ID, "Secret", [make_track(1)], public=False)
    message = refused(identity)
    assert said in message and "HTTP 404: Resource not found" in message
    assert len(spotify.server.asked(ANY)) == 1


def test_f16_one_bad_playlist_does_not_stop_the_others(spotify: FakeSpotify) -> None:
    mine(spotify)
    reader = Client(services())
    for link in (SPOTIFYS_OWN, OTHER_ID, "spotify:album:" + ID, "nonsense", ""):
        with pytest.raises(PlaylistError):
            reader.playlist(link)
    assert len(reader.playlist(ID).songs) == 3


def test_f17_an_id_that_spotify_does_not_take_is_said(spotify: FakeSpotify) -> None:
    spotify.server.fault(HEAD, error(400, "Invalid base62 id"))
    assert "does not accept this id" in refused()
    spotify.server.fault(HEAD, error(410, "Gone\nfor good " + "x" * 300))
    message = refused()
    assert "Spotify refuses it; see docs/spotify.md (HTTP 410: Gone for good" in message and len(message) < 300


def test_f18_a_playlist_described_without_entries_is_no_crash(spotify: FakeSpotify) -> None:
    spotify.add_playlist(ID, "Theirs", [make_track(1)])
    head = {"Authorization": f"Bearer {next(iter(spotify.tokens))}"}
    described = requests.get(f"{spotify.server.url}/v1/playlists/{ID}", headers=head, timeout=5).json()
    assert described["name"] == "Theirs" and not {"items", "tracks"} & set(described)
    assert "that you own or collaborate on" in refused()


# ── Limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f19_a_short_wait_is_waited_and_told(spotify: FakeSpotify, capsys: pytest.CaptureFixture[str]) -> None:
    mine(spotify)
    spotify.server.fault(ITEMS, too_many(1))
    start = time.monotonic()
    assert len(read().songs) == 3
    assert 1.0 <= time.monotonic() - start < 3
    assert f"playlist {ID}: HTTP 429: waiting 1 s" in capsys.readouterr().err


@pytest.mark.parametrize("after", ["86400", "86400.0", "date"])
def test_f20_a_long_wait_ends_the_run_and_the_next_one_goes_on(spotify: FakeSpotify, after: str) -> None:
    mine(spotify, 170)
    seconds = 86400
    if after == "date":
        after = email.utils.formatdate(time.time() + seconds, usegmt=True)
    answers = iter([False, False, True])
    spotify.server.fault(ITEMS, lambda request, route: too_many(after) if next(answers) else route(request), times=3)
    start = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        read()
    assert time.monotonic() - start < 5
    assert caught.value.status == 3
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + seconds))
    assert "24.0 hours" in str(caught.value) and at[:-1] in str(caught.value) and "\n" not in str(caught.value)
    assert ids(read()) == numbers(range(170))
    offsets = [request.query["offset"] for request in spotify.server.asked(ITEMS)]
    assert offsets == ["0", "50", "100", "100", "150"]  # nothing whole twice


@pytest.mark.parametrize(("after", "said"), [(None, "24.0 hours"), (5, "wait"), (41000, "11.4 hours")])
def test_f21_a_used_up_quota_ends_the_run_whatever_wait_it_names(
    spotify: FakeSpotify, after: int | None, said: str
) -> None:
    mine(spotify)
    spotify.server.fault(HEAD, too_many(after, reason="QUOTA_EXCEEDED"), times=9)
    with pytest.raises(UnavailableError, match="quota of all apps") as caught:
        read()
    assert said in str(caught.value)
    assert len(spotify.server.asked(HEAD)) == 1


@pytest.mark.parametrize("after", [None, "abc", "", "0", "-5", "inf", "nan", "Tue, 99 Foo 2026"])
def test_f22_other_forms_of_retry_after_are_tried_again_soon_but_not_at_once(
    spotify: FakeSpotify, after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.2)
    mine(spotify)
    answer = too_many(after)
    answer.body = "Too many requests"
    spotify.server.fault(ITEMS, answer)
    assert len(read().songs) == 3
    first, second = (request.time for request in spotify.server.asked(ITEMS))
    assert 0.13 < second - first < 2


def test_f22_a_fraction_of_a_second_is_kept_to(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 60.0)
    mine(spotify)
    spotify.server.fault(ITEMS, too_many("0.15"))
    assert len(read().songs) == 3
    first, second = (request.time for request in spotify.server.asked(ITEMS))
    assert 0.13 < second - first < 2


def test_f22_too_many_requests_without_end_is_an_error(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(ITEMS, too_many(), times=99)
    with pytest.raises(UnavailableError, match=r"without saying for how long \(HTTP 429\).* or later") as error:
        read()
    assert error.value.status == 3
    assert len(spotify.server.asked(ITEMS)) == 3


def test_f23_no_page_is_asked_for_that_is_larger_than_allowed(spotify: FakeSpotify) -> None:
    mine(spotify, 101)
    assert len(read().songs) == 101
    assert {request.query["limit"] for request in spotify.server.asked(ITEMS)} == {"50"}


# ── Transport ─────────────────────────────────────────────────────────────────────────────────────────────────────────

PASSING = {
    "f24-500": error(500, "Internal server error"),
    "f24-502-html": Answer("<html>Bad gateway</html>", 502),
    "f24-503-retry": Answer("", 503, {"Retry-After": "0.01"}),
    "f24-504": Answer("upstream request timeout", 504),
    "f24-408": Answer("", 408),
    "f25-reset": Answer(reset=True),
    "f25-short": Answer({"items": []}, cut_after=4),
    "f25-reset-midway": Answer({"items": []}, cut_after=4, reset=True),
    "f26-html": Answer("<html>Log in to the wireless network</html>"),
    "f26-empty": Answer(""),
    "f26-204": Answer("", 204),
    "f26-null": Answer(None),
    "f26-truncated": Answer('{"items": [{"it'),
    "f26-list": Answer([]),
    "f26-other": Answer({"something": "else"}),
    "f26-types": Answer({"items": "none", "total": "3", "snapshot_id": 1, "id": 2}),
    "f26-encoding": Answer("plain", headers={"Content-Encoding": "gzip"}),
    "f26-not-text": Answer(b"\xff\xfe{"),
    "f27-string": Answer({"error": "server_error"}, 500),
    "f27-list": Answer([1, 2], 503),
    "f27-null": Answer(None, 500),
    "f27-number": Answer({"error": 7}, 502),
    "f27-429": Answer({"error": "slow down"}, 429),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_f24_f25_f26_f27_faults_that_pass(spotify: FakeSpotify, fault: Answer) -> None:
    mine(spotify)
    for pattern in (HEAD, ITEMS):
        spotify.server.fault(pattern, fault, times=2)
    assert ids(read()) == numbers(range(3))
    assert len(spotify.server.asked(ANY)) == 3 + 4


def test_f24_faults_that_last_are_told_by_their_true_status(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(ANY, error(502, "Bad gateway"), times=99)
    start = time.monotonic()
    with pytest.raises(
        ServiceError, match=rf"playlist {ID}: no answer from spotify in 3 attempts \(HTTP 502\)"
    ) as caught:
        read()
    assert time.monotonic() - start < 1 and caught.value.status == 2


def test_f25_silence_is_not_waited_for_forever(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TIMEOUTS_S", (1.0, 0.2))
    mine(spotify)
    spotify.server.fault(ITEMS, lambda request, route: dataclasses.replace(route(request), delay_s=0.6))
    assert len(read().songs) == 3
    assert len(spotify.server.asked(ITEMS)) == 2  # the first was given up


def test_f25_a_closed_port_is_one_line(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTIFY_API_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ServiceError, match="connection refused"):
        read()


def test_f26_redirects_without_end_are_no_crash(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(HEAD, Answer("", 302, {"Location": f"/v1/playlists/{ID}"}), times=31)
    assert len(read().songs) == 3


@pytest.mark.parametrize("body", [{"error": "Forbidden"}, ["Forbidden"], {"message": "Forbidden"}, None, "Forbidden"])
def test_f27_a_refusal_in_another_form_is_told_by_its_status(spotify: FakeSpotify, body: Any) -> None:
    mine(spotify)
    spotify.server.fault(ANY, Answer(body, 403), times=9)
    assert "HTTP 403" in refused()
    assert len(spotify.server.asked(HEAD)) == 1


def test_f27_a_long_wait_in_another_form_is_kept_to(spotify: FakeSpotify) -> None:
    mine(spotify)
    spotify.server.fault(ANY, Answer({"error": "slow down"}, 429, {"Retry-After": "7200"}), times=9)
    with pytest.raises(UnavailableError, match=r"2\.0 hours"):
        read()
    assert len(spotify.server.asked(ANY)) == 1


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101, 230])
def test_f28_f31_every_entry_comes_once_whatever_the_count(spotify: FakeSpotify, count: int) -> None:
    mine(spotify, count)
    found = read()
    assert ids(found) == numbers(range(count)) and found.total == count and found.left_out == {}
    assert len(spotify.server.asked(ITEMS)) == max(1, -(-count // 50))


def test_an_unchanged_playlist_costs_one_request_and_a_changed_one_is_read_anew(
    spotify: FakeSpotify, project: Path
) -> None:
    mine(spotify, 120)
    first = read()
    spotify.server.log.clear()
    assert read() == first
    assert [request.path for request in spotify.server.log] == [f"/v1/playlists/{ID}"]
    spotify.change(ID, [make_track(n) for n in range(5, 65)])
    assert ids(read()) == numbers(range(5, 65))
    kept = [path for path in (project / ".cache/spotify/playlists" / ID).rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["whole.json"]  # earlier states and single pages are not piled up


@pytest.mark.parametrize("content", ["", '{"items": [', "[]", '{"items": 3, "total": 3}', "\0"])
def test_a_damaged_cache_is_read_anew(spotify: FakeSpotify, project: Path, content: str) -> None:
    mine(spotify)
    read()
    (whole,) = (project / ".cache/spotify/playlists" / ID).rglob("whole.json")
    whole.write_text(content)
    assert ids(read()) == numbers(range(3))


def test_another_market_is_another_answer(spotify: FakeSpotify) -> None:
    spotify.add_playlist(ID, "Funk", [make_track(1), make_track(2, restrictions={"reason": "market"})], owner=ME)
    assert len(read(market="US").songs) == 1
    spotify.playlists[ID].entries[1]["item"].pop("restrictions")  # playable elsewhere
    assert len(read(market="BR").songs) == 2


def after_page(spotify: FakeSpotify, *changes: Callable[[], None]) -> None:
    """Let the owner change the playlist right after each of the first pages is read."""

    def spoil(change: Callable[[], None]) -> Callable[[Request, Route], Answer]:
        def answer(request: Request, route: Route) -> Answer:
            given = route(request)
            given.body = given.content()  # as it was
            change()
            return given

        return answer

    for change in changes:
        spotify.server.fault(ITEMS, spoil(change))


def test_f29_a_playlist_that_changes_while_it_is_read_is_read_again(spotify: FakeSpotify) -> None:
    mine(spotify, 120)
    later = [make_track(n) for n in range(1, 121)]  # the first is gone: track 50 would be missed
    after_page(spotify, lambda: spotify.change(ID, later))
    found = read()
    assert ids(found) == numbers(range(1, 121)) and found.left_out == {}
    assert found.snapshot_id == spotify.playlists[ID].snapshot_id


def test_f29_a_song_added_in_front_is_not_taken_twice(spotify: FakeSpotify) -> None:
    mine(spotify, 60)
    after_page(spotify, lambda: spotify.change(ID, [make_track(n) for n in (99, *range(60))]))
    assert ids(read()) == numbers(range(99, 100), range(60))


def test_f29_a_playlist_that_never_rests_is_taken_as_last_seen(
    spotify: FakeSpotify, capsys: pytest.CaptureFixture[str]
) -> None:
    mine(spotify, 3)
    after_page(spotify, *[lambda: spotify.change(ID, [make_track(n) for n in range(3)])] * 9)
    assert ids(read()) == numbers(range(3))
    assert len(spotify.server.asked(ITEMS)) == 3
    assert "changes while it is read" in capsys.readouterr().err


def changed(**changes: Any) -> Callable[[Request, Route], Answer]:
    """A page with other values than the true ones; a function gets the true one."""

    def answer(request: Request, route: Route) -> Answer:
        page = json.loads(route(request).content())
        return Answer(page | {key: value(page[key]) if callable(value) else value for key, value in changes.items()})

    return answer


@pytest.mark.parametrize(
    "spoilt",
    [
        changed(next=None),
        changed(items=lambda items: items[:-1]),
        changed(items=[]),
        changed(total=lambda total: total + 1),
        changed(total=0),
        changed(offset=7, items=lambda items: items[::-1]),
    ],
    ids=["no next", "short page", "empty page", "another total", "total 0", "another offset"],
)
@pytest.mark.parametrize("page", ["0", "50", "100"])
def test_f30_a_spoilt_page_is_read_again(
    spotify: FakeSpotify, spoilt: Callable[[Request, Route], Answer], page: str
) -> None:
    mine(spotify, 120)
    spoil = iter([True])

    def at_page(request: Request, route: Route) -> Answer:
        if request.query["offset"] == page and next(spoil, False):
            return spoilt(request, route)
        return route(request)

    spotify.server.fault(ITEMS, at_page, times=99)
    found = read()
    assert ids(found) == numbers(range(120)) and found.total == 120 and found.left_out == {}


def test_f30_entries_that_never_come_are_counted(spotify: FakeSpotify, capsys: pytest.CaptureFixture[str]) -> None:
    mine(spotify, 60)
    spotify.server.fault(ITEMS, changed(items=lambda items: items[:-2]), times=99)
    found = read()
    assert found.left_out == {"not sent by Spotify": 4} and len(found.songs) == 56 and found.total == 60
    assert "is sent incompletely" in capsys.readouterr().err


@pytest.mark.parametrize("total", [10**12, 15_000])
def test_f30_a_total_that_makes_no_sense_ends(spotify: FakeSpotify, total: int) -> None:
    mine(spotify, 60)
    spotify.server.fault(ITEMS, changed(total=total), times=999)
    assert ids(read()) == numbers(range(60))
    assert len(spotify.server.asked(ITEMS)) <= 9


def test_f30_pages_without_end_end(spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_ENTRIES", 500)
    mine(spotify, 50)

    def again(request: Request, route: Route) -> Answer:
        offset, request.query["offset"] = int(request.query["offset"]), "0"
        return changed(total=3000, offset=offset)(request, route)

    spotify.server.fault(ITEMS, again, times=9999)
    found = read()
    assert ids(found) == numbers(range(50)) and found.total == 3000
    assert found.left_out == {"asked for twice": 450, "not sent by Spotify": 2500}
    assert len(spotify.server.asked(ITEMS)) == 10


def test_f30_the_address_of_the_next_page_is_never_followed(spotify: FakeSpotify) -> None:
    with FakeServer() as elsewhere:
        spotify.next_host = elsewhere.url
        mine(spotify, 120)
        assert len(read().songs) == 120
        assert elsewhere.asked() == []


def test_f32_the_total_counts_all_entries(spotify: FakeSpotify) -> None:
    tracks = [make_track(1), None, make_local(2), make_episode(3), make_track(4, id=None), make_track(1), make_track(5)]
    spotify.add_playlist(ID, "Mixed", tracks, owner=ME)
    found = read()
    assert ids(found) == [track_id(1), track_id(5)]
    assert found.left_out == {
        "not available any more": 2,
        "local file": 1,
        "episode": 1,
        "asked for twice": 1,
    }
    assert found.total == 7 == len(found.songs) + sum(found.left_out.values())


# ── Entries ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, "not available any more"),  # F33
        ({}, "not available any more"),
        ({"item": None}, "not available any more"),
        ({"added_at": None, "added_by": {"id": ""}, "is_local": False, "track": None}, "not available any more"),
        ({"item": None, "track": None, "is_local": True}, "local file"),  # F35
        ({"is_local": True, "item": make_local(1)}, "local file"),
        ({"is_local": False, "track": make_local(1)}, "local file"),
        ({"item": make_episode(1)}, "episode"),  # F36
        ({"item": {"type": "episode", "id": track_id(1), "name": "Talk"}}, "episode"),
        ({"item": {"episode": True, "track": False, "id": track_id(1), "name": "Talk"}}, "episode"),
        ({"track": {"type": "chapter", "id": track_id(1), "name": "Book"}}, "episode"),
        ({"item": make_track(1, id=None)}, "not available any more"),  # F37
        ({"item": make_track(1, id="../../etc")}, "not available any more"),
        ({"item": make_track(1, name="", external_ids={})}, "not available any more"),
        ({"item": make_track(1, is_playable=False)}, "unplayable"),  # F41
        ({"item": make_track(1, restrictions={"reason": "explicit"})}, "unplayable"),
        ("text", "not available any more"),
    ],
)
def test_f33_f35_f36_f37_f41_entries_that_are_no_songs(entry: Any, reason: str) -> None:
    assert song_of_entry(entry) == reason


def test_f34_boolean_keys_in_a_track_are_not_taken_for_the_track() -> None:
    track = make_track(1)
    assert track["track"] is True
    for entry in ({"item": track}, {"track": track}, {"item": track, "track": True}, {"item": True, "track": track}):
        song = song_of_entry(entry)
        assert isinstance(song, Song) and song.title == "Song 1"
    assert isinstance(song_of_track(track), Song)


@pytest.mark.parametrize(
    ("changes", "artists", "artist_ids"),
    [
        ({"artists": []}, (), ()),
        ({"artists": None}, (), ()),
        ({"artists": "Artist"}, (), ()),
        ({"artists": [{"name": "", "id": ""}, {"name": None}, {}, None]}, (), ()),
        ({"artists": [{"name": " MC A ", "id": None}, {"name": "MC B", "id": "b"}]}, ("MC A", "MC B"), ("", "b")),
    ],
)
def test_f38_missing_artists_are_unknown(changes: Any, artists: tuple[str, ...], artist_ids: tuple[str, ...]) -> None:
    song = song_of_track(make_track(1, **changes))
    assert isinstance(song, Song)
    assert (song.artists, song.artist_ids) == (artists, artist_ids)


@pytest.mark.parametrize(("duration", "seconds"), [(0, 0.0), (None, 0.0), ("180", 0.0), (-5, 0.0), (1500, 1.5)])
def test_f38_a_missing_duration_is_unknown(duration: Any, seconds: float) -> None:
    song = song_of_track(make_track(1, duration_ms=duration))
    assert isinstance(song, Song) and song.duration_s == seconds


def test_f38_a_name_is_not_needed_where_there_is_an_isrc() -> None:
    song = song_of_track(make_track(1, name="", artists=[], duration_ms=0))
    assert isinstance(song, Song) and (song.title, song.isrc) == ("", "QZFAK0000001")


def test_f39_the_same_id_is_one_song_and_the_same_recording_under_two_is_left_to_the_selection() -> None:
    twin = make_track(2, external_ids={"isrc": "QZFAK0000001"})
    songs, left_out = songs_of({"item": track} for track in (make_track(1), make_track(1), twin))
    assert [song.isrc for song in songs] == ["QZFAK0000001"] * 2 and left_out == {"asked for twice": 1}


@pytest.mark.parametrize(
    ("external", "isrc"),
    [
        ({"isrc": "GBDUW0000059"}, "GBDUW0000059"),
        ({"isrc": "gb-duw-00-00059"}, "GBDUW0000059"),
        ({"isrc": " gbduw0000059 "}, "GBDUW0000059"),
        ({"isrc": "GBDUW000005"}, ""),
        ({"isrc": None}, ""),
        ({"isrc": 12}, ""),
        ({"ean": "0886443927087"}, ""),
        ({}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_f40_isrcs_are_brought_to_one_form(external: Any, isrc: str) -> None:
    song = song_of_track(make_track(1, external_ids=external))
    assert isinstance(song, Song) and song.isrc == isrc


def test_f42_any_name_comes_whole_and_files_are_named_by_ids(spotify: FakeSpotify, project: Path) -> None:
    names = ["AC/DC", "..", "🎵 Ação\u0301", "نص", 'a"b\\c\n', "CON", "x" * 400]
    tracks = [make_track(n, name=name) for n, name in enumerate(names)]
    spotify.add_playlist(ID, "../💃", tracks, owner=ME)
    found = read()
    assert [song.title for song in found.songs] == [name.strip() for name in names] and found.name == "../💃"
    kept = [path for path in (project / ".cache").rglob("*") if path.is_file()]
    assert kept and all(str(path).isascii() for path in kept)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(make_track(1))), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["item", "track", "is_local"]),
        st.one_of(
            json_values,
            st.builds(
                lambda changes: make_track(1, **changes),
                st.dictionaries(st.sampled_from(sorted(make_track(1))), json_values),
            ),
        ),
    )
)
def test_f33_f42_no_entry_breaks_it(entry: Any) -> None:
    songs, left_out = songs_of([entry])
    assert len(songs) + sum(left_out.values()) == 1


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_f9_no_secret_is_logged_by_the_web_api(
    app: FakeSpotify, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    app.app = "old"
    app.add_playlist(ID, "Theirs", [make_track(1)])
    app.server.fault(HEAD, error(404, "Resource not found"))
    refused()
    read()
    assert "Bearer ***" in caplog.text  # spotipy did log the header
    for secret in (CLIENT_SECRET, *app.tokens):
        assert secret not in caplog.text


def test_spotipys_own_error_lines_are_not_printed(spotify: FakeSpotify) -> None:
    Client(services())
    assert logging.getLogger("spotipy").handlers  # else Python prints errors of loggers that nobody listens to


def test_the_pace_is_kept(spotify: FakeSpotify) -> None:
    mine(spotify, 500)
    rates = {"spotify": 25.0, "deezer": 1.0, "itunes": 1.0, "downloads": 1.0}
    spotify.server.fault(ITEMS, Answer("", 503), times=2)
    assert len(read(requests_per_second=rates).songs) == 500
    times = [request.time for request in spotify.server.asked(ANY)]
    assert len(times) == 14
    assert times[-1] - times[0] >= 13 / 25 * 0.95


def test_a_link_of_the_wrong_kind_for_a_track_is_one_line(spotify: FakeSpotify) -> None:
    with pytest.raises(UserError, match="leads to a playlist"):
        Client(services()).track(f"spotify:playlist:{ID}")
    assert spotify.server.asked(ANY) == []
