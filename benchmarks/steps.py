"""Training in a process of its own that runs an epoch on each request.

    python -m benchmarks.steps OPTIONS    # started by Steps, in a folder that write_tracks() has filled

So warmed-up trainings of different backends, environments and settings can take turns.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genres.audio.format import format_of
from genres.core import params
from genres.core.files import write_table
from genres.core.params import Params
from genres.core.paths import CLIPS, TRACKS, mels_dir
from genres.data import shards
from genres.data.windows import windowing_of

ROOT = Path(__file__).resolve().parents[1]
TRACK_SECONDS = 30.0
GENRES = 9
AT_LEAST_S = 3.0  # shorter measurements are too noisy


@dataclass(frozen=True)
class Options:
    """Options of a training.

    Attributes
    ----------
    architecture : str
        Key of `models`.
    resident : bool
        True to train on one batch that stays in memory, in place of the stage's own feed.
    overrides : dict
        Values of `train`.
    compiled : dict
        Arguments of Keras' compile().
    policy : str
        Keras' dtype policy.
    environment : dict
        Environment variables of the process.
    """

    architecture: str
    resident: bool = True
    overrides: dict[str, Any] = field(default_factory=dict)
    compiled: dict[str, Any] = field(default_factory=dict)
    policy: str = "float32"
    environment: dict[str, str] = field(default_factory=dict)


def from_scratch(names: Iterable[str], settings: Params) -> list[str]:
    """Return those of some architectures that are trained by steps."""
    return [name for name in names if not settings.models[name].pretrained_on]


def write_tracks(folder: Path, settings: Params, architecture: str, n_clips: int) -> None:
    """Write the inputs of stage `train` with noise: `n_clips` clips (windows) of training, and few of validation.

    Raises
    ------
    ValueError
        If there is no such architecture.
    """
    if architecture not in settings.models:
        raise ValueError(f"architecture '{architecture}' is none of {', '.join(settings.models)}")
    clip_s, form = settings.clips.length_s, format_of(settings.mels_of_dataset())
    starts = np.arange(0, TRACK_SECONDS - clip_s / 2, clip_s)
    by_clip = windowing_of(settings.models[architecture], settings).of == "clips"
    windows_a_track = len(starts) if by_clip else 1
    n_train = -(-n_clips // windows_a_track)
    n_genres = min(GENRES, n_train)
    n_tracks, frames = n_train + n_genres, form.frames(TRACK_SECONDS)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    noise = np.random.default_rng(settings.seed).integers(0, 256, (n_tracks, frames, form.n_mels), dtype=np.uint8)
    ids = [f"track{number:05d}" for number in range(n_tracks)]
    named = pd.DataFrame({"track_id": ids, "sha256": ids})
    shards.write(folder / mels_dir(), named, noise.__getitem__, form, key="noise", n_shards=1)
    tracks = pd.DataFrame(
        {
            "track_id": ids,
            "genre": [f"genre{number % n_genres}" for number in (*range(n_train), *range(n_genres))],
            "artist": ids,
            "fold": ["train"] * n_train + ["val"] * n_genres,
        }
    )
    clips = tracks[["track_id", "fold"]].loc[np.repeat(np.arange(n_tracks), len(starts))].reset_index(drop=True)
    clips["start_s"] = np.tile(starts, n_tracks)
    clips["clip_id"] = [f"clip{number:06d}" for number in range(len(clips))]
    is_spare = clips.index >= n_clips if windows_a_track > 1 else np.zeros(len(clips), dtype=bool)
    write_table(folder / TRACKS, tracks)
    write_table(folder / CLIPS, clips[~is_spare | (clips["fold"] == "val")])


class Steps:
    """Parent's side of a training; a call returns the mean seconds of an epoch, over at least three seconds.

    Attributes
    ----------
    n_clips : int
        Number of clips in an epoch.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        environment = (
            os.environ
            | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "DVC_ROOT": str(folder)}
            | options.environment
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.steps", json.dumps(asdict(options))],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.n_clips = int(self._line())
        self._epoch()  # which also compiles

    def __call__(self) -> float:
        """Time some epochs, without the first one, which may wait for sleeping threads."""
        self._epoch()
        taken = [self._epoch()]
        while sum(taken) < AT_LEAST_S:
            taken.append(self._epoch())
        return sum(taken) / len(taken)

    def _epoch(self) -> float:
        assert self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the training ended with status {self._process.wait()}: see above")
        return line

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def started(folder: Path, chosen: dict[str, Options]) -> Iterator[dict[str, Steps]]:
    """Start trainings on the tracks in `folder` one after the other; end them with the context."""
    running: dict[str, Steps] = {}
    try:
        for name, options in chosen.items():
            running[name] = Steps(folder, options)
        yield running
    finally:
        for steps in running.values():
            steps.close()


def main() -> None:
    """Train in the child process, with the options of the command line."""
    options, settings = Options(**json.loads(sys.argv[1])), params.load()
    from genres.data.batches import Epochs, for_fit
    from genres.models.backend import keras
    from genres.training.fitting import seed_dropout
    from genres.training.loop import Training

    keras.mixed_precision.set_global_policy(options.policy)
    training = Training(options.architecture, settings, **options.overrides)
    model = training.new_model()
    for name, value in options.compiled.items():
        setattr(model, name, value)
    feed = training.data.train

    class Resident(Epochs):
        """Feed that repeats its first batch."""

        def __init__(self) -> None:
            super().__init__(feed)
            self._batch = feed[0]

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return self._batch

    class OnRequest(keras.callbacks.Callback):
        """Begin an epoch on request, with the stage's dropout seed; print its seconds."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if not sys.stdin.readline():
                raise SystemExit
            self._started = time.perf_counter()
            seed_dropout(self.model, settings.seed, epoch)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            print(time.perf_counter() - self._started, flush=True)

    print(feed.n_clips, flush=True)
    model.fit(
        for_fit(Resident() if options.resident else Epochs(feed)),
        steps_per_epoch=len(feed),
        epochs=1_000_000,
        class_weight=training.data.class_weights if training.settings.class_weights else None,
        callbacks=[OnRequest()],
        shuffle=False,
        verbose=0,
    )


if __name__ == "__main__":
    main()
