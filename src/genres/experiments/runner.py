"""Run DVC experiments in temporary copies of the project, one or several at a time.

The output of an experiment is kept in .cache/sweeps/<name>.log.
"""

import fcntl
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tqdm import tqdm

from genres.core.checkout import shallow
from genres.core.console import UserError
from genres.core.paths import cache_dir, project_root

POLL_S = 0.3  # interval between updates of the progress bar


def existing() -> set[str]:
    """Return the names of all experiments that have been run, of all commits."""
    command = [sys.executable, "-m", "dvc", "exp", "list", "--all-commits", "--name-only"]
    listed = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, env=_environment()
    )
    if listed.returncode != 0:
        raise UserError(f"dvc exp list: {(listed.stderr.strip() or 'failed').splitlines()[-1]}")
    return set(listed.stdout.split())


def run(experiments: Mapping[str, Sequence[str]], jobs: int = 1) -> dict[str, str]:
    """Run the experiments that do not exist yet.

    Parameters
    ----------
    experiments : dict
        From name to the overrides, as for `dvc exp run -S`.
    jobs : int
        Number of experiments at a time. The first one runs alone, so that shared stages run only once.

    Returns
    -------
    dict
        Reason by name of each experiment that failed. If the first one fails, no other is tried.

    Raises
    ------
    UserError
        If the project is a shallow clone, to which DVC brings no results back.
    """
    if reason := shallow(project_root()):
        raise UserError(reason)
    done_before = existing()
    waiting = [name for name in experiments if name not in done_before]
    done = len(experiments) - len(waiting)
    if done:
        print(f"{done} of {len(experiments)} experiments have been run before", file=sys.stderr, flush=True)
    failed: dict[str, str] = {}
    running: dict[Future[str | None], str] = {}
    stop, first = threading.Event(), True
    with (
        tqdm(total=len(experiments), initial=done, unit="experiment", disable=not sys.stderr.isatty()) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        try:
            while waiting or running:
                while waiting and len(running) < (1 if first else jobs):
                    name = waiting.pop(0)
                    running[pool.submit(_run, name, experiments[name], bar, stop)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    if reason := future.result():
                        failed[name] = reason
                        waiting = [] if first else waiting
                    bar.update()
                first = False
        finally:
            stop.set()  # the pool waits for its threads, which end on this
    return failed


def log_of(name: str) -> Path:
    """Return the path of an experiment's log."""
    return cache_dir("sweeps") / f"{name}.log"


def _run(name: str, overrides: Sequence[str], bar: Any, stop: threading.Event) -> str | None:
    """Run one experiment; return None, or the reason of its failure."""
    started, log = time.monotonic(), log_of(name)
    settings = itertools.chain.from_iterable(("-S", override) for override in overrides)
    with log.open("a", encoding="utf-8") as file:
        try:
            # The child inherits the lock with its output file, so the lock outlives this process while the child runs.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "it is still being run by another call; wait until that has ended"
        file.truncate(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *settings],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, so that its children can be stopped too
        )
    while process.poll() is None:
        if stop.wait(POLL_S):
            # DVC passes an interrupt on to its stage, and ends after the stage.
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            return "interrupted"
        bar.set_postfix_str(f"{name}: {_stage(log)}")
    reason = _reason(log) if process.returncode else None
    if bar.disable:
        outcome = f"FAILED ({reason})" if reason else f"done in {time.monotonic() - started:.0f} s"
        print(f"{name}: {outcome}", file=sys.stderr, flush=True)
    return reason


def _environment() -> dict[str, str]:
    """Return the environment with this Python first on PATH, since stages call plain `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}


def _stage(log: Path) -> str:
    stages = re.findall(r"^Running stage '(.+?)'", _text(log), re.MULTILINE)
    return stages[-1] if stages else "starting"


def _reason(log: Path) -> str:
    """Return the last error line of the log: the stage's, else DVC's, else the last line."""
    lines = [line.strip() for line in _text(log).splitlines() if line.strip()]
    for start in ("error: ", "ERROR: "):
        if errors := [line.removeprefix(start) for line in lines if line.startswith(start)]:
            return errors[-1].rstrip(".")
    return lines[-1] if lines else "it printed nothing"


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
