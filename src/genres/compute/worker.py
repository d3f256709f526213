"""The worker's side: functions by their names, songs by their places, and a line to the client."""

import functools
import importlib
import importlib.metadata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from genres.compute.places import Place
from genres.core.console import UserError

T = TypeVar("T")

NAME = "music-genres"

ANSWER_S = 120.0  # that a task waits for the client's answer


def name_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the module and the name of a function."""
    return function.__module__, function.__qualname__


@dataclass(frozen=True)
class Line:
    """Between a running task and the client."""

    topic: str
    task: str

    def ask(self, says: Any) -> Any:
        """Tell the client something (numbers, texts, lists and dicts of them), and wait for its answer.

        Raises
        ------
        TimeoutError
            Where none comes: the client has ended.
        """
        from distributed import Queue, get_client, get_worker

        # A name of its own for each question: the answer to a task that died with its worker reaches nobody.
        name = f"{NAME}-{uuid.uuid4().hex}"
        answers = Queue(name, client=get_client())
        get_worker().log_event(self.topic, {"task": self.task, "says": says, "answer_to": name})
        try:
            return answers.get(timeout=ANSWER_S)
        finally:
            answers.close()


def named(module: str, name: str) -> Callable[..., Any]:
    """The function of that name."""
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))  # type: ignore[return-value]


def differs(worker: str, what: str, theirs: str, ours: str) -> str:
    """The line that says so."""
    return (
        f"worker {worker} has {what} {theirs}, and here it is {ours}: workers need this environment, requirements.txt"
    )


@functools.cache
def difference(worker: str, versions: tuple[tuple[str, str], ...]) -> str:
    """What is another version here than the client says; empty: nothing."""
    for name, ours in versions:
        try:
            theirs = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            theirs = "(none)"
        if theirs != ours:
            return differs(worker, name, theirs, ours)
    return ""


def hear(name: tuple[str, str], batch: list[tuple[Place, tuple[Any, ...]]]) -> list[Any]:
    """What a function makes of some songs."""
    function = named(*name)
    # One thread a song, as with joblib's processes: the songs are what is parallel.
    with _threads().limit(limits=1):
        return [_heard(function, place, arguments) for place, arguments in batch]


def _heard(function: Callable[..., T], place: Place, arguments: tuple[Any, ...]) -> T:
    with place.local(here()) as song:
        try:
            return function(song, *arguments)
        except UserError as error:  # names the song by its address
            raise UserError(str(error).replace(str(song), str(place))) from None


def here() -> str:
    """The worker that this runs on, for people."""
    from distributed import get_worker

    return f"worker {get_worker().address}"


@functools.cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
