"""From a music library to folds: the stages ingest and clips, with genres spelled in many ways."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import pandas as pd
import pytest
from checkout import ROOT

import clips
import ingest
from genres.core.files import read_table
from genres.sources.report import REPORT

SPELLINGS = {
    "hiphop": ["Hip-Hop/Rap", "hip hop", "HipHop", "Gangsta Rap"],
    "electronic": ["Deep House", "House; Techno", "Electronica/Dance", "EDM"],
    "rock": ["(17)", "Pop/Rock", "Рок", "Grunge"],
}
ARTISTS = 4


def tag(path: Path, **values: str) -> None:
    opened = mutagen.File(path, easy=True)
    if opened.tags is None:
        opened.add_tags()
    for key, value in values.items():
        opened[key] = value
    opened.save()


@pytest.fixture
def songs(tmp_path: Path, write_song: Callable) -> pd.DataFrame:
    """Artists with two albums each, a compilation of two artists a genre, one untagged and one bad file."""
    rows = []

    def add(name: str, **values: str) -> None:
        path = write_song(tmp_path / "music" / name, seed=len(rows), seconds=3)
        tag(path, **values)
        rows.append({"track_id": name, **values})

    for genre, spellings in SPELLINGS.items():
        for number in range(ARTISTS):
            for album in ("First", "Second"):
                name = f"{genre} {number}"
                suffix = "mp3" if number % 2 else "flac"
                place = f"{name}/{album}/1.{suffix}"
                add(place, genre=spellings[number], artist=name, album=album, albumartist=name)
        for number in (0, 1):
            values = {"artist": f"{genre} guest {number}", "album": f"Best of {genre}", "genre": spellings[0]}
            add(f"compilations/{genre}/{number}.flac", albumartist="Various Artists", **values)
    tag(write_song(tmp_path / "music/untagged.mp3", seed=100, seconds=3), artist="Ann")
    (tmp_path / "music/bad.mp3").write_bytes(b"no music")
    return pd.DataFrame(rows).set_index("track_id")


@pytest.fixture
def run(configure: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable:
    """Run both stages, and return the tables of the tracks, with the folds and before."""
    monkeypatch.setattr(sys, "argv", ["stage"])

    def run(**changes: object) -> tuple[pd.DataFrame, pd.DataFrame]:
        recipe = {"dir": str(tmp_path / "music"), "tree": str(ROOT / "data/sources/library/genres.yaml")}
        recipe |= {"min_artists": 3}
        configure({"dataset": "library"} | {f"datasets.library.{k}": v for k, v in recipe.items()} | changes)
        ingest.main()
        clips.main()
        raw = read_table(Path("data/raw/library/tracks.csv"), dtype=str)
        return read_table(Path("data/tracks.csv"), dtype=str).set_index("track_id"), raw.set_index("track_id")

    return run


def test_no_artist_and_no_album_is_in_two_folds(songs: pd.DataFrame, run: Callable) -> None:
    tracks, _ = run()
    assert list(tracks.columns) == ["genre", "artist", "fold"]
    assert set(tracks.index) == set(songs.index)
    assert tracks["genre"].to_dict() == {name: genre for name in songs.index for genre in SPELLINGS if genre in name}
    folds = songs.join(tracks["fold"])
    assert set(folds["fold"]) == {"train", "val", "test"}
    assert folds.groupby("artist")["fold"].nunique().eq(1).all()
    compilations = folds[folds["albumartist"] == "Various Artists"]
    assert compilations.groupby("album")["fold"].nunique().eq(1).all()
    # "First" of different artists are different albums.
    assert folds[folds["album"] == "First"]["fold"].nunique() == 3
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    assert (report["asked"], report["got"], sorted(report["genres"])) == (len(songs), len(songs), sorted(SPELLINGS))
    assert read_table(Path("data/raw/library/left_out.csv"))["track_id"].tolist() == ["bad.mp3", "untagged.mp3"]


@pytest.mark.parametrize("fold", range(4))
def test_nor_under_cross_validation(songs: pd.DataFrame, run: Callable, fold: int) -> None:
    tracks, raw = run(**{"split.folds": 4, "split.fold": fold})
    assert raw["album"].ne("").all()
    assert tracks["fold"].groupby(raw["album"]).nunique().eq(1).all()
    assert tracks["fold"].groupby(songs["artist"]).nunique().eq(1).all()


def test_the_protocol_track_ties_no_albums(songs: pd.DataFrame, run: Callable) -> None:
    tracks, raw = run(**{"split.protocol": "track"})
    assert tracks["fold"].groupby(raw["album"]).nunique().max() > 1


def test_copies_of_a_song_in_two_formats_are_one_recording(
    songs: pd.DataFrame, run: Callable, tmp_path: Path, write_song: Callable
) -> None:
    tag(write_song(tmp_path / "music/copy.mp3", seed=0, seconds=3), genre="Rap")
    _, raw = run()
    first = songs.index[0]
    assert raw.loc["copy.mp3", "recording"] == raw.loc[first, "recording"]
