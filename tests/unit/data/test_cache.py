"""The mels stage: one array, its index, and nothing computed twice."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from ruamel.yaml import YAML

import mels
from genres.audio import decode, format, mel
from genres.core.console import UserError
from genres.core.files import read_json, read_table, sha256_of, write_json, write_table
from genres.core.params import Params
from genres.core.paths import mels_dir
from genres.data import cache, shards
from genres.data.shards import Spectrograms

SMALL = {
    "dataset": "folder",
    "front_ends.default.n_mels": 32,
    "front_ends.default.n_fft": 1024,
    "front_ends.default.hop_length": 512,
}


@pytest.fixture
def library(project: Path, configure: Callable, write_song: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Write songs and their raw tracks.csv; call it again with more."""
    configure(SMALL)
    monkeypatch.setattr(sys, "argv", ["mels"])

    def fill(n_songs: int) -> pd.DataFrame:
        rows = []
        for number in range(n_songs):
            path = project / "music" / f"{number}.wav"
            if not path.exists():
                write_song(path, number, seconds=1 + 0.3 * number)
            digest, seconds = sha256_of(path), 1 + 0.3 * number
            rows.append({"track_id": f"0{number}", "path": str(path), "sha256": digest, "duration_s": seconds})
        table = pd.DataFrame(rows)
        write_table(project / "data/raw/folder/tracks.csv", table)
        return table

    return fill


def output() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(mels_dir().iterdir())}


def array() -> np.ndarray:
    (path,) = mels_dir().glob("*.npy")
    return np.load(path)


def expected_frames(path: str, settings: Params) -> np.ndarray:
    """The whole way in librosa alone: bytes [shape=(frames, n_mels)] as floats."""
    mel = settings.mels_of_dataset()
    samples, _ = librosa.load(path, sr=mel.sample_rate)
    power = librosa.feature.melspectrogram(
        y=samples, sr=mel.sample_rate, n_fft=mel.n_fft, hop_length=mel.hop_length, n_mels=mel.n_mels
    )
    return (librosa.power_to_db(power, ref=np.max, top_db=mel.top_db) / mel.top_db + 1).T * 255


def test_array_and_index_agree_with_librosa(project: Path, library: Callable, configure: Callable) -> None:
    table = library(3)
    settings = configure({})
    mels.main()
    index = read_table(mels_dir() / "index.csv", dtype={"track_id": str})
    assert array().dtype == np.uint8
    assert array().shape == (index["frames"].sum(), 32)
    assert index["track_id"].tolist() == ["00", "01", "02"]
    assert index["sha256"].tolist() == table["sha256"].tolist()
    stored = Spectrograms(mels_dir())
    for track_id, path in zip(table["track_id"], table["path"], strict=True):
        expected = expected_frames(path, settings)
        track = stored.track(track_id)
        assert track.shape == expected.shape
        assert np.abs(track - expected).max() <= 0.5 + 0.02
    assert read_json(mels_dir() / "format.json") == {
        "sample_rate": 22050,
        "n_fft": 1024,
        "n_mels": 32,
        "frame_rate": pytest.approx(22050 / 512),
        "top_db": 80.0,
        "fmin": 0.0,
        "fmax": None,
        "reference": "peak",
    }


def test_only_what_is_new_is_computed(library: Callable, configure: Callable, decoded: list[str]) -> None:
    library(3)
    mels.main()
    assert sorted(decoded) == ["0.wav", "1.wav", "2.wav"]
    before = output()
    decoded.clear()
    mels.main()
    assert decoded == []
    assert output() == before
    library(4)
    mels.main()
    assert decoded == ["3.wav"]
    decoded.clear()
    configure({"clips.length_s": 1.5, "clips.overlap_s": 0.5, "seed": 3, "split.test": 0.2})
    mels.main()
    assert decoded == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("front_ends.default.n_mels", 40),
        ("front_ends.default.n_fft", 2048),
        ("front_ends.default.hop_length", 256),
        ("front_ends.default.fmin", 50.0),
        ("front_ends.default.fmax", 8000.0),
        ("front_ends.default.top_db", 60.0),
        ("front_ends.default.sample_rate", 16000),
        ("front_ends.default.reference", "loudness"),
    ],
)
def test_other_parameters_are_other_spectrograms(
    library: Callable, configure: Callable, decoded: list[str], key: str, value: float
) -> None:
    library(1)
    mels.main()
    before = array().tobytes()
    settings = configure({key: value})
    mels.main()
    assert decoded == ["0.wav", "0.wav"]
    assert array().tobytes() != before
    if key not in ("front_ends.default.fmin", "front_ends.default.fmax", "front_ends.default.reference"):
        expected = expected_frames("music/0.wav", settings)
        assert np.abs(array() - expected).max() <= 0.52


