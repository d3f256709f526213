"""What comes from elsewhere is data and never code: models, spectrograms, archives, tables, names; no secret leaves.

Where else this is tested, and what is trusted: docs/faults.md, section Security.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT, Checkout, use_small_music
from networks import FORMAT, GENRES, write_model

import ingest as ingest_stage
from genres.core import params
from genres.core.console import UserError
from genres.core.files import write_json
from genres.core.recipes import FolderRecipe
from genres.data import cache, shards
from genres.data.shards import Spectrograms
from genres.inference import answer, classifier
from genres.models import builders
from genres.models.backend import keras
from genres.models.card import write_card
from genres.page import pictures, results
from genres.page.listening import Networks, Prediction
from genres.sources import folder

# ── No code but the project's own ─────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "jsonpickle"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.spawnl", "joblib.load",
    "torch.load", "pd.read_pickle", "pd.read_hdf", "tempfile.mktemp", "keras.config.enable_unsafe_deserialization",
}  # fmt: skip
UNPACKING = (".extractall", ".unpack_archive")  # src/genres/sources/download.py does it member by member
FORBIDDEN_ARGUMENTS = {
    ("shell", True),
    ("allow_pickle", True),
    ("safe_mode", False),
    ("verify", False),
    ("typ", "unsafe"),
}


def offences(source: str) -> list[str]:
    """What a module has that could run what comes from elsewhere."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in FORBIDDEN_CALLS or name.endswith(UNPACKING) else []
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                found += [f"{keyword.arg}={value}" for pair in [(keyword.arg, value)] if pair in FORBIDDEN_ARGUMENTS]
                if keyword.arg in ("shell", "allow_pickle") and not isinstance(keyword.value, ast.Constant):
                    found.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
    return found


# What a cluster's client and workers say to each other, who trust each other with everything (docs/faults.md), and what
# the hosts of one training get from the first of them.
TRUSTED = {
    "src/genres/compute/client.py": ["pickle"],
    "src/genres/compute/code.py": ["archive.extractall", "pickle"],
    "src/genres/tuning/trial.py": ["pickle"],  # from its own parent, over a pipe
    "src/genres/training/devices.py": ["zipfile.ZipFile(io.BytesIO(np.asarray(content).tobytes())).extractall"],
}


@pytest.mark.parametrize("path", [*ROOT.glob("src/**/*.py"), *ROOT.glob("benchmarks/*.py")], ids=lambda path: path.stem)
def test_no_module_runs_what_comes_from_elsewhere(path):
    expected = TRUSTED.get(path.relative_to(ROOT).as_posix(), [])
    assert sorted(offences(path.read_text(encoding="utf-8"))) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from yaml import load", "eval(x)", "import os\nos.popen('ls')", "f(x, shell=True)",
     "np.load(x, allow_pickle=True)", "np.load(x, allow_pickle=y)", "YAML(typ='unsafe')", "joblib.load(x)",
     "tar.extractall(x)"],
)  # fmt: skip
def test_the_search_finds_each(source):
    assert offences(source) != []


# ── Models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that hostile code would make."""
    return tmp_path / "was run"


def with_lambda(path: Path, marker: Path) -> None:
    """A network with Python code in it, which Keras would unpack and run."""
    code = f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"
    clips = keras.Input((FORMAT.frames(1.0), FORMAT.n_mels), dtype="uint8")
    x = keras.layers.Lambda(eval(code), output_shape=(FORMAT.frames(1.0), FORMAT.n_mels))(clips)
    x = keras.layers.GlobalMaxPooling1D()(keras.layers.Rescaling(1 / 60)(x))
    network = keras.Model(clips, keras.layers.Dense(len(GENRES), activation="softmax")(x))
    network.save(path)
    marker.unlink(missing_ok=True)


def naming_a_function(path: Path, marker: Path) -> None:
    """A network whose configuration names a function of Python's own library, and what to call it with."""
    write_model(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "card.json"}
    config = json.loads(members["config.json"])
    layer = config["config"]["layers"][1]
    layer["module"], layer["class_name"], layer["registered_name"] = "os", "system", None
    layer["config"] = {"command": f"touch '{marker}'"}
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


CARD = {
    "architecture": "hostile",
    "dataset": "folder",
    "protocol": "artist",
    "genres": GENRES,
    "spectrogram": vars(FORMAT),
    "windowing": {"length_s": 1.0},
}


