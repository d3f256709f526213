"""Define the interface of a source of songs for the stage `ingest`; each source's module has a subclass `Source`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from genres.core.params import Params
from genres.core.recipes import Recipe

if TYPE_CHECKING:
    from genres.sources.inspect import Finding

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


class AudioFiles(Generic[AnyRecipe]):
    """Source whose songs are audio files, and which uses all of them.

    Parameters
    ----------
    recipe : Recipe
        Recipe of the data set.
    folder : Path
        data/raw/<dataset>, the base of relative paths.
    settings : Params
        All of params.yaml.

    Attributes
    ----------
    expected : list of str
        Genres that the report lists even if no song was requested.
    """

    def __init__(self, recipe: AnyRecipe, folder: Path, settings: Params) -> None:
        self.recipe, self.folder, self.settings = recipe, folder, settings
        self.expected: list[str] = []

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: `CANDIDATE_COLUMNS`."""
        raise NotImplementedError

    def inspect(self, candidates: pd.DataFrame) -> "list[Finding]":
        """Return the result of the inspection of each candidate."""
        from genres.sources.inspect import Finding, inspect_files  # loads librosa

        paths = [self.folder / path for path in candidates["path"][candidates["rejected"] == ""]]
        inspected = iter(inspect_files(paths, self.settings.compute, self.settings.songs_dir))
        return [next(inspected) if reason == "" else Finding(rejected=reason) for reason in candidates["rejected"]]

    def left_out(self, tracks: pd.DataFrame) -> dict[str, str]:
        """Return the usable tracks that are not used: the reason for each track_id."""
        return {}

    def check(self, summary: dict[str, Any]) -> None:
        """Raise a UserError if the report shows too few songs."""
