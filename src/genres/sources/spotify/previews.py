"""Previews of songs: searched at the sources in order, downloaded, checked and cached for later runs.

The cache is .cache/spotify/audio/, outside of DVC's outputs: <name>.mp3 or .m4a, and <name>.json with its origin or the
reasons why no source had it. A file gets its name only when it is complete and decodes, so that a killed run resumes
without repeating downloads.
"""

import hashlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genres.audio import decode
from genres.compute.pool import LOCAL, caller
from genres.core.console import UserError, progress
from genres.core.files import atomic, read_json, sha256_of, write_json
from genres.core.params import Compute, Services
from genres.core.paths import cache_dir
from genres.sources.spotify.downloads import (
    ExpiredError,
    RefusedError,
    TemporaryError,
    Transfer,
    download,
    fetch_once,
    host_of,
)
from genres.sources.spotify.song import Song, name_of
from genres.sources.spotify.sources import NoAnswerError, NotFoundError, Offer, Sources
from genres.sources.web import Service, ServiceError

CONCURRENCY = 4  # songs at a time
SHORTEST_S = 10.0  # previews have 30 s; shorter ones are rejected
ASK_AGAIN_AFTER_S = 30 * 86400.0  # lifetime of the note that no source has a song

_CHECK_RATE = 11025  # Hz; any rate would do to check that a file decodes


@dataclass(frozen=True)
class Outcome:
    """Result of the search for a song's audio."""

    path: Path | None  # None if no source has it
    source: str = ""  # one of `audio_from`
    refused: dict[str, str] = field(default_factory=dict)  # reasons of the sources that failed


def check_decoders(audio_from: Sequence[str]) -> None:
    """Check at the start that the sources' formats can be decoded.

    Raises
    ------
    UserError
        If the AAC decoder does not work.
    """
    if not any(source.startswith("itunes") for source in audio_from):
        return
    try:
        import av

        av.Codec("aac", "r")
    except Exception as error:  # a broken installation fails in many ways
        raise UserError(
            f"PyAV, which decodes iTunes previews (AAC in m4a files), does not work here ({error}): "
            "reinstall it (pip install --force-reinstall av), or remove iTunes from audio_from"
        ) from None


def fetch_all(
    songs: list[Song], audio_from: Sequence[str], market: str, services: Services, options: Compute = LOCAL
) -> dict[Song, Outcome]:
    """Find and download the audio of songs.

    Parameters
    ----------
    songs : list of Song
        Songs; those of the same :func:`~genres.sources.spotify.song.name_of` share the first one's result.
    audio_from : list of str
        Sources in the order in which they are tried.
    market : str
        Country of the stores.
    services : Services
        Rate limits and retries.
    options : Compute
        Options of the workers that download the bytes. Requests are scheduled in this process in any case, because a
        host's rate limit counts those of all workers.

    Returns
    -------
    dict
        Outcome of each song.

    Raises
    ------
    UnavailableError
        If a service asks for a long pause or cannot be reached; finished downloads are kept.
    """
    cache = _PreviewCache(cache_dir("spotify") / "audio", audio_from, market)
    # One song per name, for the name is also the file name: two threads must not write the same file.
    of_name: dict[str, Song] = {}
    for song in songs:
        of_name.setdefault(name_of(song), song)
    outcomes = {song: kept for song in of_name.values() if (kept := cache.find(song)) is not None}
    missing = [song for song in of_name.values() if song not in outcomes]
    sources, downloads = Sources(services, market), Service("downloads", services)
    stop = threading.Event()

    with caller(options if missing else LOCAL) as call, ThreadPoolExecutor(CONCURRENCY) as pool:
        transfer = None if options.scheduler is None else lambda url: call(fetch_once, url)

        def work(song: Song) -> Outcome | None:
            return _fetch(song, audio_from, sources, downloads, transfer, cache, stop)

        try:
            futures: dict[Future[Outcome | None], Song] = {pool.submit(work, song): song for song in missing}
            for future in progress(as_completed(futures), total=len(futures), what="audio", unit="song"):
                outcome = future.result()
                if outcome is not None:
                    outcomes[futures[future]] = outcome
        except BaseException:
            # The other threads finish and keep their current downloads.
            stop.set()
            raise
    return {song: outcomes[of_name[name_of(song)]] for song in songs}


