"""Parallel map over songs, on the cores of this machine or a Dask cluster, with the same code and results."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import joblib

from genres.compute.client import IN_FLIGHT, Cluster
from genres.compute.places import place
from genres.compute.worker import run_batch
from genres.core.params import Compute

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")

LOCAL = Compute(scheduler=None, data=None)

BATCH = 4  # most songs per task: more lose more work with a worker, fewer load the scheduler


def run(
    function: Callable[..., T],
    tasks: Mapping[K, tuple[Any, ...]],
    keep: Callable[[K, T], R],
    options: Compute = LOCAL,
    songs: Path | None = None,
    batch: int = BATCH,
) -> Iterator[tuple[K, R]]:
    """Map a function over songs, and pass each result to `keep` as soon as it is there.

    Parameters
    ----------
    function : callable
        Function of a module of src: takes a song's path and the other arguments of a task.
    tasks : dict
        Path of the song and further arguments, by a key.
    keep : callable
        Function of the key and the result. Runs on this machine: in the process of the function, or in this process
        for results of a cluster.
    options : Compute
        Scheduler and data URL of the cluster, or none for this machine.
    songs : Path or None
        Folder that `options.data` replaces; other songs have the same path on the workers.
    batch : int
        Most songs that a worker gets at a time; 1 if a song takes longer than a process to start.

    Yields
    ------
    tuple
        Each key once, in any order, with what `keep` returned.

    Raises
    ------
    UserError
        If the cluster cannot be reached, is lost, or cannot read a song. Errors of `function` pass through.
    """
    if not tasks:
        return
    if options.scheduler is None:
        n_jobs = -1 if len(tasks) > batch else 1  # one batch is for one process, which may be this one
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=batch)
        yield from parallel(joblib.delayed(_run_local)(function, keep, key, task) for key, task in tasks.items())
        return
    with Cluster(options.scheduler) as cluster:
        size = max(1, min(batch, len(tasks) // (IN_FLIGHT * cluster.threads())))
        keys = list(tasks)
        parts = [keys[start : start + size] for start in range(0, len(keys), size)]

        def prepared_tasks() -> Iterator[tuple[int, tuple[Any, ...]]]:
            for number, part in enumerate(parts):
                yield number, (function, [(place(tasks[key][0], songs, options.data), tasks[key][1:]) for key in part])

        for number, results in cluster.each(run_batch, prepared_tasks()):
            for key, result in zip(parts[number], results, strict=True):
                yield key, keep(key, result)


def _run_local(function: Callable[..., T], keep: Callable[[K, T], R], key: K, task: tuple[Any, ...]) -> tuple[K, R]:
    return key, keep(key, function(*task))


@contextmanager
def caller(options: Compute = LOCAL) -> Iterator[Callable[..., Any]]:
    """Give a function that calls another one (of a module of src) with arguments, on this machine or a worker."""
    if options.scheduler is None:
        yield lambda function, *arguments: function(*arguments)
        return
    with Cluster(options.scheduler) as cluster:
        yield lambda function, *arguments: cluster.result(cluster.submit(function, *arguments))
