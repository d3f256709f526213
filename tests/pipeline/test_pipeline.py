"""The real commands in a temporary checkout, whose path has a space: dvc repro, and every kind of dvc exp run."""

import json
import shlex
import shutil
import sqlite3
import time
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT, Checkout, use_small_music, write_song
from dvc.repo import Repo

pytestmark = pytest.mark.xdist_group("pipeline")

STAGES = {"ingest", "clips", "mels@default", "mels@musicnn", "pretrained", "inputs", "train@baseline"}
STAGES |= {"export@baseline", "tagger", "evaluate@baseline", "compare", "confounding", "remix", "interventions"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Checkout:
    """A checkout in which `dvc repro` has been run once."""
    folder = tmp_path_factory.mktemp("pipeline")
    checkout = Checkout(folder / "a checkout")
    use_small_music(checkout, folder / "my music")
    checkout.commit()
    checkout.run("dvc", "repro")
    checkout.run("git", "add", "-A")
    checkout.run("git", "commit", "-q", "-m", "Results")
    return checkout


@pytest.fixture
def edited(project):
    """The checkout, whose tracked files are put back."""
    yield project
    project.run("git", "reset", "-q", "--hard")


@pytest.fixture
def restored(edited):
    """The checkout, put back as it was after its first `dvc repro`."""
    yield edited
    edited.run("git", "reset", "-q", "--hard")  # before `dvc checkout`, which reads dvc.lock
    edited.run("dvc", "checkout", "-q", "--force")


def runs(project: Checkout) -> list[dict]:
    """What MLflow's database says of each run: its tags, and where its artifacts lie."""
    with sqlite3.connect(project.folder / "mlflow.db") as database:
        found = database.execute("select run_uuid, name, artifact_uri from runs where lifecycle_stage = 'active'")
        return [
            {
                "id": run_id,
                "name": name,
                "artifacts": Path(uri.removeprefix("file://").replace("%20", " ")),
                **dict(database.execute("select key, value from tags where run_uuid = ?", [run_id])),
            }
            for run_id, name, uri in found
        ]


def assert_whole(project: Checkout, run: dict) -> None:
    """A run has its curves, test scores, data set, model and pictures, all files in the project's own folder."""
    with sqlite3.connect(project.folder / "mlflow.db") as database:
        keys = [key for (key,) in database.execute("select key from metrics where run_uuid = ?", [run["id"]])]
        named = "select name from datasets join inputs on dataset_uuid = source_id where destination_id = ?"
        datasets = database.execute(named, [run["id"]]).fetchall()
        logged = "select name, artifact_location from logged_models where source_run_id = ?"
        models = database.execute(logged, [run["id"]]).fetchall()
    assert keys.count("val_loss") >= 1
    assert keys.count("test_track_accuracy") == 1
    assert run["artifacts"].is_relative_to(project.folder / "mlruns")
    assert datasets == [(run["dataset"],)]
    ((name, uri),) = models
    assert name == "baseline"
    place = Path(uri.removeprefix("file://").replace("%20", " "))
    assert place.is_relative_to(project.folder / "mlruns")
    assert [path.name for path in place.iterdir()] == ["baseline.keras"]
    assert (run["artifacts"] / "plots" / "confusion.png").is_file()


def assert_nothing_left_behind(project: Checkout) -> None:
    names = ("mlflow.db", "mlruns", ".cache")
    strays = [path for name in names for path in project.folder.glob(f".dvc/tmp/**/{name}")]
    assert strays == []


def changed_stages(project: Checkout) -> set[str]:
    """As `dvc status` says, without the start of a process."""
    with chdir(project.folder), Repo(project.folder) as repo:
        status = repo.status()
    assert set(status) <= STAGES
    return set(status)


def test_repro_leaves_what_the_contract_says(project):
    root = project.folder
    raw = pd.read_csv(root / "data/raw/folder/tracks.csv")
    contract = {"track_id", "path", "genre", "artist", "title", "isrc", "source", "duration_s", "sha256", "split"}
    assert contract | {"song", "version"} <= set(raw.columns)
    tracks = pd.read_csv(root / "data/tracks.csv")
    assert list(tracks.columns) == ["track_id", "genre", "artist", "fold"]
    clips = pd.read_csv(root / "data/clips.csv")
    assert list(clips.columns) == ["clip_id", "track_id", "start_s", "fold"]
    assert len(clips) == 12 * 4
    predictions = pd.read_csv(root / "predictions/baseline.csv")
    assert list(predictions.columns[:4]) == ["track_id", "fold", "genre", "predicted"]
    assert predictions[["genre0", "genre1", "genre2"]].sum(axis=1).tolist() == pytest.approx([1] * len(predictions))
    assert set(predictions["fold"]) == {"val", "test"}

    metrics = json.loads((root / "metrics/baseline.json").read_text())
    needed = "dataset protocol n_parameters clip_accuracy track_accuracy track_accuracy_ci95_low "
    needed += "track_accuracy_ci95_high macro_f1 log_loss ece"
    assert set(needed.split()) <= set(metrics)
    test = predictions[predictions["fold"] == "test"]
    assert metrics["track_accuracy"] == pytest.approx((test["genre"] == test["predicted"]).mean())
    (row,) = json.loads((root / "metrics/leaderboard.json").read_text())
    assert row["arch"] == "baseline"
    assert row["track_accuracy"] == pytest.approx(metrics["track_accuracy"])
    assert row["seconds"] > 0
    assert row["clips_per_second"] > 0
    assert row["multiply_adds"] > 1e4
    assert row["temperature"] > 0
    assert "seconds" not in metrics
    by_genre = pd.read_csv(root / "plots/compare/per_genre.csv")
    assert by_genre["recall"].tolist() == pd.read_csv(root / "plots/baseline/per_genre.csv")["recall"].tolist()
    assert (root / "plots/compare/differences.png").is_file()
    per_genre = pd.read_csv(root / "plots/baseline/per_genre.csv")
    assert list(per_genre.columns) == ["genre", "precision", "recall", "f1", "support"]
    ingest = json.loads((root / "metrics/ingest.json").read_text())
    genre = ingest["genres"]["genre1"]
    assert (genre["asked"], genre["got"], genre["sources"], genre["rejected"]) == (4, 4, {"folder": 4}, {})
    assert (root / "plots/ingest/coverage.png").exists()
    assert json.loads((root / "metrics/confounding.json").read_text())["sources"] == 1
    assert (root / "plots/confounding/source.png").exists()


def test_a_second_repro_has_nothing_to_do(project):
    started = time.monotonic()
    assert "up to date" in project.run("dvc", "repro")
    assert time.monotonic() - started < 60
    assert changed_stages(project) == set()


def test_a_clone_without_data_is_up_to_date_but_for_what_is_missing(project, tmp_path):
    assert project.run("git", "ls-files", "models", "predictions") == ""
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
    output = project.run("dvc", "--cd", str(tmp_path / "clone"), "repro", "--dry", "--allow-missing")
    assert "Data and pipelines are up to date." in output


def test_a_song_is_predicted_as_it_was_evaluated(project):
    tested = pd.read_csv(project.folder / "predictions/baseline.csv").set_index("track_id")
    songs = [str(project.folder.parent / "my music" / name) for name in tested.index]
    answers = json.loads(project.here("genres", "predict", *songs, "--json"))
    for answer, (_, row) in zip(answers, tested.iterrows(), strict=True):
        assert answer["model"] == "baseline"
        assert answer["genre"] == row["predicted"]
        for genre, share in answer["probabilities"].items():
            assert share == pytest.approx(row[genre], abs=1e-5)  # by onnxruntime; evaluation is Keras'
    test = tested.index[tested["fold"] == "test"]
    warned = [answer["warning"] is not None for answer, name in zip(answers, tested.index, strict=True) if name in test]
    metrics = json.loads((project.folder / "metrics/baseline.json").read_text())
    assert metrics["unlike_test"] == pytest.approx(sum(warned) / len(test))


def test_repro_made_one_whole_mlflow_run(project):
    first = next(run for run in runs(project) if run["dvc_experiment"] == "")
    assert first["name"] == "baseline"
    assert (first["dataset"], first["protocol"], first["leaky"]) == ("folder", "artist", "False")
    assert len(first["git_commit"]) == 40
    assert_whole(project, first)


def test_the_users_files_are_read_in_place(project):
    music = project.folder.parent / "my music"
    assert [path.name for path in (project.folder / "data/raw/folder").iterdir()] == ["tracks.csv"]
    assert all(path.stat().st_mode & 0o200 and path.stat().st_nlink == 1 for path in music.glob("*/*.wav"))


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"train__epochs": 3}, {"train@baseline"}),
        ({"models__baseline__dropout": 0.1}, {"train@baseline"}),
        ({"models__bn_5x5__dropout": 0.1}, set()),
        ({"clips__length_s": 2.0}, {"clips", "train@baseline"}),
        ({"clips__overlap_s": 0.5}, {"clips", "train@baseline"}),
        ({"front_ends__default__n_fft": 1024}, {"mels@default"}),
        ({"evaluate__bootstrap": 200}, {"evaluate@baseline", "compare", "confounding", "interventions"}),
        ({"split__protocol": "track"}, {"clips", "train@baseline", "confounding"}),
        ({"datasets__folder__mels": {"fmax": 10000.0}}, {"ingest", "mels@default", "mels@musicnn"}),
        ({"datasets__folder__train": {"epochs": 3}}, {"ingest", "train@baseline"}),
        ({"datasets__demo__songs_per_artist": 3}, set()),
    ],
)
def test_a_parameter_makes_stale_what_uses_it(edited, change, stale):
    edited.set_params(**change)
    assert changed_stages(edited) == stale


