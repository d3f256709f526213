"""Runs of MLflow: opened, described, compared and put under a parent run."""

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
        """Log what is a number among the values."""
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        mlflow.log_metrics(numbers, step=step)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        mlflow.set_tags({key: str(value) for key, value in values.items()})

    def file(self, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file with the run."""
        mlflow.log_artifact(str(path), folder)


@contextmanager
def run(experiment: str, name: str, run_id: str | None = None, nested: bool = False) -> Iterator[Run]:
    """Open a run, or go on with an earlier one.

    Parameters
    ----------
    experiment : str
        The data set.
    name : str
        The architecture.
    run_id : str or None
        An earlier run to continue; where this database does not have it (it was made on another machine), a new run
        is opened.
    nested : bool
        Make it a child of the run that is open.
    """
    with readable_errors():
        place = experiment_id(experiment)
        if run_id is not None and not exists(run_id):
            run_id = None
        new_name = None if run_id else name
        opened = mlflow.start_run(run_id=run_id, experiment_id=place, run_name=new_name, nested=nested)
        with opened:
            if run_id is None:
                # The name that DVC gave to the experiment; a plain `dvc repro` has none.
                mlflow.set_tag("dvc_experiment", os.environ.get("DVC_EXP_NAME", ""))
                mlflow.set_tag("git_commit", opened.data.tags.get("mlflow.source.git.commit", _git_commit()))
            yield Run(opened.info.run_id)


def tag(run_id: str, values: Mapping[str, Any]) -> None:
    """Set tags of a run that has ended; one that this database does not have is passed over."""
    with readable_errors():
        if exists(run_id):
            for key, value in values.items():
                mlflow.MlflowClient().set_tag(run_id, key, str(value))


def mark_killed(run_id: str) -> None:
    """Say of a run whose process was killed that it does not go on."""
    with readable_errors():
        if exists(run_id):
            mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def gather(
    experiment: str, sweep: str, run_ids: Sequence[str], *, tags: Mapping[str, Any], metrics: Mapping[str, Any]
) -> None:
    """Put runs that have ended under one parent run.

    Parameters
    ----------
    experiment : str
        The data set.
    sweep : str
        What the runs have in common: letters and digits, by which a later call finds the parent again.
    run_ids : list of str
        Those that this database does not have are passed over.
    tags, metrics : dict
        Of the parent.
    """
    with readable_errors():
        found = mlflow.MlflowClient(connect()).search_runs([experiment_id(experiment)], f"tags.sweep = '{sweep}'")
    with run(experiment, f"sweep {sweep}", found[0].info.run_id if found else None) as parent:
        parent.tags({"sweep": sweep} | dict(tags))
        parent.metrics(metrics)
        for run_id in run_ids:
            tag(run_id, {MLFLOW_PARENT_RUN_ID: parent.run_id})


def compared(experiment: str, protocol: str, scores: Mapping[str, Mapping[str, float]], best: str) -> None:
    """Log what a comparison says of runs that have ended, and give the best of a data set and protocol its tag.

    Parameters
    ----------
    experiment, protocol : str
        The data set and how it was split.
    scores : dict of dict
        By run id; with val_track_accuracy and val_log_loss. Runs that this database does not have are passed over.
    best : str
        The run id of the comparison's best. It has the tag `best`, unless the one that has it already is of a higher
        accuracy over its own validation tracks (of equal ones: a lower log loss).
    """
    with readable_errors():
        client, place = mlflow.MlflowClient(connect()), experiment_id(experiment)
        for run_id, values in scores.items():
            if exists(run_id):
                for name, value in values.items():
                    client.log_metric(run_id, name, value)
        if not exists(best):
            return
        with database_lock():  # several workers may compare at the same moment
            earlier = client.search_runs([place], f"tags.best = 'true' AND tags.protocol = '{protocol}'")
            candidates = [mlflow.get_run(best), *(found for found in earlier if found.info.run_id != best)]
            first = min(candidates, key=_by_validation)
            for found in candidates:
                if found is first:
                    client.set_tag(found.info.run_id, "best", "true")
                elif "best" in found.data.tags:
                    client.delete_tag(found.info.run_id, "best")


def _by_validation(found: mlflow.entities.Run) -> tuple[float, float]:
    known = found.data.metrics
    return -known.get("val_track_accuracy", 0.0), known.get("val_log_loss", math.inf)


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
