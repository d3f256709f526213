"""Many tasks over the cores of this machine, or over the workers of a Dask cluster, with the same code and result.

:func:`run` maps a function over songs and is all that most stages need; :class:`Cluster` is what it stands on. Workers
have this project's environment, but neither its folder nor its code: that travels with the client as a zip, to workers
that join later, too. Scheduling, and what becomes of a dead worker's tasks, is Dask's; what is kept, the client keeps.
"""

import functools
import hashlib
import importlib
import importlib.metadata
import io
import logging
import pickle
import platform
import queue
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import joblib

from src.console import UserError
from src.params import Compute
from src.places import Place, place

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")

LOCAL = Compute(scheduler=None, data=None)

BATCH = 4  # songs a task, at most: more would lose more with a worker, fewer would keep the scheduler busy
IN_FLIGHT = 3  # tasks a thread that are with the scheduler at a time, so that a million songs are no million futures

CONNECT_S = 5.0
WORKERS_S = 15.0  # without a single worker, at the start or later, until it is given up
LOOK_S = 1.0  # between two looks at whether there still are any
ANSWER_S = 120.0  # that a task waits for the client's answer

# What decides the numbers, and must be the same on the workers.
PACKAGES = ("distributed", "numpy", "scipy", "soundfile", "soxr", "av", "pyloudnorm", "pydantic", "keras", "tensorflow")

_NAME = "music-genres"


