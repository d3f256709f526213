"""Audio is found, fetched, checked and kept; whatever goes wrong, nothing that is whole is fetched twice."""

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from checkout import ROOT
from fakes.previews import ITEMS, QUOTA, THROTTLED, FakeStores, piece
from fakes.server import Answer, FakeServer, services

from genres.audio import decode
from genres.core.console import UserError, command
from genres.core.paths import cache_dir
from genres.sources import web
from genres.sources.spotify import downloads, previews, sources
from genres.sources.spotify.previews import check_decoders, fetch_all
from genres.sources.spotify.song import Song, name_of
from genres.sources.web import UnavailableError

ALL = ["spotify", "deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"]
SECONDS = 11.0


def song(n: int, **changes) -> Song:
    return replace(Song(f"4t{n:020d}", f"Song {n}", ("Artist",), isrc=f"QZFAK{n:07d}", duration_s=200.0), **changes)


def fetch(songs: list[Song], audio_from=ALL, market: str = "US", **settings):
    return fetch_all(songs, audio_from, market, services(**settings))


def fetch_one(asked: Song, audio_from=ALL, **settings):
    return fetch([asked], audio_from, **settings)[asked]


@pytest.fixture
def server(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(sources, "DEEZER_WINDOW_S", 0.02)
    monkeypatch.setattr(sources, "ITUNES_PAUSE_S", 0.02)
    with FakeServer() as server:
        yield server


@pytest.fixture
def stores(server, monkeypatch):
    stores = FakeStores(server, seconds=SECONDS, pieces=4)
    for name, value in stores.environment.items():
        monkeypatch.setenv(name, value)
    return stores


def stored() -> list[str]:
    return sorted(path.name for path in (cache_dir("spotify") / "audio").glob("*"))


def sent(server: FakeServer) -> Counter[str]:
    return Counter(request.path for request in server.asked("GET /cdn/") if request.status == 200)


# ── What comes, and what is kept ──────────────────────────────────────────────────────────────────────────────────────


def test_the_first_source_that_has_it_gives_it(server, stores):
    sold = stores.add(song(1), deezer_isrc=False, deezer_search=False)
    outcome = fetch_one(song(1))
    assert outcome.source == "itunes_search"
    assert outcome.refused == {
        "spotify": "no preview_url",
        "deezer_isrc": "unknown there",
        "deezer_search": "unknown there",
        "itunes_isrc": "unknown there",
    }
    assert outcome.path.read_bytes() == stores.music(sold, ".m4a")
    assert decode.load(outcome.path, 22050).size == pytest.approx(SECONDS * 22050, rel=0.01)
    record = json.loads(outcome.path.with_suffix(".json").read_text())
    assert record["source"] == "itunes_search" and record["title"] == "Song 1" and record["artist"] == "Artist"
    assert record["host"] == "127.0.0.1" and record["bytes"] == len(outcome.path.read_bytes())


def test_spotifys_own_preview(server, stores):
    sold = stores.add(song(1))
    outcome = fetch_one(song(1, preview_url=stores.spotify_url(sold)))
    assert outcome.source == "spotify" and outcome.refused == {}
    assert [request.path.split("/")[1] for request in server.asked()] == ["cdn"]


def test_the_order_is_the_recipes(server, stores):
    stores.add(song(1))
    assert fetch_one(song(1), ["itunes_search", "deezer_isrc"]).source == "itunes_search"


def test_a_second_run_asks_for_nothing(server, stores):
    songs = [song(n) for n in range(6)]
    for each in songs[:4]:
        stores.add(each)
    first = fetch(songs)
    before = len(server.asked())
    second = fetch(songs)
    assert len(server.asked()) == before
    assert {each: outcome.path for each, outcome in second.items()} == {
        each: outcome.path for each, outcome in first.items()
    }
    assert [second[each].path is None for each in songs] == [False] * 4 + [True] * 2
    assert second[songs[5]].refused == first[songs[5]].refused


def test_what_is_damaged_since_is_fetched_again(server, stores):
    stores.add(song(1))
    path = fetch_one(song(1)).path
    path.write_bytes(path.read_bytes()[:1000])
    assert len(fetch_one(song(1)).path.read_bytes()) > 1000
    path.write_bytes(bytes(path.stat().st_size))
    assert any(fetch_one(song(1)).path.read_bytes())
    path.unlink()
    assert fetch_one(song(1)).path.exists()
    path.with_suffix(".json").write_text('{"file": "')
    assert fetch_one(song(1)).path.exists()
    for odd in ('{"file": "x.mp3"}', '{"file": 1, "sha256": 2, "source": 3}', '{"refused": "all"}', "[]", ""):
        path.with_suffix(".json").write_text(odd)
        assert fetch_one(song(1)).path.exists()
    assert list(sent(server).values()) == [10]


def test_a_miss_is_asked_for_again_after_a_month_or_elsewhere(server, stores):
    fetch_one(song(1))
    stores.add(song(1))
    assert fetch_one(song(1)).path is None
    record = cache_dir("spotify") / "audio" / f"{name_of(song(1))}.json"
    old = time.time() - 29 * 86400
    os.utime(record, (old, old))
    assert fetch_one(song(1)).path is None
    old = time.time() - 31 * 86400
    os.utime(record, (old, old))
    assert fetch_one(song(1)).path is not None
    fetch_one(song(2))
    stores.add(song(2))
    assert fetch_one(song(2), ["deezer_isrc"]).path is not None
    fetch([song(3)], market="US")
    stores.add(song(3))
    assert fetch([song(3)], market="BR")[song(3)].path is not None


@pytest.mark.parametrize("wrong", [{"title": "Sonk 1"}, {"artists": ("Artits",)}, {"duration_s": 300.0}])
def test_a_song_whose_manifest_is_mended_is_asked_for_again(server, stores, wrong):
    stores.add(song(1))
    assert fetch_one(song(1, **wrong), ["deezer_search"]).path is None
    asked = len(server.asked())
    assert fetch_one(song(1, **wrong), ["deezer_search"]).path is None
    assert len(server.asked()) == asked
    assert fetch_one(song(1), ["deezer_search"]).path is not None


def test_a_file_of_a_source_that_is_not_wanted_any_more_is_replaced(server, stores):
    stores.add(song(1))
    assert fetch_one(song(1)).source == "deezer_isrc"
    assert fetch_one(song(1), ["itunes_search"]).source == "itunes_search"


# ── F42: names of files ───────────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_named_by_ids_whatever_the_title(server, stores):
    wild = "../../🔥 a/b\\c:*?\0 Ação"
    songs = [
        Song("4tX", wild, ("A/../B",), duration_s=200.0),
        Song("", wild, ("A/../B",), isrc="QZFAK0000001", duration_s=200.0),
        Song("", wild, ("A/../B",), duration_s=200.0),
    ]
    for each in songs:
        stores.add(each)
    fetched = fetch(songs)
    assert all(outcome.path.parent == cache_dir("spotify") / "audio" for outcome in fetched.values())
    assert stored()[:4] == ["4tX.json", "4tX.mp3", "QZFAK0000001.json", "QZFAK0000001.mp3"]
    assert stored()[4].startswith("song-") and len(stored()) == 6


def test_two_entries_of_one_id_are_one_file(server, stores):
    stores.add(song(1))
    twins = [song(1), song(1, preview_url="https://elsewhere.example/x"), song(1, duration_s=201.0)] * 4
    fetched = fetch(twins)
    assert {outcome.path for outcome in fetched.values()} == {
        cache_dir("spotify") / "audio" / f"{name_of(twins[0])}.mp3"
    }
    assert list(sent(server).values()) == [1]


# ── F46: Deezer's links expire ────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_that_has_expired_is_asked_for_once_more(server, stores):
    stores.add(song(1))

    def late(request, route):
        answer = route(request)
        stores.expire_links()
        return answer

    server.fault("GET /deezer/track", late)
    outcome = fetch_one(song(1))
    assert outcome.source == "deezer_isrc"
    assert [request.status for request in server.asked("/cdn/")] == [403, 200]
    assert len(server.asked("GET /deezer/track")) == 2


def test_links_that_never_work_lead_to_the_next_source(server, stores):
    stores.link_life_s = -1.0
    stores.add(song(1))
    outcome = fetch_one(song(1))
    assert outcome.source == "itunes_search"
    assert outcome.refused["deezer_isrc"] == outcome.refused["deezer_search"] == "HTTP 403"
    assert len(server.asked("/cdn/dzcdn")) == 4


# ── F49, F50: what comes is no audio, or none that would do ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ".*ended early"),
        (b"<html>please log in to the wireless network</html>", "cannot be decoded"),
        (piece(1, ".mp3", SECONDS)[:20_000], "truncated|cannot be decoded"),
        (piece(1, ".m4a", SECONDS)[:20_000], "truncated|cannot be decoded"),
        (piece(-1, ".mp3", SECONDS), "silent"),
        (piece(1, ".mp3", 5.0), r"only 5\.\d s long"),
        (bytes(2_100_000), r"too large for a preview \(2\.1 MB\)"),
    ],
    ids=["nothing", "a page", "half an mp3", "half an m4a", "silence", "short", "large"],
)
def test_no_music_leads_to_the_next_source(server, stores, content, reason):
    stores.add(song(1), content=content, itunes=False)
    stores.add(song(1), deezer_isrc=False, deezer_search=False)
    outcome = fetch_one(song(1), ["deezer_isrc", "itunes_search"])
    assert outcome.source == "itunes_search"
    assert re.match(reason, outcome.refused["deezer_isrc"])
    assert stored() == [f"{name_of(song(1))}.json", f"{name_of(song(1))}.m4a"]


