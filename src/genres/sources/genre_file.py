"""Read a tree of genres from a file of the form of genres.yaml."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from genres.core.console import UserError
from genres.sources.genre_tree import Tree, spelling_key

PACKAGED = Path(__file__).with_name("genres.yaml")


def load(own: Path | None = None) -> Tree:
    """Return the package's tree, with the changes of the user's own file.

    Raises
    ------
    UserError
        If a file is missing or not of the form of genres.yaml.
    """
    tree = _Reader(PACKAGED, Tree()).tree
    return tree if own is None else _Reader(own, tree).tree


class _Reader:
    """Reads a file of genres into a copy of a tree."""

    def __init__(self, path: Path, base: Tree) -> None:
        self.path = path
        content = self._content()
        base = Tree() if content.get("replaces") else base
        self.base = base
        self.tree = Tree(dict(base.parents), dict(base.spellings), dict(base.no_genre))
        self.places: dict[str, str] = {}  # of what the file names: folded text, place
        self._add_genres(content.get("genres") or {}, None, "genres")
        for reason, texts in self._mapping(content.get("no_genre") or {}, "no_genre").items():
            for text in self._list(texts, f"no_genre: {reason}"):
                self._name(text, f"no_genre: {reason}")
                self.tree.spellings.pop(spelling_key(text), None)
                self.tree.no_genre[spelling_key(text)] = reason
        self._check_circles()

    def _content(self) -> dict[str, Any]:
        try:
            content = YAML(typ="safe", pure=True).load(self.path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
        except (YAMLError, RecursionError) as error:
            raise UserError(f"{self.path}: is not valid YAML: {' '.join(str(error).split())}") from None
        content = self._mapping(content or {}, "the file")
        for key in content:
            if key not in ("genres", "no_genre", "replaces"):
                raise UserError(f"{self.path}: unknown key '{key}': there are genres, no_genre and replaces")
        if not isinstance(content.get("replaces", False), bool):
            raise UserError(f"{self.path}: replaces: must be true or false")
        return content

    def _mapping(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UserError(f"{self.path}: {place}: must have entries 'name: …'; received {str(value)[:40]!r}")
        for name in value:
            if not isinstance(name, str) or not name.strip():
                raise UserError(f"{self.path}: {place}: {name!r} is no text: write it in quotes")
        return value

    def _list(self, value: Any, place: str) -> list[str]:
        if not isinstance(value, list):
            raise UserError(f"{self.path}: {place}: must be a list [one, two]; received {str(value)[:40]!r}")
        for text in value:
            if not isinstance(text, str) or not text.strip():
                raise UserError(f"{self.path}: {place}: {text!r} is no text: write it in quotes")
        return value

    def _name(self, text: str, place: str) -> str:
        """Return the folded text, which the file may name once."""
        key = spelling_key(text)
        other = self.places.setdefault(key, place)
        if other != place:
            raise UserError(f"{self.path}: '{text}' is named twice: {other}; and {place}; remove one")
        return key

    def _add_genres(self, entries: Any, above: str | None, place: str) -> None:
        for name, below in self._mapping(entries, place).items():
            where = f"{place}: {name}"
            if len(where) > 1000:
                raise UserError(f"{self.path}: {where[:60]}…: is nested too deeply: does it contain itself?")
            key = self._name(name, where)
            genre = self.base.spellings.get(key, name.strip())
            self.tree.parents[genre] = self.base.parents.get(genre) if above is None else above
            self._spell(key, genre)
            children = dict(self._mapping(below or {}, where))
            for text in self._list(children.pop("also", []), f"{where}: also"):
                self._add_spelling(text, genre, where)
            self._add_genres(children, genre, where)

    def _add_spelling(self, text: str, genre: str, place: str) -> None:
        key = self._name(text, place)
        own = self.base.spellings.get(key)
        if own is not None and own != genre and key == spelling_key(own):
            raise UserError(f"{self.path}: {place}: also: '{text}' is a genre of the tree: write it below as '{text}:'")
        self._spell(key, genre)

    def _spell(self, key: str, genre: str) -> None:
        self.tree.spellings[key] = genre
        self.tree.no_genre.pop(key, None)

    def _check_circles(self) -> None:
        for genre in self.tree.parents:
            seen, above = [genre], self.tree.parents[genre]
            while above is not None:
                if above in seen:
                    raise UserError(f"{self.path}: {genre} is below itself: {' < '.join([*seen, above])}")
                seen.append(above)
                above = self.tree.parents[above]
