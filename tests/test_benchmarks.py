"""The benchmarks: their arithmetic, and that they run on any folder of music and leave no trace."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmarks import figures, held_out, machine, perturbations
from benchmarks.figures import Figure, Section
from src import audio
from src.console import UserError
from src.files import TRACKS, write_table

ROOT = Path(__file__).resolve().parents[1]


# ── Arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_ratios_are_taken_within_a_round():
    # Everything takes ten times as long in the second round; we are twice as fast throughout.
    assert machine.times_as_fast([1.0, 10.0, 1.0], [2.0, 20.0, 2.0]) == (2.0, 2.0, 2.0)


def test_median_does_not_follow_an_outlier():
    assert machine.spread([1.0, 100.0, 2.0]) == machine.Spread(2.0, 1.0, 100.0)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.987, 2.046, 2.114], "2.05 (1.99–2.11)"),
        ([12.34, 12.34, 12.34], "12.3 (12.3–12.3)"),
        ([99.6, 100.4, 1234.5], "100 (100–1234)"),
        ([0.0123, 0.0341, 0.0567], "0.034 (0.012–0.057)"),
    ],
)
def test_three_digits_are_shown(values: list[float], shown: str):
    assert str(machine.spread(values)) == shown


def test_contenders_take_turns_and_no_one_is_always_first():
    order: list[str] = []

    def contender(name: str):
        return lambda: order.append(name) or float(len(order))

    seconds = machine.interleaved({"a": contender("a"), "b": contender("b")}, 3, "test")
    assert "".join(order) == "abbaab"
    assert seconds == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_the_description_names_versions_and_no_host():
    described = machine.describe(("numpy",))
    assert f"numpy {np.__version__}" in described
    assert os.uname().nodename not in described


# ── What is kept ─────────────────────────────────────────────────────────────────────────────────────────────────


def ratio(*rounds: float, **how) -> Figure:
    return Figure("a against b", rounds, **{"comparable": True} | how)


def section(*measured: Figure) -> dict[str, Section]:
    return {"mels": Section("Mels.\n\nHow it is done.", "a machine\nof some make", list(measured))}


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (ratio(1.8, goal=1.8), "at least 1.8: met"),
        (ratio(1.5, 1.55, 1.9, goal=1.8), "at least 1.8: missed by 0.25"),
        (ratio(1.2, goal=1.3, higher_is_better=False), "at most 1.3: met"),
        (ratio(1.5, goal=1.3, higher_is_better=False), "at most 1.3: missed by 0.2"),
        (ratio(1.5), ""),
    ],
)
def test_a_goal_is_held_against_the_median(figure: Figure, said: str):
    assert figure.verdict() == said


def test_what_got_worse_is_told():
    before = section(ratio(1.9, 2.0, 2.1))
    told = figures.worse(section(ratio(1.0, 1.5, 2.0)), before)
    assert told == ["worse: mels: a against b: 1.50 (1.00–2.00), was 2.00 (1.90–2.10)"]
    lower = section(ratio(1.9, 2.0, 2.1, higher_is_better=False))
    assert figures.worse(section(ratio(2.5, higher_is_better=False)), lower)


@pytest.mark.parametrize(
    "now",
    [
        ratio(3.0),  # better
        ratio(1.9),  # within the spread
        ratio(1.85),  # hardly outside of it
        ratio(1.0, comparable=False),
        ratio(1.0, comparable=False, unit="seconds"),
        Figure("another", (1.0,), comparable=True),
    ],
)
def test_what_is_not_worse_is_not_told(now: Figure):
    assert figures.worse(section(now), section(ratio(1.9, 2.0, 2.1))) == []
    assert figures.worse(section(ratio(1.0)), {}) == []


def test_only_ratios_are_comparable_and_nothing_is_no_figure():
    with pytest.raises(ValueError, match="only ratios are comparable"):
        ratio(1.0, unit="seconds")
    with pytest.raises(ValueError, match="no rounds"):
        ratio()


def test_what_is_kept_is_read_again(tmp_path: Path):
    measured = section(ratio(1.23456, 2.0, goal=1.5), Figure("start", (3.25,), "seconds", 4.0, False))
    figures.keep(tmp_path / "kept.json", measured)
    again = figures.kept(tmp_path / "kept.json")
    assert again["mels"].figures == [
        ratio(1.235, 2.0, goal=1.5),
        Figure("start", (3.25,), "seconds", 4.0, higher_is_better=False),
    ]
    assert (again["mels"].about, again["mels"].machine) == (measured["mels"].about, measured["mels"].machine)
    assert figures.kept(tmp_path / "none.json") == {}


def test_the_page_has_each_section_and_the_machine_once():
    sections = section(ratio(1.0, 2.0, 3.0, goal=1.5)) | {"dvc": Section("DVC.", "a machine\nof some make", [ratio(7)])}
    page = figures.page(sections.values())
    assert [line for line in page.splitlines() if line.startswith("#")] == ["# Benchmarks", "## Mels", "## DVC"]
    assert "How it is done." in page
    assert page.count("Measured on: a machine; of some make") == 1
    assert "| a against b ∘ | 2.00 (1.00–3.00) | times | at least 1.5: met |" in page


# ── On music ─────────────────────────────────────────────────────────────────────────────────────────────────────


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_mels_runs_on_a_folder_of_songs(tmp_path: Path):
    time = np.arange(22050 * 4) / 22050
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name, frequency in (("a.wav", 220), ("deep/b.WAV", 440), ("deep/er/c.flac", 880)):
        with (tmp_path / name).open("wb") as file:
            kind = Path(name).suffix[1:].upper()
            soundfile.write(file, 0.5 * np.sin(2 * math.pi * frequency * time), 22050, format=kind)
    (tmp_path / "broken.wav").write_bytes(b"RIFF, but no more than that")
    before = sorted(tmp_path.rglob("*"))

    result = run("benchmarks.mels", str(tmp_path), "--rounds", "1")

    assert result.returncode == 0, result.stderr
    assert "broken.wav: left out" in result.stderr
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in result.stdout.splitlines() if "│" in line]
    wav, flac = ([row for row in rows if row[0] == kind] for kind in (".wav", ".flac"))
    assert wav[0][1:3] == ["2", "4.0 s"]
    assert flac[0][1:3] == ["1", "4.0 s"]
    # One round, so that each ratio is that of the speeds, as far as three digits tell.
    plain, starting, ours, paper = (float(cell.split(" ")[0].split("(")[0]) for cell in wav[0][3:7])
    ratios = [float(cell.split(" ")[0]) for cell in wav[1][1:4]]
    assert ratios == pytest.approx([ours / plain, starting / plain, ours / paper], rel=0.02, abs=0.006)
    assert ".wav: ours : paper's way" in result.stdout
    assert "target 60" in result.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_mels_says_when_there_is_no_music(tmp_path: Path):
    result = run("benchmarks.mels", str(tmp_path))
    assert result.returncode == 2
    assert result.stderr.strip() == (
        f"error: {tmp_path}: no music in it (.wav, .au, .flac, .ogg, .mp3, .m4a): name a folder that has some"
    )


# ── On a network ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_training_runs():
    result = run("benchmarks.training", "--arch", "baseline", "--tracks", "1", "--rounds", "1")
    assert result.returncode == 0, result.stderr
    assert "an epoch has 10 clips" in result.stdout
    assert "baseline: random crops : resident batch" in result.stdout
    assert "target 0.9" in result.stdout


# ── Songs that a model does not know ─────────────────────────────────────────────────────────────────────────────


def test_only_songs_outside_of_training_and_validation_are_measured_with(project: Path, tmp_path: Path):
    music = tmp_path / "music"
    names = ["pop/train.wav", "pop/val.wav", "pop/test.wav", "pop/pair.wav", "rock/new.wav"]
    for name in names:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(b"audio")
    known = pd.DataFrame({"track_id": names[:4], "path": [str(music / name) for name in names[:4]]})
    write_table(project / "data/raw/folder/tracks.csv", known)
    folds = known.assign(fold=["train", "val", "test", ""])
    write_table(TRACKS, folds[["track_id", "fold"]])
    songs, said = held_out.songs(music, "folder")
    assert [path.name for path in songs] == ["pair.wav", "test.wav", "new.wav"]
    assert said == "1 test tracks and 2 of no fold"
    write_table(TRACKS, folds.assign(track_id=["a", "b", "c", "d"]))
    with pytest.raises(UserError, match="is not of data set folder"):
        held_out.songs(music, "folder")


def test_perturbations_do_what_they_say(tmp_path: Path, compose: Callable):
    rate = 22050
    samples = compose(3, 4.0, rate)
    perturbations.encode_mp3(samples, rate, tmp_path / "song.mp3")
    assert (tmp_path / "song.mp3").stat().st_size == pytest.approx(64_000 / 8 * 4, rel=0.1)
    decoded = audio.load(tmp_path / "song.mp3", rate)
    best = max(np.corrcoef(samples[:80000], decoded[lag : lag + 80000])[0, 1] for lag in range(0, 2400))
    assert best > 0.98
    assert np.abs(perturbations.louder(samples, -3)).max() == pytest.approx(0.7 * 10 ** (-3 / 20), rel=1e-3)
    assert perturbations.louder(samples, 30).max() == 1
    faster = perturbations.faster(samples, 1.02)
    assert len(faster) == pytest.approx(len(samples) / 1.02, abs=2)