def test_no_more_is_read_than_a_preview_may_have(server, stores):
    stores.add(song(1))
    endless = Answer(bytes(30_000_000), headers={"Content-Length": "unknown"}, cut_after=30_000_000)
    server.fault("/cdn/", endless)
    assert fetch_one(song(1), ["deezer_isrc"]).refused == {"deezer_isrc": "too large for a preview (over 2 MB)"}


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=503),
        Answer(status=429, headers={"Retry-After": "0.05"}),
        Answer(reset=True),
        lambda request, route: replace(route(request), cut_after=10_000),
        lambda request, route: replace(route(request), cut_after=10_000, reset=True),
        lambda request, route: replace(route(request), headers={"Content-Encoding": "gzip"}),
    ],
    ids=["503", "429", "reset", "cut", "cut and reset", "damaged encoding"],
)
def test_a_download_that_breaks_is_begun_again(server, stores, fault):
    sold = stores.add(song(1))
    server.fault("/cdn/", fault, times=2)
    outcome = fetch_one(song(1))
    assert outcome.source == "deezer_isrc"
    assert outcome.path.read_bytes() == stores.music(sold, ".mp3")
    assert len(server.asked("/cdn/")) == 3


def test_a_download_that_always_breaks_is_tried_in_the_next_run(server, stores):
    stores.add(song(1), itunes=False)
    server.fault("/cdn/", Answer(status=503), times=6)
    outcome = fetch_one(song(1))
    assert outcome.path is None
    assert "3 attempts (HTTP 503)" in outcome.refused["deezer_isrc"]
    assert fetch_one(song(1)).source == "deezer_isrc"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("<HTML>Access Denied</HTML>", 403), "HTTP 403"),
        (Answer("Not found", 404), "HTTP 404"),
        (
            Answer("<html>please log in</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
            "not audio but text/html",
        ),
        (Answer(b""), "ended early"),
    ],
)
def test_a_network_that_sends_nothing_of_use_today_is_asked_again_in_the_next_run(server, stores, answer, reason):
    stores.add(song(1))
    server.fault("/cdn/", answer, times=3 if reason == "ended early" else 2)
    outcome = fetch_one(song(1), ["deezer_isrc"])
    assert outcome.path is None and reason in outcome.refused["deezer_isrc"]
    server.faults.clear()
    assert fetch_one(song(1), ["deezer_isrc"]).path is not None


