"""How much of a training's speed reading the clips costs, and keeping checkpoints.

    python -m benchmarks.training [--arch NAME …] [--rounds N]

An epoch as the stage `train` runs it, on random spectrograms in a temporary folder, takes turns with as many steps on
one batch that stays in memory: nothing can be faster than that. Both train the same network.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import describe, interleaved, spread, timed, times_as_fast
from src import models, params
from src.backend import keras
from src.console import UserError, command, print_table
from src.feed import Clips
from src.files import write_json, write_table
from src.params import Params, TrainParams
from src.spectrogram import Spectrograms, format_of
from src.training import Checkpoint, balanced_weights

TARGET = 0.9  # of the speed with a resident batch
CLIPS_A_TRACK = 10

FIXED, RANDOM, RESIDENT, CHECKPOINT = "fixed crops", "random crops", "resident batch", "checkpoint"


@command
def main() -> None:
    """Measure and print."""
    settings = params.load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.splitlines()[0])
    parser.add_argument("--arch", nargs="+", default=settings.architectures, help="architectures of params.yaml")
    parser.add_argument("--tracks", type=int, default=100, help="size of the data set (100)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything takes its turn (3)")
    arguments = parser.parse_args()
    for name in arguments.arch:
        if name not in settings.models:
            raise UserError(f"architecture '{name}' is none of {', '.join(settings.models)}")
    if arguments.tracks < 1 or arguments.rounds < 1:
        raise UserError("--tracks and --rounds: must be at least 1")
    backend = keras.backend.backend()
    print(describe(("numpy", "keras", backend)), flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        clips = write_random_tracks(Path(temporary), settings, arguments.tracks)
        measured = {name: measure(name, settings, Path(temporary), clips, arguments.rounds) for name in arguments.arch}
    show(measured, len(clips))


def write_random_tracks(folder: Path, settings: Params, n_tracks: int) -> pd.DataFrame:
    """Spectrograms as the stage `mels` leaves them, of noise; and the table of their clips."""
    form = format_of(settings.mels)
    frames = form.frames(settings.clips.length_s) * CLIPS_A_TRACK
    rng = np.random.default_rng(settings.seed)
    np.save(folder / Spectrograms.ARRAY, rng.integers(0, 256, (n_tracks * frames, form.n_mels), dtype=np.uint8))
    ids = [f"track{number:05d}" for number in range(n_tracks)]
    write_table(
        folder / Spectrograms.INDEX,
        pd.DataFrame({"track_id": ids, "start": np.arange(n_tracks) * frames, "frames": frames}),
    )
    write_json(folder / Spectrograms.FORMAT, vars(form))
    genres = [f"genre{number % 9}" for number in range(n_tracks)]
    starts = np.arange(CLIPS_A_TRACK) * settings.clips.length_s
    return pd.DataFrame(
        {
            "track_id": np.repeat(ids, CLIPS_A_TRACK),
            "start_s": np.tile(starts, n_tracks),
            "genre": np.repeat(genres, CLIPS_A_TRACK),
        }
    )


class Resident(keras.utils.PyDataset):
    """The first batch of a feed, as often as the feed has batches."""

    def __init__(self, feed: Clips) -> None:
        super().__init__()
        self._batch, self._steps = feed[0], len(feed)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._batch


class _NewEpoch(keras.callbacks.Callback):
    """What training does to the feed before each epoch: a new order and new crops."""

    def __init__(self, feed: Clips) -> None:
        super().__init__()
        self._feed, self._epoch = feed, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch += 1
        self._feed.set_epoch(self._epoch)


def measure(
    architecture: str, settings: Params, folder: Path, clips: pd.DataFrame, rounds: int
) -> dict[str, list[float]]:
    """Seconds of an epoch of each kind, and of keeping a checkpoint, in each round."""
    training = settings.training_of(architecture)
    spectrograms = Spectrograms(folder)
    genres = sorted(set(clips["genre"]))
    options: dict[str, Any] = {
        "frames": spectrograms.format.frames(settings.clips.length_s),
        "batch_size": min(training.batch_size, len(clips)),
        "shuffle_seed": settings.seed,
    }
    labels = np.searchsorted(genres, clips["genre"].to_numpy(dtype=str))
    feeds = {
        FIXED: Clips(spectrograms, clips, labels, random_crops=False, **options),
        RANDOM: Clips(spectrograms, clips, labels, random_crops=True, **options),
    }
    data = {**feeds, RESIDENT: Resident(feeds[FIXED])}
    callbacks = {name: [_NewEpoch(feed)] for name, feed in feeds.items()} | {RESIDENT: []}
    weights = balanced_weights(clips["genre"], genres) if training.class_weights else None
    model = _compiled(architecture, settings, training, spectrograms, len(genres))

    def epoch(name: str) -> None:
        model.fit(data[name], class_weight=weights, callbacks=callbacks[name], shuffle=False, verbose=0)

    def checkpoint() -> None:
        kept = Checkpoint(folder / "checkpoint")
        kept.history.append({"epoch": 1})
        kept.save(model, is_best=True)
        kept.remove()

    for name in data:
        epoch(name)  # the first one compiles
    checkpoint()
    contenders = {name: (lambda name=name: timed(lambda: epoch(name))) for name in data}
    return interleaved({**contenders, CHECKPOINT: lambda: timed(checkpoint)}, rounds, architecture)


def _compiled(
    architecture: str, settings: Params, training: TrainParams, spectrograms: Spectrograms, n_classes: int
) -> keras.Model:
    """The network, compiled as in training."""
    keras.utils.set_random_seed(settings.seed)
    chosen, form = settings.models[architecture], spectrograms.format
    model = models.classifier(
        chosen.builder,
        chosen.arguments,
        n_mels=form.n_mels,
        frames=form.frames(settings.clips.length_s),
        n_classes=n_classes,
        mean=127.5,
        deviation=74.0,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(training.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=training.jit_compile,
    )
    return model


def show(measured: dict[str, dict[str, list[float]]], n_clips: int) -> None:
    """Print clips a second, ratios, the share of checkpoints, and what is still missing."""
    rows, verdicts = [], []
    for architecture, seconds in measured.items():
        ratios = {name: times_as_fast(seconds[name], seconds[RESIDENT]) for name in (FIXED, RANDOM)}
        shares = [a / (a + b) for a, b in zip(seconds[CHECKPOINT], seconds[FIXED], strict=True)]
        speeds = [spread([n_clips / value for value in seconds[name]]) for name in (FIXED, RANDOM, RESIDENT)]
        rows.append([architecture, *speeds, *ratios.values(), f"{100 * spread(shares).median:.1f} %"])
        verdicts += [
            f"{architecture}: {name} : {RESIDENT}: {ratio}; {verdict(ratio.median, TARGET)}"
            for name, ratio in ratios.items()
        ]
    print_table(
        f"Clips a second in training: median (lowest–highest) of the rounds; an epoch has {n_clips} clips",
        ["architecture", FIXED, RANDOM, RESIDENT, "fixed : resident", "random : resident", "checkpoint's share"],
        rows,
    )
    print("\n".join(verdicts))


if __name__ == "__main__":
    main()
