"""The fake of Spotify's Web API, and what is asked of it, against Spotify's published description (OpenAPI 3.0).

Only ordinary answers: the real service sends local files, episodes and empty entries that its description forbids.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fakes.server import FakeServer, services
from fakes.spotify import ME, SOMEBODY, FakeSpotify, error, make_track, too_many, track_id
from ruamel.yaml import YAML

from genres.sources.spotify.client import Client

pytestmark = pytest.mark.skipif(
    not os.environ.get("SPOTIFY_OPENAPI"),
    reason="SPOTIFY_OPENAPI does not name Spotify's OpenAPI file, which is not ours",
)

ID, OTHER_ID = "49eCUcvvK1NJbzn8LewQma", "4kG4PPMg4vAEXdeRbnsDmo"
PATHS = {
    "/v1/playlists/[^/]+": "/playlists/{playlist_id}",
    "/v1/playlists/[^/]+/items": "/playlists/{playlist_id}/items",
    "/v1/tracks/[^/]+": "/tracks/{id}",
}


class Contract:
    """Checks values by the schemas of an OpenAPI file."""

    def __init__(self, path: Path) -> None:
        self.text = _without_discriminators(YAML(typ="safe").load(path.read_text(encoding="utf-8")))

    def problems(self, value: Any, schema: str) -> list[str]:
        """What is wrong with a value; `schema` is a JSON pointer."""
        from openapi_schema_validator import OAS30Validator
        from referencing import Registry
        from referencing.jsonschema import DRAFT4

        registry = Registry().with_resource("urn:spotify", DRAFT4.create_resource(self.text))
        validator = OAS30Validator({"$ref": f"urn:spotify#{schema}"}, registry=registry)
        return [f"{list(problem.absolute_path)}: {problem.message[:200]}" for problem in validator.iter_errors(value)]

    def parameters(self, path: str) -> dict[str, Any]:
        """The schemas of the query parameters of GET, by name."""
        listed = [self._resolved(parameter) for parameter in self.text["paths"][path]["get"]["parameters"]]
        return {parameter["name"]: parameter["schema"] for parameter in listed if parameter["in"] == "query"}

    def _resolved(self, parameter: dict[str, Any]) -> dict[str, Any]:
        name = parameter.get("$ref", "").rpartition("/")[2]
        return self.text["components"]["parameters"][name] if name else parameter


def _without_discriminators(value: Any) -> Any:
    """They have no mapping, so that validators look for schemas called "track" and "episode"."""
    if isinstance(value, dict):
        return {key: _without_discriminators(inner) for key, inner in value.items() if key != "discriminator"}
    return [_without_discriminators(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(Path(os.environ["SPOTIFY_OPENAPI"]))


@pytest.fixture
def spotify(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpotify]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FakeServer() as server:
        fake = FakeSpotify(server)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        tracks = [make_track(1), make_track(2, preview_url="https://p.scdn.co/mp3-preview/0"), make_track(3, name="")]
        fake.add_playlist(ID, "Mine", [*tracks, *map(make_track, range(4, 130))], owner=ME)
        fake.add_playlist(OTHER_ID, "Theirs", [make_track(1)], owner=SOMEBODY)
        yield fake


def get(spotify: FakeSpotify, path: str, **query: Any) -> Any:
    head = {"Authorization": f"Bearer {spotify.log_in()[0]}"}
    return requests.get(f"{spotify.server.url}/v1{path}", query, headers=head, timeout=5).json()


@pytest.mark.parametrize("shape", ["item", "track", "both"])
@pytest.mark.parametrize("app", ["new", "old", "extended"])
@pytest.mark.parametrize("market", [None, "BR"])
def test_pages_and_playlists(
    contract: Contract, spotify: FakeSpotify, app: str, shape: str, market: str | None
) -> None:
    spotify.app, spotify.shape = app, shape
    for offset in (0, 100, 200):
        page = get(spotify, f"/playlists/{ID}/items", offset=offset, limit=50, market=market)
        assert len(page["items"]) == max(0, min(50, 129 - offset))
        assert contract.problems(page, "/components/schemas/PagingPlaylistTrackObject") == []
    for identity in (ID, OTHER_ID):
        playlist = get(spotify, f"/playlists/{identity}", market=market)
        assert playlist["id"] == identity
        assert contract.problems(playlist, "/components/schemas/PlaylistObject") == []


def test_tracks(contract: Contract, spotify: FakeSpotify) -> None:
    for number in (1, 2, 3):
        track = get(spotify, f"/tracks/{track_id(number)}")
        assert track["id"] == track_id(number)
        assert contract.problems(track, "/components/schemas/TrackObject") == []


def test_errors(contract: Contract, spotify: FakeSpotify) -> None:
    answers = [
        get(spotify, f"/playlists/{'0' * 22}"),
        get(spotify, f"/playlists/{OTHER_ID}/items"),
        error(401, "The access token expired").body,
        too_many(5).body,
        too_many(reason="QUOTA_EXCEEDED").body,
    ]
    assert [answer["error"]["status"] for answer in answers] == [404, 403, 401, 429, 429]
    for answer in answers:
        assert contract.problems(answer["error"], "/components/schemas/ErrorObject") == []


def test_the_contract_is_not_blind(contract: Contract, spotify: FakeSpotify) -> None:
    page = get(spotify, f"/playlists/{ID}/items", limit=50)
    page["items"][0]["item"]["duration_ms"] = "long"
    del page["total"]
    assert len(contract.problems(page, "/components/schemas/PagingPlaylistTrackObject")) == 2


def test_what_is_asked_for_is_described(contract: Contract, spotify: FakeSpotify) -> None:
    spotify.server.log.clear()
    spotify.app = "extended"
    client = Client(services(attempts=1), market="BR")
    assert len(client.playlist(ID).songs) == 129
    client.track(track_id(1))
    checked = 0
    for pattern, path in PATHS.items():
        known = contract.parameters(path)
        for request in spotify.server.asked(f"^GET {pattern}$"):
            for name, value in request.query.items():
                typed = int(value) if known[name].get("type") == "integer" else value
                pointer = f"/paths/{path.replace('/', '~1')}/get/parameters/{_position(contract, path, name)}"
                assert contract.problems(typed, f"{pointer}/schema") == []
                checked += 1
    assert checked >= 10


def _position(contract: Contract, path: str, name: str) -> int:
    """Where a parameter stands; one that stands elsewhere is copied to its place."""
    parameters = contract.text["paths"][path]["get"]["parameters"]
    parameters[:] = [contract._resolved(parameter) for parameter in parameters]
    return [parameter["name"] for parameter in parameters].index(name)