def _fetch(
    song: Song,
    audio_from: Sequence[str],
    sources: Sources,
    downloads: Service,
    transfer: Transfer | None,
    cache: "_PreviewCache",
    stop: threading.Event,
) -> Outcome | None:
    """Download the audio of a song from the first source that has it; return None if the run is stopped."""
    refused: dict[str, str] = {}
    temporary = False
    for source in audio_from:
        if stop.is_set():
            return None
        try:
            offer = sources.offer(source, song)
            try:
                content = download(offer, downloads, transfer)
            except ExpiredError:
                # Deezer's URLs expire after 15 minutes, and a pause may take longer.
                offer = sources.offer(source, song)
                content = download(offer, downloads, transfer)
            return Outcome(cache.keep(song, source, offer, content), source, refused)
        except (NotFoundError, RefusedError, ServiceError, decode.AudioError) as error:
            refused[source] = str(error)
            temporary = temporary or isinstance(error, ServiceError | NoAnswerError | TemporaryError)
    if not temporary:  # else the next run tries again
        cache.note_missing(song, refused)
    return Outcome(None, refused=refused)


class _PreviewCache:
    """Cache of downloaded files, and of the songs that no source has."""

    def __init__(self, folder: Path, audio_from: Sequence[str], market: str) -> None:
        self._folder = folder
        self._asked = {"audio_from": list(audio_from), "market": market}

    def find(self, song: Song) -> Outcome | None:
        """Return the cached outcome of a song; None if it must be searched."""
        path = self._record(song)
        record = _read(path)
        if record is None:
            return None
        if "file" in record:
            file = self._folder / record["file"]
            # Search again if the file's source is no longer in audio_from.
            wanted = record["source"] in self._asked["audio_from"]
            whole = wanted and file.is_file() and sha256_of(file) == record["sha256"]
            return Outcome(file, record["source"]) if whole else None
        fresh = time.time() - path.stat().st_mtime < ASK_AGAIN_AFTER_S
        asked = self._question(song)
        same = {key: record.get(key) for key in asked} == asked
        return Outcome(None, refused=record["refused"]) if fresh and same else None

    def keep(self, song: Song, source: str, offer: Offer, content: bytes) -> Path:
        """Check and store a download.

        Raises
        ------
        decode.AudioError
            If it does not decode or is too short.
        """
        suffix = ".m4a" if content[4:8] == b"ftyp" else ".mp3"
        target = self._folder / f"{name_of(song)}{suffix}"
        record = {
            "file": target.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": source,
            "host": host_of(offer.url),
            "title": offer.title,
            "artist": offer.artist,
            "fetched_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        with atomic(target) as temporary:
            temporary.write_bytes(content)
            seconds = len(decode.load(temporary, _CHECK_RATE)) / _CHECK_RATE
            if seconds < SHORTEST_S:
                raise decode.AudioError(f"only {seconds:.1f} s long")
            # Written before the rename, so that every finished file has a record.
            write_json(self._record(song), record)
        return target

    def note_missing(self, song: Song, refused: dict[str, str]) -> None:
        """Record that no source has a song."""
        write_json(self._record(song), {**self._question(song), "refused": refused})

    def _question(self, song: Song) -> dict[str, Any]:
        """Return the search's parameters: a record is valid only for these, for example until a title is corrected."""
        about = [song.title, *song.artists, song.isrc, song.duration_s]
        return self._asked | {"song": [*about, bool(song.preview_url)]}

    def _record(self, song: Song) -> Path:
        return self._folder / f"{name_of(song)}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """Read a record; None if it is missing or damaged."""
    try:
        record = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    is_file = all(isinstance(record.get(key), str) for key in ("file", "sha256", "source"))
    return record if is_file or ("file" not in record and isinstance(record.get("refused"), dict)) else None
