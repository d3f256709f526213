"""Connection to MLflow's tracking store: the project's own database, or the store in MLFLOW_TRACKING_URI."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from genres.core.console import UserError, warn
from genres.core.files import atomic
from genres.core.paths import cache_dir, project_root
from genres.tracking import moved

# Only problems, not each of the 50 steps that create a database. After the import of MLflow, which sets its own level.
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# URIs that this module set: MLflow copies them to the environment, where they look like the user's choice.
_own: set[str] = set()


# Much longer than creating a database takes: after that the process that holds the lock must hang.
LOCK_WAIT_S = 120


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn errors of MLflow's database or server into one-line messages with a cure."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        raise UserError(f"MLflow at {address()}: {_reason(error)}; finished work is kept") from None
    except Timeout as error:
        raise UserError(
            f"MLflow at {address()}: another process has held {error.lock_file} for {LOCK_WAIT_S} s; end it and run "
            "the same again; finished work is kept"
        ) from None


def _reason(error: MlflowException | SQLAlchemyError | sqlite3.Error) -> str:
    text = str(getattr(error, "orig", None) or getattr(error, "message", error)).partition("\n")[0]
    if "database is locked" in text:
        return "the database is locked by another process; wait until that has ended, then run the same again"
    if "database or disk is full" in text:
        return "the disk is full; free some space and run the same again"
    if "_alembic_tmp_" in text:
        return "the creation or upgrade of the database was interrupted; move mlflow.db away and run the same again"
    if "readonly database" in text or "unable to open database file" in text:
        return f"{text}; give this user write permission there"
    if "Max retries exceeded" in text or "timed out" in text:
        return "the server does not answer; start it and run the same again, or unset MLFLOW_TRACKING_URI"
    return text


def address() -> str:
    """Return the URI of the tracking store, with its password masked."""
    return re.sub(r"//[^/@]*@", "//***@", str(mlflow.get_tracking_uri()))


def database_lock() -> FileLock:
    """Return the lock that guards creation of the database and of experiments."""
    return FileLock(cache_dir("locks") / "mlflow.lock", timeout=LOCK_WAIT_S)


def connect() -> str:
    """Select the project's own database, unless the environment names another store, and return the URI."""
    if uses_other_store():
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    else:
        _own.add(_own_uri())
        mlflow.set_tracking_uri(_own_uri())
    return str(mlflow.get_tracking_uri())


def uses_other_store() -> bool:
    """Return True if MLFLOW_TRACKING_URI names a store that is not the project's own."""
    return os.environ.get("MLFLOW_TRACKING_URI", "") not in {"", _own_uri(), *_own}


def _own_uri() -> str:
    return f"sqlite:///{project_root() / 'mlflow.db'}"


def experiment_id(name: str) -> str:
    """Return the id of the experiment, creating or restoring it if needed.

    The lock keeps two workers from creating the database at the same time. The artifact folder is explicit, since an
    experiment keeps its first one, which would otherwise be the working folder, a temporary one.
    """
    # A server knows its artifact folder; for a database MLflow would take the working folder.
    served = connect().startswith(("http://", "https://"))
    location = None if served else (project_root() / "mlruns").as_uri()
    with database_lock():
        if not uses_other_store():
            _create_database(project_root() / "mlflow.db")
            if old := moved.mend(project_root()):
                warn(f"mlflow.db: its paths led to {old}, where it was made; they lead to {project_root()} now")
        if experiment := mlflow.get_experiment_by_name(name):
            if experiment.lifecycle_stage == "deleted":  # its name cannot be given to another one
                mlflow.MlflowClient().restore_experiment(experiment.experiment_id)
                warn(f"MLflow's experiment {name} was deleted; it is restored, with its runs, to take a new one")
            return experiment.experiment_id
        try:
            return mlflow.create_experiment(name, artifact_location=location)
        except MlflowException:
            # The lock is local: another machine may have created the experiment meanwhile.
            if experiment := mlflow.get_experiment_by_name(name):
                return experiment.experiment_id
            raise


def _create_database(path: Path) -> None:
    """Create the database under a temporary name, so that a kill or a full disk leaves no incomplete one."""
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for left in path.parent.glob(".mlflow.*.tmp.db*"):
        left.unlink()
    with atomic(path) as temporary:
        store = SqlAlchemyStore(f"sqlite:///{temporary}", (project_root() / "mlruns").as_uri())
        store.engine.dispose()  # closes the file


def exists(run_id: str) -> bool:
    """Return True if the store has the run and it is not deleted."""
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise  # an unreachable server is no proof that the run is missing
