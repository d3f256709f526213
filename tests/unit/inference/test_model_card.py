"""`genres card`: its numbers are the stage's, of this very model, and a leaky split comes first."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from networks import GENRES, write_model
from ruamel.yaml import YAML

from genres.core.files import write_json
from genres.inference.model_card import main

SCORES = {
    "test_tracks": 40,
    "clip_accuracy": 0.61,
    "track_accuracy": 0.625,
    "track_accuracy_ci95_low": 0.475,
    "track_accuracy_ci95_high": 0.775,
    "macro_f1": 0.59,
    "log_loss": 1.01,
    "ece": 0.093,
    "unlike_test": 0.05,
}


def md5(path: str) -> dict[str, str]:
    return {"path": path, "md5": hashlib.md5(Path(path).read_bytes()).hexdigest()}


@pytest.fixture
def evaluated(project: Path) -> Callable[..., None]:
    """Write a model as the stages leave it, with its scores and dvc.lock."""

    def write(name: str = "tiny", **card: Any) -> None:
        known = [np.random.default_rng(seed).integers(0, 256, (90, 32), np.uint8) for seed in range(3)]
        write_model(project / f"models/{name}.keras", known=known, n_parameters=1234, epochs=7, seconds=61.0, **card)
        write_json(project / f"metrics/{name}.json", SCORES)
        write_json(
            project / "metrics/leaderboard.json",
            [{"arch": name, "ece": 0.093, "ece_calibrated": 0.04, "temperature": 1.5, "temperature_reason": ""}],
        )
        (project / "data").mkdir(exist_ok=True)
        rows = [f"{genre}{n},{genre},artist {n}{genre},{'test' if n else 'train'}" for genre in GENRES for n in (0, 1)]
        (project / "data/tracks.csv").write_text("\n".join(["track_id,genre,artist,fold", *rows]) + "\n")
        model, tracks, metrics = f"models/{name}.keras", "data/tracks.csv", f"metrics/{name}.json"
        stages = {
            f"train@{name}": {"deps": [md5(tracks)], "outs": [md5(model)]},
            f"evaluate@{name}": {"deps": [md5(tracks), md5(model)], "outs": [md5(metrics)]},
        }
        YAML().dump({"schema": "2.0", "stages": stages}, project / "dvc.lock")

    return write


def card_of(capsys: pytest.CaptureFixture, *arguments: str) -> ModelCard:
    main(list(arguments))
    return ModelCard(capsys.readouterr().out)


def test_the_hubs_own_reader_finds_the_scores(evaluated: Callable, capsys: pytest.CaptureFixture) -> None:
    evaluated()
    card = card_of(capsys, "tiny", "--data-licence", "CC BY 4.0")
    assert card.data.pipeline_tag == "audio-classification"
    assert {result.metric_type: result.metric_value for result in card.data.eval_results} == {
        "accuracy": 0.625,
        "f1": 0.59,
    }
    for part in (
        "0.625 [0.475, 0.775]",
        "guess | 0.250",
        "0.040 with temperature 1.50",
        "Licence: CC BY 4.0.",
        "| blues | 1 | 1 |",
        "Artists: 4 in train, 4 in test.",
        "| parameters | 1,234 |",
        "7 epochs, 1 min",
    ):
        assert part in card.text
    assert "LEAKY" not in card.content
    assert "synthetic" not in card.content


def test_a_leaky_split_is_the_first_line(evaluated: Callable, capsys: pytest.CaptureFixture) -> None:
    evaluated(protocol="clip")
    card = card_of(capsys, "tiny")
    assert card.text.strip().splitlines()[0].startswith("**LEAKY split")
    assert "LEAKY" in card.data.eval_results[0].dataset_name


def test_synthetic_and_pretrained_stand_beside_the_numbers(evaluated: Callable, capsys: pytest.CaptureFixture) -> None:
    evaluated(dataset="demo", pretrained_on="MSD")
    card = card_of(capsys, "tiny")
    assert card.data.license == "other"
    (title,) = [line for line in card.text.splitlines() if line.startswith("## Scores")]
    assert title == "## Scores on 40 test tracks, synthetic, pretrained (MSD)"
    assert "synthetic" in card.data.eval_results[0].dataset_name
    assert "pretrained (MSD)" in card.data.eval_results[0].metric_name


@pytest.mark.parametrize("changed", ["models/tiny.keras", "data/tracks.csv", "metrics/tiny.json", "dvc.lock"])
def test_scores_of_another_training_are_refused(
    changed: str, evaluated: Callable, capsys: pytest.CaptureFixture
) -> None:
    evaluated()
    if changed == "dvc.lock":
        Path(changed).unlink()
    elif changed == "models/tiny.keras":
        Path(changed).unlink()
        write_model(Path(changed), epochs=8)
    else:
        text = Path(changed).read_text()
        Path(changed).write_text(text + " " if changed.endswith("json") else text + "new,blues,someone,train\n")
    with pytest.raises(SystemExit) as stop:
        main(["tiny"])
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith("error: metrics/tiny.json: not of the present ")
    assert line.endswith("run: dvc repro 'evaluate@tiny'")


def test_missing_scores_and_unknown_models_are_a_line(evaluated: Callable, capsys: pytest.CaptureFixture) -> None:
    evaluated()
    Path("metrics/tiny.json").unlink()
    for arguments, start in (
        (["tiny"], "error: metrics/tiny.json: no such file; run: dvc repro 'evaluate@tiny'"),
        (["other"], "error: models/other.keras: no such model; there is tiny"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert capsys.readouterr().err.startswith(start)


def test_a_model_from_elsewhere_has_no_scores_of_this_project(
    evaluated: Callable, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    evaluated()
    elsewhere = write_model(tmp_path / "elsewhere/tiny.keras", protocol="clip")
    card = card_of(capsys, str(elsewhere))
    assert card.data.eval_results is None
    assert "0.625" not in card.content
    assert card.text.strip().startswith("**LEAKY split")
    main([str(elsewhere), "-o", str(tmp_path / "new/README.md")])
    assert (tmp_path / "new/README.md").read_text() == card.content


def test_a_card_is_valid_without_optional_keys(evaluated: Callable, capsys: pytest.CaptureFixture) -> None:
    evaluated()
    scores = json.loads(Path("metrics/tiny.json").read_text()) | {"unlike_test": None}
    write_json(Path("metrics/tiny.json"), scores)
    Path("metrics/leaderboard.json").unlink()
    lock = YAML(typ="safe").load(Path("dvc.lock"))
    lock["stages"]["evaluate@tiny"]["outs"] = [md5("metrics/tiny.json")]
    YAML().dump(lock, Path("dvc.lock"))
    assert "temperature" not in card_of(capsys, "tiny").text
