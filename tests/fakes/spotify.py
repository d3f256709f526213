"""A fake of Spotify's accounts service and Web API on a :class:`fakes.server.FakeServer`.

It answers as the real one is known to in November 2026, by the age of the app:

- "new" (made since February 2026): entries only of playlists that the logged-in user owns or collaborates on, under
  `/items`; Spotify's own playlists do not exist; others' are described without entries.
- "old" (made before): `/tracks` as ever, also for the app itself; `/items` only for users.
- "extended": everything, for everybody.
"""

import base64
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fakes.server import Answer, FakeServer, Request

CLIENT_ID, CLIENT_SECRET = "5f1de0c0ffee4a11b0075pot1fy00001", "5ec2e7c0ffee4a11b0075pot1fy00002"
ME, SOMEBODY = "melodious-me", "somebody-else"
SCOPE = "playlist-read-private playlist-read-collaborative"


@dataclass
class FakePlaylist:
    id: str
    name: str
    entries: list[dict[str, Any]]
    owner: str
    collaborators: tuple[str, ...] = ()
    public: bool = True
    revision: int = 1

    @property
    def snapshot_id(self) -> str:
        # As the real ones: base64 of a counter and a digest, with slashes now and then.
        digest = hashlib.sha1(f"{self.id} {self.revision}".encode()).digest()
        return base64.b64encode(self.revision.to_bytes(4) + b"\xff\xff\xff" + digest).decode()


@dataclass
class FakeToken:
    user: str | None  # None: the app itself
    scope: str
    expires_at: float


