"""The line that `genres register` prints can be pasted into a shell, whatever the folder and the name."""

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from genres.inference import register


@pytest.mark.parametrize("folder", ["/home/me/project", "/my songs/it's (new), 100 % & more; $HOME"])
@pytest.mark.parametrize("name", ["genres-demo", "my model's"])
def test_the_printed_command_is_one_for_a_shell(monkeypatch, capsys, folder, name):
    address = f"sqlite:///{folder}/mlflow.db"
    registry = SimpleNamespace(register=lambda *arguments: ("3", address))
    monkeypatch.setitem(sys.modules, "genres.tracking.registry", registry)
    monkeypatch.setattr("genres.tracking.registry", registry, raising=False)
    monkeypatch.setattr(register, "choose_model", lambda *names: Path("models/baseline.keras"))
    monkeypatch.setattr(register, "read_card", lambda path: {"architecture": "baseline", "dataset": "demo"})
    register.main(["--name", name])
    words = shlex.split(capsys.readouterr().out.partition("serve it: ")[2])
    assert words[0] == f"MLFLOW_TRACKING_URI={address}"
    assert words[1:6] == ["mlflow", "models", "serve", "-m", f"models:/{name}@champion"]
