"""The benchmarks: their arithmetic, and that they run on any folder of music and leave no trace."""

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import get_window

import benchmarks.__main__ as command
from benchmarks import figures, floor, held_out, machine, mels, perturbations, prediction, runner, songs, steps
from benchmarks import training as training_benchmark
from benchmarks.figures import Figure, Section
from genres.audio import decode
from genres.core import params
from genres.core.console import UserError
from genres.core.files import write_table
from genres.core.paths import TRACKS
from genres.inference import answer
from genres.inference.classifier import Classifier
from genres.training.loop import Training

pytestmark = pytest.mark.soak  # of tools beside the project

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


@pytest.mark.parametrize(("rounds", "shown"), [((2.0,), "2.00"), ((2.0, 2.0), "2.00 (2.00–2.00)")])
def test_what_was_measured_once_has_no_range(rounds: tuple[float, ...], shown: str):
    assert figures.Figure("name", rounds).shown() == shown


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


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs of 4 s in three formats, one of them twice, and a broken one."""
    folder = tmp_path_factory.mktemp("music")
    time = np.arange(22050 * 4) / 22050
    (folder / "deep" / "er").mkdir(parents=True)
    for name, frequency in (("a.wav", 220), ("deep/b.WAV", 440), ("deep/er/c.flac", 880)):
        with (folder / name).open("wb") as file:
            kind = Path(name).suffix[1:].upper()
            soundfile.write(file, 0.5 * np.sin(2 * math.pi * frequency * time), 22050, format=kind)
    (folder / "deep" / "again.wav").write_bytes((folder / "a.wav").read_bytes())
    (folder / "broken.wav").write_bytes(b"RIFF, but no more than that")
    return folder


def test_songs_are_found_once_and_made_where_a_format_lacks(music: Path, tmp_path: Path, capsys):
    found = songs.in_each_format(music, 10, tmp_path)
    assert "broken.wav: left out" in capsys.readouterr().err
    assert list(found) == [".wav", ".mp3", ".flac", ".m4a"]
    assert [path.name for path in found[".wav"]] == ["a.wav", "b.WAV"]
    assert [path.name for path in found[".flac"]] == ["c.flac"]
    for made in (*found[".mp3"], *found[".m4a"]):
        assert made.parent == tmp_path
        samples = decode.load(made, 22050)
        assert len(samples) / 22050 == pytest.approx(4.0, abs=0.15)
        spectrum = np.abs(np.fft.rfft(samples[8192:24576]))
        assert spectrum.argmax() * 22050 / 16384 == pytest.approx(220 if made.stem == "0" else 440, abs=2)
    assert songs.seconds(found[".wav"][0]) == 4.0


def test_songs_are_taken_evenly(tmp_path: Path, write_song: Callable):
    for number in range(7):
        write_song(tmp_path / f"{number}.wav", seed=number, seconds=0.5)
    assert [path.stem for path in songs.find(tmp_path, 3)[".wav"]] == ["0", "3", "6"]


def test_the_floor_decodes_and_transforms_all_frames(music: Path, monkeypatch: pytest.MonkeyPatch):
    transformed = []
    monkeypatch.setattr(floor.scipy.fft, "rfft", lambda frames, **_: transformed.append(frames))
    settings = params.load().mels_of_dataset()
    floor.floor(music / "a.wav", settings)
    frames = np.concatenate(transformed)
    samples = np.pad(decode.load(music / "a.wav", 22050), 1024)
    assert frames.shape == (1 + 4 * 22050 // 512, 2048)
    expected = samples[512 * 7 : 512 * 7 + 2048] * get_window("hann", 2048)
    np.testing.assert_allclose(frames[7], expected, atol=1e-6)


def test_mels_runs_on_a_folder_of_songs(music: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(songs, "FORMATS", (".wav", ".m4a"))
    before = sorted(music.rglob("*"))
    measured = {figure.name: figure for figure in mels.measure(music, tracks=2, rounds=1)}
    assert sorted(music.rglob("*")) == before
    cold, least = (measured[name].rounds[0] for name in ("wav, cold", "wav, floor"))
    slow = measured["wav, cold: time against the floor"]
    assert slow.rounds[0] == pytest.approx(least / cold)  # songs a second
    assert (slow.goal, slow.higher_is_better, slow.comparable) == (1.3, False, True)
    assert measured["wav, warm"].rounds[0] > cold
    assert "wav, cold: as fast as the plain loop" in measured
    assert "m4a, cold: as fast as the plain loop" not in measured
    assert measured["wav, start of the workers"].unit == "seconds"
    assert {name.partition(",")[0] for name in measured} == {"wav", "m4a"}


def test_there_has_to_be_music(tmp_path: Path):
    with pytest.raises(UserError) as raised:
        songs.find(tmp_path, 3)
    assert str(raised.value) == f"{tmp_path}: no music in it; name a folder with music"


def test_prediction_compares_within_a_round():
    seconds = {
        prediction.IMPORTS: [2.0, 4.0],
        prediction.START: [3.0, 8.0],
        prediction.BULK: [5.0, 10.0],
        prediction.DECODING: [1.0, 2.0],
        "baseline": [4.0, 6.0],
    }
    measured = {figure.name: figure for figure in prediction.figures_of(seconds, ["baseline"], 20)}
    assert measured["start with one song: time against import numpy, soundfile"].rounds == (1.5, 2.0)
    assert measured["in bulk"].rounds == (4.0, 2.0)
    assert measured["a song, baseline"].rounds == (0.2, 0.3)
    assert measured["a song, baseline: time against its decoding alone"].rounds == (4.0, 3.0)


def test_an_untrained_network_can_be_asked(music: Path, tmp_path: Path):
    settings = params.load()
    model_file = prediction.write_untrained(tmp_path / "baseline.keras", settings, "baseline")
    predicted = answer.predict(Classifier(model_file), music / "a.wav")
    assert sum(predicted["probabilities"].values()) == pytest.approx(1)
    assert predicted["model"] == "baseline"
    assert predicted["warning"] or predicted["distance"] is not None


# ── On a network ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("architecture", "n_clips"), [("baseline", 25), ("wide_and_deep", 3)])
def test_what_is_trained_on_has_so_many_clips(architecture: str, n_clips: int, project: Path):
    settings = params.load()
    steps.write_tracks(project, settings, architecture, n_clips)
    training = Training(architecture, settings)
    assert training.data.train.n_clips == n_clips
    assert set(training.data.val_windows["fold"]) == {"val"}
    clips, shares = training.data.train[0]
    assert clips.shape == (n_clips, training.data.crop_frames, 128)
    assert 100 < clips.mean() < 150
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


def test_steps_are_taken_when_they_are_told_to(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "AT_LEAST_S", 0.0)
    settings = params.load()
    steps.write_tracks(project, settings, "fewer_layers", 4)
    chosen = {"small": steps.Options("fewer_layers", resident=False, overrides={"batch_size": 2})}
    with steps.started(project, chosen) as running:
        assert running["small"].n_clips == 4
        assert 0 < running["small"]() < 60


@pytest.mark.parametrize("epochs, expected", [([7.0, 4.0, 9.0], 4.0), ([7.0, 1.0, 1.5, 2.0, 9.0], 1.5)])
def test_short_epochs_are_taken_until_they_tell_something(epochs: list[float], expected: float):
    training, taken = object.__new__(steps.Steps), iter(epochs)
    training._epoch = lambda: next(taken)
    assert training() == pytest.approx(expected)


def test_a_training_that_cannot_start_is_no_endless_wait(tmp_path: Path):
    with pytest.raises(RuntimeError, match="ended with status 1"):
        steps.Steps(tmp_path, steps.Options("baseline"))  # there is no params.yaml


def test_training_compares_within_a_round():
    seconds = {
        training_benchmark.FEED: [2.0, 4.0],
        training_benchmark.RESIDENT: [1.0, 4.0],
        training_benchmark.JAX: [3, 8],
    }
    clips, feed, jax = training_benchmark.figures_of("baseline", seconds, 100)
    assert (clips.rounds, clips.comparable) == ((50.0, 25.0), False)
    assert (feed.rounds, feed.goal, feed.comparable) == ((0.5, 1.0), 0.97, True)
    assert jax.rounds == (3.0, 2.0)


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_benchmarks_are_found_by_their_measure():
    found = runner.modules()
    assert found[:3] == ["mels", "training", "prediction"]
    assert "machine" not in found
    assert "held_out" not in found
    assert set(runner.LONG) <= set(found)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Have one benchmark, `mels`, that measures what it is told in no time."""

    def set_to(value: float) -> None:
        made = section(ratio(value))
        monkeypatch.setattr(runner, "run", lambda names, music, quick: (dict.fromkeys(names, made["mels"]), []))

    return set_to


