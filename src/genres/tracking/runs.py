"""MLflow runs: open them, log to them, compare them, and group them under a parent run."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow import entities
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID

from genres.core.checkout import git
from genres.core.console import warn
from genres.core.files import read_table
from genres.tracking.store import connect, database_lock, exists, experiment_id, readable_errors

# Tag with the machine and the number of the process that a run is of.
PROCESS = "process"


class Run:
    """An open MLflow run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters; nested ones under dotted names."""
        mlflow.log_params(dict(_flat(values)))

    def metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log those values that are numbers; without a step as scores of the run's model, too, if it has one."""
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        if step is None:
            _log_scores(self.run_id, numbers)
        else:
            mlflow.log_metrics(numbers, step=step)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        mlflow.set_tags({key: str(value) for key, value in values.items()})

    def file(self, path: Path, folder: str | None = None) -> None:
        """Log a copy of a file as an artifact."""
        mlflow.log_artifact(str(path), folder)

    def dataset(self, name: str, table: Path) -> None:
        """Log the data set that is trained on.

        Parameters
        ----------
        name : str
        table : Path
            Table of the tracks, with the columns genre, artist and fold. The data set's digest is the start of the
            table's MD5, which dvc.lock has; its profile has the numbers of tracks, genres and artists.
        """
        tracks = read_table(table, dtype=str)
        numbers = {"tracks": len(tracks), "genres": tracks["genre"].nunique(), "artists": tracks["artist"].nunique()}
        folds = {f"{fold}_tracks": int(number) for fold, number in tracks["fold"].value_counts().items()}
        described = entities.Dataset(
            name,
            hashlib.md5(table.read_bytes(), usedforsecurity=False).hexdigest()[:8],
            source_type="local",
            source=json.dumps({"uri": table.as_posix()}),
            profile=json.dumps(numbers | folds),
        )
        context = entities.InputTag(MLFLOW_DATASET_CONTEXT, "training")
        with database_lock():  # several workers may log a new data set at the same moment
            mlflow.MlflowClient().log_inputs(self.run_id, [entities.DatasetInput(described, [context])])

    def model(self, name: str, file: Path) -> None:
        """Log the trained model, or log it again if the run has one: a copy of its file, with the run's parameters."""
        client = mlflow.MlflowClient()
        logged = client.get_run(self.run_id)
        outputs = logged.outputs.model_outputs if logged.outputs else []
        if outputs:  # by a training that was killed right after
            model_id = outputs[0].model_id
        else:
            experiment, params = logged.info.experiment_id, logged.data.params
            model_id = client.create_logged_model(experiment, name, self.run_id, params=params).model_id
            client.log_outputs(self.run_id, [entities.LoggedModelOutput(model_id, step=0)])
        client.log_model_artifact(model_id, str(file))
        client.finalize_logged_model(model_id, "READY")


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
        _end_killed(experiment_number)
        # Else MLflow would continue the run that it names, whatever that is.
        if other := os.environ.pop("MLFLOW_RUN_ID", None):
            warn(f"MLFLOW_RUN_ID={other} is ignored: each training is a run of its own; unset it")
        new_name = None if run_id else name
        with mlflow.start_run(
            run_id=run_id, experiment_id=experiment_number, run_name=new_name, nested=nested
        ) as opened:
            mlflow.set_tag(PROCESS, f"{platform.node()} {os.getpid()}")
            if run_id is None:
                # Name of the DVC experiment; empty for a plain `dvc repro`.
                mlflow.set_tag("dvc_experiment", os.environ.get("DVC_EXP_NAME", ""))
                commit = opened.data.tags.get("mlflow.source.git.commit") or git("rev-parse", "HEAD") or "unknown"
                mlflow.set_tag("git_commit", commit)
            yield Run(opened.info.run_id)


def _end_killed(experiment_number: str) -> None:
    """Set the status of runs to killed whose process on this machine has ended without doing so."""
    client = mlflow.MlflowClient()
    for left in client.search_runs([experiment_number], "attributes.status = 'RUNNING'"):
        host, _, number = left.data.tags.get(PROCESS, "").rpartition(" ")
        if host == platform.node() and not Path(f"/proc/{number}").exists():
            client.set_terminated(left.info.run_id, "KILLED")


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
    with run(experiment, f"sweep {sweep}", _parent(experiment, sweep)) as parent:
        parent.tags({"sweep": sweep} | dict(tags))
        parent.metrics(metrics)
        for run_id in run_ids:
            tag(run_id, {MLFLOW_PARENT_RUN_ID: parent.run_id})


def log_to_sweep(experiment: str, sweep: str, metrics: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Log metrics and files to the parent run of a sweep: see :func:`group_runs`."""
    with run(experiment, f"sweep {sweep}", _parent(experiment, sweep)) as parent:
        parent.metrics(metrics)
        for file in files:
            parent.file(file)


def _parent(experiment: str, sweep: str) -> str | None:
    """Return the id of the parent run of a sweep; None if there is none yet."""
    with readable_errors():
        found = mlflow.MlflowClient(connect()).search_runs([experiment_id(experiment)], f"tags.sweep = '{sweep}'")
    return found[0].info.run_id if found else None


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
                _log_scores(run_id, values)
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


def _log_scores(run_id: str, values: Mapping[str, float]) -> None:
    """Log metrics of a run, of its model and of its data set, as far as it has these."""
    inputs = mlflow.get_run(run_id).inputs.dataset_inputs
    # Given the run's id, MLflow looks up the models that were logged at the same step, which is 0.
    mlflow.log_metrics(dict(values), run_id=run_id, dataset=inputs[0].dataset if inputs else None)


def _by_validation(candidate: mlflow.entities.Run) -> tuple[float, float]:
    metrics = candidate.data.metrics
    return -metrics.get("val_track_accuracy", 0.0), metrics.get("val_log_loss", math.inf)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
