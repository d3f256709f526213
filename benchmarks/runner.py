"""Find the benchmarks, and run each in a process of its own.

Separate from __main__.py, which such a process cannot import.
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

# Those in the README come first; others follow by name.
ORDER = ("mels", "training", "prediction")

# Benchmarks that run only if they are named, since they take long.
LONG = ("cpu_options", "repro")


def modules() -> list[str]:
    """Return the modules with a function `measure`, found in their text, since importing some takes seconds."""
    names = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        spec = importlib.util.find_spec(f"benchmarks.{module.name}")
        if spec and spec.origin and "\ndef measure(" in Path(spec.origin).read_text(encoding="utf-8"):
            names.append(module.name)
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def run(names: list[str], music: Path, quick: bool) -> tuple[dict[str, Section], list[str]]:
    """Run benchmarks one after the other, each in a process of its own, so that none slows down the next.

    Returns
    -------
    dict of str to Section
        Figures by name of the benchmark.
    list of str
        Names of the benchmarks that failed; their traceback is on stderr.
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
        except Exception:  # a failure must not stop the other benchmarks
            traceback.print_exc()
            failed.append(name)
            continue
        done[name] = Section(about, machine, measured)
        figures.show(f"{done[name].title} ({time.perf_counter() - started:.0f} s)", measured)
    return done, failed


def measured_by(name: str, music: Path, quick: bool) -> tuple[str, list[Figure]]:
    """Return the docstring and the figures of a benchmark."""
    module = importlib.import_module(f"benchmarks.{name}")
    measured = module.measure(music, quick)
    # Joblib's workers end with the main program, but a process of multiprocessing would wait for them forever.
    loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
    return module.__doc__ or name, measured
