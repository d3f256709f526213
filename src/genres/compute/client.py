"""The client's side: ask a cluster's workers for calls of functions, and get what came of them.

Scheduling, and what becomes of a dead worker's tasks, is Dask's; what is kept, the client keeps.
"""

import functools
import logging
import pickle
import platform
import queue
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from genres.compute import code
from genres.compute.worker import NAME, Line, differs, name_of
from genres.core.console import UserError

K = TypeVar("K")

IN_FLIGHT = 3  # tasks a thread that are with the scheduler at a time, so that a million songs are no million futures

CONNECT_S = 5.0
WORKERS_S = 15.0  # without a single worker, at the start or later, until it is given up
LOOK_S = 1.0  # between two looks at whether there still are any


class Cluster:
    """The workers of a Dask scheduler, with this project's code; a context manager.

    Parameters
    ----------
    address : str
        Of the scheduler.

    Raises
    ------
    UserError
        Where it does not answer, has no workers, or has some in another environment.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        self.address, self._looked, self._seen, self._known = address, 0.0, time.monotonic(), dict[str, int]()
        for name in ("distributed", *logging.root.manager.loggerDict):
            if name.split(".")[0] == "distributed":
                logging.getLogger(name).setLevel(logging.CRITICAL)  # what concerns users is raised here, in one line
        try:
            self.client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"compute.scheduler: no Dask scheduler answers at {address} ({reason}); start one there "
                "(dask scheduler), or compute.scheduler: null for this machine alone"
            ) from None
        try:
            self._install()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave; what this client has asked for and not yet got is forgotten."""
        self.client.close(timeout=CONNECT_S)

    def workers(self, fresh: bool = False) -> dict[str, int]:
        """The workers' addresses and how many threads each has.

        Raises
        ------
        UserError
            Where there has been none for a while.
        """
        if fresh or time.monotonic() - self._looked > LOOK_S:
            try:
                self._known = dict(self.client.nthreads())
            except (OSError, RuntimeError):  # CommClosedError; or "IOLoop is closed"
                raise self._lost("the scheduler is gone") from None
            self._looked = time.monotonic()
            if self._known:
                self._seen = self._looked
            elif self._looked - self._seen > WORKERS_S:
                raise self._lost(f"it has no workers (waited {WORKERS_S:.0f} s): dask worker {self.address}")
        return self._known

    def threads(self) -> int:
        """Threads of all workers together, at least one."""
        return max(1, sum(self.workers().values()))

    def submit(self, function: Callable[..., Any], *arguments: Any, on: str | None = None) -> Any:
        """Ask for a call; `on` names the worker to do it, as long as that one lives."""
        payload = pickle.dumps(arguments)
        return self.client.submit(
            self._perform, name_of(function), payload, pure=False, workers=on, allow_other_workers=on is not None
        )

    def result(self, future: Any) -> Any:
        """What came of a call; waits for it as long as there are workers."""
        while (results := self._results([future])) is None:
            pass
        return results[0]

    def _results(self, futures: list[Any]) -> list[Any] | None:
        """What came of some calls, which travels together; None where it has not come yet, or is gone with a worker."""
        from distributed import CancelledError, KilledWorker, TimeoutError
        from distributed.comm import CommClosedError

        patience_s = LOOK_S
        while True:
            try:
                came = self.client.sync(
                    lambda: self.client.gather(futures, asynchronous=True), callback_timeout=patience_s
                )
                break
            except KilledWorker as error:
                raise UserError(
                    f"{self.address}: {error.allowed_failures + 1} workers died one after the other over the same "
                    "songs; their logs tell why (out of memory?). What has come is kept"
                ) from None
            except (CancelledError, CommClosedError):
                raise self._lost("the scheduler is gone") from None
            except TimeoutError:
                if any(future.status == "error" for future in futures):
                    raise
                self.workers()
                if any(future.status != "finished" for future in futures):
                    return None
                patience_s *= 2  # it may be large, and the line slow
        problem = next((problem for problem, _ in came if problem), "")
        if problem:
            raise UserError(f"{self.address}: {problem}")
        return [value for _, value in came]

    def each(
        self,
        function: Callable[..., Any],
        tasks: Iterable[tuple[K, tuple[Any, ...]]],
        answer: Callable[[K, Any], Any] | None = None,
    ) -> Iterator[tuple[K, Any]]:
        """Call a function with each task's arguments, some at a time; a task is taken when a worker is free for it.

        Parameters
        ----------
        function : callable
            Of a module of this package.
        tasks : iterable
            Keys and arguments.
        answer : callable or None
            If given, each worker has one task at a time, the function gets a :class:`Line` as its first argument, and
            this is called with a task's key and what it says over the line; returns the answer.

        Yields
        ------
        tuple
            Key and result, in the order in which they come.
        """
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        topic, waiting = f"{NAME}-{uuid.uuid4().hex}", iter(tasks)
        flying: dict[Any, tuple[K, str | None]] = {}
        names: dict[str, K] = {}
        if answer is not None:
            self.client.subscribe_topic(topic, lambda event: inbox.put(event[1]))
        try:
            while True:
                self._fill(function, waiting, flying, inbox, names if answer is not None else None, topic)
                if not flying:
                    return
                done = []
                for came in self._news(inbox):
                    if isinstance(came, dict):
                        assert answer is not None
                        self._say(came["answer_to"], answer(names[came["task"]], came["says"]))
                    else:
                        done.append(came)
                results = self._results(done) if done else []
                if results is None:  # some are being computed again, and may have to ask again
                    for future in done:
                        future.add_done_callback(inbox.put)
                    continue
                for future, result in zip(done, results, strict=True):
                    key, _ = flying.pop(future)
                    yield key, result
        finally:
            if self.client.status == "running":
                self.client.cancel(list(flying))
                if answer is not None:
                    self.client.unsubscribe_topic(topic)

    def _fill(self, function: Any, waiting: Any, flying: Any, inbox: Any, names: dict[str, Any] | None, topic: str):
        """Submit tasks until all workers are busy."""
        while True:
            known, on, line = self.workers(), None, []
            if names is None:
                if len(flying) >= IN_FLIGHT * max(1, sum(known.values())):
                    return
            else:
                busy = {worker for _, worker in flying.values()}
                on = next((worker for worker in known if worker not in busy), None)
                if on is None or len(flying) >= len(known):
                    return
                line = [Line(topic, uuid.uuid4().hex)]
            key, arguments = next(waiting, (None, None))
            if arguments is None:
                return
            if names is not None:
                names[line[0].task] = key
            future = self.submit(function, *line, *arguments, on=on)
            flying[future] = key, on
            future.add_done_callback(inbox.put)

    def _news(self, inbox: queue.SimpleQueue[Any]) -> list[Any]:
        """What has come in, as soon as there is something."""
        try:
            news = [inbox.get(timeout=LOOK_S)]
        except queue.Empty:
            self.workers()
            return []
        while not inbox.empty():
            news.append(inbox.get())
        return news

    def _say(self, name: str, answer: Any) -> None:
        from distributed import Queue

        Queue(name, client=self.client).put(answer)

    def _install(self) -> None:
        """Wait for a worker, and bring this project's code to all that are there and all that will come."""
        if not self.workers(fresh=True):
            print(f"{self.address}: no workers yet, waiting for one", file=sys.stderr, flush=True)
            while not self.workers(fresh=True):
                time.sleep(LOOK_S / 4)
        ours = platform.python_version_tuple()[:2]
        versions: Any = self.client.get_versions()
        for worker, about in versions["workers"].items():
            theirs = tuple(about["packages"]["python"].split(".")[:2])
            if theirs != ours:  # not even the code below could be read there
                raise UserError(differs(worker, "Python", ".".join(theirs), ".".join(ours)))
        zipped, digest = code.packed()
        self._perform = functools.partial(code.performer(), digest, code.versions())
        self.client.register_plugin(code.plugin(zipped, digest), name=NAME)

    def _lost(self, what: str) -> UserError:
        return UserError(f"{self.address}: {what}. What has come is kept: run the same again, and it goes on from here")