@pytest.mark.parametrize(
    ("module", "stale"),
    [
        ("src/compare.py", {"compare"}),
        ("src/genres/data/folds.py", {"clips", "compare", "confounding", "evaluate@baseline", "train@baseline"}),
        ("src/train.py", {"train@baseline"}),
        ("src/genres/stats/scores.py", {"evaluate@baseline", "compare", "confounding", "remix", "interventions"}),
        ("src/genres/stats/pairs.py", {"remix", "interventions"}),
        ("src/genres/stats/interventions.py", {"remix", "interventions"}),
        ("src/genres/remixing/remix.py", {"interventions"}),
        ("tests/checkout.py", set()),
    ],
)
def test_a_changed_module_makes_stale_what_imports_it(edited, module, stale):
    with (edited.folder / module).open("a") as file:
        file.write('"""Another docstring."""\n')
    assert changed_stages(edited) == stale


def test_new_and_removed_songs_are_noticed_and_one_song_is_computed(restored):
    music = restored.folder.parent / "my music"
    cached = restored.folder / ".cache/mels"
    before = {path: path.stat().st_mtime_ns for path in cached.rglob("*.npy")}
    listed = (music / "tracks.csv").read_text()
    write_song(music / "genre0/new.wav", 110, 1.0, 99, 4.0)
    (music / "tracks.csv").write_text(listed + "genre0/new.wav,genre0,Artist 0-0,New\n")
    restored.run("dvc", "repro", "mels")
    after = {path: path.stat().st_mtime_ns for path in cached.rglob("*.npy")}
    assert len(after) == len(before) + 1 == 13
    assert before.items() <= after.items()
    index = pd.read_csv(restored.folder / "data/mels/default/index.csv")
    assert "genre0/new.wav" in set(index["track_id"])

    (music / "tracks.csv").write_text(listed)
    (music / "genre0/new.wav").unlink()
    restored.run("dvc", "repro", "mels")
    assert len(pd.read_csv(restored.folder / "data/mels/default/index.csv")) == 12