def test_a_recipe_overrides_single_keys_and_no_other_recipe_does(
    library: Callable, configure: Callable, decoded: list[str]
) -> None:
    library(1)
    settings = configure({"front_ends.default.fmax": 8000.0, "front_ends.default.reference": "loudness"})
    mels.main()
    expected = output()
    assert decoded == ["0.wav"]
    configure(
        {
            "front_ends.default.fmax": None,
            "front_ends.default.reference": "peak",
            "datasets.demo.mels": {"fmax": 3000.0},
        }
    )
    configure({"datasets.folder.mels": {"fmax": 8000.0, "reference": "loudness"}})
    mels.main()
    assert output() == expected
    assert decoded == ["0.wav"]  # the same spectrograms, whichever way they were asked for
    form = Spectrograms(mels_dir()).format
    assert (form.fmax, form.reference, form.n_mels) == (8000.0, "loudness", settings.front_ends["default"].n_mels)
    samples = decode.load(Path("music/0.wav"), 22050)
    np.testing.assert_array_equal(array(), mel.of_samples(samples, settings.mels_of_dataset()))


def test_what_a_recipe_says_of_training_is_no_concern_of_the_mels() -> None:
    stage = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["mels"]
    assert set(stage["do"]["params"]) == {"architectures", "dataset", "datasets.${dataset}.mels", "front_ends.${key}"}


def test_the_same_bytes_are_computed_once(library: Callable, decoded: list[str]) -> None:
    table = library(2)
    twins = pd.concat([table, table.assign(track_id=["x", "y"])])
    write_table(Path("data/raw/folder/tracks.csv"), twins)
    mels.main()
    assert sorted(decoded) == ["0.wav", "1.wav"]
    stored = Spectrograms(mels_dir())
    np.testing.assert_array_equal(stored.track("x"), stored.track("00"))
    np.testing.assert_array_equal(stored.track("y"), stored.track("01"))


@pytest.mark.parametrize("failing", [1, 4])
def test_a_full_disk_loses_nothing(
    project: Path,
    library: Callable,
    decoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: int,
) -> None:
    library(6)
    save, saved = np.save, []

    def fill_disk(path: Path, array: np.ndarray) -> None:
        if len(saved) == failing:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(path, array)
        saved.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fill_disk)
        with pytest.raises(SystemExit) as left:
            mels.main()
    assert left.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: the disk is full while writing ")
    assert message.count("\n") == 1
    assert not mels_dir().exists()
    kept = [path for path in (project / ".cache").rglob("*") if path.is_file()]
    assert len(kept) == failing
    assert not [path for path in kept if ".tmp" in path.name]
    decoded.clear()
    mels.main()
    assert len(decoded) == 6 - failing
    resumed = output()
    assert not [name for name in resumed if "tmp" in name]

    # Undisturbed, in a cache of its own.
    monkeypatch.setenv("DVC_ROOT", str(project / "elsewhere"))
    decoded.clear()
    mels.main()
    assert len(decoded) == 6
    assert output() == resumed