def test_no_store_sends_this_machine_to_itself(server, stores, monkeypatch):
    url = stores.spotify_url(stores.add(song(1)))
    for name in stores.environment:
        monkeypatch.delenv(name)
    assert fetch_one(song(1, preview_url=url), ["spotify"]).refused == {
        "spotify": "the URL is not of an accepted host (127.0.0.1)"
    }
    assert server.asked() == []


def test_an_error_that_says_nothing_is_asked_again_in_the_next_run(server, stores):
    stores.add(song(1))
    server.fault("GET /deezer/", Answer({"error": {"type": "Exception", "message": "An error has occured"}}))
    assert fetch_one(song(1), ["deezer_isrc"]).path is None
    assert fetch_one(song(1), ["deezer_isrc"]).path is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://p.scdn.co/mp3-preview/0",  # not encrypted
        "https://p.scdn.co:8443/mp3-preview/0",
        "https://evil.example/mp3-preview/0",
        "https://p.scdn.co.evil.example/0",
        "https://evilscdn.co/0",
        "https://p.scdn.co@evil.example/0",
        "https://evil.example\\@p.scdn.co/0",  # read differently by urlsplit and by requests
        "https://evil.example#@p.scdn.co/0",
        "https://localhost/0",
        "https://169.254.169.254/0",
        "file:///etc/passwd",
        "ftp://p.scdn.co/0",
        "p.scdn.co/0",
        "https://p.scdn.co:port/0",
        "https://[p.scdn.co/0",
        "https:///0",
        "nonsense",
        "http://127.0.0.1:1\\@evil.example/",
    ],
)
def test_addresses_that_may_not_send_audio_are_not_asked(server, monkeypatch, url):
    def no_network(*arguments, **options):
        raise AssertionError("asked")

    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    outcome = fetch_one(song(1, preview_url=url), ["spotify"])
    assert outcome.refused["spotify"].startswith("the URL is not of an accepted host ")


