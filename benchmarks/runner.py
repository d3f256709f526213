"""Finds the benchmarks, and runs each in a process of its own.

Apart from __main__.py, since such a process cannot import that.
"""

import importlib
import importlib.util
import multiprocessing
import pkgutil
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from joblib.externals import loky

import benchmarks
from benchmarks import figures
from benchmarks.figures import Figure, Section
from benchmarks.machine import describe
from genres.core.console import UserError

# First what the README tells; others follow by name.
ORDER = ("mels", "training", "prediction")

# Only where they are named: they take too long.
LONG = ("cpu_options",)


def modules() -> list[str]:
    """The benchmarks that have a `measure`; only their text is looked at, since importing some takes seconds."""
    names = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        spec = importlib.util.find_spec(f"benchmarks.{module.name}")
        if spec and spec.origin and "\ndef measure(" in Path(spec.origin).read_text(encoding="utf-8"):
            names.append(module.name)
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def run(names: list[str], music: Path, quick: bool) -> tuple[dict[str, Section], list[str]]:
    """Run benchmarks one after the other, each in a process of its own: what one loads does not weigh on the next.

    Returns
    -------
    dict of str to Section
        By name; what was measured.
    list of str
        The names of those that failed; why is on stderr.
    """
    done: dict[str, Section] = {}
    failed = []
    for number, name in enumerate(names, start=1):
        print(f"benchmark {number} of {len(names)}: {name}", file=sys.stderr, flush=True)
        started = time.perf_counter()
        machine = f"{datetime.now(UTC):%Y-%m-%d}, {describe()}"
        try:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
                about, measured = executor.submit(measured_by, name, music, quick).result()
        except UserError:
            raise
        except Exception:  # the others' figures are worth having
            traceback.print_exc()
            failed.append(name)
            continue
        done[name] = Section(about, machine, measured)
        figures.show(f"{done[name].title} ({time.perf_counter() - started:.0f} s)", measured)
    return done, failed


def measured_by(name: str, music: Path, quick: bool) -> tuple[str, list[Figure]]:
    """The docstring of a benchmark, and what it measures."""
    module = importlib.import_module(f"benchmarks.{name}")
    measured = module.measure(music, quick)
    # Joblib's workers end with a program, but not with a process that multiprocessing made: it would wait for them.
    loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
    return module.__doc__ or name, measured
