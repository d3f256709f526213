"""MLflow: the view of the runs for people; the truth is in metrics/ and plots/.

The only module that imports it, but for src/serving.py, which MLflow loads.

Runs of every kind of execution (`dvc repro`, `dvc exp run`, temporary and queued experiments) reach the project's own
database, mlflow.db beside dvc.yaml, unless MLFLOW_TRACKING_URI names another place. Each data set is an experiment.
"""

import logging
import math
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from src.console import UserError
from src.files import atomic, cache_dir, project_root

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# No links between the epochs.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that is away is asked for half a minute, not for four; each answer may take half a minute, not two.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

# Only problems: not each of the 50 steps in which a database is made.
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# Addresses that were set here: MLflow puts them into the environment, where they look like the user's choice.
_own: set[str] = set()

# Longer than the first use of a database takes, by far; whoever waits longer waits for a process that hangs.
LOCK_WAIT_S = 120


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
    with _telling():
        experiment_id = _experiment_id(experiment)
        if run_id is not None and not _exists(run_id):
            run_id = None
        new_name = None if run_id else name
        opened = mlflow.start_run(run_id=run_id, experiment_id=experiment_id, run_name=new_name, nested=nested)
        with opened:
            if run_id is None:
                # The name that DVC gave to the experiment; a plain `dvc repro` has none.
                mlflow.set_tag("dvc_experiment", os.environ.get("DVC_EXP_NAME", ""))
                mlflow.set_tag("git_commit", opened.data.tags.get("mlflow.source.git.commit", _git_commit()))
            yield Run(opened.info.run_id)


def tag(run_id: str, values: Mapping[str, Any]) -> None:
    """Set tags of a run that has ended; one that this database does not have is passed over."""
    with _telling():
        if _exists(run_id):
            for key, value in values.items():
                mlflow.MlflowClient().set_tag(run_id, key, str(value))


def mark_killed(run_id: str) -> None:
    """Say of a run whose process was killed that it does not go on."""
    with _telling():
        if _exists(run_id):
            mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def register(model_file: Path, card: Mapping[str, Any], name: str, example: str, alias: str | None) -> tuple[str, str]:
    """Log a model file as an MLflow pyfunc (src/serving.py) with its training's run, and give it a registry version.

    The version carries this project's code and names its requirements; it is made to be served in the project's own
    environment (--env-manager local).

    Parameters
    ----------
    model_file : Path
    card : Mapping
        Its card.
    name : str
        In the registry.
    example : str
        A short audio file in base64, kept as the example of an input.
    alias : str or None
        Is taken from the version that has it and given to this one.

    Returns
    -------
    version, address : str
        Of the version, and of the tracking store that has it.
    """
    from mlflow.models import ModelSignature  # here: training does without
    from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

    here = Path(__file__).resolve().parent
    text, number = DataType.string, DataType.double
    genres = Object([Property(genre, number) for genre in card["genres"]])
    window = Object([Property("start_s", number), Property("end_s", number), Property("probabilities", genres)])
    signature = ModelSignature(
        Schema([ColSpec(text, "audio", required=False), ColSpec(text, "path", required=False)]),
        Schema(
            [
                *(ColSpec(text, key, required=False) for key in ("genre", "warning", "model", "error")),
                *(ColSpec(number, key, required=False) for key in ("distance", "threshold")),
                ColSpec(genres, "probabilities", required=False),
                ColSpec(Array(window), "timeline", required=False),
            ]
        ),
    )
    with run(card["dataset"], card["architecture"], card.get("run_id")):
        logged = mlflow.pyfunc.log_model(
            name="genres",
            python_model=str(here / "serving.py"),
            artifacts={"model": str(model_file.resolve())},
            code_paths=[str(here)],
            pip_requirements=str(here.parent / "requirements.txt"),
            signature=signature,
            input_example=pd.DataFrame({"audio": [example]}),
            registered_model_name=name,
        )
        version = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    for key in ("architecture", "dataset", "protocol"):
        client.set_model_version_tag(name, version, key, str(card[key]))
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return version, address()


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
    with _telling():
        found = mlflow.MlflowClient(_connect()).search_runs([_experiment_id(experiment)], f"tags.sweep = '{sweep}'")
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
    with _telling():
        client, place = mlflow.MlflowClient(_connect()), _experiment_id(experiment)
        for run_id, values in scores.items():
            if _exists(run_id):
                for name, value in values.items():
                    client.log_metric(run_id, name, value)
        if not _exists(best):
            return
        with _alone():  # several workers may compare at the same moment
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


