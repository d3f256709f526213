"""The view in MLflow, with a real database: data sets, models, parents and children, the tag of the best run."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import LoggedModelOutput

from genres.tracking import runs


@pytest.fixture
def client(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow has set it


def trained(protocol: str, dataset: str = "demo") -> str:
    with runs.run(dataset, "baseline") as run:
        run.tags({"protocol": protocol})
        for step in (1, 2):
            run.metrics({"val_loss": 1 / step}, step=step)
    return run.run_id


def test_children_of_a_sweep_have_one_parent_that_a_later_call_finds_again(client, project):
    ids = [trained("clip"), trained("artist")]
    for found in (ids[:1], [*ids, "not in this database"]):
        runs.group_runs("demo", "abc123", found, tags={"experiments": len(found)}, metrics={"clip/mean": 0.5})
    (parent,) = client.search_runs([client.get_experiment_by_name("demo").experiment_id], "tags.sweep = 'abc123'")
    assert parent.data.tags["experiments"] == "3"
    assert parent.data.metrics == {"clip/mean": 0.5}
    (project / "curve.png").write_text("a picture")
    runs.log_to_sweep("demo", "abc123", {"small/twice_the_artists": 0.7}, [project / "curve.png"])
    assert client.get_run(parent.info.run_id).data.metrics == {"clip/mean": 0.5, "small/twice_the_artists": 0.7}
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["curve.png"]
    assert parent.info.status == "FINISHED"
    assert [client.get_run(run).data.tags["mlflow.parentRunId"] for run in ids] == [parent.info.run_id] * 2
    # Children are charted beside each other: the same names at the same steps.
    curves = [[(point.step, point.value) for point in client.get_metric_history(run, "val_loss")] for run in ids]
    assert curves[0] == curves[1] == [(1, 1.0), (2, 0.5)]


def test_artifacts_lie_in_the_project_also_after_a_second_call(client, project):
    trained("clip")
    trained("clip", "another")
    for name in ("demo", "another"):
        assert client.get_experiment_by_name(name).artifact_location == (project / "mlruns").as_uri()


def test_artifacts_lie_in_the_project_also_with_a_database_elsewhere(project, tmp_path, monkeypatch):
    """A database does not say where they go, and MLflow would take the working folder, which may be temporary."""
    address = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    trained("clip")
    found = mlflow.MlflowClient(address).get_experiment_by_name("demo")
    assert found.artifact_location == (project / "mlruns").as_uri()
    assert not (project / "mlflow.db").exists()


def best(client) -> list[str]:
    place = client.get_experiment_by_name("demo").experiment_id
    return sorted(run.info.run_id for run in client.search_runs([place], "tags.best = 'true'"))


def compare(protocol: str, **accuracies: float) -> None:
    scores = {run: {"val_track_accuracy": value, "val_log_loss": 1 - value} for run, value in accuracies.items()}
    runs.log_comparison("demo", protocol, scores, max(accuracies, key=accuracies.__getitem__))


def test_the_best_by_validation_has_the_tag_one_a_protocol(client):
    one, two, other = trained("artist"), trained("artist"), trained("clip")
    compare("artist", **{one: 0.6, two: 0.5})
    compare("clip", **{other: 0.9})
    assert best(client) == sorted([one, other])
    assert client.get_run(two).data.metrics["val_track_accuracy"] == 0.5
    better, worse = trained("artist"), trained("artist")
    compare("artist", **{better: 0.7})
    assert best(client) == sorted([better, other])
    assert "best" not in client.get_run(one).data.tags
    compare("artist", **{worse: 0.65})  # a later comparison does not take it from a better one
    assert best(client) == sorted([better, other])
    compare("artist", **{better: 0.3, two: 0.2})  # the same run, evaluated again
    assert best(client) == sorted([better, other])


def test_runs_of_another_machine_are_passed_over(client):
    runs.log_comparison("demo", "artist", {"unknown": {"val_track_accuracy": 1.0}}, "unknown")
    assert best(client) == []


TABLE = "track_id,genre,artist,fold\na.0,rock,Ann,train\na.1,rock,Ann,train\nb.0,pop,Bob,val\nc.0,pop,Cid,test\n"


def test_a_run_names_its_data_set_by_the_digest_of_dvc_lock(client, project):
    table = Path("data/tracks.csv")
    table.parent.mkdir()
    table.write_text(TABLE)
    for name in ("baseline", "bn_5x5"):  # the same data set twice, then another one of the same name
        with runs.run("demo", name) as run:
            run.dataset("demo", table)
        (logged,) = client.get_run(run.run_id).inputs.dataset_inputs
        assert [(tag.key, tag.value) for tag in logged.tags] == [("mlflow.data.context", "training")]
        assert logged.dataset.name == "demo"
        assert hashlib.md5(TABLE.encode()).hexdigest().startswith(logged.dataset.digest)
        counts = {"tracks": 4, "genres": 2, "artists": 3, "train_tracks": 2, "val_tracks": 1, "test_tracks": 1}
        assert json.loads(logged.dataset.profile) == counts
        assert json.loads(logged.dataset.source) == {"uri": "data/tracks.csv"}
    table.write_text(TABLE.replace("val", "test"))
    with runs.run("demo", "baseline") as run:
        run.dataset("demo", table)
    assert client.get_run(run.run_id).inputs.dataset_inputs[0].dataset.digest != logged.dataset.digest


def test_the_trained_model_is_a_logged_model_with_the_runs_scores(client, project):
    table, file = Path("tracks.csv"), Path("baseline.keras")
    table.write_text(TABLE)
    file.write_bytes(b"a network")
    with runs.run("demo", "baseline") as run:
        run.params({"seed": 42})
        run.dataset("demo", table)
        run.metrics({"val_loss": 0.7}, step=1)
        for _ in range(2):  # again, as after a kill: still one model
            run.model("baseline", file)
        run.metrics({"seconds": 3.0})
    with runs.run("demo", "baseline", run.run_id) as again:  # as evaluation does
        again.metrics({"test_track_accuracy": 0.8})
    runs.log_comparison("demo", "artist", {run.run_id: {"val_track_accuracy": 0.5}}, run.run_id)
    (model,) = client.search_logged_models([client.get_experiment_by_name("demo").experiment_id])
    assert (model.name, model.status.value, model.source_run_id) == ("baseline", "READY", run.run_id)
    assert model.params == {"seed": "42"}
    assert [output.model_id for output in client.get_run(run.run_id).outputs.model_outputs] == [model.model_id]
    assert [path.read_bytes() for path in (project / "mlruns").rglob("*.keras")] == [b"a network"]  # a single copy
    scores = {"seconds": 3.0, "test_track_accuracy": 0.8, "val_track_accuracy": 0.5}
    assert {metric.key: metric.value for metric in model.metrics} == scores
    assert {metric.dataset_name for metric in model.metrics} == {"demo"}
    assert client.get_run(run.run_id).data.metrics == scores | {"val_loss": 0.7}


def test_a_run_with_two_models_is_scored_again(client):
    """As one whose model was registered, and is then evaluated anew."""
    file = Path("baseline.keras")
    file.write_bytes(b"a network")
    with runs.run("demo", "baseline") as run:
        run.model("baseline", file)
        other = mlflow.initialize_logged_model("genres", run.run_id)
        mlflow.log_outputs([LoggedModelOutput(other.model_id, step=0)])
    with runs.run("demo", "baseline", run.run_id) as again:
        again.metrics({"test_track_accuracy": 0.8})
    models = client.search_logged_models([client.get_experiment_by_name("demo").experiment_id])
    assert [[metric.value for metric in model.metrics] for model in models] == [[0.8], [0.8]]


@pytest.mark.parametrize("is_kept", [True, False], ids=["copied", "renamed"])
def test_a_copied_or_renamed_project_has_its_runs_and_models_in_itself(
    client, project, tmp_path, monkeypatch, capsys, is_kept
):
    with runs.run("demo", "baseline") as old:
        old.file(project / "params.yaml")
    client.create_registered_model("genres")
    client.create_model_version("genres", f"{client.get_run(old.run_id).info.artifact_uri}/params.yaml")
    logged = client.create_logged_model(client.get_run(old.run_id).info.experiment_id, "genres")
    elsewhere = client.create_experiment("somebody's", (tmp_path / "elsewhere/mlruns").as_uri())
    before = (project / "mlflow.db").read_bytes()
    place = tmp_path / "a copy, 100 %"
    (shutil.copytree if is_kept else shutil.move)(project, place)
    monkeypatch.chdir(place)
    monkeypatch.setenv("DVC_ROOT", str(place))
    for _ in range(2):
        with runs.run("demo", "baseline") as new:
            new.file(place / "params.yaml")
    copy = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    for run in (old, new):
        assert copy.get_run(run.run_id).info.artifact_uri == (place / "mlruns" / run.run_id / "artifacts").as_uri()
        assert Path(copy.download_artifacts(run.run_id, "params.yaml")).read_bytes()
    model = copy.get_logged_model(logged.model_id)
    assert model.artifact_location.startswith((place / "mlruns").as_uri())
    assert copy.get_model_version_download_uri("genres", "1").startswith((place / "mlruns").as_uri())
    assert copy.get_experiment(elsewhere).artifact_location == (tmp_path / "elsewhere/mlruns").as_uri()
    assert capsys.readouterr().err.count(f"its paths led to {project}, where it was made; they lead to {place}") == 1
    if is_kept:
        assert (project / "mlflow.db").read_bytes() == before
        assert len(list((project / "mlruns").iterdir())) == 1


def test_files_that_were_left_in_the_old_folder_are_still_there(client, project, tmp_path, monkeypatch):
    with runs.run("demo", "baseline") as old:
        old.file(project / "params.yaml")
    place = tmp_path / "copy"
    place.mkdir()
    shutil.copy(project / "mlflow.db", place)
    monkeypatch.setenv("DVC_ROOT", str(place))
    trained("clip")
    copy = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    assert Path(copy.download_artifacts(old.run_id, "params.yaml")).read_bytes()
    assert copy.get_experiment_by_name("demo").artifact_location == (place / "mlruns").as_uri()


def test_a_run_or_an_experiment_that_the_surroundings_name_gets_nothing(client, monkeypatch, capsys):
    ended = trained("clip")
    before = client.get_run(ended).to_dictionary()
    for variable, value in {
        "MLFLOW_RUN_ID": ended,
        "MLFLOW_EXPERIMENT_ID": "0",
        "MLFLOW_EXPERIMENT_NAME": "somebody's",
    }.items():
        monkeypatch.setenv(variable, value)
    new = trained("artist")
    assert new != ended and client.get_run(ended).to_dictionary() == before
    assert client.get_run(new).info.experiment_id == client.get_experiment_by_name("demo").experiment_id
    assert f"MLFLOW_RUN_ID={ended} is ignored" in capsys.readouterr().err


def test_a_deleted_experiment_is_restored(client, capsys):
    first = trained("clip")
    client.delete_experiment(client.get_experiment_by_name("demo").experiment_id)
    second = trained("clip")
    assert client.get_experiment_by_name("demo").lifecycle_stage == "active"
    assert [client.get_run(run).info.lifecycle_stage for run in (first, second)] == ["active"] * 2
    assert "experiment demo was deleted; it is restored" in capsys.readouterr().err


def test_a_run_whose_process_was_killed_is_ended_and_no_other(client):
    trained("clip")
    place = client.get_experiment_by_name("demo").experiment_id
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = os.uname().nodename
    left = {
        process: client.create_run(place, tags={runs.PROCESS: process} if process else {}).info.run_id
        for process in (f"{here} {ended.pid}", f"{here} {os.getpid()}", f"another {ended.pid}", "")
    }
    trained("clip")
    assert [client.get_run(run).info.status for run in left.values()] == ["KILLED", "RUNNING", "RUNNING", "RUNNING"]