def test_a_disk_that_fills_up_at_the_end_leaves_the_old_output(
    library: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(1)
    mels.main()
    before = output()
    library(2)

    def no_space(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shards, "_write_header", no_space)
        with pytest.raises(SystemExit):
            mels.main()
    assert output() == before


@pytest.mark.parametrize("content", [None, b"", b"no music"])
def test_a_song_that_is_gone_is_one_line(
    library: Callable, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    table = library(2)
    path = Path(table["path"][1])
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as left:
        mels.main()
    assert left.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert str(path) in message
    assert "dvc repro" in message
    assert message.count("\n") == 1


def test_without_ingestion_it_is_one_line(
    configure: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(SMALL)
    monkeypatch.setattr(sys, "argv", ["mels"])
    with pytest.raises(SystemExit) as left:
        mels.main()
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("error: data/raw/folder/tracks.csv: no such file")


def published(project: Path) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    stored, ranges = rng.integers(0, 256, (3, 8, 20)).astype(np.uint8), np.array([80, 50, 110], np.float32)
    archive = project / "mels.npz"
    np.savez(archive, track_id=np.array(["a", "b", "c"]), mel=stored, range_db=ranges)
    raw = project / "data/raw/mels"
    table = pd.DataFrame(
        {"track_id": ["c", "a"], "path": str(archive), "sha256": ["1", "2"], "duration_s": ["1.5"] * 2}
    )
    write_table(raw / "tracks.csv", table)
    write_json(raw / "spectrogram.json", {"sample_rate": 16000, "n_fft": 512, "n_mels": 8, "frame_rate": 12.9})
    return stored, ranges


def test_published_spectrograms_are_converted_within_half_a_step(
    project: Path, configure: Callable, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    source, ranges = published(project)
    configure({"dataset": "mels"})
    monkeypatch.setattr(sys, "argv", ["mels"])
    mels.main()
    stored = Spectrograms(mels_dir())
    assert vars(stored.format) == {
        "sample_rate": 16000,
        "n_fft": 512,
        "n_mels": 8,
        "frame_rate": 12.9,
        "top_db": 80.0,
        "fmin": 0.0,
        "fmax": None,
        "reference": "peak",
    }
    for track_id, row in (("c", 2), ("a", 0)):
        decibels = -float(ranges[row]) * (1 - source[row].astype(float) / 255)
        track = stored.track(track_id)
        assert track.shape == (20, 8)
        error = format.to_decibels(track, 80.0).T - np.maximum(decibels, -80.0)
        assert np.abs(error).max() <= 80 / 255 / 2 + 1e-3
    np.testing.assert_array_equal(stored.track("a").T, source[0])
    assert decoded == []


def test_a_published_track_that_is_gone_is_one_line(
    project: Path, configure: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published(project)
    np.savez(project / "mels.npz", track_id=np.array(["c"]), mel=np.ones((1, 8, 20), np.uint8), range_db=np.ones(1))
    configure({"dataset": "mels"})
    monkeypatch.setattr(sys, "argv", ["mels"])
    with pytest.raises(SystemExit) as left:
        mels.main()
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("error: a is missing from mels.npz")


def test_a_file_that_changed_since_ingestion_is_not_kept_under_its_old_name(
    project: Path, configure: Callable[..., Params], write_song: Callable[..., Path]
) -> None:
    settings = configure({}).mels_of_dataset()
    song = write_song(project / "song.wav", seed=1)
    tracks = pd.DataFrame({"track_id": ["song"], "path": [str(song)], "sha256": [sha256_of(song)]})
    write_song(song, seed=2)
    with pytest.raises(UserError, match="has changed since it was ingested"):
        cache.compute(tracks, project, settings)
    assert not list(project.glob(".cache/mels/**/*.npy"))


@pytest.mark.parametrize("cut", [1000, None])
def test_a_damaged_cache_entry_is_computed_again(
    project: Path, library: Callable, decoded: list[str], cut: int | None
) -> None:
    library(2)
    mels.main()
    expected = output()
    (entry,) = (project / ".cache/mels").rglob(f"{sha256_of(project / 'music/1.wav')}.npy")
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-cut] if cut else b"")
    for path in mels_dir().iterdir():
        path.unlink()
    decoded.clear()
    mels.main()
    assert decoded == ["1.wav"]
    assert output() == expected
    assert entry.read_bytes() == whole
