"""Connection to MLflow's tracking store: the project's own database, or where MLFLOW_TRACKING_URI points."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from genres.core.console import UserError
from genres.core.files import atomic
from genres.core.paths import cache_dir, project_root

# Addresses that were set here: MLflow puts them into the environment, where they look like the user's choice.
_own: set[str] = set()


# Longer than the first use of a database takes, by far; whoever waits longer waits for a process that hangs.
LOCK_WAIT_S = 120


@contextmanager
def readable_errors() -> Iterator[None]:
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


def database_lock() -> FileLock:
    return FileLock(cache_dir("locks") / "mlflow.lock", timeout=LOCK_WAIT_S)


def connect() -> str:
    """Use the project's own database, unless the environment names another place; the address of either."""
    if elsewhere():
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    else:
        own = f"sqlite:///{project_root() / 'mlflow.db'}"
        _own.add(own)
        mlflow.set_tracking_uri(own)
    return str(mlflow.get_tracking_uri())


def elsewhere() -> bool:
    return os.environ.get("MLFLOW_TRACKING_URI", "") not in {"", *_own}


def experiment_id(name: str) -> str:
    """Find or make the experiment.

    Two workers that both find no database would break each other's first use, hence the lock; and an experiment
    keeps the artifact folder it was made with, which without the explicit address would be a temporary one.
    """
    # A server knows where its artifacts lie. A database does not, and MLflow would take the working folder.
    served = connect().startswith(("http://", "https://"))
    location = None if served else (project_root() / "mlruns").as_uri()
    with database_lock():
        if not elsewhere():
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


def exists(run_id: str) -> bool:
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise  # a server that does not answer does not say that it has no such run
