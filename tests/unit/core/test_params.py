"""What params.yaml may hold, and the one line that says what is wrong with it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from genres.core import params
from genres.core.console import UserError, command


def test_the_committed_file_loads() -> None:
    settings = params.load(ROOT / "params.yaml")
    assert settings.dataset == "demo"
    assert settings.recipe is settings.datasets["demo"]
    for name in settings.architectures:
        overrides = settings.models[name].train | settings.datasets["demo"].train
        assert settings.training_of(name).model_dump() == settings.train.model_dump() | overrides


def pair(**changes: str) -> dict[str, str]:
    return {"song": "Rude", "original": "a", "original_genre": "pop", "remix": "b", "remix_genre": "rap"} | changes


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("colour", 1, "colour: unknown key; received 1"),
        ("front_ends.default.colour", "red", "front_ends.default.colour: unknown key; received 'red'"),
        ("clips.colour", None, "clips.colour: unknown key; received None"),
        ("datasets.demo.colour", 1, "datasets.demo.colour: unknown key; received 1"),
        ("datasets.gtzan.colour", 1, "datasets.gtzan.colour: unknown key; received 1"),
        ("train.epochs", "many", "train.epochs: Input should be a valid integer; received 'many'"),
        ("train.epochs", "30", "train.epochs: Input should be a valid integer; received '30'"),
        ("train.epochs", 2.5, "train.epochs: Input should be a valid integer; received 2.5"),
        ("train.epochs", True, "train.epochs: Input should be a valid integer; received True"),
        ("train.epochs", [3], r"train.epochs: Input should be a valid integer; received \[3\]"),
        ("train.epochs", 0, "train.epochs: .*greater than or equal to 1; received 0"),
        ("train.class_weights", "maybe", "train.class_weights: .*boolean; received 'maybe'"),
        ("train.class_weights", 1, "train.class_weights: .*boolean; received 1"),
        ("train.learning_rate", "fast", "train.learning_rate: .*number; received 'fast'"),
        ("train.learning_rate", float("nan"), "train.learning_rate: .*finite.*; received nan"),
        ("train.learning_rate", float("inf"), "train.learning_rate: .*finite.*; received inf"),
        ("train.schedule", "linear", "train.schedule: .*'plateau', 'cosine' or 'constant'; received 'linear'"),
        ("front_ends.default.n_mels", None, "front_ends.default.n_mels: .*integer; received None"),
        ("front_ends.default", 3, "front_ends.default: .*; received 3"),
        ("seed", -1, "seed: .*greater than or equal to 0; received -1"),
        ("architectures", ["vgg"], "architectures: 'vgg' is none of baseline, .*bn_5x5, .*short_chunk_resnet, .*"),
        ("architectures", [], r"architectures: .*at least 1 item.*; received \[\]"),
        ("architectures", "baseline", "architectures: .*list; received 'baseline'"),
        ("architectures", ["bn_5x5", "bn_5x5"], "architectures: .*once; received bn_5x5, bn_5x5"),
        ("dataset", "fma", "dataset: 'fma' is none of demo, folder, .*"),
        ("datasets.demo.source", "tape", "datasets.demo: .*'tape'.*'demo', .*, 'spotify', 'gtzan_plus'"),
        ("datasets.demo.genres", "rock", "datasets.demo.genres: .*list; received 'rock'"),
        ("datasets.demo.genres", ["rock"], r"datasets.demo.genres: .*2 items.*; received \['rock'\]"),
        ("datasets.folder.dir", None, "datasets.folder.dir: .*path.*; received None"),
        ("datasets.folder.genres", [1], "datasets.folder.genres.0: .*string; received 1"),
        ("clips.overlap_s", 3.0, "clips: overlap_s must be smaller than length_s; received 3.0 and 3.0"),
        ("clips.overlap_s", -0.5, "clips.overlap_s: .*; received -0.5"),
        ("clips.length_s", 0, "clips.length_s: .*greater than 0; received 0"),
        ("clips.short_tracks", "stretch", "clips.short_tracks: .*; received 'stretch'"),
        ("split.val", 0.85, r"split: val \+ test .*; received 0.85 \+ 0.15"),
        ("split.test", 0, "split.test: .*greater than 0; received 0"),
        ("split.test", 1, "split.test: .*less than 1; received 1"),
        ("split.folds", 1, "split.folds: .*greater than or equal to 2; received 1"),
        ("split.train_share", 0.0, "split.train_share: .*greater than 0; received 0.0"),
        ("split.train_share", 1.5, "split.train_share: .*less than or equal to 1; received 1.5"),
        ("split.protocol", "random", "split.protocol: .*; received 'random'"),
        (
            "front_ends.default.fmin",
            11025.0,
            "front_ends.default: needs fmin .*; received 11025.0, None, 11025.0",
        ),
        (
            "front_ends.default.fmax",
            12000.0,
            "front_ends.default: needs fmin .*; received 0.0, 12000.0, 11025.0",
        ),
        ("front_ends.default.fmax", 0.0, "front_ends.default: needs fmin .*; received 0.0, 0.0, 11025.0"),
        ("models.baseline.train", {"colour": 1}, "models.baseline.train.colour: unknown key; received 1"),
        ("models.baseline.train", {"epochs": "x"}, "models.baseline.train.epochs: .*integer; received 'x'"),
        ("models.bn_5x5.train", {"monitor": "loss"}, "models.bn_5x5.train.monitor: .*; received 'loss'"),
        ("models.baseline.train", 5, "models.baseline.train: .*dictionary; received 5"),
        ("models.baseline", None, "models.baseline: .*; received None"),
        ("datasets.demo.train", {"colour": 1}, "datasets.demo.train.colour: unknown key; received 1"),
        ("datasets.demo.train", {"batch_size": -4}, "datasets.demo.train.batch_size: .*; received -4"),
        ("datasets.demo.mels", {"colour": 1}, "datasets.demo.mels.colour: unknown key; received 1"),
        ("datasets.demo.mels", {"fmax": 1.0, "fmin": 2.0}, "datasets.demo.mels: needs fmin < fmax .*"),
        ("datasets.mels.mels", {"fmax": 1.0}, "datasets.mels: mels: published spectrograms .*"),
        ("datasets.spotify14.audio_from", ["tape"], "datasets.spotify14.audio_from.0: .*'spotify'.*; received 'tape'"),
        ("datasets.spotify14.market", "usa", "datasets.spotify14.market: .*; received 'usa'"),
        ("datasets.gtzan_plus.remixes", [{"song": "x"}], r"datasets.gtzan_plus.remixes.0.original: is missing.*"),
        (
            "datasets.gtzan_plus.remixes",
            [pair(remix_genre="jazz")],
            ".*: remixes: Rude: 'jazz' is none of .*",
        ),
        ("datasets.gtzan_plus.remixes", [pair(remix="a")], ".*: remixes: Rude: .* the same link"),
        ("datasets.spotify14.genres", ["ska"], "datasets.spotify14: genres: 'ska' has no playlists.*"),
        ("datasets.gtzan_plus.genres", ["rock"], "datasets.gtzan_plus: playlists: no genre is left.*"),
        ("services.requests_per_second.deezer", 0.0, "services.requests_per_second.deezer: .*; received 0.0"),
    ],
)
def test_one_line_names_the_key_and_what_was_received(configure: Callable, key: str, value: Any, says: str) -> None:
    with pytest.raises(UserError) as raised:
        configure({key: value})
    message = str(raised.value)
    assert re.fullmatch(rf"\S*params\.yaml: {says}( \(and \d+ more\))?", message), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split.folds": 3, "split.fold": 3}, "split: fold must be below folds; received 3 of 3"),
        (
            {"split.protocol": "track", "split.train_share": 0.5},
            "split: train_share below 1 keeps whole artists: it needs protocol artist, not track",
        ),
        ({"train.refit": True}, "train: refit: needs monitor: last_epoch"),
        ({"train.monitor": "last_epoch"}, "train: monitor: last_epoch uses no validation score"),
        (
            {"front_ends.default.fmin": 500.0, "front_ends.default.fmax": 400.0},
            "front_ends.default: needs fmin .*; received 500.0, 400.0, 11025.0",
        ),
    ],
)
def test_values_that_do_not_fit_together(configure: Callable, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=f"params.yaml: {says}"):
        configure(changes)


def test_a_missing_key_is_named(project: Path) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(re.sub(r"(?m)^    hop_length: .*\n", "", text), encoding="utf-8")
    with pytest.raises(UserError, match=r"params.yaml: front_ends.default.hop_length: is missing .and 1 more.$"):
        params.load()


def test_the_number_of_further_problems_is_told(configure: Callable) -> None:
    with pytest.raises(UserError, match=r"\(and 2 more\)$"):
        configure({"train.epochs": 0, "train.batch_size": 0, "seed": -1})


@pytest.mark.parametrize(("written", "value"), [("1e-3", 1e-3), ("2E-4", 2e-4), ("1", 1.0), (".5", 0.5)])
def test_numbers_as_people_write_them(project: Path, written: str, value: float) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^  learning_rate: \S+", f"  learning_rate: {written}", text)
    (project / "params.yaml").write_text(changed, encoding="utf-8")
    learning_rate = params.load().train.learning_rate
    assert isinstance(learning_rate, float)
    assert learning_rate == value


def test_precedence_of_training_settings(configure: Callable) -> None:
    settings = configure(
        {
            "train.epochs": 1,
            "train.batch_size": 1,
            "train.warmup_epochs": 1,
            "models.baseline.train": {"epochs": 2, "batch_size": 2},
            "models.bn_5x5.train": {},
            "datasets.demo.train": {"epochs": 3},
        }
    )
    baseline, other = settings.training_of("baseline"), settings.training_of("bn_5x5")
    assert (baseline.epochs, baseline.batch_size, baseline.warmup_epochs) == (3, 2, 1)
    assert (other.epochs, other.batch_size, other.warmup_epochs) == (3, 1, 1)


def test_other_recipes_do_not_override(configure: Callable) -> None:
    settings = configure({"dataset": "folder", "train.epochs": 4, "datasets.demo.train": {"epochs": 3}})
    assert settings.training_of("baseline").epochs == 4


def test_arguments_of_an_architecture_are_what_is_left(configure: Callable) -> None:
    model = configure({"models.baseline.dropout": 0.1}).models["baseline"]
    assert model.builder == "paper_cnn"
    assert model.arguments == {"filters": [8, 16, 32, 64, 128], "kernel_size": 3, "batch_norm": False, "dropout": 0.1}


def test_values_cannot_be_changed_by_accident(configure: Callable) -> None:
    with pytest.raises(ValueError, match="frozen"):
        configure({}).train.epochs = 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "not valid YAML in line 1: "),
        (b"seed: 1\nseed: 2\n", 'not valid YAML in line 2: found duplicate key "seed"'),
        (b"seed: 1\n\tmels: 2\n", "not valid YAML in line 2: "),
        (b"\xff\xfe\x80", "not text in UTF-8"),
        (b"", "dictionary.*; received None"),
        (b"- 1\n- 2\n", r"dictionary.*; received \[1, 2\]"),
    ],
)
def test_malformed_file_ends_a_command_with_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    (project / "params.yaml").write_bytes(content)
    with pytest.raises(SystemExit) as left:
        command(params.load)()
    assert left.value.code == 2
    assert re.fullmatch(rf"error: params\.yaml: .*{says}.*\n", capsys.readouterr().err)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: no such file"):
        params.load(tmp_path / "nothing.yaml")
