"""Sources of previews: Spotify, Deezer and iTunes, by ISRC or by search.

Each source returns an offer or raises the reason why it has none. All offers are checked by matching.py, also those
found by ISRC, because one code can stand for two recordings.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import requests

from genres.core.console import UserError
from genres.core.params import Services
from genres.sources.spotify.matching import mismatch, search_title
from genres.sources.spotify.song import Song
from genres.sources.web import RetryableError, Service, ServiceError, UnavailableError, base_url

DEEZER_URL, ITUNES_URL = "https://api.deezer.com", "https://itunes.apple.com"

# Number of search hits that are checked; the right one is mostly the first.
HITS = 10

# Deezer's error codes; errors have HTTP status 200. (developers.deezer.com/api/errors)
DEEZER_NO_DATA = 800
DEEZER_LIMITS = (4, 50, 700)  # quota (50: not documented), busy
DEEZER_REFUSALS = (500, 501, 600)  # wrong or missing parameter, wrong query: the same in every run
DEEZER_WINDOW_S = 5.0  # time window of its quota of 50 requests

# iTunes signals its rate limit only by 403 with an empty body, for some minutes.
ITUNES_PAUSE_S = 45.0

# Number of songs in a row without an answer after which a store counts as unavailable.
OUTAGE = 5

# Characters that Deezer's search treats as syntax.
_NO_SYNTAX = str.maketrans(dict.fromkeys('"\\', " "))


@dataclass(frozen=True)
class Offer:
    """A preview that can be downloaded now."""

    url: str
    title: str  # the store's title
    artist: str


class NotFoundError(Exception):
    """A source does not have the song; the message is a short reason."""


class MissingMetadataError(NotFoundError):
    """The song's metadata is not enough for a request."""


class NoAnswerError(NotFoundError):
    """A source gave no clear answer; the next run asks again."""


class Sources:
    """Sources of audio by their names in `audio_from`.

    Parameters
    ----------
    services : Services
        Rate limits and retries.
    market : str
        Country of the iTunes store.
    """

    def __init__(self, services: Services, market: str) -> None:
        self._market = market
        self._unanswered: Counter[str] = Counter()
        self._deezer, self._itunes = Service("deezer", services), Service("itunes", services)
        self._deezer_url = base_url("DEEZER_API_URL", DEEZER_URL)
        self._itunes_url = base_url("ITUNES_API_URL", ITUNES_URL)
        self._ask: dict[str, Callable[[Song], Offer]] = {
            "spotify": self._of_spotify,
            "deezer_isrc": self._deezer_by_isrc,
            "deezer_search": self._deezer_by_search,
            "itunes_isrc": self._itunes_by_isrc,
            "itunes_search": self._itunes_by_search,
        }

    def offer(self, source: str, song: Song) -> Offer:
        """Return a source's offer for a song.

        Raises
        ------
        NotFoundError
            If it has no usable offer.
        UnavailableError
            If it is not available. Continuing without it would give another data set for the same recipe.
        """
        store = source.split("_")[0]
        try:
            offer = self._ask[source](song)
        except MissingMetadataError:  # no request was made
            raise
        except NotFoundError:
            self._unanswered[store] = 0
            raise
        except UnavailableError as error:
            raise UnavailableError(f"{error}, or remove {store}'s sources from audio_from") from None
        except ServiceError as error:
            # One song that always fails at a store must not stop the others.
            self._unanswered[store] += 1
            if self._unanswered[store] < OUTAGE:
                raise NoAnswerError(str(error)) from None
            raise UnavailableError(
                f"{error}. All downloads are kept: run the same command again later to continue, or "
                f"remove {store}'s sources from audio_from"
            ) from None
        self._unanswered[store] = 0
        return offer

    def _of_spotify(self, song: Song) -> Offer:
        if not song.preview_url:
            raise NotFoundError("no preview_url")
        return Offer(song.preview_url, song.title, ", ".join(song.artists))

    # ── Deezer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deezer_by_isrc(self, song: Song) -> Offer:
        if not song.isrc:
            raise MissingMetadataError("no ISRC")
        track = self._ask_deezer(f"/track/isrc:{quote(song.isrc, safe='')}", song, needed="id")
        return _first_match(_completed(song, [track], _of_deezer), [track], _of_deezer, same_isrc=True)

    def _deezer_by_search(self, song: Song) -> Offer:
        artist, title = _query_of(song)
        query = f'artist:"{artist.translate(_NO_SYNTAX)}" track:"{title.translate(_NO_SYNTAX)}"'
        answer = self._ask_deezer("/search", song, needed="data", q=query, limit=HITS)
        return _first_match(song, _list(answer.get("data")), _of_deezer)

    def _ask_deezer(self, path: str, song: Song, needed: str, **query: Any) -> dict[str, Any]:
        what = f"{song.title} at Deezer"

        def ask() -> dict[str, Any]:
            response = self._deezer.get_once(self._deezer_url + path, query)
            answer = _json(response)
            error = answer.get("error")
            if not error:  # absent, or an empty list
                return _require(needed, answer, response)
            code = error.get("code") if isinstance(error, dict) else None
            if code in DEEZER_LIMITS:
                raise RetryableError(str(error.get("message") or "quota"), DEEZER_WINDOW_S, is_limit=True)
            if code == DEEZER_NO_DATA or response.status_code == 404:
                raise NotFoundError("unknown there")
            message = error.get("message") if isinstance(error, dict) else error
            if code in DEEZER_REFUSALS:
                raise NotFoundError(f"refused ({message})")
            # "An error has occured", without a code, may be permanent for this song, so it is not retried now.
            raise NoAnswerError(f"an error {'without a code' if code is None else f'of code {code}'} ({message})")

        return self._deezer.call(ask, what)

    # ── iTunes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _itunes_by_isrc(self, song: Song) -> Offer:
        if not song.isrc:
            raise MissingMetadataError("no ISRC")
        hits = self._ask_itunes("/lookup", song, isrc=song.isrc, entity="song", country=self._market)
        return _first_match(_completed(song, hits, _of_itunes), hits, _of_itunes, same_isrc=True)

    def _itunes_by_search(self, song: Song) -> Offer:
        query = {"media": "music", "entity": "song", "country": self._market, "limit": HITS}
        hits = self._ask_itunes("/search", song, term=" ".join(_query_of(song)), **query)
        return _first_match(song, hits, _of_itunes)

    def _ask_itunes(self, path: str, song: Song, **query: Any) -> list[dict[str, Any]]:
        def ask() -> list[dict[str, Any]]:
            response = self._itunes.get_once(self._itunes_url + path, query)
            if response.status_code == 403:
                raise RetryableError("asked too often", ITUNES_PAUSE_S, is_limit=True)
            answer = _json(response)
            if response.status_code == 400:
                message = str(answer.get("errorMessage") or "HTTP 400")
                if "country" in message:  # the same for all songs
                    raise UserError(f"iTunes has no store for market: {self._market} ({message}); set another market")
                raise NotFoundError(f"refused ({message})")
            hits = _list(_require("results", answer, response)["results"])
            return [hit for hit in hits if hit.get("kind", "song") == "song"]

        return self._itunes.call(ask, f"{song.title} at iTunes")


