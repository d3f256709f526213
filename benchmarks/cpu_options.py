"""Training speed by CPU option.

Each option alone against the default, in clips a second: two trainings on a resident batch, each in a process of its
own, taking turns. Networks and settings are otherwise those of params.yaml. Channels first is left out, since
TensorFlow has no such convolutions for CPUs. mixed_bfloat16 needs a CPU that computes in bfloat16 (flags avx512_bf16
or amx_bf16), or numbers are converted back and forth. The page has the option that matters: oneDNN switched off.

    python -m benchmarks.cpu_options [--arch NAME …] [--rounds N] [--clips N] [--option NAME …]
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import joblib

from benchmarks.figures import Figure, show
from benchmarks.machine import describe, interleaved, times_as_fast
from benchmarks.steps import Options, from_scratch, started, write_tracks
from genres.core import params
from genres.core.console import UserError, command

# All options use one data set, which therefore must have whole batches of each size.
BATCH_SIZES = (16, 64, 128)

ONEDNN_OFF = "TF_ENABLE_ONEDNN_OPTS=0"


@command
def main() -> None:
    """Measure and print."""
    settings = params.load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_options", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--arch", nargs="+", default=from_scratch(settings.architectures, settings), help="architectures"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds (3)")
    parser.add_argument("--clips", type=int, default=256, help="clips of an epoch (256)")
    parser.add_argument("--option", nargs="+", choices=list(options("")), metavar="NAME", help="only these")
    arguments = parser.parse_args()
    for name in arguments.arch:
        if name not in settings.models:
            raise UserError(f"architecture '{name}' is none of {', '.join(settings.models)}")
    if arguments.clips < 1 or arguments.rounds < 1:
        raise UserError("--clips and --rounds: must be at least 1")
    print(describe(), flush=True)
    figures = measure(
        Path(),
        architectures=arguments.arch,
        rounds=arguments.rounds,
        clips=arguments.clips,
        only=arguments.option or tuple(options("")),
    )
    show("Options, as fast as the default", figures)


def options(architecture: str) -> dict[str, Options]:
    """Return all options by name."""
    default = Options(architecture)
    cores = joblib.cpu_count()
    result = {ONEDNN_OFF: replace(default, environment=dict([ONEDNN_OFF.split("=")]))}
    # Threads within one operation, and number of parallel operations.
    for inside, between in ((1, cores), (cores, 1), (2 * cores, cores)):
        threads = {"TF_NUM_INTRAOP_THREADS": str(inside), "TF_NUM_INTEROP_THREADS": str(between)}
        result[f"threads {inside} within, {between} beside"] = replace(default, environment=threads)
    for size in BATCH_SIZES:
        result[f"batch_size={size}"] = replace(default, overrides={"batch_size": size})
    return result | {
        "jit_compile=True (XLA)": replace(default, compiled={"jit_compile": True}),
        "mixed_bfloat16": replace(default, policy="mixed_bfloat16"),
        "steps_per_execution=4": replace(default, compiled={"steps_per_execution": 4}),
        "steps_per_execution=16": replace(default, compiled={"steps_per_execution": 16}),
    }


def measure(
    music: Path,
    quick: bool = False,
    *,
    architectures: Sequence[str] = (),
    rounds: int = 3,
    clips: int = 256,
    only: Sequence[str] = (ONEDNN_OFF,),
) -> list[Figure]:
    """Measure these options; needs no music. See benchmarks/figures.py."""
    settings = params.load()
    architectures = architectures or from_scratch(settings.architectures, settings)
    if quick:
        architectures, rounds, clips = architectures[:1], 2, 128
    measured = []
    for architecture in architectures:
        chosen = {name: option for name, option in options(architecture).items() if name in only}
        with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
            write_tracks(Path(temporary), settings, architecture, clips)
            for name, option in chosen.items():
                ratios = against_default(Path(temporary), name, option, rounds)
                measured.append(Figure(f"{architecture}: {name}", ratios))
    return measured


def against_default(folder: Path, name: str, option: Options, rounds: int) -> tuple[float, ...]:
    """Return the speed ratio of an option to the default in each round."""
    default = Options(option.architecture)
    with started(folder, {name: option, "default": default}) as running:
        seconds = interleaved(running, rounds, option.architecture)
    return times_as_fast(seconds[name], seconds["default"])


if __name__ == "__main__":
    main()
