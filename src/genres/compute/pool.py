"""Many songs over the cores of this machine, or over the workers of a Dask cluster, with the same code and result."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import joblib

from genres.compute.client import IN_FLIGHT, Cluster
from genres.compute.places import place
from genres.compute.worker import hear, name_of
from genres.core.params import Compute

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")

LOCAL = Compute(scheduler=None, data=None)

BATCH = 4  # songs a task, at most: more would lose more with a worker, fewer would keep the scheduler busy


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
        name = name_of(function)

        def prepared() -> Iterator[tuple[int, tuple[Any, ...]]]:
            for number, batch in enumerate(batches):
                yield number, (name, [(place(tasks[key][0], songs, how.data), tasks[key][1:]) for key in batch])

        for number, results in cluster.each(hear, prepared()):
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