def run(
    function: Callable[..., T],
    tasks: Mapping[K, tuple[Any, ...]],
    keep: Callable[[K, T], R],
    how: Compute = LOCAL,
    songs: Path | None = None,
) -> Iterator[tuple[K, R]]:
    """Map a function over songs, and keep what comes of each as soon as it has come.

    Parameters
    ----------
    function : callable
        Of a module of src: takes a song's path and the rest of a task.
    tasks : dict
        The song's path and further arguments, by a key.
    keep : callable
        Takes the key and the function's result. Runs on this machine: beside the function, or in this process where a
        worker of a cluster has computed it.
    how : Compute
        Where.
    songs : Path or None
        The folder for which `how.data` stands; songs that lie elsewhere have the same path on the workers.

    Yields
    ------
    tuple
        Each key once, in no order, with what `keep` returned.

    Raises
    ------
    UserError
        Where the cluster cannot be reached, is lost, or does not find a song; and what `function` raises.
    """
    if not tasks:
        return
    if how.scheduler is None:
        parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=BATCH)
        yield from parallel(joblib.delayed(_here)(function, keep, key, task) for key, task in tasks.items())
        return
    with Cluster(how.scheduler) as cluster:
        size = max(1, min(BATCH, len(tasks) // (IN_FLIGHT * cluster.threads())))
        keys = list(tasks)
        batches = [keys[start : start + size] for start in range(0, len(keys), size)]
        name = _name_of(function)

        def prepared() -> Iterator[tuple[int, tuple[Any, ...]]]:
            for number, batch in enumerate(batches):
                yield number, (name, [(place(tasks[key][0], songs, how.data), tasks[key][1:]) for key in batch])

        for number, results in cluster.each(_hear, prepared()):
            for key, result in zip(batches[number], results, strict=True):
                yield key, keep(key, result)


def _here(function: Callable[..., T], keep: Callable[[K, T], R], key: K, task: tuple[Any, ...]) -> tuple[K, R]:
    return key, keep(key, function(*task))


@contextmanager
def caller(how: Compute = LOCAL) -> Iterator[Callable[..., Any]]:
    """Give a function that calls another one (of a module of src) with its arguments, here or on a worker."""
    if how.scheduler is None:
        yield lambda function, *arguments: function(*arguments)
        return
    with Cluster(how.scheduler) as cluster:
        yield lambda function, *arguments: cluster.result(cluster.submit(function, *arguments))


# ── The client's side ─────────────────────────────────────────────────────────────────────────────────────────────────


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
            self._perform, _name_of(function), payload, pure=False, workers=on, allow_other_workers=on is not None
        )

    def result(self, future: Any) -> Any:
        """What came of a call; waits for it as long as there are workers."""
        return self._results([future])[0]

    def _results(self, futures: list[Any]) -> list[Any]:
        """What came of some calls, which travels together."""
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
            Of a module of src.
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
        topic, waiting = f"{_NAME}-{uuid.uuid4().hex}", iter(tasks)
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
                for future, result in zip(done, self._results(done) if done else [], strict=True):
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
                raise UserError(_differs(worker, "Python", ".".join(theirs), ".".join(ours)))
        code = _zipped(Path(__file__).resolve().parent)
        digest = hashlib.sha256(code).hexdigest()[:16]
        self._perform = functools.partial(_performer(), digest, _versions())
        self.client.register_plugin(_plugin(code, digest), name=_NAME)

    def _lost(self, what: str) -> UserError:
        return UserError(f"{self.address}: {what}. What has come is kept: run the same again, and it goes on from here")


def _name_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Module and name; of what stands in a module that is run as the command, too."""
    module = function.__module__
    if module == "__main__":
        module = sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]
    return module, function.__qualname__


def _zipped(folder: Path) -> bytes:
    """The modules of a package as a zip, the same bytes for the same code."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, importlib.metadata.version(name)) for name in PACKAGES)


def _differs(worker: str, what: str, theirs: str, ours: str) -> str:
    return (
        f"worker {worker} has {what} {theirs}, and here it is {ours}: workers need this environment, requirements.txt"
    )


def _plugin(code: bytes, digest: str) -> Any:
    """What unpacks the code on each worker; a class in a function, so that Dask sends it whole and not by its name."""
    from distributed import WorkerPlugin

    class Code(WorkerPlugin):
        def __init__(self, code: bytes, digest: str) -> None:
            self.code, self.digest = code, digest

        def setup(self, worker: Any) -> None:
            import importlib
            import io
            import pathlib
            import sys
            import zipfile

            folder = pathlib.Path(worker.local_directory) / f"music-genres-{self.digest}"
            if str(folder) in sys.path:
                return
            # In a folder, since some modules look at the files beside them.
            with zipfile.ZipFile(io.BytesIO(self.code)) as archive:
                archive.extractall(folder)
            sys.path[:] = [str(folder), *(path for path in sys.path if "music-genres-" not in path)]
            for name in [name for name in sys.modules if name == "src" or name.startswith("src.")]:
                del sys.modules[name]  # of an earlier version
            importlib.invalidate_caches()

    return Code(code, digest)


def _performer() -> Callable[..., tuple[str, Any]]:
    """What runs a task on a worker: the one function that Dask sends whole, for its scheduler has no code of ours.

    Returns what is wrong with the worker, or the result.
    """

    def perform(
        digest: str, versions: tuple[tuple[str, str], ...], name: tuple[str, str], arguments: bytes
    ) -> tuple[str, Any]:
        import importlib
        import pickle

        from distributed import get_worker

        worker = get_worker()
        code: Any = worker.plugins.get("music-genres")
        if code is None or code.digest != digest:
            return f"worker {worker.address} has got another version of the code: one run at a time, please", None
        ours = importlib.import_module("src.compute")
        problem = ours.difference(worker.address, versions)
        return (problem, None) if problem else ("", ours.named(*name)(*pickle.loads(arguments)))

    return perform


# ── The worker's side ─────────────────────────────────────────────────────────────────────────────────────────────────


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
        name = f"{_NAME}-{uuid.uuid4().hex}"
        answers = Queue(name, client=get_client())
        get_worker().log_event(self.topic, {"task": self.task, "says": says, "answer_to": name})
        try:
            return answers.get(timeout=ANSWER_S)
        finally:
            answers.close()


def named(module: str, name: str) -> Callable[..., Any]:
    """The function of that name."""
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))  # type: ignore[return-value]


@functools.cache
def difference(worker: str, versions: tuple[tuple[str, str], ...]) -> str:
    """What is another version here than the client says; empty: nothing."""
    for name, ours in versions:
        try:
            theirs = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            theirs = "(none)"
        if theirs != ours:
            return _differs(worker, name, theirs, ours)
    return ""


def _hear(name: tuple[str, str], batch: list[tuple[Place, tuple[Any, ...]]]) -> list[Any]:
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