def test_an_address_that_can_be_read_in_two_ways_is_not_this_machine(server, stores, monkeypatch):
    """To urlsplit it is 127.0.0.1, where the fakes are; requests would ask evil.example, unencrypted."""

    def no_network(*arguments, **options):
        raise AssertionError("asked")

    monkeypatch.setattr("socket.getaddrinfo", no_network)
    outcome = fetch_one(song(1, preview_url="http://evil.example\\@127.0.0.1/0"), ["spotify"])
    assert outcome.refused == {"spotify": "the URL is not of an accepted host (no host)"}


def test_a_redirect_is_followed_where_audio_may_come_from(server, stores):
    sold = stores.add(song(1))
    server.fault("/cdn/dzcdn", lambda request, route: Answer(b"", 302, {"Location": "/moved"}))
    server.route("GET /moved", lambda request: Answer(stores.music(sold, ".mp3")))
    assert fetch_one(song(1)).source == "deezer_isrc"


@pytest.mark.parametrize("target", ["https://evil.example/a.mp3", "http://localhost:1/a.mp3", "file:///a", "http://[a"])
def test_a_redirect_elsewhere_is_refused(server, stores, target):
    stores.add(song(1))
    server.fault("/cdn/dzcdn", Answer(b"", 302, {"Location": target}), times=9)
    outcome = fetch_one(song(1))
    assert outcome.source == "itunes_search"
    assert outcome.refused["deezer_isrc"].startswith(("the URL is not of an accepted host", "invalid URL"))


def test_redirects_come_to_an_end(server, stores):
    stores.add(song(1), itunes=False)
    server.fault("/cdn/dzcdn", lambda request, route: Answer(b"", 302, {"Location": request.path}), times=99)
    assert fetch_one(song(1), ["deezer_isrc"]).refused == {"deezer_isrc": "too many redirects"}
    assert len(server.asked("/cdn/")) <= 6


