"""Run all benchmarks, tell what has become worse, and write docs/benchmarks.md.

    python -m benchmarks [DIR] [--quick] [--only NAME …] [--write]

Without --write nothing is kept: then it only says which ratios are worse than those of docs/benchmarks.json.
"""

import argparse
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

import benchmarks
from benchmarks import figures
from benchmarks.figures import KEPT, PAGE, Figure, Section
from benchmarks.machine import describe
from src.console import UserError, command

# First what the README tells; others follow by name.
ORDER = ("mels", "training", "prediction")

# Only where they are named: they take too long.
LONG = ("cpu_options",)


@command
def main() -> None:
    """Run the command."""
    found = modules()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "dir", type=Path, nargs="?", default=Path("data/raw/demo"), help="a folder of music (data/raw/demo)"
    )
    parser.add_argument("--quick", action="store_true", help="small samples and few rounds: two minutes, noisy")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=found,
        metavar="NAME",
        help=f"of {', '.join(found)}; by default all but {', '.join(LONG)}",
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} and {KEPT}")
    arguments = parser.parse_args()
    if arguments.write and arguments.quick:
        raise UserError("--write: takes a whole run; leave --quick out")
    if not arguments.dir.is_dir():
        raise UserError(f"{arguments.dir}: no such folder; name one with music in it")
    before = figures.kept(KEPT)
    now, failed = run(
        arguments.only or [name for name in found if name not in LONG], arguments.dir.resolve(), arguments.quick
    )
    for line in figures.worse(now, before):
        print(line)
    if arguments.write and now:
        everything = before | now
        everything = {name: everything[name] for name in found if name in everything}
        figures.keep(KEPT, everything)
        figures.write_page(PAGE, everything)
    if failed:
        raise UserError(f"failed, see above: {', '.join(failed)}")


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
    return module.__doc__ or name, module.measure(music, quick)


if __name__ == "__main__":
    main()
