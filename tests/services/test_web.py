"""Polite asking: pace, retries, patience, against a real server on this machine."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fakes.server import Answer, FakeServer, services

from genres.sources import web
from genres.sources.web import Service, ServiceError, UnavailableError


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(web, "FIRST_BACKOFF_S", 0.01)
    with FakeServer() as server:
        server.route("GET /song", lambda request: Answer({"title": "Song"}))
        yield server


def service(rate: float = 1000.0, **changes) -> Service:
    return Service("deezer", services(rate, **changes))


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=503),
        Answer(status=429, headers={"Retry-After": "0.05"}),
        Answer(status=429, headers={"Retry-After": "soon"}),
        Answer({"title": "Song"}, cut_after=4),
        Answer(reset=True),
    ],
)
def test_a_fault_that_passes_is_waited_for(server, fault):
    server.fault("/song", fault, times=2)
    assert service().get(f"{server.url}/song", "the song").json() == {"title": "Song"}
    assert len(server.asked()) == 3


def test_a_fault_that_does_not_pass_is_one_line(server):
    server.fault("/song", Answer(status=500), times=99)
    with pytest.raises(ServiceError, match=r"the song: no answer from deezer in 3 attempts \(HTTP 500\)"):
        service().get(f"{server.url}/song", "the song")
    assert len(server.asked()) == 3


def test_other_statuses_are_for_the_caller(server):
    assert service().get(f"{server.url}/none", "the song").status_code == 404
    assert len(server.asked()) == 1


@pytest.mark.parametrize("form", ["seconds", "a date"])
def test_a_long_pause_stops_at_once_and_names_the_time(server, form):
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    value = "86400" if form == "seconds" else tomorrow
    server.fault("/song", Answer(status=429, headers={"Retry-After": value}))
    before = time.monotonic()
    with pytest.raises(
        UnavailableError, match=r"asks to wait 2[34]\.\d hours .* run the same command again at \d{4}-"
    ) as error:
        service().get(f"{server.url}/song", "the song")
    assert time.monotonic() - before < 1
    assert error.value.status == 3
    assert len(server.asked()) == 1


def test_no_thread_goes_above_the_pace(server):
    polite = service(rate=50)
    threads = [threading.Thread(target=polite.get, args=(f"{server.url}/song", "the song")) for _ in range(20)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(request.time for request in server.asked())
    # A request may come late on a busy machine, but none comes before its turn.
    assert all(at - started >= turn / 50 for turn, at in enumerate(times))


def test_a_pause_that_one_thread_is_asked_for_holds_all(server):
    polite = service()
    server.fault("/song", Answer(status=429, headers={"Retry-After": "0.3"}))
    first = threading.Thread(target=polite.get, args=(f"{server.url}/song", "the song"))
    first.start()
    while not (server.asked() and server.asked()[0].status):
        time.sleep(0.005)
    time.sleep(0.05)
    polite.get(f"{server.url}/song", "the song")
    first.join()
    times = sorted(request.time for request in server.asked())
    assert len(times) == 3
    assert times[1] - times[0] >= 0.29


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("1.5", 1.5), ("-5", 0.0), ("abc", None), ("", None), (None, None), ("nan", None), ("inf", None)],
)
def test_retry_after(value, seconds):
    assert web.retry_after_s({} if value is None else {"Retry-After": value}) == seconds


def test_retry_after_as_a_date():
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert web.retry_after_s({"Retry-After": format_datetime(later, usegmt=True)}) == pytest.approx(90, abs=2)
    assert web.retry_after_s({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_a_wait_says_how_long_and_why(capsys):
    web.countdown(1.0, "the song: HTTP 429")
    assert capsys.readouterr().err == "the song: HTTP 429: waiting 1 s\n"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", False),
        ("http://127.0.0.1.example.org/x", False),
        ("https://example.org/?127.0.0.1", False),
        ("http://example.org\\@127.0.0.1/x", False),
    ],
)
def test_only_the_number_is_this_machine(address, here):
    assert web.is_loopback(address) is here


def test_addresses_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("DEEZER_API_URL", raising=False)
    assert web.base_url("DEEZER_API_URL", "https://api.deezer.com") == "https://api.deezer.com"
    monkeypatch.setenv("DEEZER_API_URL", "http://127.0.0.1:1/deezer/")
    assert web.base_url("DEEZER_API_URL", "https://api.deezer.com") == "http://127.0.0.1:1/deezer"
