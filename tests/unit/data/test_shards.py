"""The layout of stored spectrograms: what is written is read, and what has not changed is left alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genres.audio.format import Format
from genres.core.console import UserError
from genres.core.files import read_table, sha256_of
from genres.data import shards
from genres.data.shards import Spectrograms

FORM = Format(sample_rate=8000, n_fft=64, n_mels=4, frame_rate=10.0, top_db=80.0)


def library(names: list[str]) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Tracks whose digests are their names, of 1 to 30 frames that follow from the name."""
    arrays = []
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        arrays.append(rng.integers(0, 256, (rng.integers(1, 31), 4), dtype=np.uint8))
    return pd.DataFrame({"track_id": [f"track {name}" for name in names], "sha256": names}), arrays


def write(folder: Path, names: list[str], *, n_shards: int = 4, key: str = "key") -> list[int]:
    """Write, and tell which rows were asked for."""
    tracks, arrays = library(names)
    asked: list[int] = []

    def read(row: int) -> np.ndarray:
        asked.append(row)
        return arrays[row]

    shards.write(folder, tracks, read, FORM, key=key, n_shards=n_shards)
    return asked


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {path.name: (sha256_of(path), path.stat().st_mtime_ns) for path in folder.glob("*.npy")}


@given(names=st.lists(st.text("abcdef0123456789", min_size=1, max_size=6), min_size=1, max_size=40, unique=True))
@settings(max_examples=25)
@pytest.mark.parametrize("n_shards", [1, 2, 8])
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, n_shards: int, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("mels")
    assert sorted(write(folder, names, n_shards=n_shards)) == list(range(len(names)))
    stored = Spectrograms(folder)
    assert stored.format == FORM
    for track_id, array in zip(*(library(names)[0]["track_id"], library(names)[1]), strict=True):
        np.testing.assert_array_equal(stored.track(track_id), array)
        assert stored.seconds(track_id) == len(array) / 10
    assert len(list(folder.glob("*.npy"))) <= n_shards
    with pytest.raises(KeyError):
        stored.track("7")


def test_names_that_pandas_would_take_for_numbers_or_nothing(tmp_path: Path) -> None:
    tracks, arrays = library(["007", "1e5", "3"])
    tracks["track_id"] = ["007", "NA", "1e5"]
    for _ in range(2):
        shards.write(tmp_path, tracks, arrays.__getitem__, FORM, key="", n_shards=2)
        for track_id, array in zip(tracks["track_id"], arrays, strict=True):
            np.testing.assert_array_equal(Spectrograms(tmp_path).track(track_id), array)


def test_tracks_are_views_of_a_mapped_file(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b"], n_shards=1)
    track = Spectrograms(tmp_path).track("track a")
    assert not track.flags.writeable and not track.flags.owndata
    assert type(track) is np.ndarray
    base = track
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_one_song_more_is_one_file_more(tmp_path: Path) -> None:
    names = [f"{number:x}" for number in range(200)]
    write(tmp_path, names, n_shards=16)
    before = digests(tmp_path)
    assert len(before) == 16
    # In the middle of the table, as a song of another genre would come.
    asked = write(tmp_path, [*names[:50], "new", *names[50:]], n_shards=16)
    after = digests(tmp_path)
    assert len(set(before.items()) - set(after.items())) == 1
    assert len(set(after.items()) - set(before.items())) == 1
    assert 50 in asked and len(asked) < 40  # those that share its shard
    # And without it, all is as it was.
    write(tmp_path, names, n_shards=16)
    assert {name: digest for name, (digest, _) in digests(tmp_path).items()} == {n: d for n, (d, _) in before.items()}


def test_nothing_new_reads_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", "c"])
    before = digests(tmp_path)
    assert write(tmp_path, ["c", "a", "b"]) == []
    assert digests(tmp_path) == before
    assert read_table(tmp_path / "index.csv")["track_id"].tolist() == ["track c", "track a", "track b"]


def test_another_key_is_another_content(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b"])
    assert sorted(write(tmp_path, ["a", "b"], key="other")) == [0, 1]


@pytest.mark.parametrize("damage", ["gone", "short", "no index", "index of another program"])
def test_what_is_damaged_is_written_again(tmp_path: Path, damage: str) -> None:
    write(tmp_path, ["a", "b", "c"], n_shards=1)
    before = {name: digest for name, (digest, _) in digests(tmp_path).items()}
    (path,) = tmp_path.glob("*.npy")
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "no index":
        (tmp_path / "index.csv").unlink()
    else:
        (tmp_path / "index.csv").write_text("a,b\n1,2\n")
    assert sorted(write(tmp_path, ["a", "b", "c"], n_shards=1)) == [0, 1, 2]
    assert {name: digest for name, (digest, _) in digests(tmp_path).items()} == before


def test_a_killed_run_leaves_the_old_one_whole(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b"], n_shards=1)
    tracks, arrays = library(["a", "b", "c"])

    def killed(row: int) -> np.ndarray:
        if row == 2:
            raise KeyboardInterrupt
        return arrays[row]

    with pytest.raises(KeyboardInterrupt):
        shards.write(tmp_path, tracks, killed, FORM, key="key", n_shards=1)
    np.testing.assert_array_equal(Spectrograms(tmp_path).track("track b"), arrays[1])
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("tracks", "expected"), [(1, 1), (300, 1), (900, 4), (20_000, 64), (10**8, 256)])
def test_the_number_of_shards_is_a_power_of_two(tracks: int, expected: int) -> None:
    """Of 30 s at 43 frames a second: 165 kB a track, 64 MB a shard at the most."""
    assert shards.count(tracks * 30 * 22050 / 512, 128) == expected


def test_missing_or_damaged_spectrograms_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no spectrograms here; make them with: dvc repro mels"):
        Spectrograms(tmp_path)
    write(tmp_path, ["a"], n_shards=1)
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="make it again: rm -r data/mels"):
        Spectrograms(tmp_path).track("track a")
