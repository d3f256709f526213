"""Checkpoints of a training, from which a killed one resumes: in .cache/training/, until it has ended."""

import shutil
from pathlib import Path

from genres.core.console import warn
from genres.core.files import atomic, read_json, write_json
from genres.models import builders
from genres.models.backend import keras
from genres.models.card import is_whole
from genres.training.schedule import History


class Checkpoint:
    """The last complete epoch of a training, on disk: network with optimiser state, best network so far, history.

    state.json is renamed into place last and names the other files, so it always describes complete ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history: History = []
        self.run_id: str | None = None
        if self._state.exists():
            try:
                state = read_json(self._state)
                self.history, self.run_id = state["history"], state["run_id"]
            except (KeyError, TypeError, ValueError):
                self._warn()

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def model(self) -> keras.Model | None:
        """Load the network after the last complete epoch; None before the first or if the checkpoint is damaged."""
        epoch = len(self.history)
        if not epoch:
            return None
        numbers = [int(path.stem.split("-")[1]) for path in self.folder.glob("best-*.keras")]
        named = [f"best-{max((number for number in numbers if number <= epoch), default=epoch)}", f"last-{epoch}"]
        if not all(is_whole(self.folder / f"{name}.keras") for name in named):
            self.history.clear()
            self._warn()
            return None
        print(f"resuming after epoch {epoch}", flush=True)
        return keras.models.load_model(self.folder / f"last-{epoch}.keras")

    def _warn(self) -> None:
        warn(f"{self.folder}: the checkpoint is damaged; training restarts at the first epoch")

    def best_model(self, epoch: int) -> keras.Model:
        """Load the network after the best epoch, whose number is given."""
        return builders.load(self.folder / f"best-{epoch}.keras")

    def save(self, model: keras.Model, is_best: bool) -> None:
        """Save the network after the last epoch of the history, and delete files of earlier epochs."""
        epoch = len(self.history)
        last = self.folder / f"last-{epoch}.keras"
        with atomic(last) as temporary:
            model.save(temporary)
        if is_best:
            shutil.copyfile(last, self.folder / f"best-{epoch}.keras")
        write_json(self._state, {"run_id": self.run_id, "history": self.history})
        for path in self.folder.glob("[!.]*.keras"):  # not the hidden temporary files of a killed process
            kind, number = path.stem.split("-")
            if (kind == "last" or is_best) and int(number) < epoch:
                path.unlink()

    def remove(self) -> None:
        """Delete the checkpoint, once the results are written as the stage's outputs."""
        shutil.rmtree(self.folder)
