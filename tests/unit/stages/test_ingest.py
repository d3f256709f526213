"""The ingest stage over good and bad files: what is kept, what is reported, what is opened and what is left alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from genres.core.files import read_table, sha256_of
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.report import REPORT
from ingest import main

GOOD = ["pop/a.wav", "pop/b.mp3", "rock/c.flac", "rock/d.OGG", "rock/e.m4a", "rock/f.au"]
BAD = {
    "pop/empty.wav": "empty",
    "pop/text.mp3": "cannot be decoded",
    "pop/noise.au": "cannot be decoded",
    "rock/cut.wav": "truncated",
    "rock/cut.mp3": "truncated",
    "rock/silent.flac": "silent",
    "rock/numbers.wav": "has samples that are not numbers",
}


@pytest.fixture
def music(tmp_path: Path, compose: Callable, write_song: Callable, write_audio: Callable) -> Path:
    """One good file of every format and one bad file of every kind."""
    root = tmp_path / "my music"
    for seed, name in enumerate(GOOD):
        write_song(root / name, seed, seconds=3)
    (root / "pop/empty.wav").write_bytes(b"")
    (root / "pop/text.mp3").write_text("this is no music\n" * 100)
    (root / "pop/noise.au").write_bytes(np.random.default_rng(0).bytes(9000))
    for suffix in (".wav", ".mp3"):
        path = write_song(root / f"rock/cut{suffix}", 20, seconds=4)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    write_audio(root / "rock/silent.flac", np.zeros(44100, np.float32))
    samples = compose(21)
    samples[100] = np.nan
    write_audio(root / "rock/numbers.wav", samples, subtype="FLOAT")
    return root


@pytest.fixture
def ingest(configure: Callable, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable:
    """Run the stage on a folder: the raw table, the report and the lines of warning."""
    monkeypatch.setattr(sys, "argv", ["ingest"])

    def run(root: Path, **changes: object) -> tuple[pd.DataFrame, dict, list[str]]:
        configure({"dataset": "folder", "datasets.folder.dir": str(root)} | changes)
        capfd.readouterr()
        main()
        warned = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
        table = read_table(Path("data/raw/folder/tracks.csv"), dtype=str)
        return table, json.loads(REPORT.read_text(encoding="utf-8")), warned

    return run


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Content, mode and time of modification of everything below a folder."""
    return {
        str(path.relative_to(root)): (
            sha256_of(path) if path.is_file() else "",
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in [root, *root.rglob("*")]
    }


def test_good_songs_are_kept_and_bad_ones_reported(music: Path, ingest: Callable) -> None:
    table, report, warned = ingest(music)
    assert table["track_id"].tolist() == sorted(GOOD)
    columns = [column for column in CANDIDATE_COLUMNS if column != "rejected"]
    assert list(table.columns) == [*columns, "duration_s", "sha256", "recording"]
    for row in table.to_dict("records"):
        path = music / row["track_id"]
        assert row["path"] == str(path)
        assert row["genre"] == path.parent.name
        assert row["sha256"] == sha256_of(path)
        assert row["recording"] == row["track_id"]
        assert float(row["duration_s"]) == pytest.approx(3.0, abs=0.12)
    assert {row["track"]: row["reason"].split(":")[0].split(" (")[0] for row in report["rejected_tracks"]} == BAD
    assert len(warned) == len(BAD)
    for name, reason in BAD.items():
        assert len([line for line in warned if re.match(rf"warning: rejected {name}: {reason}", line)]) == 1
    assert (report["asked"], report["got"], report["rejected"]) == (len(GOOD) + len(BAD), len(GOOD), len(BAD))
    assert report["genres"]["pop"] == {
        "asked": 5,
        "got": 2,
        "minutes": 0.1,
        "sources": {"folder": 2},
        "rejected": {"empty": 1, "cannot be decoded": 2},
    }
    assert report["genres"]["rock"]["rejected"] == {"truncated": 2, "silent": 1, "has samples that are not numbers": 1}
    assert report["hours"] == pytest.approx(6 * 3 / 3600, abs=1e-3)
    assert report["same_recording"] == []


@pytest.fixture
def read_only(music: Path) -> Iterator[Path]:
    for path in [music, *music.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield music
    for path in [music, *music.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_the_users_files_are_left_alone(read_only: Path, ingest: Callable, project: Path) -> None:
    before = snapshot(read_only)
    ingest(read_only)
    ingest(read_only)
    assert snapshot(read_only) == before
    # Read in place: no copy either.
    assert [path.name for path in (project / "data/raw/folder").iterdir()] == ["tracks.csv"]


def test_only_new_and_changed_files_are_opened(
    music: Path, ingest: Callable, write_song: Callable, decoded: list[str]
) -> None:
    first, report, warned = ingest(music)
    assert sorted(decoded) == sorted(Path(name).name for name in [*GOOD, *BAD])
    decoded.clear()
    again, report_again, warned_again = ingest(music)
    assert decoded == []
    pd.testing.assert_frame_equal(again, first)
    assert report_again == report
    assert warned_again == warned

    before = (music / "pop/a.wav").stat()
    write_song(music / "pop/a.wav", 30, seconds=3)  # same size, other music
    os.utime(music / "pop/a.wav", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    write_song(music / "pop/empty.wav", 31, seconds=3)  # mended
    write_song(music / "pop/new.wav", 32, seconds=3)
    changed, _, _ = ingest(music)
    assert sorted(decoded) == ["a.wav", "empty.wav", "new.wav"]
    digests = changed.set_index("track_id")["sha256"]
    assert digests["pop/a.wav"] == sha256_of(music / "pop/a.wav") != first.set_index("track_id")["sha256"]["pop/a.wav"]
    assert {"pop/empty.wav", "pop/new.wav"} < set(digests.index)


def test_a_file_that_may_not_be_read_is_looked_at_again_when_it_may(
    music: Path, ingest: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: Path(path).name != "a.wav" and access(path, mode))
        table, report, _ = ingest(music)
    assert "pop/a.wav" not in set(table["track_id"])
    reasons = {row["track"]: row["reason"] for row in report["rejected_tracks"]}
    assert reasons["pop/a.wav"] == "cannot be opened (Permission denied)"
    table, _, _ = ingest(music)
    assert "pop/a.wav" in set(table["track_id"])


def test_a_listed_file_that_is_missing_is_rejected(music: Path, ingest: Callable) -> None:
    (music / "tracks.csv").write_text("path,genre,artist\npop/a.wav,pop,Ann\npop/gone.wav,pop,Bob\n")
    table, report, warned = ingest(music)
    assert table[["track_id", "artist"]].to_numpy().tolist() == [["pop/a.wav", "Ann"]]
    assert [(row["track"], row["reason"]) for row in report["rejected_tracks"]] == [("pop/gone.wav", "missing file")]
    assert warned == ["warning: rejected pop/gone.wav: missing file"]


def test_copies_are_one_recording(music: Path, ingest: Callable, write_song: Callable) -> None:
    for name in BAD:
        (music / name).unlink()
    shutil.copy(music / "pop/a.wav", music / "rock/same bytes.wav")
    write_song(music / "rock/other format.mp3", 0, seconds=3)
    table, report, warned = ingest(music)
    recording = table.set_index("track_id")["recording"]
    copies = ["pop/a.wav", "rock/other format.mp3", "rock/same bytes.wav"]
    assert report["same_recording"] == [copies]
    assert set(recording[copies]) == {"pop/a.wav"}
    assert recording.drop(copies).is_unique
    assert len(warned) == 1
    assert all(name in warned[0] for name in copies)


def test_the_same_code_is_one_recording(music: Path, ingest: Callable) -> None:
    (music / "tracks.csv").write_text(
        "path,genre,isrc,artist\npop/a.wav,pop,GB-AAA-97-00001,VA\nrock/c.flac,rock,gbaaa9700001,Ann\n"
        "rock/f.au,rock,N/A,VA\nrock/d.OGG,rock,N/A,\n"
    )
    table, _, warned = ingest(music)
    assert table["recording"].tolist() == ["pop/a.wav", "pop/a.wav", "rock/f.au", "rock/d.OGG"]
    assert table["isrc"].tolist() == ["GBAAA9700001", "GBAAA9700001", "", ""]
    assert table["artist"].tolist() == ["", "Ann", "", ""]
    assert "warning: 2 songs have a placeholder as artist, such as 'VA': it counts as unknown" in warned


def test_report_counts_artists(music: Path, ingest: Callable) -> None:
    (music / "tracks.csv").write_text(
        "path,genre,artist\npop/a.wav,pop,Ann\npop/b.mp3,pop,Ann\nrock/f.au,rock,\nrock/d.OGG,rock,Bob\n"
    )
    _, report, _ = ingest(music)
    assert (report["artists"], report["artist_unknown"]) == (2, 1)


def test_nothing_usable_is_one_line(
    music: Path, ingest: Callable, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in GOOD:
        (music / name).unlink()
    with pytest.raises(SystemExit) as left:
        ingest(music)
    assert left.value.code == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith(("warning: ", "error: "))]
    assert len(lines) == len(BAD) + 1
    assert lines[-1].startswith(f"error: folder: none of the {len(BAD)} songs can be used")
    assert not (project / "data/raw/folder/tracks.csv").exists()


def test_published_spectrograms_are_catalogued(
    project: Path,
    tmp_path: Path,
    configure: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (3, 128, 387)).astype(np.uint8)
    stored[1] = stored[0]
    np.savez(tmp_path / "mels.npz", track_id=np.array(["a", "b", "c"]), mel=stored, range_db=np.full(3, 80.0))
    (tmp_path / "tracks.csv").write_text("track_id,genre\na,pop\nb,pop\nc,rock\nd,rock\n")
    configure({"dataset": "mels", "datasets.mels.dir": str(tmp_path)})
    monkeypatch.setattr(sys, "argv", ["ingest"])
    main()
    table = read_table(Path("data/raw/mels/tracks.csv"), dtype=str)
    assert table["track_id"].tolist() == ["a", "b", "c"]
    assert table["duration_s"].tolist() == ["30.0"] * 3
    assert table["recording"].tolist() == ["a", "a", "c"]
    assert json.loads(Path("data/raw/mels/spectrogram.json").read_text()) == {
        "sample_rate": 22050,
        "n_fft": 2048,
        "n_mels": 128,
        "frame_rate": 12.9,
    }
    assert "warning: rejected d: not in mels.npz\n" in capfd.readouterr().err


def test_a_missing_folder_is_one_line_and_status_2(configure: Callable, project: Path) -> None:
    configure({"dataset": "folder", "datasets.folder.dir": str(project / "nowhere")})
    run = subprocess.run(
        [sys.executable, str(ROOT / "src/ingest.py")],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert re.fullmatch(r"error: datasets\.folder\.dir: \S*/nowhere: no such folder\n", run.stderr)
