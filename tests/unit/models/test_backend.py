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
}))
"""


def settings(folder: Path, **environment: str) -> dict:
    """The settings of a new process, in which the variable is not set but for what is given."""
    inherited = {name: value for name, value in clean_environment().items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment = inherited | {"PYTHONPATH": str(ROOT / "src"), "KERAS_HOME": str(folder)} | environment
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("given", "expected"), [({}, True), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, False)])
def test_tensorflows_fast_kernels_are_on_unless_the_user_turns_them_off(tmp_path, given, expected):
    found = settings(tmp_path, **given)
    assert found["onednn"] is expected
    assert found["variable"] == given.get("TF_ENABLE_ONEDNN_OPTS", "1")


def test_a_users_keras_json_changes_nothing(tmp_path):
    (tmp_path / "keras.json").write_text(
        json.dumps(
            {"floatx": "float16", "epsilon": 1e-3, "backend": "tensorflow", "image_data_format": "channels_first"}
        )
    )
    found = settings(tmp_path)
    assert (found["floatx"], found["format"], found["policy"]) == ("float32", "channels_last", "float32")
