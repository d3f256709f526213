"""Songs over the cores of this machine."""

import os

import joblib
import pytest

from genres.compute import pool


def processes(n_songs: int, **options: int) -> set[int]:
    songs = dict.fromkeys(range(n_songs), ())
    return {process for _, process in pool.run(os.getpid, songs, lambda _, pid: pid, **options)}


def test_a_few_songs_start_no_processes():
    assert processes(1) == processes(pool.BATCH) == {os.getpid()}


@pytest.mark.skipif(joblib.cpu_count() == 1, reason="needs two cores")
def test_more_songs_are_shared_out():
    assert os.getpid() not in processes(pool.BATCH + 1)
    assert os.getpid() not in processes(2, batch=1)
