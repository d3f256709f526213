"""Where a preview of a song may be had: Spotify itself, Deezer and iTunes, by ISRC or by a search.

Each source gives an offer, or says why it has none. Offers pass the gate of matching.py, also those found by ISRC: one
code can stand for two recordings.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import requests

from genres.core.console import UserError
from genres.core.params import Services
from genres.sources.spotify.matching import refusal, search_title
from genres.sources.spotify.song import Song
from genres.sources.web import ComeBackLaterError, Service, ServiceError, TryAgainError, base_url

DEEZER_URL, ITUNES_URL = "https://api.deezer.com", "https://itunes.apple.com"

# Hits of a search that are looked at; the right one is mostly the first.
HITS = 10

# Deezer's error codes; errors come with HTTP 200. (developers.deezer.com/api/errors)
DEEZER_NO_DATA, DEEZER_QUOTA, DEEZER_BUSY = 800, 4, 700
DEEZER_WINDOW_S = 5.0  # of its quota of 50 requests

# iTunes says nothing when it has had enough but 403 with an empty body, for some minutes.
ITUNES_PAUSE_S = 45.0

# Songs in a row about which a store gives no answer, from which on it counts as closed.
OUTAGE = 5

# What Deezer's search takes for syntax.
_NO_SYNTAX = str.maketrans(dict.fromkeys('"\\', " "))


@dataclass(frozen=True)
class Offer:
    """A preview that can be downloaded now."""

    url: str
    title: str  # of the store's song
    artist: str


class NotFoundError(Exception):
    """A source does not have the song; the message says why in a few words."""


class NothingToAskError(NotFoundError):
    """What is known of the song is not enough to ask for it."""


class UnclearError(NotFoundError):
    """A source does not say whether it has the song: worth asking in the next run."""


class Sources:
    """The sources of audio, each by its name in `audio_from`.

    Parameters
    ----------
    services : Services
        Pace and patience.
    market : str
        The country of the iTunes store.
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
        """Ask one source for a song.

        Raises
        ------
        NotFoundError
            Where it has none that could be used.
        ComeBackLaterError
            Where it cannot be asked now. Going on without it would make another data set of the same recipe.
        """
        store = source.split("_")[0]
        try:
            offer = self._ask[source](song)
        except NothingToAskError:  # says nothing of the store
            raise
        except NotFoundError:
            self._unanswered[store] = 0
            raise
        except ServiceError as error:
            # One song that a store stumbles over whenever it is asked must not stop the others.
            self._unanswered[store] += 1
            if self._unanswered[store] < OUTAGE and not error.asks_to_wait:
                raise UnclearError(str(error)) from None
            raise ComeBackLaterError(
                f"{error}. Everything that has come is kept: run the same again later, and it goes on from here; or "
                f"take {store}'s sources out of audio_from"
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
            raise NothingToAskError("no ISRC")
        track = self._ask_deezer(f"/track/isrc:{song.isrc}", song, needed="id")
        return _first_that_fits(_like_an_isrc_hit(song, [track], _of_deezer), [track], _of_deezer, same_isrc=True)

    def _deezer_by_search(self, song: Song) -> Offer:
        artist, title = _query_of(song)
        query = f'artist:"{artist.translate(_NO_SYNTAX)}" track:"{title.translate(_NO_SYNTAX)}"'
        answer = self._ask_deezer("/search", song, needed="data", q=query, limit=HITS)
        return _first_that_fits(song, _list(answer.get("data")), _of_deezer)

    def _ask_deezer(self, path: str, song: Song, needed: str, **query: Any) -> dict[str, Any]:
        what = f"{song.title} at Deezer"

        def ask() -> dict[str, Any]:
            response = self._deezer.get_once(self._deezer_url + path, query)
            answer = _json(response)
            error = answer.get("error")
            if not error:  # absent, or an empty list
                return _having(needed, answer, response)
            code = error.get("code") if isinstance(error, dict) else None
            if code in (DEEZER_QUOTA, DEEZER_BUSY):
                raise TryAgainError(str(error.get("message") or "quota"), DEEZER_WINDOW_S)
            if code == DEEZER_NO_DATA or response.status_code == 404:
                raise NotFoundError("unknown there")
            message = error.get("message") if isinstance(error, dict) else error
            if code is None:
                # "An error has occured" says nothing, and as it may be this song's for good, nothing waits for it.
                raise UnclearError(f"an error without a code ({message})")
            raise NotFoundError(f"refused ({message})")

        return self._deezer.call(ask, what)

    # ── iTunes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _itunes_by_isrc(self, song: Song) -> Offer:
        if not song.isrc:
            raise NothingToAskError("no ISRC")
        hits = self._ask_itunes("/lookup", song, isrc=song.isrc, entity="song", country=self._market)
        return _first_that_fits(_like_an_isrc_hit(song, hits, _of_itunes), hits, _of_itunes, same_isrc=True)

    def _itunes_by_search(self, song: Song) -> Offer:
        query = {"media": "music", "entity": "song", "country": self._market, "limit": HITS}
        hits = self._ask_itunes("/search", song, term=" ".join(_query_of(song)), **query)
        return _first_that_fits(song, hits, _of_itunes)

    def _ask_itunes(self, path: str, song: Song, **query: Any) -> list[dict[str, Any]]:
        def ask() -> list[dict[str, Any]]:
            response = self._itunes.get_once(self._itunes_url + path, query)
            if response.status_code == 403:
                raise TryAgainError("asked too often", ITUNES_PAUSE_S)
            answer = _json(response)
            if response.status_code == 400:
                message = str(answer.get("errorMessage") or "HTTP 400")
                if "country" in message:  # it would be the same for each song
                    raise UserError(f"iTunes has no store for market: {self._market} ({message})")
                raise NotFoundError(f"refused ({message})")
            hits = _list(_having("results", answer, response)["results"])
            return [hit for hit in hits if hit.get("kind", "song") == "song"]

        return self._itunes.call(ask, f"{song.title} at iTunes")


def _query_of(song: Song) -> tuple[str, str]:
    """Artist and title to search for: without what stores write differently."""
    if not (song.artists and song.title):
        raise NothingToAskError("neither title nor artist to search for")
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


def _like_an_isrc_hit(song: Song, hits: list[dict[str, Any]], read: Reader) -> Song:
    """What a manifest that gives an ISRC only leaves open is taken from the hit."""
    if not hits or (song.title and song.artists):
        return song
    title, artist, duration_s, _ = read(hits[0])
    return replace(
        song,
        title=song.title or title,
        artists=song.artists or (artist,),
        duration_s=song.duration_s or duration_s,
    )


def _first_that_fits(song: Song, hits: list[dict[str, Any]], read: Reader, *, same_isrc: bool = False) -> Offer:
    reasons: list[str] = []
    for hit in hits:
        title, artist, duration_s, url = read(hit)
        reason = refusal(song, title=title, artist=artist, duration_s=duration_s, same_isrc=same_isrc)
        if not reason and url:
            return Offer(url, title, artist)
        reasons.append(reason or "no preview there")
    # The best hit's reason says most, and a hit without preview was the right one.
    best = "no preview there" if "no preview there" in reasons else next(iter(reasons), "unknown there")
    raise NotFoundError(best)


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        raise TryAgainError(f"no JSON (HTTP {response.status_code})") from None
    if not isinstance(answer, dict):
        raise TryAgainError(f"not the JSON that was expected (HTTP {response.status_code})")
    return answer


def _having(key: str, answer: dict[str, Any], response: requests.Response) -> dict[str, Any]:
    """The answer, if it is one: half of one must not pass for "has no such song"."""
    if key not in answer:
        raise TryAgainError(f"not the JSON that was expected (HTTP {response.status_code})")
    return answer


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value or 0))
    except (TypeError, ValueError):
        return 0.0
