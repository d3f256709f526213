"""Playlists and tracks from the Spotify Web API.

Pages are cached as they arrive: a run resumes after a kill or a rate limit, and an unchanged playlist costs one
request.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genres.core.console import UserError, progress, warn
from genres.core.files import read_json, write_json
from genres.core.params import Services
from genres.core.paths import cache_dir
from genres.sources.spotify import refusals
from genres.sources.spotify.account import Account
from genres.sources.spotify.api import Api, RefusedError
from genres.sources.spotify.entries import NOT_SENT, names_of_others, song_of_track, songs_of
from genres.sources.spotify.links import playlist_id, track_id
from genres.sources.spotify.song import Song

# Endpoints of a playlist's entries, and their page sizes. The second is for apps made before 2026, some of which may
# not use the first.
ITEMS, TRACKS = ("items", 50), ("tracks", 100)

READINGS = 3  # attempts for a playlist that changes while it is read
MOST_ENTRIES = 20_000  # about twice Spotify's limit: a bound for implausible totals


class PlaylistError(UserError):
    """One playlist cannot be read; others may be readable."""


class TrackError(UserError):
    """One track cannot be read; others may be readable."""


@dataclass(frozen=True)
class Playlist:
    """Snapshot of a playlist; songs and excluded entries add up to `total`."""

    id: str
    name: str
    snapshot_id: str
    total: int  # entries of any kind
    songs: list[Song]  # without duplicates, in the playlist's order
    left_out: dict[str, int]  # number of excluded entries by reason
    names: dict[str, list[str]]  # names of excluded entries by reason, where they have any


class Client:
    """Reader of playlists and tracks.

    Parameters
    ----------
    services : Services
        Rate limits and retries.
    account : Account, optional
        Account that makes the requests; by default that of the environment and `.env`.
    market : str, optional
        Country (ISO 3166) in which songs must be playable; by default any.

    Raises
    ------
    AccountError
        If no account is configured.
    """

    def __init__(self, services: Services, account: Account | None = None, market: str | None = None) -> None:
        self._account = account or Account(services)
        self._api = Api(services, self._account)
        self._market = market
        self._endpoint = ITEMS

    def playlist(self, link: str) -> Playlist:
        """Read a playlist, given its URL, URI or id.

        Raises
        ------
        PlaylistError
            If this playlist cannot be read; names the cause and a remedy.
        AccountError, UnavailableError, ServiceError
            If no playlist can be read now.
        """
        try:
            identity = playlist_id(link)
        except UserError as error:
            raise PlaylistError(str(error)) from None
        try:
            return self._read(identity)
        except RefusedError as refusal:
            message = refusals.explain(identity, refusal.status, refusal.message, self._account.is_user)
            raise PlaylistError(message) from None

    def track(self, link: str) -> Song:
        """Read one track, given its URL, URI or id.

        Raises
        ------
        TrackError
            If there is no such track.
        AccountError, UnavailableError, ServiceError
            If no track can be read now.
        """
        identity = track_id(link)
        path = cache_dir("spotify") / "tracks" / f"{identity}{'-' + self._market if self._market else ''}.json"
        track = _cached(path, _is_track)
        if track is None:
            try:
                track = self._api.get(f"tracks/{identity}", f"track {identity}", _is_track, market=self._market)
            except RefusedError as refusal:
                raise TrackError(refusals.explain_track(identity, refusal.status, refusal.message)) from None
            write_json(path, track)
        song = song_of_track(track)
        if isinstance(song, str):
            raise TrackError(f"track {identity}: {song}")
        return song

    def _read(self, identity: str) -> Playlist:
        """Read a playlist, and read it again if it changed meanwhile, for its pages would be of different states."""
        head = self._head(identity)
        for _ in range(READINGS):
            folder = self._folder(identity, head)
            cached = _cached(folder / "whole.json", _is_page)
            if cached is not None:
                return _playlist(head, cached["total"], cached["items"])
            total, entries, is_steady = self._entries(identity, folder)
            before, head = head, self._head(identity)
            if head["snapshot_id"] != before["snapshot_id"]:
                shutil.rmtree(folder, ignore_errors=True)
            elif is_steady:
                write_json(folder / "whole.json", {"total": total, "items": entries})
                _remove_superseded(folder / "whole.json")
                return _playlist(head, total, entries)
        warn(f"playlist {identity}: changes while it is read, or is sent incompletely; its last state is used")
        return _playlist(head, total, entries)

    def _head(self, identity: str) -> dict[str, Any]:
        """Read a playlist's metadata; the answer may include some of its entries."""
        return self._api.get(f"playlists/{identity}", f"playlist {identity}", _is_playlist, market=self._market)

    def _entries(self, identity: str, folder: Path) -> tuple[int, list[Any], bool]:
        """Return the expected number of entries, the received ones, and True if they are complete and of one state."""
        page = self._first_page(identity, folder)
        total, limit = page["total"], self._endpoint[1]
        entries, is_steady = list(page["items"]), _is_full(page, 0, limit)
        # Offsets are computed here, for Spotify's link to the next page may be wrong or missing.
        offsets = range(limit, min(total, MOST_ENTRIES), limit)
        for offset in progress(offsets, total=len(offsets), what=f"playlist {identity}", unit="page"):
            page = self._page(self._endpoint, identity, offset, folder)
            if page["total"] != total:
                shutil.rmtree(folder, ignore_errors=True)  # the cached pages are of two states
                return max(total, len(entries)), entries, False
            entries += page["items"]
            is_steady &= _is_full(page, offset, limit)
            if not page["items"]:
                break
        return max(total, len(entries)), entries, is_steady and len(entries) == total

    def _first_page(self, identity: str, folder: Path) -> dict[str, Any]:
        """Read the first page from the current endpoint, else from the other one, which then becomes the current."""
        other = TRACKS if self._endpoint == ITEMS else ITEMS
        try:
            return self._page(self._endpoint, identity, 0, folder)
        except RefusedError as refusal:
            if refusal.status not in (403, 404) or refusals.is_of_the_app(refusal.message):
                raise
            try:
                page = self._page(other, identity, 0, folder)
            except RefusedError:
                raise refusal from None
            self._endpoint = other
            return page

    def _page(self, endpoint: tuple[str, int], identity: str, offset: int, folder: Path) -> dict[str, Any]:
        name, limit = endpoint
        path = folder / f"{name}-{offset}.json"
        page = _cached(path, _is_page)
        if page is None:
            query = {"limit": limit, "offset": offset, "market": self._market, "additional_types": "track"}
            page = self._api.get(f"playlists/{identity}/{name}", f"playlist {identity}", _is_page, **query)
            if _is_full(page, offset, limit):
                write_json(path, page)
        return page

    def _folder(self, identity: str, head: dict[str, Any]) -> Path:
        """Return the cache folder of a playlist's state; the snapshot id is hashed, for it may hold a slash."""
        state = hashlib.sha256(f"{head['snapshot_id']} {self._market}".encode()).hexdigest()[:16]
        return cache_dir("spotify") / "playlists" / identity / state


