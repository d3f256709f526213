"""What a DVC experiment (or another git revision) has: its results, and files from the cache.

For the commands that set several experiments beside each other; nothing in the workspace is changed.
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
from genres.core.paths import CLIPS, LEADERBOARD
from genres.models.card import ModelCard, read_card
from genres.stats.repeated import Folds

# What may differ between the experiments of one mean.
REPETITION = ("seed", "split.fold")


class Revision:
    """The files of one experiment.

    Parameters
    ----------
    name : str
        As `dvc exp list` shows it, or any git revision.

    Raises
    ------
    UserError
        If there is no such revision, or it has no results; so do the methods, where a file is missing.
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
        """A JSON file."""
        return json.loads(self._text(path))

    def table(self, path: Path, **options: Any) -> pd.DataFrame:
        """A CSV file, as genres.core.files.read_table reads it."""
        return pd.read_csv(io.StringIO(self._text(path)), keep_default_na=False, **options)

    def fetch(self, path: Path, target: Path) -> Path:
        """Copy a file or folder out of the cache."""
        try:
            self._files.get(str(path), str(target), recursive=True)
        except (DvcException, OSError) as error:
            raise self._unknown(error) from None
        return target

    def card(self, architecture: str) -> ModelCard:
        """The card of a trained model."""
        with tempfile.TemporaryDirectory() as folder:
            name = f"{architecture}.keras"
            return read_card(self.fetch(Path("models") / name, Path(folder) / name))

    def folds(self) -> Folds:
        """The clips that were trained and tested on."""
        clips = self.table(CLIPS, dtype=str, usecols=["clip_id", "fold"])
        return Folds(*(frozenset(clips["clip_id"][clips["fold"] == fold]) for fold in ("train", "test")))

    def scores(self) -> list[dict[str, Any]]:
        """One row an architecture: what the leaderboard and its metrics file say, and `seed`, `fold`, `experiment`."""
        which = {"experiment": self.name, "seed": self.params["seed"], "fold": None}
        if self.params.get("split.folds") is not None:
            which["fold"] = self.params["split.fold"]
        rows = []
        for row in sorted(self.leaderboard, key=lambda row: str(row["arch"])):
            # The ensemble has no file of its own.
            own = self.json(Path("metrics") / f"{row['arch']}.json") if row["n_parameters"] is not None else {}
            rows.append(row | own | which)
        return rows


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The values of nested parameters, under dotted names as for `-S`."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        found += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def in_use(name: str, dataset: str, architectures: Collection[str]) -> bool:
    """Whether a parameter has a part in the results of these architectures on that data set."""
    used = (f"datasets.{dataset}.", *(f"models.{architecture}." for architecture in architectures))
    return name.startswith(used) or not name.startswith(("datasets.", "models.", "services.", "tune."))
