"""Run all benchmarks, list ratios that have become worse, and write docs/benchmarks.md.

    python -m benchmarks [DIR] [--quick] [--only NAME …] [--write]

Without --write no file is written; it only lists the ratios that are worse than those of docs/benchmarks.json.
"""

import argparse
from pathlib import Path

from benchmarks import figures, runner
from benchmarks.figures import KEPT, PAGE
from genres.core.console import UserError, command


@command
def main() -> None:
    """Run the command."""
    names = runner.modules()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "dir", type=Path, nargs="?", default=Path("data/raw/demo"), help="a folder of music (data/raw/demo)"
    )
    parser.add_argument("--quick", action="store_true", help="small samples and few rounds: two minutes, noisy")
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"benchmark to run (repeatable): {', '.join(names)}; by default all but {', '.join(runner.LONG)}",
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} and {KEPT}")
    arguments = parser.parse_args()
    if arguments.write and arguments.quick:
        raise UserError("--write: needs a full run; leave --quick out")
    if not arguments.dir.is_dir():
        raise UserError(f"{arguments.dir}: no such folder; name one with music in it")
    before = figures.kept(KEPT)
    now, failed = runner.run(
        arguments.only or [name for name in names if name not in runner.LONG], arguments.dir.resolve(), arguments.quick
    )
    for line in figures.worse(now, before):
        print(line)
    if arguments.write and now:
        everything = before | now
        everything = {name: everything[name] for name in names if name in everything}
        figures.keep(KEPT, everything)
        figures.write_page(PAGE, everything)
    if failed:
        raise UserError(f"failed, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
