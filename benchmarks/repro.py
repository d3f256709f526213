"""`make repro` in a fresh clone, stage by stage.

Environment, synthetic songs, networks and results, with an empty cache, in a path with a space. Packages come from
pip's or uv's cache where they are in it.

    python -m benchmarks.repro
"""

import argparse
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.machine import describe
from genres.core.console import UserError, command
from tests.checkout import ROOT, clean_environment

GOAL_S = 300
SETTING_UP = "the environment, and checks before the first stage"


@command
def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m benchmarks.repro", description=__doc__.splitlines()[0]).parse_args()
    print(describe(("keras", "tensorflow", "dvc", "mlflow")))
    show(__doc__.splitlines()[0], measure(Path()))


def measure(music: Path, quick: bool = False) -> list[Figure]:
    """Measure the figures of docs/benchmarks.md; there are no quick ones, and no music is needed."""
    if quick:
        return []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        clone = Path(temporary) / "a clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        seconds = seconds_of_stages(clone)
    total = Figure("make repro in a fresh clone", (sum(seconds.values()),), "s", GOAL_S, higher_is_better=False)
    return [total, *(Figure(what, (value,), "s", higher_is_better=False) for what, value in seconds.items())]


def seconds_of_stages(clone: Path) -> dict[str, float]:
    """Run `make repro`; return the seconds from the start of each kind of stage to that of the next one."""
    began, lines = [(SETTING_UP, time.perf_counter())], []
    # The clone's own environment, which `make` puts on the path, in place of this one.
    with subprocess.Popen(
        ["make", "repro"],
        cwd=clone,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Running stage '"):
                stage = line.split("'")[1]
                kind = stage if stage.startswith("train@") else stage.partition("@")[0]
                began.append((kind, time.perf_counter()))
    ended = time.perf_counter()
    if process.returncode:
        raise UserError("make repro failed: " + "".join(lines[-20:]))
    seconds: dict[str, float] = {}
    for (kind, start), (_, end) in pairwise([*began, ("", ended)]):
        seconds[kind] = seconds.get(kind, 0.0) + end - start
    return seconds


if __name__ == "__main__":
    main()
