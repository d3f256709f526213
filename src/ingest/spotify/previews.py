"""Audio of songs: found at the sources in their order, downloaded, checked, and kept for every later run.

Files lie in .cache/spotify/audio/, outside of DVC's outputs: <name>.mp3 or .m4a, and <name>.json, which says where it
is from, or why no source had it. A file gets its name only when it is whole and decodes; so whatever kills a run, what
it had is not asked for again.
"""

import hashlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from src import audio
from src.console import UserError, progress
from src.files import atomic, cache_dir, read_json, write_json
from src.ingest.spotify.song import Song, name_of
from src.ingest.spotify.sources import NotFoundError, Offer, Sources
from src.ingest.web import Service, ServiceError, TryAgainError, is_loopback
from src.params import Services

# The content networks of the three, and what is below them. (dzcdn.net: Deezer; mzstatic.com: Apple; scdn.co: Spotify)
HOSTS = ("dzcdn.net", "itunes.apple.com", "mzstatic.com", "p.scdn.co")

LARGEST_BYTES = 2_000_000  # a preview has about 0.5 MB as mp3, 1 MB as AAC
SHORTEST_S = 10.0  # previews have 30 s; less than this is no excerpt of a song
REDIRECTS = 5
ASK_AGAIN_AFTER_S = 30 * 86400.0  # for a song that no source had

_CHECK_RATE = 11025  # Hz; any would do to see that a file decodes


@dataclass(frozen=True)
class Outcome:
    """What became of a song."""

    path: Path | None  # None: no source has it
    source: str = ""  # of `audio_from`
    refused: dict[str, str] = field(default_factory=dict)  # why the sources before it, or all, did not do


class _RefusedError(Exception):
    """A download that is of no use; the message says why."""


class _ExpiredError(_RefusedError):
    """The address is not valid any more."""


def check_decoders(audio_from: Sequence[str]) -> None:
    """See at the start whether what will come can be decoded.

    Raises
    ------
    UserError
        Where it cannot.
    """
    if not any(source.startswith("itunes") for source in audio_from):
        return
    try:
        import av

        av.Codec("aac", "r")
    except Exception as error:  # a broken installation fails in many ways
        raise UserError(
            f"previews of iTunes are AAC in m4a files, which PyAV decodes, and it does not work here ({error}): "
            "install it anew (pip install --force-reinstall av), or take iTunes out of audio_from"
        ) from None


def fetch_all(songs: list[Song], audio_from: Sequence[str], market: str, services: Services) -> dict[Song, Outcome]:
    """Find and download the audio of songs.

    Parameters
    ----------
    songs : list of Song
        Each once.
    audio_from : list of str
        Sources in the order in which they are tried.
    market : str
        Country of the stores.
    services : Services
        Pace, patience, and how many songs at a time.

    Returns
    -------
    dict
        An outcome for each song.

    Raises
    ------
    ComeBackLaterError
        Where a service asks for a long pause or cannot be reached; what has come is kept.
    """
    shelf = _Shelf(cache_dir("spotify") / "audio", audio_from, market)
    outcomes = {song: kept for song in songs if (kept := shelf.find(song)) is not None}
    missing = [song for song in songs if song not in outcomes]
    sources, downloads = Sources(services, market), Service("downloads", services)
    stop = threading.Event()

    def work(song: Song) -> Outcome | None:
        return None if stop.is_set() else _fetch(song, audio_from, sources, downloads, shelf)

    with ThreadPoolExecutor(services.concurrency) as pool:
        futures: dict[Future[Outcome | None], Song] = {pool.submit(work, song): song for song in missing}
        try:
            for future in progress(as_completed(futures), total=len(futures), what="audio", unit="song"):
                outcome = future.result()
                if outcome is not None:
                    outcomes[futures[future]] = outcome
        except BaseException:
            # The others finish what they have begun; what they get is kept.
            stop.set()
            raise
    return outcomes


def _fetch(song: Song, audio_from: Sequence[str], sources: Sources, downloads: Service, shelf: "_Shelf") -> Outcome:
    refused: dict[str, str] = {}
    passing = False
    for source in audio_from:
        try:
            offer = sources.offer(source, song)
            try:
                content = _download(offer, downloads)
            except _ExpiredError:
                # Deezer's addresses live for a quarter of an hour, less than a pause may take.
                offer = sources.offer(source, song)
                content = _download(offer, downloads)
            return Outcome(shelf.keep(song, source, offer, content), source, refused)
        except (NotFoundError, _RefusedError, ServiceError, audio.AudioError) as error:
            refused[source] = str(error)
            passing = passing or isinstance(error, ServiceError)
    if not passing:  # else the next run may have more luck
        shelf.note_missing(song, refused)
    return Outcome(None, refused=refused)


