"""Long runs against the services' fakes: many songs and random faults, and kills at random moments."""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from checkout import Checkout
from fakes.server import Answer, Fault
from fakes.spotify import make_track, too_many
from spotify_world import World

from genres.core.files import read_table

pytestmark = pytest.mark.soak

GENRES = 14


def playlist_id(genre: int) -> str:
    return f"playlist{genre:014d}"


def fill(world: World, songs: int) -> None:
    """14 playlists; three songs in four at Deezer by ISRC, the others by search there or at iTunes."""
    for genre in range(GENRES):
        tracks = [make_track(1000 * genre + n) for n in range(songs)]
        world.spotify.add_playlist(playlist_id(genre), f"Genre {genre}", tracks)
        for n, track in enumerate(tracks):
            world.sell(track, deezer_isrc=n % 4 < 3, deezer_search=n % 8 == 3, itunes=n % 8 == 7)


def checkout_of(folder: Path, world: World, rates: dict[str, float]) -> Checkout:
    folder.mkdir()
    checkout = Checkout(folder)
    checkout.environment |= world.environment
    checkout.set_params(
        dataset="spotify14",
        datasets__spotify14__playlists={f"genre{genre}": [playlist_id(genre)] for genre in range(GENRES)},
        datasets__spotify14__balance="none",
        services__requests_per_second=rates,
    )
    return checkout


def tracks_of(checkout: Checkout):
    return read_table(checkout.folder / "data/raw/spotify14/tracks.csv", dtype=str)


SERVICES = {"spotify": "/v1/", "deezer": "/deezer/", "itunes": "/itunes/", "downloads": "/cdn/"}


def assert_pace(world: World, rates: dict[str, float]) -> None:
    """No second holds more requests to a service than its rate, but for one and what the clocks jitter."""
    for name, prefix in SERVICES.items():
        times = sorted(request.time for request in world.server.asked(prefix))
        assert times, f"{name} was never asked"
        first = 0
        for last, at in enumerate(times):
            while at - times[first] > 1:
                first += 1
            assert last - first + 1 <= rates[name] * 1.05 + 2, f"{name}: {last - first + 1} requests in a second"


def spoiled(kind: str) -> Answer | None:
    return {
        "500": Answer(status=500),
        "503": Answer(status=503, headers={"Retry-After": "0"}),
        "429": too_many(0.05),
        "429 without a time": too_many(),
        "not JSON": Answer("<html>busy</html>"),
        "empty": Answer(b""),
        "reset": Answer(reset=True),
        "slow": Answer(status=504, delay_s=0.5),
    }.get(kind)


@pytest.mark.timeout(1800)
def test_fourteen_playlists_of_200_with_faults_of_every_kind(tmp_path):
    rates = {"spotify": 50.0, "deezer": 80.0, "itunes": 40.0, "downloads": 60.0}
    rng = random.Random(11)
    kinds = ["500", "503", "429", "429 without a time", "not JSON", "empty", "reset", "slow", "cut"]
    given: Counter[str] = Counter()
    with World(seconds=11.0, pieces=GENRES * 200) as world:
        fill(world, 200)

        def perhaps(request, route):
            answer = route(request)
            if rng.random() >= 0.02:
                return answer
            kind = rng.choice(kinds)
            if "/cdn/" in request.path and kind in ("not JSON", "empty"):
                kind = "cut"  # a page instead of audio is no fault that passes: the song would be asked for elsewhere
            given[kind] += 1
            if kind == "cut":
                answer.cut_after = len(answer.content()) // 2
                return answer
            return spoiled(kind)

        world.server.faults.append(Fault(".", perhaps, times=10**9))
        checkout = checkout_of(tmp_path / "project", world, rates)
        output = checkout.run("python", "src/ingest.py")
        tracks = tracks_of(checkout)
        assert len(tracks) == GENRES * 200, output[-3000:]
        assert tracks["track_id"].is_unique
        assert tracks["genre"].value_counts().to_dict() == {f"genre{genre}": 200 for genre in range(GENRES)}
        assert set(given) == set(kinds), "a kind of fault has not occurred"
        assert_pace(world, rates)
        print(f"{len(world.server.log)} requests, {sum(given.values())} spoiled: {dict(given)}")


@pytest.mark.timeout(1200)
def test_ten_kills_lose_nothing(tmp_path):
    rates = {"spotify": 60.0, "deezer": 60.0, "itunes": 60.0, "downloads": 60.0}
    rng = random.Random(5)
    with World(seconds=11.0, pieces=GENRES * 40) as world:
        fill(world, 40)
        checkout = checkout_of(tmp_path / "project", world, rates)
        store = checkout.folder / ".cache/spotify/audio"
        whole: dict[Path, int] = {}
        killed = 0
        for _ in range(10):
            process = subprocess.Popen(
                ["python", "src/ingest.py"],
                cwd=checkout.folder,
                env=checkout.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # From somewhere in the start to somewhere in the songs.
            before = len(world.server.log)
            wanted = before + rng.randrange(0, 60)
            deadline = time.monotonic() + 60
            while len(world.server.log) < wanted and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(rng.random() * 0.2)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
            process.wait()
            for path, modified in whole.items():
                assert path.stat().st_mtime_ns == modified, f"{path.name} was whole, and was fetched again"
            whole = {path: path.stat().st_mtime_ns for path in store.glob("[!.]*.m[p4]*")}
        assert killed == 10
        assert 0 < len(whole) < GENRES * 40
        kept = {path.name for path in whole}
        before = len(world.server.log)
        checkout.run("python", "src/ingest.py")
        assert len(tracks_of(checkout)) == GENRES * 40
        for path, modified in whole.items():
            assert path.stat().st_mtime_ns == modified
        # What was whole is not even asked for.
        asked = " ".join(f"{request.path} {request.query}" for request in world.server.log[before:])
        for name in kept:
            number = int(re.sub(r"\D", "", name.split(".")[0][2:]))
            assert f"QZFAK{number:07d}" not in asked
        assert_pace(world, rates)
