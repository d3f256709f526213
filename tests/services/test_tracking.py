"""The view in MLflow, with a real database: parents and children, and the tag of the best run."""

import mlflow
import pytest

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


def test_children_of_a_sweep_have_one_parent_that_a_later_call_finds_again(client):
    ids = [trained("clip"), trained("artist")]
    for found in (ids[:1], [*ids, "not in this database"]):
        runs.group_runs("demo", "abc123", found, tags={"experiments": len(found)}, metrics={"clip/mean": 0.5})
    (parent,) = client.search_runs([client.get_experiment_by_name("demo").experiment_id], "tags.sweep = 'abc123'")
    assert parent.data.tags["experiments"] == "3"
    assert parent.data.metrics == {"clip/mean": 0.5}
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
