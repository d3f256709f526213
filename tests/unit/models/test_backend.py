"""Keras' settings are the project's, whatever the user's machine says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, clean_environment

CODE = """
import json, os
from genres.models.backend import keras
from tensorflow.python.util import _pywrap_util_port
print(json.dumps({
    "onednn": _pywrap_util_port.IsMklEnabled(),
    "variable": os.environ["TF_ENABLE_ONEDNN_OPTS"],
    "floatx": keras.config.floatx(),
    "format": keras.config.image_data_format(),
    "policy": keras.config.dtype_policy().name,
    "epsilon": keras.config.epsilon(),
    "layer": keras.layers.Conv2D(2, 1).data_format,
    "limits": [keras.config.max_epochs(), keras.config.max_steps_per_epoch()],
}))
"""


def settings(folder: Path, **environment: str) -> dict:
    """The settings of a new process, in which the variable is not set but for what is given."""
    inherited = {name: value for name, value in clean_environment().items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment = inherited | {"PYTHONPATH": str(ROOT / "src"), "KERAS_HOME": str(folder)} | environment
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_tensorflows_fast_kernels_are_on_unless_the_user_turns_them_off_and_keras_json_changes_nothing(tmp_path):
    found = settings(tmp_path)
    assert (found["onednn"], found["variable"]) == (True, "1")
    (tmp_path / "keras.json").write_text(
        json.dumps(
            {"floatx": "float16", "epsilon": 1e-3, "backend": "tensorflow", "image_data_format": "channels_first"}
        )
    )
    found = settings(tmp_path, TF_ENABLE_ONEDNN_OPTS="0", KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="1")
    assert (found["onednn"], found["variable"]) == (False, "0")
    assert (found["floatx"], found["policy"], found["epsilon"]) == ("float32", "float32", 1e-7)
    assert (found["format"], found["layer"], found["limits"]) == ("channels_last", "channels_last", [None, None])


@pytest.mark.parametrize(
    ("given", "variable", "says"),
    [
        ("{}", "tensorflw", "KERAS_BACKEND=tensorflw: Unable to import backend : tensorflw"),
        ('{"backend": "torch"}', "", "keras.json (backend: torch): No module named 'torch'"),
        ('{"floatx": "float8", "backend": "jax"}', "", "keras.json (backend: jax): Invalid `floatx` configuration"),
    ],
)
def test_a_backend_that_cannot_be_loaded_is_one_line_with_the_installed_ones(tmp_path, given, variable, says):
    (tmp_path / "keras.json").write_text(given)
    environment = clean_environment() | {"PYTHONPATH": str(ROOT / "src"), "KERAS_HOME": str(tmp_path)}
    environment |= {"KERAS_BACKEND": variable} if variable else {}
    code = "from genres.core.console import command; command(lambda: __import__('genres.models.backend'))()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and says in line
    assert "installed here: tensorflow" in line and line.endswith("set KERAS_BACKEND=tensorflow")
