"""A fake of Deezer, the iTunes Store and the content networks on a :class:`fakes.server.FakeServer`.

Deezer is under /deezer, iTunes under /itunes, the previews of all under /cdn. What they sell is the list `sold`, of
plain objects that tests change as they like. Shapes and odd habits are the real ones of November 2026: errors with
HTTP 200, signed links that expire, a search without ISRCs, a 403 without a word.
"""

import functools
import hashlib
import hmac
import io
import re
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import soundfile

from fakes.server import Answer, FakeServer, Request
from genres.sources.spotify.song import Song

RATE = 22050

NO_DATA = {"error": {"type": "DataException", "message": "no data", "code": 800}}
QUOTA = {"error": {"type": "Exception", "message": "Quota limit exceeded", "code": 4}}
ITEMS = {"error": {"type": "Exception", "message": "Items limit exceeded", "code": 50}}
BUSY = {"error": {"type": "Exception", "message": "Service busy", "code": 700}}
THROTTLED = Answer(b"", 403, {"Content-Length": "0"})  # iTunes, asked too often


@dataclass
class Sold:
    """A recording, and where it can be found."""

    number: int
    title: str
    artist: str
    duration_s: float
    isrc: str
    deezer_isrc: bool = True
    deezer_search: bool = True
    itunes: bool = True
    itunes_isrc: bool = False  # most are not found so
    preview: bool = True
    content: bytes | None = None  # sent instead of music
    countries: tuple[str, ...] = ("US", "BR")
    changes: dict[str, Any] = field(default_factory=dict)  # of the object that describes it

    @property
    def digest(self) -> str:
        return hashlib.md5(f"recording {self.number}".encode()).hexdigest()