def test_a_failing_stage_says_why_in_one_line(restored):
    restored.set_params(datasets__folder__dir=str(restored.folder.parent / "my music/tracks.csv"))
    assert "Traceback" not in restored.here("python", "src/ingest.py", fails=True)
    restored.set_params(datasets__folder__dir="data/sources/folder")
    output = restored.run("dvc", "repro", "ingest", fails=True)
    assert "Traceback" not in output
    assert [line for line in output.splitlines() if line.startswith("error: ")] != []
    assert "no music found" in output


def test_the_same_run_gives_the_same_numbers(restored):
    results = ["metrics/baseline.json", "predictions/baseline.csv", "plots/baseline/history.csv"]
    first = [(restored.folder / path).read_bytes() for path in results]
    shutil.rmtree(restored.folder / ".cache")
    for stage in ("ingest", "clips", "mels", *(f"{name} baseline" for name in ("train", "export", "evaluate"))):
        name, *architecture = stage.split()
        restored.here("python", f"src/{name}.py", *architecture)
    assert [(restored.folder / path).read_bytes() for path in results] == first


@pytest.mark.soak
def test_exp_run_in_the_workspace(restored):
    before = {run["id"] for run in runs(restored)}
    restored.run("dvc", "exp", "run", "--name", "in-the-workspace", "-S", "train.epochs=1")
    (run,) = [run for run in runs(restored) if run["id"] not in before]
    assert run["dvc_experiment"] == "in-the-workspace"
    assert_whole(restored, run)

    metrics = json.loads((restored.folder / "metrics/baseline.json").read_text())
    output = restored.here("genres", "leak", "in-the-workspace", "--plot", "docs/leak.png")
    assert output.startswith("| architecture | `artist` |")
    assert f"| baseline | {metrics['track_accuracy']:.1%} [" in output
    assert (restored.folder / "docs/leak.png").stat().st_size > 5000
    output = restored.here("genres", "leak", "in-the-workspace", "HEAD", fails=True)
    assert output == (
        "error: in-the-workspace and HEAD are both of protocol artist with seed 42: a mean is over different seeds or "
        "folds\n"
    )
    output = restored.here("genres", "leak", "no-such-experiment", fails=True)
    assert output.startswith("error: no-such-experiment: no experiment or revision with results")
    assert output.count("\n") == 1
    page = (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("    dvc exp show"))
    table = restored.run(*shlex.split(command), "--no-pager", COLUMNS="160")
    assert "in-the-workspace" in table and "log_loss" in table and "…" not in table
    assert max(map(len, table.splitlines())) <= 160

    output = restored.here("genres", "experiments")
    (header,) = [line for line in output.splitlines() if "best by validation" in line]
    assert "train.epochs" in header
    assert "train.batch_size" not in header
    assert "in-the-workspace" in output