@dataclass
class FakeSpotify:
    """Spotify, as far as this project asks it; tests change the attributes as they like."""

    server: FakeServer
    app: str = "new"
    shape: str = ""  # where an entry's track is: "item", "track" or "both"; by default as the app's age has it
    token_life_s: float = 3600.0
    premium: bool = True
    registered: bool = True  # whether the user is on the app's list
    agrees: bool = True  # to what the app asks for
    app_is_refused_with: int = 403  # on `/items`, where a user is needed
    rotates: bool = True  # whether each renewal ends the refresh token before
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1/callback", "http://[::1]/callback")  # without port: any port
    playlists: dict[str, FakePlaylist] = field(default_factory=dict)
    tracks: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, FakeToken] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # scope of each
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    next_host: str = ""  # of the pages' `next`; the server itself

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.next_host = self.next_host or self.server.url
        for pattern, route in (
            ("GET /accounts/authorize", self._authorize),
            ("POST /accounts/api/token", self._token),
            ("GET /v1/playlists/[^/]+", self._playlist),
            ("GET /v1/playlists/[^/]+/(items|tracks)", self._entries),
            ("GET /v1/tracks/[^/]+", self._track),
        ):
            self.server.route(pattern, route)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the project here."""
        return {
            "SPOTIPY_CLIENT_ID": CLIENT_ID,
            "SPOTIPY_CLIENT_SECRET": CLIENT_SECRET,
            "SPOTIPY_REDIRECT_URI": "http://127.0.0.1:0/callback",
            "SPOTIFY_API_URL": f"{self.server.url}/v1",
            "SPOTIFY_ACCOUNTS_URL": f"{self.server.url}/accounts",
        }

    # ── What there is ─────────────────────────────────────────────────────────────────────────────────────────────

    def add_playlist(
        self,
        identity: str,
        name: str,
        tracks: list[dict[str, Any] | None],
        owner: str = SOMEBODY,
        collaborators: tuple[str, ...] = (),
        public: bool = True,
    ) -> FakePlaylist:
        """Add a playlist of track objects (None: one that is gone); a dict with `added_at` is an entry as it is."""
        playlist = FakePlaylist(identity, name, [_entry(track) for track in tracks], owner, collaborators, public)
        self.playlists[identity] = playlist
        self.tracks |= {track["id"]: track for track in tracks if track and track.get("id")}
        return playlist

    def change(self, identity: str, tracks: list[dict[str, Any] | None]) -> None:
        """Give a playlist other tracks, as its owner might at any time."""
        playlist = self.playlists[identity]
        playlist.entries, playlist.revision = [_entry(track) for track in tracks], playlist.revision + 1

    def log_in(self) -> tuple[str, str]:
        """An access and a refresh token of the user, as if logged in before."""
        answer = self._give(ME, SCOPE)
        return answer["access_token"], answer["refresh_token"]

    def expire_tokens(self) -> None:
        """Let no access token be valid any longer, whatever was said when it was given."""
        for token in self.tokens.values():
            token.expires_at = 0.0

    # ── Accounts ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        if query.get("client_id") != CLIENT_ID:
            return Answer("INVALID_CLIENT: Invalid client", 400)
        redirect = urlsplit(query.get("redirect_uri", ""))
        host = f"[{redirect.hostname}]" if ":" in (redirect.hostname or "") else redirect.hostname
        if not {redirect.geturl(), redirect._replace(netloc=host or "").geturl()} & set(self.redirect_uris):
            return Answer("INVALID_CLIENT: Insecure redirect URI", 400)
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return Answer("Illegal response_type or code_challenge_method", 400)
        back = {"state": query.get("state", "")}
        if self.agrees:
            code = secrets.token_urlsafe(24)
            self.codes[code] = query
            back["code"] = code
        else:
            back["error"] = "access_denied"
        return Answer(b"", 302, {"Location": f"{redirect.geturl()}?{urlencode(back)}"})

    def _token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body))
        grant = form.get("grant_type")
        if grant == "client_credentials":
            proof = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {proof}":
                return oauth_error("invalid_client", "Invalid client secret")
            return Answer(self._give(None, ""))
        if form.get("client_id") != CLIENT_ID:
            return oauth_error("invalid_client", "Invalid client")
        if grant == "authorization_code":
            asked = self.codes.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if asked is None:
                return oauth_error("invalid_grant", "Invalid authorization code")
            if asked["redirect_uri"] != form.get("redirect_uri"):
                return oauth_error("invalid_grant", "Invalid redirect URI")
            if asked.get("code_challenge") != challenge:
                return oauth_error("invalid_grant", "code_verifier was incorrect")
            return Answer(self._give(ME, asked.get("scope", "")))
        if grant == "refresh_token":
            with self.lock:
                scope = self.refresh_tokens.get(form.get("refresh_token", ""))
                if scope is None:
                    return oauth_error("invalid_grant", "Refresh token revoked")
                if self.rotates:
                    del self.refresh_tokens[form["refresh_token"]]
            answer = self._give(ME, scope)
            if not self.rotates:
                del self.refresh_tokens[answer.pop("refresh_token")]
            return Answer(answer)
        return oauth_error("unsupported_grant_type", "grant_type parameter is missing")

    def _give(self, user: str | None, scope: str) -> dict[str, Any]:
        access = "BQ" + secrets.token_urlsafe(60)
        self.tokens[access] = FakeToken(user, scope, time.time() + self.token_life_s)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": int(self.token_life_s)}
        if user:
            refresh = "AQ" + secrets.token_urlsafe(60)
            self.refresh_tokens[refresh] = scope
            answer |= {"refresh_token": refresh, "scope": scope}
        return answer

    # ── Web API ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _playlist(self, request: Request) -> Answer:
        token, refusal = self._let_in(request)
        playlist = self._visible(request.path.split("/")[3], token)
        if refusal or playlist is None:
            return refusal or error(404, "Resource not found")
        described = self._described(playlist)
        if self.app != "new" or self._is_mine(playlist, token):
            described["tracks"] = self._paging(playlist, "tracks", 0, 100, request.query.get("market"))
            if self.app == "new":
                described["items"] = self._paging(playlist, "items", 0, 100, request.query.get("market"))
        return Answer(described)

    def _entries(self, request: Request) -> Answer:
        token, refusal = self._let_in(request)
        identity, endpoint = request.path.split("/")[3:5]
        playlist = self._visible(identity, token)
        if refusal or playlist is None:
            return refusal or error(404, "Resource not found")
        if self.app == "new" and endpoint == "tracks":
            return error(403, "Forbidden")
        if self.app != "extended" and endpoint == "items" and token.user is None:
            if self.app_is_refused_with == 401:
                return error(401, "Valid user authentication required")
            return error(403, "Forbidden")
        if self.app == "new" and not self._is_mine(playlist, token):
            return error(403, "Forbidden")
        if self.app == "new" and "playlist-read-private" not in token.scope:
            return error(403, "Insufficient client scope")
        limit, offset = int(request.query.get("limit", 20)), int(request.query.get("offset", 0))
        if not 1 <= limit <= (50 if endpoint == "items" else 100):
            return error(400, "Invalid limit")
        return Answer(self._paging(playlist, endpoint, offset, limit, request.query.get("market")))

    def _track(self, request: Request) -> Answer:
        _, refusal = self._let_in(request)
        identity = request.path.split("/")[3]
        if refusal or identity not in self.tracks:
            return refusal or error(404, "Resource not found")
        return Answer(_in_market(self.tracks[identity], request.query.get("market")))

    def _let_in(self, request: Request) -> tuple[FakeToken, Answer | None]:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        token = self.tokens.get(value, FakeToken(None, "", 0.0))
        if kind != "Bearer" or not value:
            return token, error(401, "No token provided")
        if value not in self.tokens:
            return token, error(401, "Invalid access token")
        if token.expires_at < time.time():
            return token, error(401, "The access token expired")
        if not self.premium:
            message = (
                "Active premium subscription required for the owner of the app. When the subscription status changes, "
                "it can take a few hours before requests are allowed again."
            )
            return token, Answer(message, 403)
        if token.user and not self.registered:
            text = "Check settings on developer.spotify.com/dashboard, the user may not be registered."
            return token, Answer(text, 403)
        return token, None

    def _visible(self, identity: str, token: FakeToken) -> FakePlaylist | None:
        playlist = self.playlists.get(identity)
        if playlist is None or (identity.startswith("37i9dQZ") and self.app != "extended"):
            return None
        return playlist if playlist.public or self._is_mine(playlist, token) else None

    def _is_mine(self, playlist: FakePlaylist, token: FakeToken) -> bool:
        return token.user is not None and token.user in (playlist.owner, *playlist.collaborators)

    def _described(self, playlist: FakePlaylist) -> dict[str, Any]:
        return {
            "collaborative": bool(playlist.collaborators),
            "description": "",
            "external_urls": {"spotify": f"https://open.spotify.com/playlist/{playlist.id}"},
            "followers": {"href": None, "total": 7},
            "href": f"{self.server.url}/v1/playlists/{playlist.id}",
            "id": playlist.id,
            "images": [{"height": None, "url": "https://image-cdn-ak.spotifycdn.com/image/0", "width": None}],
            "name": playlist.name,
            "owner": _user(playlist.owner) | {"display_name": playlist.owner.title()},
            "primary_color": None,
            "public": playlist.public,
            "snapshot_id": playlist.snapshot_id,
            "type": "playlist",
            "uri": f"spotify:playlist:{playlist.id}",
        }

    def _paging(
        self, playlist: FakePlaylist, endpoint: str, offset: int, limit: int, market: str | None
    ) -> dict[str, Any]:
        url = f"{self.next_host}/v1/playlists/{playlist.id}/{endpoint}"
        total = len(playlist.entries)
        shape = self.shape or ("item" if self.app == "new" else "track")
        return {
            "href": f"{url}?offset={offset}&limit={limit}",
            "items": [_shaped(entry, shape, market) for entry in playlist.entries[offset : offset + limit]],
            "limit": limit,
            "next": f"{url}?offset={offset + limit}&limit={limit}" if offset + limit < total else None,
            "offset": offset,
            "previous": f"{url}?offset={max(0, offset - limit)}&limit={limit}" if offset else None,
            "total": total,
        }


def error(status: int, message: str, **more: Any) -> Answer:
    """An error of the Web API in its usual form."""
    return Answer({"error": {"status": status, "message": message} | more}, status)


def too_many(after: object = None, **more: Any) -> Answer:
    """The answer to too many requests; `reason="QUOTA_EXCEEDED"` for the day's quota."""
    answer = error(429, "Too many requests" if more else "API rate limit exceeded", **more)
    answer.headers = {} if after is None else {"Retry-After": str(after)}
    return answer


