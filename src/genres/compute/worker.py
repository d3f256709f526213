"""Worker side of a cluster: songs read from their locations, messages to the client."""

import functools
import importlib.metadata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from genres.compute.places import Place
from genres.core.console import UserError

T = TypeVar("T")

NAME = "music-genres"

ANSWER_S = 120.0  # longest wait of a task for the client's answer


@dataclass(frozen=True)
class Channel:
    """Message channel from a running task to the client."""

    topic: str
    task: str

    def ask(self, message: Any) -> Any:
        """Send a message (numbers, texts, lists and dicts of them) to the client, and return its answer.

        Raises
        ------
        TimeoutError
            If none comes within `ANSWER_S`: the client has ended.
        """
        from distributed import Queue, get_client, get_worker

        # A queue per message, so that nobody receives the answer to a task that died with its worker.
        name = f"{NAME}-{uuid.uuid4().hex}"
        answers = Queue(name, client=get_client())
        get_worker().log_event(self.topic, {"task": self.task, "message": message, "answer_to": name})
        try:
            return answers.get(timeout=ANSWER_S)
        finally:
            answers.close()


def mismatch_message(worker: str, package: str, theirs: str, ours: str) -> str:
    """Return the error message for a worker with another version of a package."""
    return f"worker {worker} has {package} {theirs}, this machine has {ours}; install the same requirements.txt on both"


@functools.cache
def version_mismatch(worker: str, versions: tuple[tuple[str, str], ...]) -> str:
    """Compare the packages of this worker with the client's; return an error message, empty if all match."""
    for name, ours in versions:
        try:
            theirs = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            theirs = "(none)"
        if theirs != ours:
            return mismatch_message(worker, name, theirs, ours)
    return ""


def run_batch(function: Callable[..., T], batch: list[tuple[Place, tuple[Any, ...]]]) -> list[T]:
    """Return the results of a function for a batch of songs."""
    # One thread per song, as in joblib's processes: songs run in parallel already.
    with _threads().limit(limits=1):
        return [_run_one(function, place, arguments) for place, arguments in batch]


def _run_one(function: Callable[..., T], place: Place, arguments: tuple[Any, ...]) -> T:
    with place.local(worker_name()) as song:
        try:
            return function(song, *arguments)
        except UserError as error:  # its message should name the original song
            raise UserError(str(error).replace(str(song), str(place))) from None


def worker_name() -> str:
    """Return the name of the worker that this runs on, for messages."""
    from distributed import get_worker

    return f"worker {get_worker().address}"


@functools.cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
