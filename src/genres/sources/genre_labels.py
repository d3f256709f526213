"""Choose the genre that a song of a library counts as, from what its tag says."""

from collections.abc import Iterable
from dataclasses import dataclass

from genres.core.console import UserError
from genres.core.recipes import LibraryRecipe
from genres.sources.genre_tree import Meaning, Tree, printable


@dataclass(frozen=True)
class Outcome:
    """The genre that a tag becomes, empty for none, and the reason."""

    genre: str
    why: str


class Labels:
    """The rules of a recipe.

    Raises
    ------
    UserError
        If the recipe names a genre that the tree does not have.
    """

    def __init__(self, tree: Tree, recipe: LibraryRecipe) -> None:
        self.tree, self.recipe = tree, recipe
        self.wanted = None if recipe.genres is None else self._names(recipe.genres, "genres")
        self.excluded = self._names(recipe.exclude_genres, "exclude_genres")

    def _names(self, texts: Iterable[str], key: str) -> list[str]:
        names = []
        for text in texts:
            genre = self.tree.genre_of(text)
            if genre is None:
                raise UserError(
                    f"datasets.library.{key}: '{text}' is no genre of the tree: see src/genres/sources/genres.yaml, or "
                    f"add it to {self.recipe.tree}"
                )
            names.append(genre)
        return names

    def of_tag(self, meaning: Meaning) -> Outcome:
        """Return what a tag becomes before the artists of each genre are counted."""
        if not meaning.genres:
            unknown = [f"not in the tree: {'; '.join(map(shortened, meaning.unknown))}"] if meaning.unknown else []
            return Outcome("", "; ".join([*meaning.reasons, *unknown]))
        placed = {genre: self._place(genre) for genre in meaning.genres}
        labels = list(dict.fromkeys(placed.values()))
        if len(labels) > 1 and self.recipe.several == "drop":
            return Outcome("", f"several genres: {', '.join(labels)}")
        genre, label = next(((g, n) for g, n in placed.items() if not self._refused(g, n)), next(iter(placed.items())))
        if refused := self._refused(genre, label):
            return Outcome("", refused)
        line = self.tree.lineage(genre)
        steps = " < ".join(reversed(line[line.index(label) :]))
        return Outcome(label, steps if len(labels) == 1 else f"{steps}, the first of {', '.join(labels)}")

    def _place(self, genre: str) -> str:
        """Return the genre of the lineage that a genre counts as."""
        line = self.tree.lineage(genre)
        if self.wanted is not None:
            return next((name for name in reversed(line) if name in self.wanted), line[0])
        level = self.recipe.level
        return line[0] if level == "top" else line[-1] if level == "as_tagged" else line[:level][-1]

    def _refused(self, genre: str, label: str) -> str:
        excluded = [name for name in self.tree.lineage(genre) if name in self.excluded]
        if excluded:
            return f"exclude_genres has {excluded[0]}"
        return "" if self.wanted is None or label in self.wanted else f"{label}: not of genres"

    def _above(self, label: str) -> str | None:
        """Return the next genre up that there can be a label of."""
        line = self.tree.lineage(label)[:-1]
        return next((name for name in reversed(line) if self.wanted is None or name in self.wanted), None)

    def settled(self, artists: dict[str, set[int]]) -> dict[str, str | None]:
        """Return what each label becomes: itself, one above it, or None, so that all have `min_artists`.

        Parameters
        ----------
        artists : dict
            Groups of artists of each label; changed to those of the labels that remain.
        """
        moved: dict[str, str | None] = {}
        while few := [label for label, groups in artists.items() if len(groups) < self.recipe.min_artists]:
            label = max(few, key=lambda name: (len(self.tree.lineage(name)), name))
            above = moved[label] = self._above(label)
            groups = artists.pop(label)
            if above is not None:
                artists.setdefault(above, set()).update(groups)
        final: dict[str, str | None] = {label: label for label in artists}
        for label in sorted(moved, key=lambda name: len(self.tree.lineage(name))):
            above = moved[label]
            final[label] = None if above is None else final[above]
        return final


def shortened(text: str, longest: int = 60) -> str:
    """Return a text for a table: printable, and cut."""
    clean = printable(text)
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"