def oauth_error(code: str, description: str) -> Answer:
    return Answer({"error": code, "error_description": description}, 400)


def track_id(n: int) -> str:
    return f"4t{n:020d}"


def artist_id(n: int) -> str:
    return f"0a{n:020d}"


def make_track(n: int, artist: int | None = None, **changes: Any) -> dict[str, Any]:
    """The n-th track, as new apps see it; `artist` is a number, too, by default one for every three tracks."""
    artist = n // 3 if artist is None else artist
    artists = [
        {
            "external_urls": {"spotify": f"https://open.spotify.com/artist/{artist_id(artist)}"},
            "href": f"https://api.spotify.com/v1/artists/{artist_id(artist)}",
            "id": artist_id(artist),
            "name": f"Artist {artist}",
            "type": "artist",
            "uri": f"spotify:artist:{artist_id(artist)}",
        }
    ]
    album_id = f"1l{n:020d}"
    identity = track_id(n)
    return {
        "album": {
            "album_type": "album",
            "artists": artists,
            "available_markets": ["BR", "US"],
            "external_urls": {"spotify": f"https://open.spotify.com/album/{album_id}"},
            "href": f"https://api.spotify.com/v1/albums/{album_id}",
            "id": album_id,
            "images": [{"height": 640, "url": "https://i.scdn.co/image/0", "width": 640}],
            "name": f"Album of Song {n}",
            "release_date": "2020-02-20",
            "release_date_precision": "day",
            "total_tracks": 10,
            "type": "album",
            "uri": f"spotify:album:{album_id}",
        },
        "artists": artists,
        "disc_number": 1,
        "duration_ms": 180_000 + n,
        "episode": False,
        "explicit": False,
        "external_ids": {"isrc": f"QZFAK{n:07d}"},
        "external_urls": {"spotify": f"https://open.spotify.com/track/{identity}"},
        "href": f"https://api.spotify.com/v1/tracks/{identity}",
        "id": identity,
        "is_local": False,
        "name": f"Song {n}",
        "preview_url": None,
        "track": True,
        "track_number": 1,
        "type": "track",
        "uri": f"spotify:track:{identity}",
    } | changes