def _query_of(song: Song) -> tuple[str, str]:
    """Return artist and title for a search, without the parts that stores write differently."""
    if not (song.artists and song.title):
        raise MissingMetadataError("no title or no artist to search for")
    return song.artists[0], search_title(song.title)


def _of_deezer(hit: dict[str, Any]) -> tuple[str, str, float, str]:
    artist = hit.get("artist")
    name = artist.get("name") if isinstance(artist, dict) else ""
    return str(hit.get("title") or ""), str(name or ""), _number(hit.get("duration")), str(hit.get("preview") or "")


def _of_itunes(hit: dict[str, Any]) -> tuple[str, str, float, str]:
    return (
        str(hit.get("trackName") or ""),
        str(hit.get("artistName") or ""),
        _number(hit.get("trackTimeMillis")) / 1000,
        str(hit.get("previewUrl") or ""),
    )


Reader = Callable[[dict[str, Any]], tuple[str, str, float, str]]


def _completed(song: Song, hits: list[dict[str, Any]], read: Reader) -> Song:
    """Complete a song of which a manifest gives only the ISRC with the metadata of the first hit."""
    if not hits or (song.title and song.artists):
        return song
    title, artist, duration_s, _ = read(hits[0])
    return replace(
        song,
        title=song.title or title,
        artists=song.artists or (artist,),
        duration_s=song.duration_s or duration_s,
    )


def _first_match(song: Song, hits: list[dict[str, Any]], read: Reader, *, same_isrc: bool = False) -> Offer:
    reasons: list[str] = []
    for hit in hits:
        title, artist, duration_s, url = read(hit)
        reason = mismatch(song, title=title, artist=artist, duration_s=duration_s, same_isrc=same_isrc)
        if not reason and url:
            return Offer(url, title, artist)
        reasons.append(reason or "no preview there")
    # A hit that lacks only the preview was the right song; else the first hit's reason is the most telling.
    best = "no preview there" if "no preview there" in reasons else next(iter(reasons), "unknown there")
    raise NotFoundError(best)


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        raise RetryableError(f"not JSON (HTTP {response.status_code})") from None
    if not isinstance(answer, dict):
        raise RetryableError(f"unexpected JSON (HTTP {response.status_code})")
    return answer


def _require(key: str, answer: dict[str, Any], response: requests.Response) -> dict[str, Any]:
    """Return an answer that has `key`; an incomplete answer must not count as "no such song"."""
    if key not in answer:
        raise RetryableError(f"unexpected JSON (HTTP {response.status_code})")
    return answer


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value or 0))
    except (TypeError, ValueError):
        return 0.0