def test_exp_run_in_a_temporary_folder(restored):
    before = {run["id"] for run in runs(restored)}
    restored.run("dvc", "exp", "run", "--temp", "--name", "in-a-folder", "-S", "train.batch_size=4")
    (run,) = [run for run in runs(restored) if run["id"] not in before]
    assert run["dvc_experiment"] == "in-a-folder"
    assert_whole(restored, run)
    assert_nothing_left_behind(restored)


@pytest.mark.soak
def test_two_queue_workers_at_once(tmp_path, project):
    """On a fresh clone: no MLflow database yet, which both workers find missing."""
    checkout = Checkout(tmp_path / "queue")
    use_small_music(checkout, tmp_path / "music")
    checkout.commit()
    checkout.run(
        "dvc", "exp", "run", "--queue", "-S", "architectures=[baseline]", "-S", "train.learning_rate=0.01,0.001"
    )
    checkout.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 400
    while "Queued" in (status := checkout.run("dvc", "queue", "status")) or "Running" in status:
        assert time.monotonic() < deadline, status
        time.sleep(3)
    assert status.count("Success") == 2, status + checkout.run("dvc", "queue", "logs", status.split()[6])
    found = runs(checkout)
    assert len(found) == 2
    assert len({run["dvc_experiment"] for run in found}) == 2
    for run in found:
        assert_whole(checkout, run)
    assert_nothing_left_behind(checkout)