def _download(offer: Offer, downloads: Service) -> bytes:
    """The bytes at an offer's address, redirects followed only to hosts that may send audio."""
    url, came_from = offer.url, ""
    for _ in range(REDIRECTS + 1):
        if not _may_send(url, came_from):
            raise _RefusedError(f"the address leads to {urlsplit(url).hostname or 'nowhere'}")
        answer = downloads.call(lambda: _download_once(url, downloads), f"{offer.title} by {offer.artist}")  # noqa: B023
        if isinstance(answer, bytes):
            return answer
        url, came_from = urljoin(url, answer), url
    raise _RefusedError("redirected too often")


def _may_send(url: str, came_from: str) -> bool:
    """Whether a download from here is acceptable: encrypted and of a known host, or all on this machine, for tests."""
    if is_loopback(url):
        return not came_from or is_loopback(came_from)
    host = urlsplit(url).hostname or ""
    return urlsplit(url).scheme == "https" and any(host == known or host.endswith(f".{known}") for known in HOSTS)


def _download_once(url: str, downloads: Service) -> bytes | str:
    """The content, or the address that it has moved to."""
    with downloads.get_once(url, stream=True, allow_redirects=False) as response:
        if response.is_redirect:
            return response.headers["Location"]
        if response.status_code == 403:
            raise _ExpiredError("HTTP 403")
        if response.status_code != 200:
            raise _RefusedError(f"HTTP {response.status_code}")
        declared = response.headers.get("Content-Length", "")
        if declared.isdigit() and int(declared) > LARGEST_BYTES:
            raise _RefusedError(f"too large for a preview ({int(declared) / 1e6:.1f} MB)")
        content = bytearray()
        for chunk in response.iter_content(1 << 16):
            content += chunk
            if len(content) > LARGEST_BYTES:
                raise _RefusedError(f"too large for a preview (over {LARGEST_BYTES / 1e6:.0f} MB)")
        if declared.isdigit() and len(content) < int(declared):
            raise TryAgainError("ended early")
        return bytes(content)


class _Shelf:
    """The files that have come, and notes of the songs that no source had."""

    def __init__(self, folder: Path, audio_from: Sequence[str], market: str) -> None:
        self._folder = folder
        self._asked = {"audio_from": list(audio_from), "market": market}

    def find(self, song: Song) -> Outcome | None:
        """What is known of a song; None: it has to be asked for."""
        path = self._record(song)
        record = _read(path)
        if record is None:
            return None
        if "file" in record:
            file = self._folder / record["file"]
            # From a source that is not wanted any more: look again.
            whole = file.is_file() and file.stat().st_size == record["bytes"]
            return Outcome(file, record["source"]) if whole and record["source"] in self._asked["audio_from"] else None
        fresh = time.time() - path.stat().st_mtime < ASK_AGAIN_AFTER_S
        same = {key: record.get(key) for key in self._asked} == self._asked
        return Outcome(None, refused=record["refused"]) if fresh and same else None

    def keep(self, song: Song, source: str, offer: Offer, content: bytes) -> Path:
        """Check and keep a download.

        Raises
        ------
        audio.AudioError
            Where it is no music that could be used.
        """
        suffix = ".m4a" if content[4:8] == b"ftyp" else ".mp3"
        target = self._folder / f"{name_of(song)}{suffix}"
        record = {
            "file": target.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": source,
            "title": offer.title,
            "artist": offer.artist,
            "fetched_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        with atomic(target) as temporary:
            temporary.write_bytes(content)
            seconds = len(audio.load(temporary, _CHECK_RATE)) / _CHECK_RATE
            if seconds < SHORTEST_S:
                raise audio.AudioError(f"only {seconds:.1f} s long")
            # First, so that a file that has its name is known for what it is.
            write_json(self._record(song), record)
        return target

    def note_missing(self, song: Song, refused: dict[str, str]) -> None:
        """Remember that no source had it."""
        write_json(self._record(song), {**self._asked, "refused": refused})

    def _record(self, song: Song) -> Path:
        return self._folder / f"{name_of(song)}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record; None where there is none, or another program's disk was full."""
    try:
        record = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) and ("file" in record or "refused" in record) else None