@pytest.fixture(params=[with_lambda, naming_a_function])
def hostile(request, tmp_path, monkeypatch, marker) -> Path:
    """A model file with a card like any other, and code."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "models/hostile.keras"
    path.parent.mkdir()
    request.param(path, marker)
    write_card(path, CARD)
    return path


def test_a_model_with_code_in_it_is_refused_and_nothing_is_run(hostile, marker, tmp_path, write_song, capsys):
    song = write_song(tmp_path / "song.wav")
    ways: list[Callable[[], object]] = [
        lambda: builders.load(hostile),
        lambda: classifier.Classifier(hostile),
        lambda: Networks().predict(song, "hostile"),  # the page
    ]
    for way in ways:
        with pytest.raises(UserError, match=r"hostile\.keras: Keras cannot load it \(") as raised:
            way()
        assert "\n" not in str(raised.value)
    with pytest.raises(SystemExit) as left:
        answer.main([str(song), "--model", str(hostile)])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not marker.exists()


def test_what_lies_outside_in_a_models_archive_is_not_written(tmp_path):
    path = write_model(tmp_path / "deep/folder/model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../evil", "../../evil", "assets/../../../evil", f"{tmp_path}/evil"):
            archive.writestr(name, b"!")
    before = set(tmp_path.rglob("*"))
    try:
        classifier.Classifier(path)
    except UserError as error:
        assert "\n" not in str(error)
    assert set(tmp_path.rglob("*")) == before


# ── Spectrograms ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable, tuple]:
        return (Path.touch, (self.marker,))


def test_no_array_of_objects_is_unpacked(tmp_path, marker):
    write_json(tmp_path / "mels" / shards.FORMAT, vars(FORMAT))
    (tmp_path / "mels" / shards.INDEX).write_text("track_id,sha256,shard,start,frames\na,1,000.npy,0,1\n")
    np.save(tmp_path / "mels" / "000.npy", np.array([[Touch(marker)]], dtype=object))
    with pytest.raises((UserError, ValueError)):
        Spectrograms(tmp_path / "mels").track("a")
    songs = pd.DataFrame({"path": ["no song"], "sha256": ["cached"]})
    cached = cache.Cached(tmp_path, songs, tmp_path, params.load(ROOT / "params.yaml").mels_of_dataset())
    cached.files[0].parent.mkdir()
    np.save(cached.files[0], np.array([[Touch(marker)]], dtype=object))
    with pytest.raises(UserError):  # what is no array is made again, and there is no such song
        cached[0]
    assert not marker.exists()


# ── A folder of music that somebody else has made ─────────────────────────────────────────────────────────────────────


def recipe(root: Path) -> FolderRecipe:
    return FolderRecipe(source="folder", dir=root, genres=None, exclude_genres=[], mels={}, train={})


def test_links_in_a_music_folder_are_followed_to_songs_and_round_in_no_circle(tmp_path, write_song):
    music, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    write_song(music / "rock/a.wav", seed=1)
    write_song(elsewhere / "b.wav", seed=2)
    (music / "rock/b.wav").symlink_to(elsewhere / "b.wav")
    (music / "pop").symlink_to(elsewhere)  # a genre that lies on another disk
    (music / "rock/loop").symlink_to("..")
    (music / "rock/self.wav").symlink_to("self.wav")
    (music / "rock/broken.wav").symlink_to("nowhere.wav")
    before = (elsewhere / "b.wav").read_bytes()
    found = folder.collect(recipe(music), tmp_path)
    assert sorted(found["track_id"]) == ["pop/b.wav", "rock/a.wav", "rock/b.wav"]
    assert (elsewhere / "b.wav").read_bytes() == before


@pytest.mark.parametrize("name", ["../../{up}etc/passwd", "/etc/passwd", "../secret.txt", "/dev/zero", "../pipe"])
def test_a_path_that_leaves_the_folder_is_only_decoded_and_nothing_of_it_is_told(
    tmp_path, project, configure, monkeypatch, write_song, capfd, name
):
    music = tmp_path / "music"
    write_song(music / "rock/a.wav", seed=1)
    (tmp_path / "secret.txt").write_text("root:s3cret\n" * 100)
    os.mkfifo(tmp_path / "pipe")
    name = name.format(up="../" * 30)
    (music / "tracks.csv").write_text(f"path,genre\nrock/a.wav,rock\n{name},rock\n")
    configure({"dataset": "folder", "datasets.folder.dir": str(music)})
    monkeypatch.setattr(sys, "argv", ["ingest"])
    ingest_stage.main()
    table = pd.read_csv(project / "data/raw/folder/tracks.csv")
    assert list(table["track_id"]) == ["rock/a.wav"]
    report = json.loads((project / "metrics/ingest.json").read_text())
    assert report["rejected"] == 1
    assert report["rejected_tracks"][0]["reason"].startswith(("cannot be decoded", "cannot be opened"))
    made = [path.read_text(errors="replace") for path in project.rglob("*.*") if path.suffix in (".json", ".csv")]
    assert not any("root:" in text for text in [*made, *capfd.readouterr()])


# ── The page ──────────────────────────────────────────────────────────────────────────────────────────────────────────

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """The tags of a page, and their attributes that are code or lead elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.suspicious: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            inside = (value or "").startswith(("data:image/png;", "gradio_api/"))
            if name.startswith("on") or (name in ("src", "href") and not inside):
                self.suspicious.append((name, value))


