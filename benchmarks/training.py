"""Training: the feed, and the backend.

Epochs on random spectrograms, with the network, loss and optimiser of the stage `train` for each architecture, in
turns: with the stage's own feed (crops and augmentation included), and on one batch that stays in memory, the upper
bound for any feed; that one also on Keras' JAX backend. The first epochs, which compile, do not count.

    python -m benchmarks.training [--arch NAME … | --all] [--rounds N] [--batches N]
"""

import argparse
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.machine import describe, interleaved, times_as_fast
from benchmarks.steps import Options, from_scratch, started, write_tracks
from genres.core import params
from genres.core.console import UserError, command, warn
from genres.core.params import Params

FEED, RESIDENT, JAX = "the stage's feed", "a resident batch", "JAX"
GOAL = 0.97  # share of the speed with a resident batch


@command
def main() -> None:
    """Measure and print."""
    settings = params.load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--arch", nargs="+", default=from_scratch(settings.architectures, settings), help="architectures of params.yaml"
    )
    parser.add_argument("--all", action="store_true", help="all that are trained from scratch")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (5)")
    parser.add_argument("--batches", type=int, default=16, help="batches of an epoch (16)")
    arguments = parser.parse_args()
    chosen = from_scratch(settings.models, settings) if arguments.all else arguments.arch
    for name in chosen:
        if name not in settings.models:
            raise UserError(f"architecture '{name}' is none of {', '.join(settings.models)}")
    if arguments.batches < 1 or arguments.rounds < 1:
        raise UserError("--batches and --rounds: must be at least 1")
    print(describe(), flush=True)
    show("Training", measure(Path(), architectures=chosen, rounds=arguments.rounds, batches=arguments.batches))


def measure(
    music: Path, quick: bool = False, *, architectures: Sequence[str] = (), rounds: int = 5, batches: int = 16
) -> list[Figure]:
    """Measure some architectures, those of params.yaml by default; needs no music. See benchmarks/figures.py."""
    settings = params.load()
    architectures = architectures or from_scratch(settings.architectures, settings)
    if quick:
        architectures, rounds, batches = architectures[:1], 3, 6
    return [
        figure for name in architectures for figure in figures_of(name, *take_turns(name, settings, rounds, batches))
    ]


def take_turns(architecture: str, settings: Params, rounds: int, batches: int) -> tuple[dict[str, list[float]], int]:
    """Return the seconds of an epoch of each kind in each round, and the number of clips in an epoch."""
    chosen = {FEED: Options(architecture, resident=False), RESIDENT: Options(architecture)}
    if importlib.util.find_spec("jax"):
        chosen[JAX] = Options(architecture, environment={"KERAS_BACKEND": "jax"})
    else:
        warn("jax is not installed, so that it is not measured; install requirements-dev.txt")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        write_tracks(folder, settings, architecture, batches * settings.training_of(architecture).batch_size)
        with started(folder, chosen) as running:
            return interleaved(running, rounds, architecture), running[FEED].n_clips


def figures_of(architecture: str, seconds: dict[str, list[float]], n_clips: int) -> list[Figure]:
    """Return the figures of the seconds of an epoch."""
    ratios = times_as_fast(seconds[FEED], seconds[RESIDENT])
    result = [
        Figure(f"{architecture}, {FEED}", tuple(n_clips / value for value in seconds[FEED]), "clips a second"),
        Figure(f"{architecture}, {FEED}: as fast as {RESIDENT}", ratios, "times", GOAL, comparable=True),
    ]
    if JAX in seconds:
        ratios = times_as_fast(seconds[RESIDENT], seconds[JAX])
        result.append(Figure(f"{architecture}, {RESIDENT}: as fast as with {JAX}", ratios))
    return result


if __name__ == "__main__":
    main()
