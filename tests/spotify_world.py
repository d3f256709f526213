"""Spotify, Deezer and iTunes on this machine, filled with songs, and a checkout of the project that asks them."""

from collections import Counter
from pathlib import Path
from typing import Any

from checkout import Checkout, write_song
from fakes.previews import FakeStores
from fakes.server import FakeServer
from fakes.spotify import FakeSpotify, make_episode, make_local, make_track

from genres.sources.spotify.entries import song_of_track
from genres.sources.spotify.song import Song

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "metal", "pop", "reggae", "rock"]
RAP, FUNK = "rapRapRapRapRapRapRap1", "funkFunkFunkFunkFunk01"
FAST = dict.fromkeys(("spotify", "deezer", "itunes", "downloads"), 1000.0)


class World:
    """All services at one address; a context manager."""

    def __init__(self, seconds: float = 12.0, pieces: int = 64) -> None:
        self.server = FakeServer()
        self.spotify = FakeSpotify(self.server, app="extended")
        self.stores = FakeStores(self.server, seconds=seconds, pieces=pieces)

    def __enter__(self) -> "World":
        self.server.__enter__()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.server.__exit__(*arguments)

    @property
    def environment(self) -> dict[str, str]:
        return self.spotify.environment | self.stores.environment | {"NO_PROXY": "*", "no_proxy": "*"}

    def sell(self, track: dict[str, Any], **where: Any) -> Song:
        """Let the stores have a track."""
        song = song_of_track(track)
        assert isinstance(song, Song)
        self.stores.add(song, **where)
        return song

    def fill_two_playlists(self) -> None:
        """Rap and Brazilian funk with ten songs each, and all that playlists have besides songs."""
        tracks = {n: make_track(n, artist=n // 2) for n in range(30)}
        both = tracks[29]
        rap = [*(tracks[n] for n in range(10)), None, make_local(90), make_episode(91), tracks[3], both]
        funk = [*(tracks[n] for n in range(10, 20)), both]
        self.spotify.add_playlist(RAP, "Rap of the year", rap)
        self.spotify.add_playlist(FUNK, "Funk do ano", funk)
        self.spotify.tracks |= {track["id"]: track for track in tracks.values()}
        for n, track in tracks.items():
            # Two in three at Deezer, the rest at iTunes; number 19 nowhere.
            if n != 19:
                self.sell(track, deezer_isrc=n % 3 == 0, deezer_search=n % 3 == 1, itunes=n % 3 == 2)

    def downloads(self) -> Counter[str]:
        """How often each preview was sent whole."""
        return Counter(request.path for request in self.server.asked("GET /cdn/") if request.status == 200)


def configure(checkout: Checkout, world: World, gtzan: Path | None = None, **changes: Any) -> None:
    """Let a checkout ask the world for the two playlists, and train the smallest of networks on what comes."""
    # As users keep them: out of the environment.
    secrets = {key: value for key, value in world.environment.items() if key.startswith("SPOTIPY_")}
    (checkout.folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in secrets.items()))
    checkout.environment |= {key: value for key, value in world.environment.items() if key not in secrets}
    if gtzan is not None:
        for number, genre in enumerate(GTZAN):
            for track in range(5):
                name = gtzan / "genres_original" / genre / f"{genre}.{track:05d}.wav"
                write_song(name, 80.0 * (number + 1), 1 + number / 2, 100 * number + track, 4.0)
    small = {
        "dataset": "gtzan_plus",
        "datasets__gtzan_plus__dir": str(gtzan),
        "datasets__gtzan_plus__metadata": "none",
        "datasets__gtzan_plus__playlists": {
            "rap": [f"https://open.spotify.com/intl-de/playlist/{RAP}?si=0123456789abcdef"],
            "brazilian_funk": [f"spotify:playlist:{FUNK}"],
        },
        "datasets__gtzan_plus__min_tracks": 3,
        "services__requests_per_second": FAST,
        "architectures": ["baseline"],
        "models__baseline__filters": [4, 4, 8],
        "clips__length_s": 1.0,
        "front_ends__default__n_mels": 32,
        "train__epochs": 1,
        "evaluate__bootstrap": 100,
    }
    checkout.set_params(**(small | changes))


def secrets_in(text: str, world: World) -> list[str]:
    """Whatever of a text must be known to nobody."""
    known = [world.spotify.environment["SPOTIPY_CLIENT_SECRET"], *world.spotify.tokens, *world.spotify.refresh_tokens]
    return [secret for secret in known if secret in text]
