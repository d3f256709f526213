"""Playlists through the real `dvc repro`, against the services' fakes: from links to a leaderboard."""

import json

import pytest
from checkout import Checkout
from fakes.spotify import make_track, too_many, track_id
from spotify_world import FUNK, GTZAN, RAP, World, configure, secrets_in

from genres.core.files import read_table


@pytest.fixture
def world():
    with World() as world:
        world.fill_two_playlists()
        yield world


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "the project"
    folder.mkdir()
    return Checkout(folder)


def ingest(checkout: Checkout) -> tuple[int, str]:
    """Run the stage; its exit status and all that it printed."""
    return checkout.attempt_here("python", "src/ingest.py")


def tracks_of(checkout: Checkout):
    return read_table(checkout.folder / "data/raw/gtzan_plus/tracks.csv", dtype=str)


@pytest.mark.soak
def test_eleven_genres_from_links_to_the_leaderboard(tmp_path, world, checkout):
    pair = {"song": "Rude", "original": track_id(25), "original_genre": "pop"}
    pair |= {"remix": f"https://open.spotify.com/track/{track_id(27)}", "remix_genre": "brazilian_funk"}
    configure(checkout, world, tmp_path / "gtzan", datasets__gtzan_plus__remixes=[pair])
    checkout.commit()
    output = checkout.run("dvc", "repro")
    tracks = tracks_of(checkout)
    songs = tracks[tracks["version"] == ""]
    # GTZAN has five tracks a genre here, and all genres are cut to that.
    assert songs["genre"].value_counts().to_dict() == dict.fromkeys([*GTZAN, "rap", "brazilian_funk"], 5)
    assert set(songs["source"]) == {"gtzan", "deezer_isrc", "deezer_search", "itunes_search"}
    rap = songs[songs["genre"] == "rap"]
    assert set(rap["track_id"]) <= {track_id(n) for n in range(10)}
    assert all(artist.startswith("0a") and len(artist) == 22 for artist in rap["artist"])
    assert all(isrc.startswith("QZFAK") for isrc in rap["isrc"])
    # The pair is there, marked, and in no fold.
    marked = tracks[tracks["version"] != ""]
    assert dict(zip(marked["version"], marked["genre"], strict=True)) == {"original": "pop", "remix": "brazilian_funk"}
    folds = read_table(checkout.folder / "data/tracks.csv", dtype=str).set_index("track_id")["fold"]
    assert set(folds[marked["track_id"]]) == {""}
    board = json.loads((checkout.folder / "metrics/leaderboard.json").read_text())
    assert [row["arch"] for row in board] == ["baseline"]
    report = json.loads((checkout.folder / "metrics/ingest.json").read_text())["genres"]
    assert report["rap"]["rejected"] == {
        "balance": 5,
        "not available any more": 1,
        "local file": 1,
        "episode": 1,
        "asked for twice": 1,
        "label conflict": 1,
    }
    assert report["brazilian_funk"]["rejected"] == {"balance": 4, "no audio found": 1, "label conflict": 1}
    assert "Leaderboard" in output
    assert secrets_in(output, world) == []
    # Again: nothing is asked.
    asked = len(world.server.asked())
    assert "up to date" in checkout.run("dvc", "repro")
    assert len(world.server.asked()) == asked
    # No secret has reached anything that is committed, cached or logged.
    made = [path for path in checkout.folder.rglob("*") if path.is_file() and path.stat().st_size < 10_000_000]
    for path in made:
        # The fake's own secret stands in the fake.
        if path.relative_to(checkout.folder).parts[0] not in ("tests", ".env", ".spotify"):
            assert secrets_in(path.read_bytes().decode("latin-1"), world) == [], path


def test_a_quota_stops_the_run_and_loses_nothing(tmp_path, world, checkout):
    configure(checkout, world, tmp_path / "gtzan")
    checkout.commit()
    # A temporary experiment, in the middle of the second playlist.
    world.server.fault(f"GET /v1/playlists/{FUNK}/items", too_many(86400, reason="QUOTA_EXCEEDED"))
    output = checkout.run("dvc", "exp", "run", "--temp", fails=True)
    assert "spotify asks to wait 24.0 hours" in output
    assert "run the same command again at" in output
    # The stage itself says so by its status; now it is Deezer that has had enough, in the middle of the songs.
    world.server.fault("GET /deezer/track", too_many(7200))
    status, output = ingest(checkout)
    assert status == 3
    assert "deezer asks to wait 2.0 hours" in output
    status, output = ingest(checkout)
    assert status == 0, output
    assert set(world.downloads().values()) == {1}
    assert len(tracks_of(checkout)) == 11 * 5
    read = [request.query.get("offset", "0") for request in world.server.asked(f"GET /v1/playlists/{RAP}/items")]
    assert read == ["0"], "a page that had come was asked for again"


