"""Read-only access to the results and cached files of a DVC experiment (or another git revision).

Used by the commands that compare experiments; the workspace is not changed.
"""

import io
import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
from dvc.exceptions import DvcException
from ruamel.yaml import YAML

from genres.core.console import UserError
from genres.core.paths import CLIPS, LEADERBOARD, metrics_path, model_path
from genres.models.card import ModelCard, read_card
from genres.stats.repeated import Folds

# Parameters that may differ between the experiments of one mean.
REPETITION = ("seed", "split.fold")


class Revision:
    """Files of one experiment.

    Parameters
    ----------
    name : str
        Name as `dvc exp list` shows it, or any git revision.

    Raises
    ------
    UserError
        If there is no such revision, or it has no results. The methods raise it if a file is missing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._files = dvc.api.DVCFileSystem(rev=name)
            self.leaderboard = self.json(LEADERBOARD)
        except DvcException as error:
            raise self._unknown(error) from None
        params = YAML(typ="safe").load(self._text(Path("params.yaml")))
        self.params: dict[str, Any] = dict(flat(params))

    def _unknown(self, error: Exception) -> UserError:
        return UserError(f"{self.name}: no experiment or revision with results ({error}); see: dvc exp list")

    def _text(self, path: Path) -> str:
        try:
            return str(self._files.read_text(str(path), encoding="utf-8"))
        except (DvcException, OSError) as error:
            raise self._unknown(error) from None

    def json(self, path: Path) -> Any:
        """Read a JSON file."""
        return json.loads(self._text(path))

    def table(self, path: Path, **options: Any) -> pd.DataFrame:
        """Read a CSV file as genres.core.files.read_table does."""
        return pd.read_csv(io.StringIO(self._text(path)), keep_default_na=False, **options)

    def fetch(self, path: Path, target: Path) -> Path:
        """Copy a file or folder out of the cache."""
        try:
            self._files.get(str(path), str(target), recursive=True)
        except (DvcException, OSError) as error:
            raise self._unknown(error) from None
        return target

    def card(self, architecture: str) -> ModelCard:
        """Read the card of a trained model."""
        with tempfile.TemporaryDirectory() as folder:
            path = model_path(architecture)
            return read_card(self.fetch(path, Path(folder) / path.name))

    def folds(self) -> Folds:
        """Return the clips of the training and test folds."""
        clips = self.table(CLIPS, dtype=str, usecols=["clip_id", "fold"])
        return Folds(*(frozenset(clips["clip_id"][clips["fold"] == fold]) for fold in ("train", "test")))

    def scores(self) -> list[dict[str, Any]]:
        """Return one row per architecture from leaderboard and metrics file, with `seed`, `fold` and `experiment`."""
        about = {"experiment": self.name, "seed": self.params["seed"], "fold": None}
        if self.params.get("split.folds") is not None:
            about["fold"] = self.params["split.fold"]
        rows = []
        for row in sorted(self.leaderboard, key=lambda row: str(row["arch"])):
            # The ensemble has no metrics file.
            own = self.json(metrics_path(row["arch"])) if row["n_parameters"] is not None else {}
            rows.append(row | own | about)
        return rows


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten nested parameters to dotted names as for `-S`."""
    result: list[tuple[str, Any]] = []
    for key, value in values.items():
        result += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return result


def in_use(name: str, dataset: str, architectures: Collection[str]) -> bool:
    """Return True if a parameter affects the results of these architectures on this data set."""
    used = (f"datasets.{dataset}.", *(f"models.{architecture}." for architecture in architectures))
    return name.startswith(used) or not name.startswith(("datasets.", "models.", "services.", "tune."))