@contextmanager
def _telling() -> Iterator[None]:
    """Say in one line what is wrong with MLflow's database or server, and what can be done about it."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise UserError(f"MLflow at {address()}: {_reason(error)}; what is done is kept") from None
    except Timeout as error:
        raise UserError(
            f"MLflow at {address()}: another process has held {error.lock_file} for {LOCK_WAIT_S} s; end it, and run "
            "the same again; what is done is kept"
        ) from None


def _reason(error: MlflowException | SQLAlchemyError) -> str:
    text = str(getattr(error, "orig", None) or getattr(error, "message", error)).partition("\n")[0]
    if "database is locked" in text:
        return "the database is locked by another process; wait until that has ended, then run the same again"
    if "database or disk is full" in text:
        return "the disk is full; free some space and run the same again"
    if "_alembic_tmp_" in text:
        return "the database was left half-made or half-upgraded; move mlflow.db away and run the same again"
    if "readonly database" in text or "unable to open database file" in text:
        return f"{text}; this user must be allowed to write there"
    if "Max retries exceeded" in text or "timed out" in text:
        return "the server does not answer; start it and run the same again, or unset MLFLOW_TRACKING_URI"
    return text


def address() -> str:
    """Where the runs are kept, without the password that an address may have in it."""
    return re.sub(r"//[^/@]*@", "//***@", str(mlflow.get_tracking_uri()))


def _alone() -> FileLock:
    return FileLock(cache_dir("locks") / "mlflow.lock", timeout=LOCK_WAIT_S)


def _connect() -> str:
    """Use the project's own database, unless the environment names another place; the address of either."""
    if _elsewhere():
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    else:
        own = f"sqlite:///{project_root() / 'mlflow.db'}"
        _own.add(own)
        mlflow.set_tracking_uri(own)
    return str(mlflow.get_tracking_uri())


def _elsewhere() -> bool:
    return os.environ.get("MLFLOW_TRACKING_URI", "") not in {"", *_own}


def _experiment_id(name: str) -> str:
    """Find or make the experiment.

    Two workers that both find no database would break each other's first use, hence the lock; and an experiment
    keeps the artifact folder it was made with, which without the explicit address would be a temporary one.
    """
    # A server knows where its artifacts lie. A database does not, and MLflow would take the working folder.
    served = _connect().startswith(("http://", "https://"))
    location = None if served else (project_root() / "mlruns").as_uri()
    with _alone():
        if not _elsewhere():
            _make_database(project_root() / "mlflow.db")
        if found := mlflow.get_experiment_by_name(name):
            return found.experiment_id
        try:
            return mlflow.create_experiment(name, artifact_location=location)
        except MlflowException:
            # The lock is this machine's: another one may have made it since.
            if found := mlflow.get_experiment_by_name(name):
                return found.experiment_id
            raise


def _make_database(path: Path) -> None:
    """Make the database beside its place first: one that is left half-made, by a kill or a full disk, is of no use."""
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for left in path.parent.glob(".mlflow.*.tmp.db*"):
        left.unlink()
    with atomic(path) as temporary:
        store = SqlAlchemyStore(f"sqlite:///{temporary}", (project_root() / "mlruns").as_uri())
        store.engine.dispose()  # closes the file


def _exists(run_id: str) -> bool:
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise  # a server that does not answer does not say that it has no such run


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