def test_what_is_written_is_compared_with_later(project: Path, instant: Callable, monkeypatch, capsys):
    def bench(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["benchmarks", str(project), "--only", "mels", *arguments])
        command.main()
        return capsys.readouterr().out

    instant(2.0)
    assert bench() == ""
    assert not (project / figures.KEPT).exists()
    assert bench("--write") == ""
    assert "| a against b ∘ | 2.00 | times |" in (project / figures.PAGE).read_text()
    instant(1.0)
    assert bench().startswith("worse: mels: a against b: 1.00")
    instant(3.0)
    assert bench("--quick") == ""
    with pytest.raises(SystemExit) as raised:
        bench("--quick", "--write")
    assert raised.value.code == 2


def test_a_benchmark_that_fails_takes_no_other_with_it(tmp_path: Path, capsys):
    done, failed = runner.run(["no_such_module"], tmp_path, True)
    assert (done, failed) == ({}, ["no_such_module"])
    assert "No module named" in capsys.readouterr().err
    assert runner.measured_by.__module__ == "benchmarks.runner"  # a process cannot import benchmarks.__main__


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
    decoded = decode.load(tmp_path / "song.mp3", rate)
    best = max(np.corrcoef(samples[:80000], decoded[lag : lag + 80000])[0, 1] for lag in range(0, 2400))
    assert best > 0.98
    assert np.abs(perturbations.louder(samples, -3)).max() == pytest.approx(0.7 * 10 ** (-3 / 20), rel=1e-3)
    assert perturbations.louder(samples, 30).max() == 1
    faster = perturbations.faster(samples, 1.02)
    assert len(faster) == pytest.approx(len(samples) / 1.02, abs=2)
