"""The plugin in the real beets: a temporary library, songs with and without genres, on import and by command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mutagen
import numpy as np
import pytest
from checkout import ROOT, clean_environment
from networks import write_exported

from genres.inference.answer import predict
from genres.inference.classifier import Classifier

pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg is not installed")

CONFIG = """
directory: {folder}/library
library: {folder}/library.db
plugins: genres
import: {{copy: yes, write: yes, autotag: no, quiet: yes}}
genres: {{model: {model}, confidence: {confidence}, auto: {auto}}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tmp_path_factory.mktemp("model"))


@pytest.fixture
def beet(tmp_path: Path, model: Path) -> Callable[..., str]:
    """Run beets with a library of its own."""

    def beet(
        *arguments: str, confidence: float = 0.0, auto: str = "yes", model: Path | str = model, status: int = 0
    ) -> str:
        text = CONFIG.format(folder=tmp_path, model=model, confidence=confidence, auto=auto)
        (tmp_path / "config.yaml").write_text(text)
        environment = clean_environment() | {"BEETSDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
        environment |= {"HOME": str(tmp_path), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [sys.executable, "-m", "beets", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return beet


@pytest.fixture
def songs(tmp_path: Path, write_song: Callable) -> Path:
    """An album of three songs in three formats, one of them with a genre, and a file that is no music."""
    folder = tmp_path / "incoming"
    for number, name in enumerate(("one.mp3", "two.flac", "three.ogg")):
        song = write_song(folder / name, seed=number, seconds=4.0)
        tags = mutagen.File(song, easy=True)
        if tags.tags is None:
            tags.add_tags()
        tags["artist"], tags["album"], tags["title"] = "Somebody", "Songs", name
        if name == "two.flac":
            tags["genre"] = "Polka"
        tags.save()
    return folder


def genres_of(file: Path) -> list[str]:
    """Return the genre as ffprobe reads it, after a look at mutagen's."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "default=nk=0", file]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {line.split(":", 1)[1].split("=", 1)[0].lower(): line.split("=", 1)[1] for line in lines if "=" in line}
    read = mutagen.File(file, easy=True).get("genre", [])
    assert [found["genre"]] == read if read else "genre" not in found
    return read


def listed(beet: Callable[..., str]) -> dict[str, str]:
    return dict(line.split("|", 1) for line in beet("ls", "-f", "$title|$genres").splitlines())


def test_an_import_fills_genres_that_are_missing(beet: Callable, songs: Path, model: Path, tmp_path: Path) -> None:
    expected = {name: predict(Classifier(model), songs / name)["genre"] for name in ("one.mp3", "three.ogg")}
    beet("import", str(songs))
    assert listed(beet) == expected | {"two.flac": "Polka"}
    files = {path.suffix: path for path in (tmp_path / "library").rglob("*.*")}
    assert genres_of(files[".mp3"]) == [expected["one.mp3"]]
    assert genres_of(files[".flac"]) == ["Polka"]
    assert genres_of(files[".ogg"]) == [expected["three.ogg"]]
    assert ": tiny, probability 0." in mutagen.File(files[".ogg"])["genre_source"][0]
    assert ": tiny, probability 0." in mutagen.File(files[".mp3"])["TXXX:GENRE_SOURCE"].text[0]
    assert "genre_source" not in mutagen.File(files[".flac"])


def test_the_command_pretends_fills_and_replaces(beet: Callable, songs: Path, model: Path) -> None:
    beet("import", str(songs), auto="no")
    before = {"one.mp3": "", "two.flac": "Polka", "three.ogg": ""}
    assert listed(beet) == before
    genre = predict(Classifier(model), songs / "one.mp3")["genre"]
    assert genre in beet("genres", "--pretend", "title:one")
    assert listed(beet) == before
    beet("genres", "title:one")
    assert listed(beet) == before | {"one.mp3": genre}
    assert beet("ls", "-a", "-f", "$genres").strip() in (genre, "Polka")
    beet("genres", "--force", "title:two")
    assert listed(beet)["two.flac"] == predict(Classifier(model), songs / "two.flac")["genre"]


def test_what_is_unsure_or_no_music_stays(
    beet: Callable, songs: Path, tmp_path: Path, write_audio: Callable[..., Path]
) -> None:
    silent = write_audio(songs / "silent.wav", np.zeros(44100, np.float32))
    beet("import", str(songs), auto="no")
    shutil.copy(silent, next((tmp_path / "library").rglob("*.ogg")))  # not what its name says
    output = beet("genres", confidence=0.999999)
    assert output.count("silent") >= 1
    assert set(listed(beet).values()) == {"", "Polka"}


@pytest.mark.parametrize(
    ("model", "reason"),
    [("''", "name a model file in beets' configuration"), ("/none/such.onnx", "/none/such.onnx: no such model")],
)
def test_a_wrong_model_is_a_line(beet: Callable, songs: Path, model: str, reason: str) -> None:
    beet("import", str(songs), auto="no")
    (line,) = beet("genres", model=model, status=1).splitlines()
    assert line.startswith("error: genres: model: ") and reason in line


def test_beets_is_not_needed_by_the_package() -> None:
    code = "import sys; sys.modules['beets'] = None; import genres.cli, genres.library.tag"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
