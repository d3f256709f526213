"""Data sets published as spectrograms: what is accepted, what is refused, and what is known of each track."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.audio import published
from genres.core.console import UserError
from genres.core.recipes import MelsRecipe
from genres.sources import CANDIDATE_COLUMNS, mels
from genres.sources.inspect import inspect_spectrograms

IDS = ["pop.1", "pop.2", "rock.1", "rock.2"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    rng = np.random.default_rng(0)
    write_archive(tmp_path / "set", mel=rng.integers(0, 256, (4, 40, 129)).astype(np.uint8))
    rows = [{"track_id": name, "genre": name.split(".")[0], "artist": "", "split": "train"} for name in IDS]
    pd.DataFrame(rows).to_csv(tmp_path / "set" / "tracks.csv", index=False)
    return tmp_path / "set"


def write_archive(folder: Path, **arrays: Any) -> None:
    """Write mels.npz: four tracks of 40 bands and 129 frames, but for the arrays given (None: left out)."""
    good = {
        "track_id": np.array(IDS),
        "mel": np.random.default_rng(0).integers(0, 256, (4, 40, 129)).astype(np.uint8),
        "range_db": np.full(4, 80, np.float32),
    }
    np.savez(folder / "mels.npz", **{key: value for key, value in (good | arrays).items() if value is not None})


def make_recipe(folder: Path, **changes: Any) -> MelsRecipe:
    values = {
        "source": "mels",
        "dir": folder,
        "genres": None,
        "exclude_genres": [],
        "sample_rate": 22050,
        "n_fft": 2048,
        "n_mels": 40,
        "frame_rate": 12.9,
        "train": {},
    }
    return MelsRecipe(**values | changes)


def inspect(folder: Path, **changes: Any) -> list:
    recipe = make_recipe(folder, **changes)
    return inspect_spectrograms(mels.collect(recipe, folder.parent), recipe)


def test_a_good_archive(dataset: Path) -> None:
    tracks = mels.collect(make_recipe(dataset), dataset.parent)
    assert list(tracks.columns) == CANDIDATE_COLUMNS
    assert tracks["track_id"].tolist() == IDS
    assert set(tracks["path"]) == {str(dataset / "mels.npz")}
    assert set(tracks["split"]) == {"train"}
    findings = inspect(dataset)
    ids, stored, ranges = published.read(dataset / "mels.npz", 40)
    assert ids == IDS
    assert [finding.rejected for finding in findings] == [""] * 4
    assert [finding.duration_s for finding in findings] == [10.0] * 4
    expected = [hashlib.sha256(stored[row].tobytes() + ranges[row].tobytes()).hexdigest() for row in range(4)]
    assert [finding.sha256 for finding in findings] == expected
    assert len({finding.fingerprint for finding in findings}) == 4


@pytest.mark.parametrize("n_mels", [8, 32, 40, 100, 128])
def test_any_number_of_bands_has_a_fingerprint(dataset: Path, n_mels: int) -> None:
    write_archive(dataset, mel=np.random.default_rng(1).integers(0, 256, (4, n_mels, 20)).astype(np.uint8))
    findings = inspect(dataset, n_mels=n_mels)
    assert [finding.rejected for finding in findings] == [""] * 4
    assert all(np.any(finding.vector() != 0) for finding in findings)


@pytest.mark.parametrize("genres", [{"genres": ["rock"]}, {"exclude_genres": ["pop"]}])
def test_genres_are_chosen(dataset: Path, genres: dict) -> None:
    tracks = mels.collect(make_recipe(dataset, **genres), dataset.parent)
    assert tracks["track_id"].tolist() == ["rock.1", "rock.2"]


def test_tracks_without_a_usable_spectrogram_are_rejected_and_the_rest_is_kept(dataset: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (4, 40, 129)).astype(np.uint8)
    stored[1] = 17  # flat
    names = np.array([*IDS[:3], "other"])
    write_archive(dataset, mel=stored, track_id=names, range_db=np.array([80, 80, np.nan, 80], np.float32))
    rejected = [finding.rejected for finding in inspect(dataset)]
    assert rejected == ["", "silent", "silent", "not in mels.npz"]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"mel": np.zeros((4, 64, 129), np.uint8)}, r"datasets\.mels\.n_mels: is 40, but .* of 64 bands"),
        ({"mel": np.zeros((4, 40, 129), np.float32)}, "mel must be uint8 .* it is float32"),
        ({"mel": np.zeros((4, 40), np.uint8)}, r"mel must be uint8 .* it is uint8 \(4, 40\)"),
        ({"mel": np.zeros((3, 40, 129), np.uint8)}, "mel must be uint8 of shape"),
        ({"mel": np.zeros((4, 40, 0), np.uint8)}, "mel must be uint8 of shape"),
        ({"range_db": np.full(3, 80.0)}, "a range_db each"),
        ({"range_db": np.full((4, 1), 80.0)}, "a range_db each"),
        ({"range_db": np.array(80.0)}, "a range_db each"),
        ({"range_db": np.array(["loud"] * 4)}, "a range_db each"),
        ({"track_id": np.array("pop.1")}, "a track_id"),
        ({"mel": None}, "mel is not a file in the archive; it needs track_id, mel and range_db"),
        ({"range_db": None}, "range_db is not a file in the archive"),
        ({"track_id": np.array(IDS, dtype=object)}, "cannot be read as an npz archive .*allow_pickle"),
    ],
)
def test_archives_of_another_form_are_refused(dataset: Path, arrays: dict, says: str) -> None:
    write_archive(dataset, **arrays)
    with pytest.raises(UserError, match=says) as raised:
        published.read(dataset / "mels.npz", 40)
    assert "mels.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_pickles_are_never_run(dataset: Path) -> None:
    marker = dataset / "was run"

    class Touch:
        def __reduce__(self) -> tuple[Callable, tuple]:
            return (Path.touch, (marker,))

    write_archive(dataset, track_id=np.array([Touch()] * 4, dtype=object))
    with pytest.raises(UserError):
        published.read(dataset / "mels.npz", 40)
    assert not marker.exists()


@pytest.mark.parametrize("broken", ["empty", "text", "cut", "flipped", "npy", "folder"])
def test_what_is_no_archive_is_refused(dataset: Path, broken: str) -> None:
    path = dataset / "mels.npz"
    content = bytearray(path.read_bytes())
    if broken == "folder":
        path.unlink()
        path.mkdir()
    elif broken == "npy":
        np.save(dataset / "a.npy", np.zeros(3))
        path.write_bytes((dataset / "a.npy").read_bytes())
    else:
        middle = len(content) // 2
        content[middle : middle + 8] = bytes(byte ^ 255 for byte in content[middle : middle + 8])
        contents = {"empty": b"", "text": b"no archive\n" * 9, "cut": content[:middle], "flipped": content}
        path.write_bytes(contents[broken])
    with pytest.raises(UserError, match=r"mels\.npz: cannot be read as an npz archive"):
        published.read(path, 40)


@pytest.mark.parametrize("name", ["mels.npz", "tracks.csv"])
def test_missing_files_are_named(dataset: Path, name: str) -> None:
    (dataset / name).unlink()
    with pytest.raises(UserError, match=rf"datasets\.mels\.dir: .*{name}: no such file"):
        mels.collect(make_recipe(dataset), dataset.parent)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("track_id,artist\npop.1,Ann\n", "has no column 'genre'"),
        ("id,genre\npop.1,pop\n", "has no column 'track_id'"),
        ("track_id,genre\npop.1,pop\npop.2,pop\npop.1,pop\n", r"lists pop\.1 twice"),
    ],
)
def test_tracks_csv_that_cannot_be_used(dataset: Path, content: str, says: str) -> None:
    (dataset / "tracks.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=says):
        mels.collect(make_recipe(dataset), dataset.parent)


def test_a_genre_that_is_not_there_is_named(dataset: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.mels\.genres: no track of genre 'fado'"):
        mels.collect(make_recipe(dataset, genres=["fado"]), dataset.parent)


@given(st.integers(0, 255), st.floats(1, 200))
def test_levels_are_the_closed_form(value: int, range_db: float) -> None:
    level = published.decibels(np.array([[value]], np.uint8), range_db)
    assert level.dtype == np.float32
    assert float(level[0, 0]) == pytest.approx(-range_db * (255 - value) / 255, abs=1e-3)


def test_equal_spectrograms_have_equal_digests_and_others_do_not(dataset: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (4, 40, 129)).astype(np.uint8)
    stored[1] = stored[0]
    stored[3] = stored[2]
    write_archive(dataset, mel=stored, range_db=np.array([80, 80, 80, 70], np.float32))
    digests = [finding.sha256 for finding in inspect(dataset)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
