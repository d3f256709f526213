"""Client side of a cluster: submit function calls to the workers and gather their results.

Dask schedules tasks and reschedules those of a dead worker. Only the client stores results.
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
from genres.compute.worker import NAME, Channel, mismatch_message
from genres.core.console import UserError

K = TypeVar("K")

IN_FLIGHT = 3  # submitted tasks per thread at a time, so that a million songs do not become a million futures

CONNECT_S = 5.0
WORKERS_S = 15.0  # longest time without any worker, at the start or later, before an error
POLL_S = 1.0  # between two checks that workers are alive


class Cluster:
    """Context manager: the workers of a Dask scheduler, with this project's code installed.

    Parameters
    ----------
    address : str
        Address of the scheduler.

    Raises
    ------
    UserError
        If the scheduler does not answer, has no workers, or has some in another environment.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        self.address, self._polled, self._last_seen, self._threads = address, 0.0, time.monotonic(), dict[str, int]()
        for name in ("distributed", *logging.root.manager.loggerDict):
            if name.split(".")[0] == "distributed":
                logging.getLogger(name).setLevel(logging.CRITICAL)  # errors for users are raised here, in one line
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
        """Disconnect; pending tasks of this client are dropped."""
        self.client.close(timeout=CONNECT_S)

    def workers(self, fresh: bool = False) -> dict[str, int]:
        """Return the number of threads of each worker, by its address; polls at most once per `POLL_S` unless `fresh`.

        Raises
        ------
        UserError
            If there has been no worker for `WORKERS_S`.
        """
        if fresh or time.monotonic() - self._polled > POLL_S:
            try:
                self._threads = dict(self.client.nthreads())
            except (OSError, RuntimeError):  # CommClosedError; or "IOLoop is closed"
                raise self._lost("connection to the scheduler lost") from None
            self._polled = time.monotonic()
            if self._threads:
                self._last_seen = self._polled
            elif self._polled - self._last_seen > WORKERS_S:
                raise self._lost(f"no workers (waited {WORKERS_S:.0f} s); start one: dask worker {self.address}")
        return self._threads

    def threads(self) -> int:
        """Return the number of threads of all workers, at least one."""
        return max(1, sum(self.workers().values()))

    def submit(self, function: Callable[..., Any], *arguments: Any, on: str | None = None) -> Any:
        """Submit a call and return its future; `on` is the address of the preferred worker."""
        # Pickled here, and not by Dask: Python's pickle refers to a function by its name, which worker code resolves.
        call = pickle.dumps((function, arguments))
        return self.client.submit(self._perform, call, pure=False, workers=on, allow_other_workers=on is not None)

    def result(self, future: Any) -> Any:
        """Return the result of a call; waits as long as there are workers."""
        while (results := self._results([future])) is None:
            pass
        return results[0]

    def _results(self, futures: list[Any]) -> list[Any] | None:
        """Gather the results of the futures in one transfer; None while any is pending or its worker is lost."""
        from distributed import CancelledError, KilledWorker, TimeoutError
        from distributed.comm import CommClosedError

        timeout_s = POLL_S
        while True:
            try:
                gathered = self.client.sync(
                    lambda: self.client.gather(futures, asynchronous=True), callback_timeout=timeout_s
                )
                break
            except KilledWorker as error:
                raise UserError(
                    f"{self.address}: {error.allowed_failures + 1} workers died in turn on the same songs; "
                    "see their logs for the cause (out of memory?); finished results are kept"
                ) from None
            except (CancelledError, CommClosedError):
                raise self._lost("connection to the scheduler lost") from None
            except TimeoutError:
                if any(future.status == "error" for future in futures):
                    raise
                self.workers()
                if any(future.status != "finished" for future in futures):
                    return None
                timeout_s *= 2  # results may be large and the network slow
        problem = next((problem for problem, _ in gathered if problem), "")
        if problem:
            raise UserError(f"{self.address}: {problem}")
        return [value for _, value in gathered]

    def each(
        self,
        function: Callable[..., Any],
        tasks: Iterable[tuple[K, tuple[Any, ...]]],
        answer: Callable[[K, Any], Any] | None = None,
    ) -> Iterator[tuple[K, Any]]:
        """Call a function with the arguments of each task; `tasks` is read lazily, as workers become free.

        Dask's as_completed would wait forever without workers or scheduler, and brings no messages of running tasks.

        Parameters
        ----------
        function : callable
            Function at the top level of a module of this package.
        tasks : iterable
            Pairs of a key and the arguments.
        answer : callable or None
            Callback that answers messages of running tasks: takes a task's key and the message. With it each worker
            runs one task at a time, and the function gets a :class:`Channel` as its first argument.

        Yields
        ------
        tuple
            Key and result, in the order of completion.
        """
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        topic, pending = f"{NAME}-{uuid.uuid4().hex}", iter(tasks)
        submitted: dict[Any, tuple[K, str | None]] = {}
        names: dict[str, K] = {}
        if answer is not None:
            self.client.subscribe_topic(topic, lambda event: inbox.put(event[1]))
        try:
            while True:
                self._fill(function, pending, submitted, inbox, names if answer is not None else None, topic)
                if not submitted:
                    return
                done = []
                for event in self._events(inbox):
                    if isinstance(event, dict):
                        assert answer is not None
                        self._reply(event["answer_to"], answer(names[event["task"]], event["message"]))
                    else:
                        done.append(event)
                results = self._results(done) if done else []
                if results is None:  # some are computed again, and may send messages again
                    for future in done:
                        future.add_done_callback(inbox.put)
                    continue
                for future, result in zip(done, results, strict=True):
                    key, _ = submitted.pop(future)
                    yield key, result
        finally:
            if self.client.status == "running":
                self.client.cancel(list(submitted))
                if answer is not None:
                    self.client.unsubscribe_topic(topic)

    def _fill(self, function: Any, pending: Any, submitted: Any, inbox: Any, names: dict[str, Any] | None, topic: str):
        """Submit tasks until all workers are busy."""
        while True:
            workers, on, channel = self.workers(), None, []
            if names is None:
                if len(submitted) >= IN_FLIGHT * max(1, sum(workers.values())):
                    return
            else:
                busy = {worker for _, worker in submitted.values()}
                on = next((worker for worker in workers if worker not in busy), None)
                if on is None or len(submitted) >= len(workers):
                    return
                channel = [Channel(topic, uuid.uuid4().hex)]
            key, arguments = next(pending, (None, None))
            if arguments is None:
                return
            if names is not None:
                names[channel[0].task] = key
            future = self.submit(function, *channel, *arguments, on=on)
            submitted[future] = key, on
            future.add_done_callback(inbox.put)

    def _events(self, inbox: queue.SimpleQueue[Any]) -> list[Any]:
        """Wait up to `POLL_S` for events, and return all that are there: finished futures and messages of tasks."""
        try:
            events = [inbox.get(timeout=POLL_S)]
        except queue.Empty:
            self.workers()
            return []
        while not inbox.empty():
            events.append(inbox.get())
        return events

    def _reply(self, name: str, answer: Any) -> None:
        from distributed import Queue

        Queue(name, client=self.client).put(answer)

    def _install(self) -> None:
        """Wait for a worker, then install this project's code on all present and future workers."""
        if not self.workers(fresh=True):
            print(f"{self.address}: no workers yet, waiting for one", file=sys.stderr, flush=True)
            while not self.workers(fresh=True):
                time.sleep(POLL_S / 4)
        ours = platform.python_version_tuple()[:2]
        versions: Any = self.client.get_versions()
        for worker, about in versions["workers"].items():
            theirs = tuple(about["packages"]["python"].split(".")[:2])
            if theirs != ours:  # the pickled code below could not be read there
                raise UserError(mismatch_message(worker, "Python", ".".join(theirs), ".".join(ours)))
        zipped, digest = code.packed()
        self._perform = functools.partial(code.performer(), digest, code.versions())
        self.client.register_plugin(code.plugin(zipped, digest), name=NAME)

    def _lost(self, reason: str) -> UserError:
        return UserError(f"{self.address}: {reason}; finished results are kept, run the same command again to resume")
