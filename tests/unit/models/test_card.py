"""The card inside a model file: read without Keras, and one line where there is none."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT

from genres.core.console import UserError
from genres.models import card
from genres.models.backend import keras
from genres.models.card import read_card, write_card

CARD = {
    "architecture": "tiny",
    "dataset": "folder",
    "protocol": "artist",
    "genres": ["blues", "rock'n'roll", "ムード"],
    "spectrogram": {"sample_rate": 22050, "fmax": None},
    "windowing": {"length_s": 3.0},
    "out_of_distribution": {"mean": [0.0], "deviation": [1.0], "threshold": 1.5},
}


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    network.save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


def test_a_card_comes_back_and_keras_still_reads_the_model(model_file: Path) -> None:
    before = keras.models.load_model(model_file, safe_mode=True).get_weights()
    write_card(model_file, CARD)
    assert read_card(model_file) == CARD
    for one, other in zip(before, keras.models.load_model(model_file, safe_mode=True).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert zipfile.ZipFile(model_file).testzip() is None


def test_a_second_card_is_refused(model_file: Path) -> None:
    write_card(model_file, CARD)
    with pytest.raises(ValueError, match="a card already"):
        write_card(model_file, CARD)


def test_reading_loads_no_keras(model_file: Path) -> None:
    write_card(model_file, CARD)
    code = (
        "import sys; from pathlib import Path; import genres.inference.classifier; "
        "from genres.models.card import read_card; "
        "print(read_card(Path(sys.argv[1]))['windowing']['length_s']); "
        "assert not {'keras', 'tensorflow', 'mlflow', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code, model_file], cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout == "3.0\n", shown.stderr


def test_what_is_no_model_is_one_line(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"tiny\.keras: has no card inside, .*get it again from where it came from$"):
        read_card(model_file)
    monkeypatch.setattr(card, "MODELS", model_file.parent)
    with pytest.raises(UserError, match=r"tiny\.keras: has no card inside, .*dvc repro --force train@tiny$"):
        read_card(model_file)
    with pytest.raises(UserError, match=r"none\.keras: no such model; `make repro`"):
        read_card(tmp_path / "none.keras")
    write_card(model_file, CARD)
    whole = model_file.read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2], whole[:-10]):
        (tmp_path / "cut.keras").write_bytes(content)
        with pytest.raises(UserError, match=r"cut\.keras: damaged, truncated, or not a Keras model") as caught:
            read_card(tmp_path / "cut.keras")
        assert "\n" not in str(caught.value)
    (tmp_path / "other.keras").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("card.json", '{"architecture": "tiny"}')
    with pytest.raises(UserError, match="its card lacks 'dataset'"):
        read_card(tmp_path / "other.keras")
