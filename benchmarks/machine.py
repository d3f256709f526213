"""The machine that is measured on, and fair timing on it.

A machine that does other things too is faster at one moment than at the next. So what is compared takes turns, round
by round, ratios are taken within a round, and the median over the rounds is told with the smallest and the largest.
"""

import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import joblib

# What the speed depends on.
LIBRARIES = (
    *("numpy", "scipy", "librosa", "soundfile", "soxr", "av", "joblib", "matplotlib", "keras", "tensorflow", "jax"),
    *("dvc", "mlflow"),
)


def describe(libraries: tuple[str, ...] = LIBRARIES) -> str:
    """Processor, cores, memory, load, Python and the versions of some libraries; nothing that names the machine."""
    versions = ", ".join(f"{name} {_version(name)}" for name in libraries)
    cores = f"{joblib.cpu_count()} cores"
    return (
        f"{_processor()}, {cores}{_memory()}, {platform.system()} {platform.machine()}{_load()}\n"
        f"Python {platform.python_version()}, {versions}"
    )


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:  # jax is for development only
        return "not installed"


def _processor() -> str:
    """The model name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (AttributeError, ValueError, OSError):  # Windows, and what does not tell
        return ""


def _load() -> str:
    """The load of the last minute: more than the benchmark's own makes the figures noisy."""
    return f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def timed(work: Callable[[], object]) -> float:
    """Run `work` and return the seconds it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int, what: str) -> dict[str, list[float]]:
    """Let contenders take turns; every other round goes backwards, so that a slow drift favours none.

    Parameters
    ----------
    contenders : mapping of str to callable
        Each one runs once and returns its seconds (see :func:`timed`), without its own preparations.
    rounds : int
        How often each one runs.
    what : str
        For the progress on stderr.

    Returns
    -------
    dict of str to list of float
        The seconds of each contender, round by round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders) if number % 2 == 0 else reversed(list(contenders)):
            print(f"{what}: round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            seconds[name].append(contenders[name]())
    return seconds


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest of what it was taken from."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.shown(self.median)} ({self.shown(self.low)}–{self.shown(self.high)})"

    def shown(self, value: float) -> str:
        """One of the three, with as many digits as the median deserves."""
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2 if self.median >= 0.1 else 3
        return f"{value:.{digits}f}"


def spread(values: list[float]) -> Spread:
    """The median and the range of some measurements."""
    return Spread(statistics.median(values), min(values), max(values))


def times_as_fast(seconds: list[float], reference: list[float]) -> tuple[float, ...]:
    """How many times as fast as the reference: the ratio within each round."""
    return tuple(theirs / ours for ours, theirs in zip(seconds, reference, strict=True))
