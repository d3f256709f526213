"""MLflow runs: open them, log to them, compare them, and group them under a parent run."""

import math
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from genres.tracking.store import connect, database_lock, exists, experiment_id, readable_errors


class Run:
    """An open MLflow run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters; nested ones under dotted names."""
        mlflow.log_params(dict(_flat(values)))

    def metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log those values that are numbers."""
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        mlflow.log_metrics(numbers, step=step)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        mlflow.set_tags({key: str(value) for key, value in values.items()})

    def file(self, path: Path, folder: str | None = None) -> None:
        """Log a copy of a file as an artifact."""
        mlflow.log_artifact(str(path), folder)


@contextmanager
def run(experiment: str, name: str, run_id: str | None = None, nested: bool = False) -> Iterator[Run]:
    """Open a run, or resume an earlier one.

    Parameters
    ----------
    experiment : str
        Data set.
    name : str
        Name of a new run, such as the architecture.
    run_id : str or None
        Run to resume; a new one is opened if this database does not have it (it is from another machine).
    nested : bool
        Whether it becomes a child of the open run.
    """
    with readable_errors():
        experiment_number = experiment_id(experiment)
        if run_id is not None and not exists(run_id):
            run_id = None
        new_name = None if run_id else name
        with mlflow.start_run(
            run_id=run_id, experiment_id=experiment_number, run_name=new_name, nested=nested
        ) as opened:
            if run_id is None:
                # Name of the DVC experiment; empty for a plain `dvc repro`.
                mlflow.set_tag("dvc_experiment", os.environ.get("DVC_EXP_NAME", ""))
                mlflow.set_tag("git_commit", opened.data.tags.get("mlflow.source.git.commit", _git_commit()))
            yield Run(opened.info.run_id)


def tag(run_id: str, values: Mapping[str, Any]) -> None:
    """Set tags of a run that has ended; unknown runs are skipped."""
    with readable_errors():
        if exists(run_id):
            for key, value in values.items():
                mlflow.MlflowClient().set_tag(run_id, key, str(value))


def mark_killed(run_id: str) -> None:
    """Set the status of a run to killed; unknown runs are skipped."""
    with readable_errors():
        if exists(run_id):
            mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def group_runs(
    experiment: str, sweep: str, run_ids: Sequence[str], *, tags: Mapping[str, Any], metrics: Mapping[str, Any]
) -> None:
    """Group runs that have ended under a parent run.

    Parameters
    ----------
    experiment : str
        Data set.
    sweep : str
        Identifier of the sweep, letters and digits; a later call reuses the parent run of the same sweep.
    run_ids : list of str
        Runs to group; unknown ones are skipped.
    tags, metrics : dict
        Tags and metrics of the parent run.
    """
    with readable_errors():
        parents = mlflow.MlflowClient(connect()).search_runs([experiment_id(experiment)], f"tags.sweep = '{sweep}'")
    with run(experiment, f"sweep {sweep}", parents[0].info.run_id if parents else None) as parent:
        parent.tags({"sweep": sweep} | dict(tags))
        parent.metrics(metrics)
        for run_id in run_ids:
            tag(run_id, {MLFLOW_PARENT_RUN_ID: parent.run_id})


def log_comparison(experiment: str, protocol: str, scores: Mapping[str, Mapping[str, float]], best: str) -> None:
    """Log the scores of a comparison to runs that have ended, and tag the best run of a data set and protocol.

    Parameters
    ----------
    experiment, protocol : str
        Data set and split protocol.
    scores : dict of dict
        Scores by run id, with val_track_accuracy and val_log_loss; unknown runs are skipped.
    best : str
        Run id of the comparison's best. It gets the tag `best`, unless the run that has the tag has a higher accuracy
        over its own validation tracks (on a tie: a lower log loss).
    """
    with readable_errors():
        client, number = mlflow.MlflowClient(connect()), experiment_id(experiment)
        for run_id, values in scores.items():
            if exists(run_id):
                for name, value in values.items():
                    client.log_metric(run_id, name, value)
        if not exists(best):
            return
        with database_lock():  # several workers may compare at the same moment
            earlier = client.search_runs([number], f"tags.best = 'true' AND tags.protocol = '{protocol}'")
            candidates = [mlflow.get_run(best), *(other for other in earlier if other.info.run_id != best)]
            first = min(candidates, key=_by_validation)
            for candidate in candidates:
                if candidate is first:
                    client.set_tag(candidate.info.run_id, "best", "true")
                elif "best" in candidate.data.tags:
                    client.delete_tag(candidate.info.run_id, "best")


def _by_validation(candidate: mlflow.entities.Run) -> tuple[float, float]:
    metrics = candidate.data.metrics
    return -metrics.get("val_track_accuracy", 0.0), metrics.get("val_log_loss", math.inf)


def _git_commit() -> str:
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        head = ""
    return head or "unknown"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