def _is_playlist(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("snapshot_id"), str)


def _is_track(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("id"), str)


def _is_page(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("items"), list) and isinstance(answer.get("total"), int)


def _is_full(page: dict[str, Any], offset: int, limit: int) -> bool:
    """Return True if a page has the requested offset and all its entries."""
    expected = max(0, min(limit, page["total"] - offset))
    return page.get("offset", offset) == offset and len(page["items"]) == expected


def _playlist(head: dict[str, Any], total: int, entries: list[Any]) -> Playlist:
    songs, left_out = songs_of(entries)
    if total > len(entries):
        left_out[NOT_SENT] = total - len(entries)
    identity = str(head.get("id"))
    return Playlist(
        identity,
        str(head.get("name") or identity),
        head["snapshot_id"],
        total,
        songs,
        left_out,
        names_of_others(entries),
    )


def _cached(path: Path, is_right: Callable[[Any], bool]) -> dict[str, Any] | None:
    """Read a cached answer; None if it is missing or damaged."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return None
    return value if is_right(value) else None


def _remove_superseded(whole: Path) -> None:
    """Remove the pages that `whole` now contains, and earlier states of the playlist."""
    for path in [*whole.parent.iterdir(), *whole.parent.parent.iterdir()]:
        if path.is_dir() and path != whole.parent:
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".json" and path != whole and not path.name.startswith("."):
            path.unlink(missing_ok=True)