class FakeStores:
    """The stores; add them to a server before or after it has started.

    Parameters
    ----------
    server : FakeServer
        Gets the routes.
    seconds : float
        Length of the previews.
    link_life_s : float
        After which Deezer's links are refused.
    pieces : int
        So many different pieces of music are made; further songs sound like one of them, in files that still differ.
    """

    def __init__(self, server: FakeServer, seconds: float = 30.0, link_life_s: float = 900.0, pieces: int = 64) -> None:
        self.server, self.seconds, self.link_life_s, self.pieces = server, seconds, link_life_s, pieces
        self.sold: list[Sold] = []
        self.deezer_limit = self.itunes_limit = (10**9, 1.0)  # requests in so many seconds
        self._generation = 0
        self._asked: dict[str, deque[float]] = {"deezer": deque(), "itunes": deque()}
        self._lock = threading.Lock()
        for pattern, route in (
            ("GET /deezer/track/isrc:.*", self._deezer_track),
            ("GET /deezer/search", self._deezer_search),
            ("GET /deezer/.*", lambda request: Answer({"error": "Not Found"}, 404)),
            ("GET /itunes/search", self._itunes_search),
            ("GET /itunes/lookup", self._itunes_lookup),
            (r"GET /cdn/dzcdn/[0-9a-f]{32}\.mp3", self._deezer_file),
            (r"GET /cdn/apple/mzaf_[0-9a-f]{32}\.plus\.aac\.p\.m4a", self._file),
            ("GET /cdn/scdn/mp3-preview/[0-9a-f]{32}", self._file),
        ):
            server.route(pattern, route)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the project here."""
        return {"DEEZER_API_URL": f"{self.server.url}/deezer", "ITUNES_API_URL": f"{self.server.url}/itunes"}

    def add(self, song: Song, **changes: Any) -> Sold:
        """Sell a song; by default everywhere but by ISRC at iTunes. `changes` are those of :class:`Sold`."""
        described: dict[str, Any] = {
            "title": song.title,
            "artist": ", ".join(song.artists[:1]),
            "duration_s": song.duration_s,
            "isrc": song.isrc,
        }
        sold = Sold(len(self.sold) + 1, **described | changes)
        self.sold.append(sold)
        return sold

    def spotify_url(self, sold: Sold) -> str:
        """A `preview_url`, as Spotify still gives it to some apps."""
        return f"{self.server.url}/cdn/scdn/mp3-preview/{sold.digest}?cid=0"

    def expire_links(self) -> None:
        """Let no link that Deezer has given so far be valid."""
        self._generation += 1

    # ── Deezer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deezer_track(self, request: Request) -> Answer:
        isrc = request.path.rpartition("isrc:")[2]
        found = [sold for sold in self.sold if sold.deezer_isrc and isrc and sold.isrc == isrc]
        if self._is_over("deezer", self.deezer_limit):
            return Answer(QUOTA)
        return Answer(self._of_deezer(found[0]) | {"isrc": isrc, "bpm": 0, "gain": -9.1}) if found else Answer(NO_DATA)

    def _deezer_search(self, request: Request) -> Answer:
        if self._is_over("deezer", self.deezer_limit):
            return Answer(QUOTA)
        wanted = dict(re.findall(r'(artist|track|isrc):"([^"]*)"', request.query.get("q", "")))
        if not wanted:
            return Answer({"error": {"type": "ParameterException", "message": "Wrong parameter", "code": 500}})
        found = [
            sold
            for sold in self.sold
            if sold.deezer_search
            and words(wanted.get("artist", "")) <= words(sold.artist)
            and words(wanted.get("track", "")) <= words(sold.title)
        ]
        first, limit = int(request.query.get("index", 0)), int(request.query.get("limit", 25))
        page = {"data": [self._of_deezer(sold) for sold in found[first : first + limit]], "total": len(found)}
        if first + limit < len(found):
            page["next"] = f"https://api.deezer.com/search?index={first + limit}"
        return Answer(page)

    def _of_deezer(self, sold: Sold) -> dict[str, Any]:
        short, _, version = sold.title.partition(" (")
        return {
            "id": 3_000_000 + sold.number,
            "readable": sold.preview,
            "title": sold.title,
            "title_short": short,
            "title_version": f"({version}" if version else "",
            "link": f"https://www.deezer.com/track/{3_000_000 + sold.number}",
            "duration": round(sold.duration_s),
            "rank": 800_000,
            "explicit_lyrics": False,
            "explicit_content_lyrics": 0,
            "explicit_content_cover": 0,
            "preview": self._signed(sold) if sold.preview else "",
            "md5_image": sold.digest,
            "artist": {"id": 27, "name": sold.artist, "link": "https://www.deezer.com/artist/27", "type": "artist"},
            "album": {"id": 302127, "title": f"Album of {short}", "type": "album"},
            "type": "track",
        } | sold.changes

    def _signed(self, sold: Sold) -> str:
        path, expires = f"/cdn/dzcdn/{sold.digest}.mp3", time.time() + self.link_life_s
        given = f"exp={expires:.3f}~acl={path}*~data=user_id=0,application_id=42"
        return f"{self.server.url}{path}?hdnea={given}~hmac={self._signature(given)}"

    def _signature(self, given: str) -> str:
        return hmac.new(f"generation {self._generation}".encode(), given.encode(), "sha256").hexdigest()

    def _deezer_file(self, request: Request) -> Answer:
        given, _, signature = request.query.get("hdnea", "").partition("~hmac=")
        expires = re.match(r"exp=([\d.]+)~acl=(.*)\*~data", given)
        valid = expires and expires[2] == request.path and hmac.compare_digest(signature, self._signature(given))
        if not valid or float(expires[1]) < time.time():
            return Answer("<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>", 403, {"Content-Type": "text/html"})
        return self._file(request)

    # ── iTunes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _itunes_search(self, request: Request) -> Answer:
        wanted = words(request.query.get("term", ""))
        return self._itunes(request, lambda sold: sold.itunes and wanted <= words(f"{sold.artist} {sold.title}"))

    def _itunes_lookup(self, request: Request) -> Answer:
        isrc = request.query.get("isrc", "")
        return self._itunes(request, lambda sold: sold.itunes_isrc and bool(isrc) and sold.isrc == isrc)

    def _itunes(self, request: Request, fits: Callable[[Sold], bool]) -> Answer:
        if self._is_over("itunes", self.itunes_limit):
            return THROTTLED
        country = request.query.get("country", "US")
        if country in ("XX", "ZZ"):
            message = "Invalid value(s) for key(s): [country]"
            return Answer({"errorMessage": message, "queryParameters": {"output": "json", "country": country}}, 400)
        found = [sold for sold in self.sold if country in sold.countries and fits(sold)]
        results = [self._of_itunes(sold, country) for sold in found[: int(request.query.get("limit", 50))]]
        # So the real one sends it, blank lines included.
        return Answer({"resultCount": len(results), "results": results}, headers={"Content-Type": "text/javascript"})

    def _of_itunes(self, sold: Sold, country: str) -> dict[str, Any]:
        described = {
            "wrapperType": "track",
            "kind": "song",
            "artistId": 657515,
            "collectionId": 1468166000,
            "trackId": 1468166000 + sold.number,
            "artistName": sold.artist,
            "collectionName": f"Album of {sold.title}",
            "trackName": sold.title,
            "trackCensoredName": sold.title,
            "previewUrl": f"{self.server.url}/cdn/apple/mzaf_{sold.digest}.plus.aac.p.m4a",
            "trackPrice": 1.29,
            "releaseDate": "2019-06-21T07:00:00Z",
            "trackTimeMillis": round(1000 * sold.duration_s),
            "country": {"US": "USA", "BR": "BRA"}.get(country, country),
            "currency": "USD",
            "primaryGenreName": "Alternative",
            "isStreamable": True,
        }
        if not sold.preview:
            del described["previewUrl"]
        return {key: value for key, value in (described | sold.changes).items() if value is not None}

    # ── Content networks ──────────────────────────────────────────────────────────────────────────────────────────

    def _file(self, request: Request) -> Answer:
        sold = next((sold for sold in self.sold if sold.digest in request.path), None)
        if sold is None:
            return Answer("Not found", 404)
        suffix = ".m4a" if request.path.endswith(".m4a") else ".mp3"
        content = self.music(sold, suffix) if sold.content is None else sold.content
        return Answer(content, headers={"Content-Type": "audio/mpeg" if suffix == ".mp3" else "audio/x-m4a"})

    def music(self, sold: Sold, suffix: str) -> bytes:
        """The preview of a recording; no two have the same bytes."""
        name, sound = f"song {sold.number:08d}".encode(), piece(sold.number % self.pieces, suffix, self.seconds)
        if suffix == ".m4a":
            return sound + (8 + len(name)).to_bytes(4) + b"free" + name
        frame = b"TIT2" + (len(name) + 1).to_bytes(4) + b"\0\0\0" + name  # an ID3 tag with the title
        return b"ID3\x03\0\0\0\0\0" + bytes([len(frame)]) + frame + sound

    def _is_over(self, store: str, limit: tuple[int, float]) -> bool:
        """Whether this request is one too many."""
        number, seconds = limit
        now = time.monotonic()
        with self._lock:
            times = self._asked[store]
            while times and now - times[0] > seconds:
                times.popleft()
            times.append(now)
            return len(times) > number


def words(text: str) -> set[str]:
    """Words in small letters without accents: a search is forgiving."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return set(re.findall(r"\w+", "".join(c for c in decomposed if not unicodedata.combining(c)).replace("'", "")))


@functools.lru_cache(maxsize=256)
def piece(seed: int, suffix: str, seconds: float) -> bytes:
    """Random notes over a little noise; silent where the seed is negative."""
    rng = np.random.default_rng(abs(seed))
    time_s = np.arange(round(seconds * RATE)) / RATE
    hz = 110 * 2 ** (rng.integers(0, 48, round(2 * seconds) + 1)[(2 * time_s).astype(int)] / 12)
    samples = 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE) + 0.01 * rng.standard_normal(len(time_s))
    samples = (samples if seed >= 0 else 0 * samples).astype(np.float32)
    file = io.BytesIO()
    if suffix == ".mp3":
        soundfile.write(file, samples, RATE, format="MP3")
        return file.getvalue()
    with av.open(file, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = 64_000
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024].copy(), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