def test_hosts_that_may_send_audio():
    """Without a network: what a redirect or an offer may lead to."""
    for url in (
        "https://cdnt-preview.dzcdn.net/api/1/1/6/a/2/0/0.mp3?hdnea=exp=1~acl=/*~hmac=0",
        "https://cdns-preview-e.dzcdn.net/stream/c-0-1.mp3",
        "https://audio-ssl.itunes.apple.com/itunes-assets/AudioPreview123/v4/mzaf_0.plus.aac.p.m4a",
        "https://is1-ssl.mzstatic.com/a.m4a",
        "https://p.scdn.co/mp3-preview/0",
        "https://P.SCDN.CO/mp3-preview/0",
    ):
        assert downloads.may_send(url, "https://p.scdn.co/")
    # A store cannot send this machine to itself.
    assert not downloads.may_send("http://127.0.0.1:8080/", "https://p.scdn.co/")


# ── F51: decoders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_m4a_without_a_decoder_is_said_at_the_start(monkeypatch):
    check_decoders(ALL)
    import av

    def none(name, mode):
        raise ValueError(f"no codec {name}")

    monkeypatch.setattr(av, "Codec", none)
    check_decoders(["spotify", "deezer_isrc"])
    with pytest.raises(UserError, match=r"iTunes previews.*remove iTunes from audio_from") as error:
        check_decoders(ALL)
    assert "\n" not in str(error.value)


# ── Pace and patience ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_service_is_asked_above_its_pace(server, stores):
    songs = [song(n) for n in range(12)]
    for n, each in enumerate(songs):
        sold = stores.add(each, deezer_isrc=n % 2 == 0, deezer_search=False)
        stores.music(sold, ".m4a" if n % 2 else ".mp3")  # made before, so that it costs no time below
    rates = {"spotify": 1000.0, "deezer": 15.0, "itunes": 8.0, "downloads": 15.0}
    start = time.monotonic()
    fetch(songs, ["deezer_isrc", "itunes_search"], requests_per_second=rates)
    for prefix, rate, number in (("GET /deezer/", 15.0, 12), ("GET /itunes/", 8.0, 6), ("GET /cdn/", 15.0, 12)):
        times = sorted(request.time for request in server.asked(prefix))
        assert len(times) == number
        # However late a busy machine lets a request arrive, none comes before its turn.
        assert all(at - start >= turn / rate for turn, at in enumerate(times))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_songs_at_a_time(server, stores, monkeypatch, concurrency):
    monkeypatch.setattr(previews, "CONCURRENCY", concurrency)
    songs = [song(n) for n in range(8)]
    for each in songs:
        stores.add(each)
    lock, now, most, together = threading.Lock(), [0], [0], threading.Event()

    def slow(request, route):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == concurrency:
                together.set()
        together.wait(30)  # on a busy machine the next one may be late
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return route(request)

    server.fault("/cdn/", slow, times=99)
    fetch(songs)
    assert most[0] == concurrency


