"""docs/node.mjs: an exported model in Node gives Python's probabilities."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from networks import write_exported

from genres.core.paths import cache_dir
from genres.inference import answer
from genres.inference.classifier import Classifier

SCRIPT = ROOT / "docs/node.mjs"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the script beside the package that its first line names; npm fetches that once."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs Node.js: apt-get install nodejs npm")
    (package,) = re.findall(r"npm install --ignore-scripts (\S+);", SCRIPT.read_text())
    folder = cache_dir("npm") / package
    if not (folder / "node_modules/onnxruntime-node").exists():
        # Without scripts: the one of the package fetches what other processors than the CPU need.
        options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"]
        done = subprocess.run(["npm", "install", *options, package], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot fetch {package}: {done.stderr.partition(chr(10))[0]}")
    return Path(shutil.copy(SCRIPT, folder))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tmp_path_factory.mktemp("model"))


def run(node: Path, *arguments: Path) -> subprocess.CompletedProcess:
    return subprocess.run(["node", node, *arguments], capture_output=True, text=True, check=False)


def test_the_probabilities_are_those_of_python(
    node: Path, model: Path, tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    one, other = compose(1, 7.3), compose(2, 7.3)
    for name, samples, options in (
        ("integers.wav", one, {}),
        ("floats.wav", np.stack([one, 0.3 * other], 1), {"subtype": "FLOAT"}),
        ("longer form.wav", np.stack([one, 0.3 * other], 1), {"format": "WAVEX"}),
    ):
        song = write_audio(tmp_path / name, samples, **options)
        done = run(node, model, song)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        rows = re.findall(r"^ *([\d.]+) % (\w+)$", done.stdout, re.MULTILINE)
        expected = answer.predict(Classifier(model), song)
        assert {genre: float(share) / 100 for share, genre in rows} == pytest.approx(
            expected["probabilities"], abs=1e-3
        )
        assert rows[0][1] == expected["genre"]


def test_a_file_that_does_not_fit_is_a_line(
    node: Path, model: Path, tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    (tmp_path / "text.wav").write_text("no song")
    for song, reason in (
        (write_audio(tmp_path / "rate.wav", compose(1), 44100), "has 44100 Hz; the model takes 22050 Hz"),
        (write_audio(tmp_path / "song.mp3", compose(1)), "is no wav file"),
        (write_audio(tmp_path / "bits.wav", compose(1), subtype="PCM_24"), "has samples that are neither 16-bit"),
        (tmp_path / "text.wav", "is no wav file"),
    ):
        done = run(node, model, song)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith(f"error: {song}: {reason}") and done.stderr.count("\n") == 1
    for arguments in ((), (tmp_path / "none.onnx", song), (tmp_path / "song.mp3", tmp_path / "rate.wav")):
        done = run(node, *arguments)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