def test_a_manifest_needs_no_account(tmp_path, world, checkout):
    configure(checkout, world, tmp_path / "gtzan", datasets__gtzan_plus__balance="none")
    checkout.commit()
    checkout.here("genres", "spotify", "export", "--dataset", "gtzan_plus")
    manifest = checkout.folder / "data/sources/spotify/manifest.csv"
    assert len(read_table(manifest)) == 10 + 1 + 10 + 1
    assert "0 songs added" in checkout.here("genres", "spotify", "export", "--dataset", "gtzan_plus")
    assert checkout.run("git", "status", "--short") == ""
    (checkout.folder / ".env").unlink()
    before = len(world.server.asked("/v1/"))
    status, output = ingest(checkout)
    assert status == 0, output
    assert len(world.server.asked("/v1/")) == before
    tracks = tracks_of(checkout)
    assert set(tracks["track_id"][tracks["genre"] == "brazilian_funk"]) == {track_id(n) for n in range(10, 19)}
    # Neither account nor manifest: one line that says what to do.
    manifest.unlink()
    status, output = ingest(checkout)
    assert status == 2
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "SPOTIPY_CLIENT_ID" in line and "manifest.csv" in line


def test_whole_songs_of_ones_own_are_added(tmp_path, world, checkout, write_song):
    songs = tmp_path / "mine"
    for n in range(4):
        write_song(songs / "rap" / f"own {n}.flac", seed=500 + n, seconds=12)
    configure(
        checkout,
        world,
        tmp_path / "gtzan",
        datasets__gtzan_plus__balance="none",
        datasets__gtzan_plus__songs_dir=str(songs),
    )
    status, output = ingest(checkout)
    assert status == 0, output
    rap = tracks_of(checkout).query("genre == 'rap'")
    assert rap["source"].value_counts()["folder"] == 4
    assert len(rap) == 10 + 4


def test_own_songs_alone_need_no_account_and_none_at_all_is_one_line(tmp_path, world, checkout, write_song):
    songs = tmp_path / "mine"
    (songs / "Rap").mkdir(parents=True)
    empty = {"rap": [], "rock": []}
    configure(checkout, world, tmp_path / "gtzan", datasets__spotify14__playlists=empty, dataset="spotify14")
    checkout.set_params(datasets__spotify14__songs_dir=str(songs), datasets__spotify14__min_tracks=3)
    (checkout.folder / ".env").unlink()
    status, output = ingest(checkout)
    assert status == 2
    assert "warning: songs_dir: skipped folders of Rap; the recipe has rap, rock" in output
    assert "Traceback" not in output
    for n in range(6):
        write_song(songs / ("rap" if n % 2 else "rock") / f"own {n}.flac", seed=600 + n, seconds=12)
    status, output = ingest(checkout)
    assert status == 0, output
    checkout.set_params(datasets__spotify14__songs_dir=str(tmp_path / "nowhere"))
    status, output = ingest(checkout)
    assert status == 2
    assert "nowhere: no such folder" in output


def test_a_genre_that_is_too_small_stops_with_what_to_do(tmp_path, world, checkout):
    configure(
        checkout, world, tmp_path / "gtzan", datasets__gtzan_plus__min_tracks=8, datasets__gtzan_plus__balance="none"
    )
    del world.spotify.playlists[FUNK]
    status, output = ingest(checkout)
    assert status == 2
    assert f"warning: brazilian_funk: playlist {FUNK}:" in output
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "too few songs (min_tracks: 8)" in line
    assert not (checkout.folder / "data/raw/gtzan_plus/tracks.csv").exists()
    assert (checkout.folder / "metrics/ingest.json").exists()


def test_check_shows_what_can_be_read(world, checkout, tmp_path):
    configure(checkout, world, tmp_path / "gtzan")
    world.spotify.app = "new"
    output = checkout.here("genres", "spotify", "check", fails=True)
    assert "error: 2 of 2 playlists cannot be read" in output
    assert "make spotify-login" in " ".join(output.split())
    world.spotify.app = "extended"
    output = checkout.here("genres", "spotify", "check")
    assert "Rap of the year" in output and "Funk do ano" in output


def test_one_artist_is_one_artist_in_both_sources(tmp_path, world, checkout):
    """GTZAN and tags know names, Spotify has ids: the artist filter must not take them for two."""
    configure(checkout, world, tmp_path / "gtzan", datasets__gtzan_plus__balance="none")
    songs = tmp_path / "mine"
    (songs / "rap").mkdir(parents=True)
    checkout.set_params(datasets__gtzan_plus__songs_dir=str(songs))
    import mutagen
    from checkout import write_song

    write_song(songs / "rap/own.flac", 200, 2, 7, 12.0)
    tags = mutagen.File(songs / "rap/own.flac", easy=True)
    tags["artist"], tags["title"] = "ARTIST 1", "A song that Spotify does not have"
    tags.save()
    # A manifest knows names only, here also that of an artist whose id a playlist has.
    world.sell(make_track(40, artist=1))
    named = [(40, 1), *((n, n // 2) for n in (12, 13, 15))]
    rows = [f"Song {n},Artist {artist},QZFAK{n:07d}\n" for n, artist in named]
    (songs / "brazilian_funk.csv").write_text("".join(["title,artist,isrc\n", *rows]))
    status, output = ingest(checkout)
    assert status == 0, output
    tracks = tracks_of(checkout)
    own = tracks[tracks["source"] == "folder"]["artist"].tolist()
    identity = make_track(2, artist=1)["artists"][0]["id"]
    assert own == [identity]
    known = tracks.set_index("isrc")["artist"]
    assert known["QZFAK0000040"] == identity
    assert known["QZFAK0000012"] == known["QZFAK0000013"] == "Artist 6"