def test_come_back_later_keeps_what_has_come_and_goes_on_from_there(server, stores):
    songs = [song(n) for n in range(20)]
    for each in songs:
        stores.add(each)
    server.fault(f"track/isrc:{songs[7].isrc}", Answer(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(UnavailableError, match=r"deezer asks to wait 2\.0 hours"):
        fetch(songs)
    whole = {path.name for path in (cache_dir("spotify") / "audio").glob("*.mp3")}
    # What had been begun was finished, and nothing more was begun.
    assert len(sent(server)) == len(whole)
    assert 5 <= len(whole) <= 12
    fetched = fetch(songs)
    assert all(outcome.path for outcome in fetched.values())
    assert set(sent(server).values()) == {1} and len(sent(server)) == 20


@pytest.mark.parametrize(
    ("where", "limit"),
    [
        *product(["deezer/track/"], [Answer(QUOTA), Answer(ITEMS), Answer(status=429)]),
        *product(["itunes/"], [THROTTLED, Answer(status=429)]),
        ("cdn/", Answer(status=429)),
    ],
)
def test_a_limit_that_lasts_stops_the_run_keeps_what_has_come_and_goes_on(server, stores, where, limit):
    songs = [song(n) for n in range(4)]
    for each in songs:
        stores.add(each, deezer_isrc=where != "itunes/", deezer_search=where != "itunes/")
    assert fetch_one(songs[0]).path
    server.fault(f"GET /{where}", limit, times=99)
    with pytest.raises(UnavailableError, match="without saying for how long") as error:
        fetch(songs)
    assert error.value.status == 3 and re.search(r"again at [\d-]{10} [\d:]{5} or later", str(error.value))
    server.faults.clear()
    assert all(outcome.path for outcome in fetch(songs).values())
    assert set(sent(server).values()) == {1} and len(sent(server)) == 4


# ── F52: interrupted ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_is_one_line_and_keeps_what_was_whole(server, stores, monkeypatch, capsys):
    songs = [song(n) for n in range(4)]
    for each in songs:
        stores.add(each)
    fetch(songs[:2])
    with monkeypatch.context() as patched:

        def full(path, content):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(SystemExit) as ended:
            command(lambda: fetch(songs) and None)()
    assert ended.value.code == 2
    assert "the disk is full while writing" in capsys.readouterr().err
    assert len(stored()) == 4
    assert all(outcome.path for outcome in fetch(songs).values())
    assert set(sent(server).values()) == {1, 2}  # those that could not be written, again


SCRIPT = """
import sys
from genres.core.console import command
from genres.sources.spotify.previews import fetch_all
from genres.sources.spotify.song import Song
from genres.core.params import Services

rates = {"spotify": 1000.0, "deezer": 1000.0, "itunes": 1000.0, "downloads": 40.0}
songs = [Song(f"4t{n:020d}", f"Song {n}", ("Artist",), isrc=f"QZFAK{n:07d}", duration_s=200.0) for n in range(40)]
settings = Services(requests_per_second=rates, attempts=3)
command(lambda: fetch_all(songs, ["deezer_isrc", "itunes_search"], "US", settings) and None)()
"""


def start(stores: FakeStores, project: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | stores.environment | {"DVC_ROOT": str(project), "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=project, env=environment, stderr=subprocess.PIPE)


def stop_after(server: FakeServer, process: subprocess.Popen[bytes], requests: int, with_signal: int) -> None:
    """Send a signal a moment after so many further downloads were asked for."""
    wanted = len(server.asked("/cdn/")) + requests
    deadline = time.monotonic() + 30
    while len(server.asked("/cdn/")) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(random.Random(requests).random() * 0.02)
    assert process.poll() is None, process.stderr.read()
    process.send_signal(with_signal)


def test_kills_at_any_moment_lose_nothing_that_was_whole(server, stores, project):
    for n in range(40):
        stores.add(song(n), deezer_isrc=n % 2 == 0)
    for seed, suffix in product(range(4), (".mp3", ".m4a")):
        piece(seed, suffix, SECONDS)  # so that no download has to wait for it
    folder = project / ".cache/spotify/audio"
    whole: dict[Path, int] = {}
    for number in (1, 9, 7, 8):
        process = start(stores, project)
        stop_after(server, process, number, signal.SIGKILL)
        process.communicate()
        kept = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.m[p4]?")}
        assert whole.items() <= kept.items(), "what was whole has been fetched again"
        assert all(decode.load(path, 11025).size for path in set(kept) - set(whole))
        whole = kept
    assert 0 < len(whole) < 40
    asked = len(server.log)
    process = start(stores, project)
    process.communicate(timeout=60)
    assert process.returncode == 0
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.m[p4]?")}
    assert whole.items() <= kept.items()
    assert len(kept) == 40
    later = " ".join(f"{request.path} {request.query}" for request in server.log[asked:])
    assert not [path for path in whole if f"QZFAK{int(path.stem[2:]):07d}" in later]
    # Of each kill, no more than what was on its way to the four threads.
    assert sum(sent(server).values()) <= 40 + 4 * 4


def test_ctrl_c_is_one_line_and_keeps_what_has_come(server, stores, project):
    for n in range(40):
        stores.add(song(n))
    process = start(stores, project)
    stop_after(server, process, 10, signal.SIGINT)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"run the same command again to continue" in printed and b"Traceback" not in printed
    assert len(list((project / ".cache/spotify/audio").glob("*.mp3"))) == len(sent(server)) < 40