def test_names_of_songs_genres_and_networks_are_text_on_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    genres = [f"{EVIL} {number}" for number in range(3)]
    shares = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    timeline = classifier.Timeline(np.array([0.0, 1.0]), np.array([1.0, 2.0]), shares)
    card = {"architecture": EVIL, "dataset": EVIL, "protocol": EVIL}
    spectrogram = np.zeros((86, FORMAT.n_mels), np.uint8)
    prediction = Prediction(card, FORMAT, genres, 2.0, np.zeros((10, 2)), spectrogram, timeline, EVIL)
    row = {"arch": EVIL, "val_track_accuracy": 0.5, "track_accuracy": 0.5, "macro_f1": 0.5, "n_parameters": 3}
    row |= {"track_accuracy_ci95_low": 0.1, "track_accuracy_ci95_high": 0.9, "seconds": 1.0}
    write_json(tmp_path / "metrics/leaderboard.json", [row | {"arch": "x<script>"}, row])
    write_json(tmp_path / "metrics/x<script>.json", {"dataset": EVIL, "protocol": EVIL})
    shown = [
        pictures.song(prediction, EVIL, pictures.address(f"/a/{EVIL}.wav")),
        pictures.bars(prediction),
        pictures.difference(prediction, prediction),
        pictures.message(EVIL),
        pictures.picture(b"", EVIL),
        results.leaderboard(),
        results.pictures(EVIL),
    ]
    for html in shown:
        tags = Tags(html)
        assert not tags.tags & {"script", "iframe", "object", "embed", "form"}
        assert tags.suspicious == []
    assert "alert(1)" in shown[0]  # it is shown, as text
    assert "alert(1)" in shown[5]


# ── Secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────────

# Calculated, since the project whose every file and git object is searched has this file, too.
SECRETS = {
    name: prefix + hashlib.sha256(name.encode()).hexdigest()[:24]
    for name, prefix in {
        "SPOTIPY_CLIENT_ID": "",
        "SPOTIPY_CLIENT_SECRET": "",
        "SPOTIFY_TOKEN": "BQ",
        "MLFLOW_TRACKING_PASSWORD": "",
        "MLFLOW_TRACKING_TOKEN": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "GIT_TOKEN": "ghp_",
    }.items()
}


@pytest.mark.soak
@pytest.mark.xdist_group("faults")
def test_no_secret_is_in_anything_that_a_run_writes(tmp_path):
    """An experiment with passwords in the shell and others in .env: logs, metrics, MLflow, dvc.lock, git objects."""
    project = Checkout(tmp_path / "project")
    use_small_music(project, tmp_path / "music", train__epochs=1)
    project.commit()
    in_file = {name: f"{value}-of-the-file" for name, value in SECRETS.items()}
    (project.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in in_file.items()))
    output = project.run("dvc", "exp", "run", "--name", "with-secrets", **SECRETS)
    output += project.run("git", "log", "-p", "--all", "--reflog")
    objects = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=project.folder, capture_output=True, check=True
    ).stdout
    written = {"what was printed": output.encode(), "git": objects}
    for path in project.folder.rglob("*"):
        if path.is_file() and path.name != ".env":
            written[str(path)] = path.read_bytes()
    assert any(name.endswith("mlflow.db") for name in written)
    assert any(name.endswith("dvc.lock") for name in written)
    assert b"with-secrets" in written[str(project.folder / "mlflow.db")]
    for name, content in written.items():
        assert [key for key, secret in SECRETS.items() if secret.encode() in content] == [], name
    assert ".env" not in project.run("git", "ls-files", "--cached", "--others", "--exclude-standard").split()
