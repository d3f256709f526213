"""Classifiers without a network: whole artists held out, and what is said of bad folders."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import classical
from genres.core.console import UserError
from genres.data.folds import group

pytestmark = pytest.mark.soak  # of tools beside the project

FRAMES, MELS = 160, 128
GENRES = ("hum", "pulse", "hiss")


def test_artists_stay_together() -> None:
    rng = np.random.default_rng(0)
    artists = [f"artist {number}" for number in rng.integers(0, 30, 120)]
    tracks = pd.DataFrame({"artist": artists, "genre": rng.choice(["a", "b"], 120)})
    tracks["recording"] = [f"recording {row}" for row in range(120)]
    tracks.loc[0, "artist"] = f"  {artists[1].upper()} "  # the same artist all the same
    tracks.loc[[2, 3], "artist"] = ""
    tracks.loc[[4, 5], "recording"] = "equal spectrograms"
    groups = group(tracks, by_artist=True)
    assert groups[2] != groups[3]
    for number in range(3):
        tracks["part"] = parts = classical.deal_parts(tracks, groups, 5, number)
        assert set(parts) == set(range(5))
        assert parts[0] == parts[1]
        assert parts[4] == parts[5]
        assert tracks[6:].groupby("artist")["part"].nunique().max() == 1
    first, second = (classical.deal_parts(tracks, groups, 5, number) for number in (0, 1))
    assert (first != second).any()
    assert (first == classical.deal_parts(tracks, groups, 5, 0)).all()


@pytest.mark.parametrize("classify", [classical.svm, lambda *data: classical.discriminant(*data, sizes=[20])])
def test_knowing_the_artist_is_of_no_use(classify: classical.Classifier) -> None:
    # 40 artists who sound like themselves and not like their genre: with their other tracks in training all is
    # right, and without them half.
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(40), 5)
    labels = (artists + artists // 2) % 2
    columns = rng.normal(size=(40, 20))[artists] + 0.05 * rng.normal(size=(200, 20))
    tracks = pd.DataFrame({"genre": labels.astype(str)})
    right = {
        name: (classical.held_out(columns, labels, artists, parts, classify) == labels).mean()
        for name, parts in {
            "by artist": classical.deal_parts(tracks, artists, 5, 0),
            "by track": np.tile(np.arange(5), 40),
        }.items()
    }
    assert right["by track"] - right["by artist"] > 0.2
    assert right["by artist"] == pytest.approx(0.5, abs=0.2)


# ── On a folder of spectrograms ──────────────────────────────────────────────────────────────────────────────────


def write_set(folder: Path, **changes: Any) -> Path:
    """Three genres of four artists with two tracks each, that rhythm and timbre tell apart; and nine test tracks."""
    rng = np.random.default_rng(0)
    rows, mel = [], []
    for number in range(33):
        genre = GENRES[number % 3]
        level = rng.uniform(0, 60, (MELS, FRAMES))
        if genre == "hum":
            level[8::16] = 255
        elif genre == "pulse":
            level[:, 4::8] = 255
        rows.append((f"track.{number}", genre, f"{genre} {number // 6}", "train" if number < 24 else "test"))
        mel.append(level.astype(np.uint8))
    tracks = pd.DataFrame(rows, columns=["track_id", "genre", "artist", "split"])
    arrays = {"track_id": tracks["track_id"].to_numpy(str), "mel": np.array(mel), "range_db": np.full(33, 80.0)}
    folder.mkdir()
    np.savez(folder / "mels.npz", **arrays | {key: changes.pop(key) for key in list(changes) if key in arrays})
    tracks.assign(**changes).to_csv(folder / "tracks.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple]:
    """The folder, and what is read from it."""
    folder = write_set(tmp_path_factory.mktemp("classical") / "set")
    return folder, classical.read(folder)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["classical", str(folder), *options])
    classical.main()


def test_genres_that_are_told_apart_are(
    written: tuple[Path, tuple], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(written[0], monkeypatch, "--splits", "4", "--deals", "2")
    printed = capsys.readouterr().out
    assert "24 tracks of 12 artists and 3 genres, 4-fold" in printed
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in printed.splitlines() if "│" in line]
    assert [row[:3] for row in rows] == [
        ["MFCC", "80", "SVM"],
        ["descriptors", "1477", "SVM"],
        ["descriptors", "1477", "discriminant"],
    ]
    assert all(row[3:] == ["100.0 %", "100.0  100.0"] for row in rows)


def test_test_tracks_are_not_used(written: tuple[Path, tuple], tmp_path: Path) -> None:
    folder, (tracks, columns, sizes) = written
    assert set(tracks["split"]) == {"train"}
    assert columns.shape == (24, sum(sizes))
    with np.load(folder / "mels.npz") as archive:
        mel = archive["mel"].copy()
    mel[24:] = 0
    _, others, _ = classical.read(write_set(tmp_path / "other", mel=mel))
    np.testing.assert_array_equal(columns, others)


def test_spectrograms_are_found_by_name(written: tuple[Path, tuple], tmp_path: Path) -> None:
    folder, (_, columns, _) = written
    with np.load(folder / "mels.npz") as archive:
        backwards = {name: archive[name][::-1] for name in ("track_id", "mel")}
    _, others, _ = classical.read(write_set(tmp_path / "other", **backwards))
    np.testing.assert_array_equal(columns, others)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "test"}, "no two genres with tracks of split 'train'"),
        ({"genre": "hum"}, "no two genres with tracks of split 'train'"),
        ({"mel": np.zeros((33, MELS, 100), np.uint8)}, "has 100 frames a track; 128 are needed"),
        ({"track_id": np.array([f"other.{number}" for number in range(33)])}, "lists track.0, which mels.npz does not"),
    ],
)
def test_what_is_amiss_is_said(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        classical.read(write_set(tmp_path / "set", **changes))


def test_a_folder_without_spectrograms_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; name a folder"):
        classical.read(tmp_path)
    write_set(tmp_path / "set")
    pd.DataFrame({"track_id": ["track.0"], "genre": ["hum"]}).to_csv(tmp_path / "set" / "tracks.csv", index=False)
    with pytest.raises(UserError, match="has no column 'artist'"):
        classical.read(tmp_path / "set")


def test_a_genre_of_one_artist_cannot_be_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_set(tmp_path / "set", artist="one and the same")
    with pytest.raises(SystemExit) as stopped:
        run(folder, monkeypatch)
    assert stopped.value.code == 2
    assert "genre 'hiss' needs at least two artists" in capsys.readouterr().err
