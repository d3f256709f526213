"""The model as a server has it: base64 in, genres out, and no file that the owner has not opened."""

import base64
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from checkout import Checkout
from networks import GENRES, write_model

from genres.core.console import UserError
from genres.core.files import write_json
from genres.inference import register, serving
from genres.inference.answer import predict
from genres.inference.classifier import Classifier


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> serving.GenreModel:
    monkeypatch.delenv(serving.FOLDER_VARIABLE, raising=False)
    found = serving.GenreModel()
    found.load_context(SimpleNamespace(artifacts={"model": str(write_model(tmp_path / "tiny.keras"))}))
    return found


def ask(model: serving.GenreModel, **row: str) -> dict:
    (answer,) = model.predict(None, pd.DataFrame([row]))
    return answer


def test_a_song_in_base64_gets_the_answer_of_the_command(
    model: serving.GenreModel, tmp_path: Path, write_song: Callable
) -> None:
    for name in ("a.wav", "b.mp3", "c.m4a"):
        song = write_song(tmp_path / name, 4)
        answer = ask(model, audio=base64.b64encode(song.read_bytes()).decode())
        expected = predict(Classifier(tmp_path / "tiny.keras"), song)
        assert answer["error"] is None
        assert answer == {key: expected[key] for key in serving.ANSWER} | {"error": None}
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-12)


def test_a_bad_row_has_its_reason_and_the_others_are_answered(model: serving.GenreModel, write_song, tmp_path) -> None:
    good = base64.b64encode(write_song(tmp_path / "a.wav").read_bytes()).decode()
    rows = pd.DataFrame({"audio": ["%%%", base64.b64encode(b"no music").decode(), None, good]})
    *bad, answered = model.predict(None, rows)
    assert [answer["error"].split(":")[0] for answer in bad] == [
        "audio",
        "cannot be decoded",
        "a row needs either audio, a file in base64, or path",
    ]
    assert all(answer["genre"] is None for answer in bad)
    assert answered["genre"] in GENRES


def test_paths_are_off(model: serving.GenreModel, tmp_path: Path, write_song: Callable) -> None:
    song = write_song(tmp_path / "a.wav")
    assert ask(model, path=str(song))["error"].startswith("path: paths are off here")


def test_only_the_opened_folder_is_open(
    model: serving.GenreModel, tmp_path: Path, write_song: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_song(tmp_path / "open/a.wav")
    outside = write_song(tmp_path / "secret.wav")
    (tmp_path / "open/link.wav").symlink_to(outside)
    (tmp_path / "opened-too").mkdir()
    write_song(tmp_path / "opened-too/b.wav")
    monkeypatch.setenv(serving.FOLDER_VARIABLE, str(tmp_path / "open"))
    assert ask(model, path="a.wav")["error"] is None
    assert ask(model, path=str(tmp_path / "open/a.wav"))["error"] is None
    refused = [
        "../secret.wav",
        str(outside),
        "link.wav",
        "../opened-too/b.wav",
        ".",
        "none.wav",
        "a.wav\0",
        "/etc/passwd",
        "file:a.wav",
        "x" * 5000,
    ]
    reasons = {ask(model, path=path)["error"] for path in refused}
    assert reasons == {f"path: no such file in the folder that {serving.FOLDER_VARIABLE} opens"}


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_BYTES", 1 << 20)
    assert len(serving.decoded(base64.b64encode(bytes(1 << 20)).decode())) == 1 << 20
    with pytest.raises(UserError, match="more than 1 MB"):
        serving.decoded(base64.b64encode(bytes((1 << 20) + 3000)).decode())


def test_the_example_is_music_to_the_model(model: serving.GenreModel) -> None:
    assert ask(model, audio=base64.b64encode(register.tone()).decode())["error"] is None


@pytest.mark.soak
class TestRealServer:
    """`genres register`, then `mlflow models serve`, asked over HTTP."""

    @pytest.fixture(scope="class")
    def project(self, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
        """A checkout with two models; the second is the best by validation."""
        checkout = Checkout(tmp_path_factory.mktemp("serving") / "a checkout")
        for name in ("baseline", "bn_5x5"):
            write_model(checkout.folder / f"models/{name}.keras")
        ranked = [{"arch": "ensemble"}, {"arch": "bn_5x5"}, {"arch": "baseline"}]
        write_json(checkout.folder / "metrics/leaderboard.json", ranked)
        checkout.environment |= {"DVC_ROOT": str(checkout.folder)}
        return checkout

    @pytest.fixture(scope="class")
    def server(self, project: Checkout) -> Iterator[str]:
        """The address of a server of the champion."""
        first = project.run("genres", "register", "baseline")
        assert "genres-folder, version 1: baseline" in first
        assert "models:/genres-folder/1" in first
        second = project.run("genres", "register")
        assert "genres-folder, version 2: bn_5x5" in second
        (uri, name) = re.search(r"MLFLOW_TRACKING_URI=(.*) mlflow models serve -m (\S+) ", second).groups()
        (uri,) = shlex.split(uri)  # it is printed for the shell
        assert name == "models:/genres-folder@champion"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["mlflow", "models", "serve", "-m", name, "--env-manager", "local", "--host", "127.0.0.1"]
        # From another folder, so that the code is the one that the model carries.
        elsewhere = project.folder.parent / "elsewhere"
        elsewhere.mkdir()
        process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", "1"],
            cwd=elsewhere,
            env=project.environment | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": ""},
            stdout=(elsewhere / "log").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 240
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    if urllib.request.urlopen(f"{address}/ping", timeout=5).status == 200:
                        break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail((elsewhere / "log").read_text())
            yield address
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def test_it_answers(self, server: str, project: Checkout, tmp_path: Path, write_song: Callable) -> None:
        song = write_song(tmp_path / "song.wav", 7)
        content = base64.b64encode(song.read_bytes()).decode()
        rows = [{"audio": content}, {"path": str(song)}]
        request = urllib.request.Request(
            f"{server}/invocations",
            json.dumps({"dataframe_records": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        heard, refused = json.load(urllib.request.urlopen(request, timeout=120))["predictions"]
        expected = predict(Classifier(project.folder / "models/bn_5x5.keras"), song)
        assert heard["model"] == "bn_5x5"
        assert heard["genre"] == expected["genre"]
        assert heard["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
        assert len(heard["timeline"]) == 4
        assert refused["error"].startswith("path: paths are off here")

    def test_what_is_no_request_is_a_client_error(self, server: str) -> None:
        request = urllib.request.Request(f"{server}/invocations", b"{}", {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        assert caught.value.code == 400


def test_the_server_runs_in_this_python() -> None:
    assert Path(sys.executable).with_name("mlflow").exists()
