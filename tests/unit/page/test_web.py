"""`genres web`: the files of the folder, and what stops it, one line each. In a browser: tests/services."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from networks import GENRES, write_model

from genres.inference import export
from genres.page import web


@pytest.fixture
def model(project: Path) -> Path:
    model_file = write_model(project / "models/tiny.keras", dataset="demo", protocol="clip")
    export.write(model_file, project / "models/tiny.onnx", model_file)
    return project / "models/tiny.onnx"


@pytest.fixture
def npm(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a program named npm first on the path, and return the file into which it writes its arguments."""

    def install(script: str) -> Path:
        (project / "bin").mkdir(exist_ok=True)
        (project / "bin/npm").write_text(f'#!/bin/sh\necho "$@" >> "{project}/asked"\n{script}\n')
        (project / "bin/npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{project / 'bin'}:/usr/bin:/bin")
        return project / "asked"

    return install


@pytest.fixture
def package(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive in place of npm's, with what the folder takes of it, and other things; its digest is expected."""
    archive = project / "package.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        for name in (*web.RUNTIME, "dist/other.wasm"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            opened.addfile(member, io.BytesIO(name.encode()))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    monkeypatch.setattr(web, "INTEGRITY", f"sha512-{digest}")
    return archive


def refusal(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        web.main(list(arguments))
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_the_folder_has_the_model_its_card_and_one_build_of_the_runtime(
    project: Path, model: Path, npm: Callable, package: Path, capsys: pytest.CaptureFixture
) -> None:
    script = (
        f'while [ "$1" != --pack-destination ]; do shift; done; cp "{package}" "$2/onnxruntime-web-{web.VERSION}.tgz"'
    )
    asked = npm(script)
    web.main(["--model", "tiny", "--output", "a page"])
    assert "tiny, trained on demo, synthetic music, LEAKY split" in capsys.readouterr().out
    assert asked.read_text().startswith(f"pack onnxruntime-web@{web.VERSION} ")
    written = {path.name: path.read_bytes() for path in (project / "a page").iterdir()}
    assert written["model.onnx"] == model.read_bytes()
    assert [name for name in written if name.endswith(".wasm")] == ["ort.wasm"]
    assert json.loads(written["model.json"])["genres"] == GENRES
    for name in ("page.css", "page.js"):
        assert written[name] == (web.HERE / name).read_bytes(), "the look is that of the other page"
    names = json.loads(written["sw.js"].decode().partition("= ")[2].partition(";\n")[0])[1]
    assert {*names, "sw.js", "index.html"} - {"./"} == set(written), "without a network all files are needed"

    version = written["sw.js"].splitlines()[0]
    web.main(["--model", "tiny", "--output", "a page"])
    assert (project / "a page/sw.js").read_bytes() == written["sw.js"], "browsers would fetch the same page again"
    assert asked.read_text().count("\n") == 1, "the package is kept"
    write_model(project / "models/tiny.keras", dataset="other")
    export.write(project / "models/tiny.keras", model, project / "models/tiny.keras")
    web.main(["--model", "tiny", "--output", "a page"])
    assert (project / "a page/sw.js").read_bytes().splitlines()[0] != version


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'npm error code ECONNREFUSED' >&2; echo 'npm error long text' >&2; exit 1", "(code ECONNREFUSED)"),
        ("exit 7", "(exit status 7)"),
    ],
)
def test_without_a_network_it_is_a_line(
    project: Path, model: Path, npm: Callable, capsys: pytest.CaptureFixture, script: str, reason: str
) -> None:
    npm(script)
    error = refusal(capsys, "--model", "tiny")
    assert "failed" in error and reason in error
    assert not (project / "web").exists() and not list((project / ".cache/npm").iterdir())


def test_without_npm_it_is_a_line(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "npm: not installed" in refusal(capsys, "--model", "tiny")


def test_another_package_than_the_pinned_one_is_refused_and_not_kept(
    project: Path, model: Path, package: Path, npm: Callable, capsys: pytest.CaptureFixture
) -> None:
    kept = project / ".cache/npm" / f"onnxruntime-web-{web.VERSION}.tgz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(package.read_bytes() + b"!")
    assert "is not the expected onnxruntime-web" in refusal(capsys, "--model", "tiny")
    assert not kept.exists() and not (project / "web").exists()


def test_a_model_that_is_not_exported_and_a_folder_of_another_page_are_refused(
    project: Path, model: Path, capsys: pytest.CaptureFixture
) -> None:
    write_model(project / "models/other.keras")
    assert "models/other.keras: a browser runs exported models only; export it: dvc repro export@other" in refusal(
        capsys, "--model", "other"
    )
    (project / "index.html").write_text("my own")
    assert "has other files" in refusal(capsys, "--model", "tiny", "--output", ".")
    assert "is a file" in refusal(capsys, "--model", "tiny", "--output", "index.html")
    assert (project / "index.html").read_text() == "my own"
