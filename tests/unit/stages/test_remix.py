"""Stage `remix` on networks that have learned nothing: what it reads, what it leaves, what it refuses."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from networks import FORMAT, GENRES, write_model

import clips
import ingest
import remix
from genres.core.files import read_json, read_table, write_json, write_table
from genres.core.paths import TRACKS, mels_dir
from genres.data import remixes, shards
from genres.data.windows import Windowing
from genres.inference.classifier import Classifier
from genres.stats.pairs import distance

ARCHITECTURES = ["bn_5x5", "baseline"]


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])


def raw_table(pairs: int) -> pd.DataFrame:
    """Eight songs of four genres, and pairs of which the originals are pop and the remixes rap."""
    rows = [{"track_id": f"t{n}", "genre": GENRES[n % 4], "artist": f"a{n}"} for n in range(8)]
    for n in range(pairs):
        for version, genre in (("original", "pop"), ("remix", "rap")):
            about = {"song": f"Song {n}/ü", "version": version}
            rows.append({"track_id": f"{version}{n}", "genre": genre, "artist": f"{version} {n}", **about})
    table = pd.DataFrame(rows, columns=["track_id", "genre", "artist", "song", "version"]).fillna("")
    return table.assign(sha256=table["track_id"])


@pytest.fixture
def make(configure: Callable, project: Path) -> Callable[[int], dict[str, np.ndarray]]:
    """Write what the stage reads, and give the spectrograms."""

    def make(pairs: int) -> dict[str, np.ndarray]:
        configure({"dataset": "folder", "architectures": ARCHITECTURES})
        raw = raw_table(pairs)
        write_table(project / "data/raw/folder/tracks.csv", raw)
        fold = np.where(raw["version"] != "", "", np.where(raw.index < 4, "train", "test"))
        write_table(TRACKS, raw[["track_id", "genre", "artist"]].assign(fold=fold))
        rng = np.random.default_rng(0)
        lengths = rng.integers(90, 220, len(raw))
        songs = [
            np.clip(rng.normal(rng.uniform(60, 190, 32), 30, (length, 32)), 0, 255).astype(np.uint8)
            for length in lengths
        ]
        shards.write(mels_dir(), raw, songs.__getitem__, FORMAT, key="", n_shards=2)
        for name in ARCHITECTURES:
            write_model(Path("models") / f"{name}.keras", windowing=Windowing(1.0 if name == "baseline" else 0.5))
        write_json(remix.SUMMARY, {"best": "baseline"})
        return dict(zip(raw["track_id"], songs, strict=True))

    return make


def test_the_tables_say_what_the_networks_say(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    songs = make(3)
    remix.main()
    rows, shifts, windows = (read_table(remix.FOLDER / f"{name}.csv") for name in ("pairs", "shifts", "windows"))
    metrics = read_json(remix.SCORES)
    assert (metrics["dataset"], metrics["n_pairs"], metrics["least_p"]) == ("folder", 3, 0.25)
    assert all(isinstance(value, bool | int | float | str) for value in metrics.values())
    assert len(rows) == 3 * 2 and len(shifts) == 4 * 2
    for name in ARCHITECTURES:
        classifier = Classifier(Path("models") / f"{name}.keras")
        mine = rows[rows["arch"] == name].set_index("original")
        for n in range(3):
            original, changed = (classifier.timeline(songs[f"{version}{n}"]) for version in ("original", "remix"))
            row = mine.loc[f"original{n}"]
            moved = changed.probabilities.mean(axis=0) - original.probabilities.mean(axis=0)
            np.testing.assert_allclose([row[f"shift_{genre}"] for genre in GENRES], moved, atol=1e-9)
            others = [classifier.timeline(songs["t6"]).probabilities.mean(axis=0)]  # the one test track of pop
            apart = distance(original.probabilities.mean(axis=0), np.array(others))
            assert row["distance_same_genre"] == pytest.approx(float(apart.mean()))
            heard = windows[(windows["arch"] == name) & (windows["track_id"] == f"remix{n}")]
            np.testing.assert_allclose(heard[GENRES].to_numpy(), changed.probabilities, atol=1e-9)
            assert heard["start_s"].tolist() == pytest.approx(changed.start_s.tolist())
        assert metrics[f"{name}_distance"] == pytest.approx(mine["distance"].mean())
        assert metrics[f"{name}_to_remix_genre"] == pytest.approx(mine["shift_rap"].mean())
    pictures = sorted(path.name for path in remix.PICTURES.iterdir())
    assert len(pictures) == 4
    assert pictures[0] == "01_song_0_ü.png"
    assert sum("_why_" in name for name in pictures) == 1
    assert (remix.FOLDER / "overview.png").stat().st_size > 10_000
    logged = {path.name for path in Path("mlruns").rglob("remix/*.png")}
    assert logged == {"overview.png", *pictures}
    assert "at least 0.25" in capsys.readouterr().out


def test_without_pairs_it_says_so_in_one_line(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make(0)
    remix.main()
    printed = capsys.readouterr()
    assert printed.out == "remix: the data set folder has no remix pairs: nothing to compare\n"
    assert printed.err == ""
    metrics = read_json(remix.SCORES)
    assert metrics["n_pairs"] == 0
    assert metrics["note"] == "this data set has no remix pairs"
    assert list(remix.PICTURES.iterdir()) == []
    assert read_table(remix.FOLDER / "pairs.csv").empty
    assert (remix.FOLDER / "overview.png").exists()


@pytest.mark.parametrize("drawn", ARCHITECTURES)
def test_a_network_that_hears_a_song_in_one_window_has_no_halves(
    drawn: str, make: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    make(3)
    write_model(Path("models/bn_5x5.keras"), windowing=Windowing(60.0))
    write_json(remix.SUMMARY, {"best": drawn})
    remix.main()
    found = read_json(Path("metrics/remix.json"))
    assert "baseline_distance_halves" in found
    assert "bn_5x5_distance_halves" not in found
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "bn_5x5" in line and "│" in line]
    assert row.count("│") == 10


def test_a_version_that_lacks_the_other_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    raw = raw_table(2)
    found = remixes.versions_of(raw[raw["track_id"] != "original1"])
    assert found["song"].tolist() == ["Song 0/ü"]
    (warned,) = capsys.readouterr().err.splitlines()
    assert (
        warned
        == "warning: 'Song 1/ü': left out, since only these of its versions can be used: remix remix1; it needs both"
    )


def test_an_original_is_told_beside_each_of_its_remixes() -> None:
    raw = raw_table(2)
    raw.loc[raw["track_id"] == "remix1", "song"] = "Song 0/ü"
    found = remixes.versions_of(raw[raw["track_id"] != "original1"])
    assert found[["original", "remix"]].to_numpy().tolist() == [["original0", "remix0"], ["original0", "remix1"]]


def test_a_pair_whose_artist_is_in_a_fold_is_refused(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make(1)
    tracks = read_table(TRACKS, dtype=str)
    tracks.loc[1, "artist"] = "REMIX 0 "
    write_table(TRACKS, tracks)
    with pytest.raises(SystemExit) as stopped:
        remix.main()
    assert stopped.value.code == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: data/tracks.csv: t1 is in train, though its artist 'REMIX 0 ' has a song in a")


@pytest.mark.parametrize("protocol", ["artist", "track", "clip", "predefined"])
def test_songs_and_artists_of_pairs_are_in_no_fold(
    protocol: str, configure: Callable, write_song: Callable, tmp_path: Path
) -> None:
    """From the user's folder on: the remix's artist has other songs, one of them under another spelling."""
    music = tmp_path / "music"
    rows = [(f"{genre}/{n}.wav", genre, f"{genre} artist {n}") for genre in ("pop", "rap") for n in range(5)]
    rows += [("pop/hit.wav", "pop", "Singer"), ("pop/old.wav", "pop", "Singer"), ("rap/remix.wav", "rap", "DJ Remix")]
    rows += [("rap/other.wav", "rap", "DJ Remix"), ("pop/another.wav", "pop", " dj remix")]
    for seed, (path, *_) in enumerate(rows):
        write_song(music / path, seed=seed, seconds=2.0)
    split = ["train", "train", "train", "val", "test"] * 2 + ["train"] * 5
    songs = pd.DataFrame(rows, columns=["path", "genre", "artist"]).assign(title="", split=split)
    write_table(music / "tracks.csv", songs)
    (music / "remixes.csv").write_text("song,original,remix\nHit,pop/hit.wav,rap/remix.wav\n")
    configure(
        {
            "dataset": "folder",
            "datasets.folder.dir": str(music),
            "split.protocol": protocol,
            "split.val": 0.2,
            "split.test": 0.2,
            "clips.length_s": 1.0,
        }
    )
    ingest.main()
    clips.main()
    used = set(read_table(Path("data/clips.csv"), dtype=str)["track_id"])
    assert used == {path for path, _, artist in rows if "artist" in artist}
    tracks = read_table(TRACKS, dtype=str)
    assert set(tracks["track_id"][tracks["fold"] != ""]) == used
    versions = remixes.versions_of(read_table(Path("data/raw/folder/tracks.csv"), dtype=str))
    assert versions[["original", "remix"]].to_numpy().tolist() == [["pop/hit.wav", "rap/remix.wav"]]
    remixes.check_kept_out(versions, tracks)
