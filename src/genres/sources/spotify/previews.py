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

from genres.audio import decode
from genres.compute.pool import LOCAL, caller
from genres.core.console import UserError, progress
from genres.core.files import atomic, read_json, sha256_of, write_json
from genres.core.params import Compute, Services
from genres.core.paths import cache_dir
from genres.sources.spotify.downloads import (
    ExpiredError,
    NotNowError,
    RefusedError,
    Transfer,
    download,
    fetch_once,
    host_of,
)
from genres.sources.spotify.song import Song, name_of
from genres.sources.spotify.sources import NotFoundError, Offer, Sources, UnclearError
from genres.sources.web import Service, ServiceError

SHORTEST_S = 10.0  # previews have 30 s; less than this is no excerpt of a song
ASK_AGAIN_AFTER_S = 30 * 86400.0  # for a song that no source had

_CHECK_RATE = 11025  # Hz; any would do to see that a file decodes


@dataclass(frozen=True)
class Outcome:
    """What became of a song."""

    path: Path | None  # None: no source has it
    source: str = ""  # of `audio_from`
    refused: dict[str, str] = field(default_factory=dict)  # why the sources before it, or all, did not do


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


def fetch_all(
    songs: list[Song], audio_from: Sequence[str], market: str, services: Services, how: Compute = LOCAL
) -> dict[Song, Outcome]:
    """Find and download the audio of songs.

    Parameters
    ----------
    songs : list of Song
        Those of one name (see :func:`~genres.sources.spotify.song.name_of`) share what the first of them gets.
    audio_from : list of str
        Sources in the order in which they are tried.
    market : str
        Country of the stores.
    services : Services
        Pace, patience, and how many songs at a time.
    how : Compute
        Where the bytes come in: here, or on the workers of a cluster, which send them on. Who is asked for what, and
        when, is decided here, for a host counts the requests of all.

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
    # One of each name, for that is the name of its files, too: two threads must not write the same.
    of_name: dict[str, Song] = {}
    for song in songs:
        of_name.setdefault(name_of(song), song)
    outcomes = {song: kept for song in of_name.values() if (kept := shelf.find(song)) is not None}
    missing = [song for song in of_name.values() if song not in outcomes]
    sources, downloads = Sources(services, market), Service("downloads", services)
    stop = threading.Event()

    with caller(how if missing else LOCAL) as call, ThreadPoolExecutor(services.concurrency) as pool:
        transfer = None if how.scheduler is None else lambda url: call(fetch_once, url)

        def work(song: Song) -> Outcome | None:
            return _fetch(song, audio_from, sources, downloads, transfer, shelf, stop)

        try:
            futures: dict[Future[Outcome | None], Song] = {pool.submit(work, song): song for song in missing}
            for future in progress(as_completed(futures), total=len(futures), what="audio", unit="song"):
                outcome = future.result()
                if outcome is not None:
                    outcomes[futures[future]] = outcome
        except BaseException:
            # The others finish what they have begun; what they get is kept.
            stop.set()
            raise
    return {song: outcomes[of_name[name_of(song)]] for song in songs}


def _fetch(
    song: Song,
    audio_from: Sequence[str],
    sources: Sources,
    downloads: Service,
    transfer: Transfer | None,
    shelf: "_Shelf",
    stop: threading.Event,
) -> Outcome | None:
    """Bring the audio of a song from the first source that has it; None where the run is stopped in between."""
    refused: dict[str, str] = {}
    passing = False
    for source in audio_from:
        if stop.is_set():
            return None
        try:
            offer = sources.offer(source, song)
            try:
                content = download(offer, downloads, transfer)
            except ExpiredError:
                # Deezer's addresses live for a quarter of an hour, less than a pause may take.
                offer = sources.offer(source, song)
                content = download(offer, downloads, transfer)
            return Outcome(shelf.keep(song, source, offer, content), source, refused)
        except (NotFoundError, RefusedError, ServiceError, decode.AudioError) as error:
            refused[source] = str(error)
            passing = passing or isinstance(error, ServiceError | UnclearError | NotNowError)
    if not passing:  # else the next run may have more luck
        shelf.note_missing(song, refused)
    return Outcome(None, refused=refused)


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
            wanted = record["source"] in self._asked["audio_from"]
            whole = wanted and file.is_file() and sha256_of(file) == record["sha256"]
            return Outcome(file, record["source"]) if whole else None
        fresh = time.time() - path.stat().st_mtime < ASK_AGAIN_AFTER_S
        asked = self._question(song)
        same = {key: record.get(key) for key in asked} == asked
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
            # First, so that a file that has its name is known for what it is.
            write_json(self._record(song), record)
        return target

    def note_missing(self, song: Song, refused: dict[str, str]) -> None:
        """Remember that no source had it."""
        write_json(self._record(song), {**self._question(song), "refused": refused})

    def _question(self, song: Song) -> dict[str, Any]:
        """What was asked of whom: another answer may be had where a manifest's title is mended."""
        about = [song.title, *song.artists, song.isrc, song.duration_s]
        return self._asked | {"song": [*about, bool(song.preview_url)]}

    def _record(self, song: Song) -> Path:
        return self._folder / f"{name_of(song)}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record; None where there is none, or another program's disk was full."""
    try:
        record = read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    is_file = all(isinstance(record.get(key), str) for key in ("file", "sha256", "source"))
    return record if is_file or ("file" not in record and isinstance(record.get("refused"), dict)) else None