def make_local(n: int) -> dict[str, Any]:
    """A file of the owner's own machine: names, but no ids."""
    track = make_track(n)
    artists = [{**track["artists"][0], "id": None, "uri": None, "href": None, "external_urls": {}}]
    return track | {
        "album": {**track["album"], "id": None, "artists": artists},
        "artists": artists,
        "external_ids": {},
        "external_urls": {},
        "href": None,
        "id": None,
        "is_local": True,
        "uri": f"spotify:local:Artist:Album:Song+{n}:180",
    }


def make_episode(n: int) -> dict[str, Any]:
    """An episode of a podcast, which comes even where only tracks are asked for."""
    track = make_track(n)
    for key in ("external_ids", "preview_url"):
        del track[key]
    return track | {"type": "episode", "episode": True, "track": False, "uri": f"spotify:episode:{track['id']}"}


def _user(name: str) -> dict[str, Any]:
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/user/{name}"},
        "href": f"https://api.spotify.com/v1/users/{name}",
        "id": name,
        "type": "user",
        "uri": f"spotify:user:{name}",
    }


def _entry(track: dict[str, Any] | None) -> dict[str, Any]:
    if track is not None and "added_at" in track:
        return track
    return {
        "added_at": "2024-05-06T07:08:09Z",
        "added_by": _user(SOMEBODY),
        "is_local": bool(track and track.get("is_local")),
        "item": track,
        "primary_color": None,
        "video_thumbnail": {"url": None},
    }


def _shaped(entry: dict[str, Any], shape: str, market: str | None) -> dict[str, Any]:
    if not isinstance(entry, dict) or "item" not in entry:
        return entry  # as a test has it
    shaped = dict(entry)
    track = shaped.pop("item")
    if track is not None:
        track = _in_market(track, market)
    return shaped | {key: track for key in ("item", "track") if shape in (key, "both")}


def _in_market(track: dict[str, Any], market: str | None) -> dict[str, Any]:
    """With a market, Spotify says whether the track is playable there."""
    return {"is_playable": "restrictions" not in track} | track if market else track
