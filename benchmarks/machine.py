"""Description of the machine, and interleaved timing.

The speed of a busy machine changes from moment to moment. So contenders take turns round by round, ratios are taken
within a round, and the median over the rounds is given with the smallest and the largest.
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

# Libraries that the speed depends on.
LIBRARIES = (
    *("numpy", "scipy", "librosa", "soundfile", "soxr", "av", "joblib", "matplotlib", "keras", "tensorflow", "jax"),
    *("dvc", "mlflow"),
)


def describe(libraries: tuple[str, ...] = LIBRARIES) -> str:
    """Return processor, cores, memory, load, and versions of Python and some libraries, without the machine's name."""
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
    """Return the model name, if the system gives it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (AttributeError, ValueError, OSError):  # Windows, and systems without these values
        return ""


def _load() -> str:
    """Return the load of the last minute; load beyond the benchmark's own makes the figures noisy."""
    return f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def timed(work: Callable[[], object]) -> float:
    """Run `work` and return the seconds it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int, what: str) -> dict[str, list[float]]:
    """Time contenders in turns; every other round runs backwards, so that a slow drift favours none.

    Parameters
    ----------
    contenders : mapping of str to callable
        Callables that run once and return their seconds (see :func:`timed`), without preparations.
    rounds : int
        Number of rounds.
    what : str
        Name for the progress on stderr.

    Returns
    -------
    dict of str to list of float
        Seconds of each contender, round by round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders) if number % 2 == 0 else reversed(list(contenders)):
            print(f"{what}: round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            seconds[name].append(contenders[name]())
    return seconds


@dataclass(frozen=True)
class Spread:
    """Median with the smallest and the largest value."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.shown(self.median)} ({self.shown(self.low)}–{self.shown(self.high)})"

    def shown(self, value: float) -> str:
        """Format one of the three, with digits according to the size of the median."""
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2 if self.median >= 0.1 else 3
        return f"{value:.{digits}f}"


def spread(values: list[float]) -> Spread:
    """Return the median and the range of some measurements."""
    return Spread(statistics.median(values), min(values), max(values))


def times_as_fast(seconds: list[float], reference: list[float]) -> tuple[float, ...]:
    """Return the speed ratio to the reference within each round."""
    return tuple(theirs / ours for ours, theirs in zip(seconds, reference, strict=True))
