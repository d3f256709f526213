"""Read the genres that a song's tag names, with a tree of genres and their other spellings.

With `tree = genre_file.load()`, `tree.resolve(["Deep House", "R&B/Soul"]).genres` is ("deep_house", "rnb"), and
`tree.lineage("deep_house")` is ("electronic", "house", "deep_house").
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mutagen.id3 import TCON

from genres.core.names import folded

LONGEST = 200  # characters of a text that may name genres
_RUN = 4  # most parts of a text that are one spelling together: "Drum & Bass" has two

_VALUES = re.compile(r"[;|\0\n\r]+")  # between values, which are never one spelling together
_SEPARATORS = re.compile(r"[/,\\+&•·>()\[\]{}]|\s[-–—]\s|---|\s(?:and|und|et|n)\s", re.IGNORECASE)
_ADDRESS = re.compile(r"\w+://|\bwww\.|\.(?:com|net|org|ru|info|de)\b", re.IGNORECASE)
_NUMBERS = re.compile(r"((?:\((?:[0-9]{1,3}|RX|CR)\))+)(.*)", re.DOTALL)
_SIMPLE_WORDS = frozenset(("and", "n", "und", "et"))
_LAST_WORDS = ("music", "musik", "musique", "musica")
# Encodings that were written, by the one that they were read in.
_MISREAD = [
    *(("latin-1", "utf-8"), ("cp1252", "utf-8"), ("latin-1", "cp1251"), ("cp1252", "cp1251"), ("latin-1", "koi8-r")),
    *(("latin-1", "cp1253"), ("latin-1", "cp1255"), ("latin-1", "shift_jis"), ("latin-1", "gbk")),
]


@dataclass(frozen=True)
class Meaning:
    """Hold what the tag of a song says.

    Attributes
    ----------
    genres : tuple of str
        Names in the tree, each once, without those that are above another one.
    unknown : tuple of str
        Parts that the tree does not have.
    reasons : tuple of str
        Reasons why other parts name no genre.
    """

    genres: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass
class Tree:
    """Tree of genres.

    Attributes
    ----------
    parents : dict
        The genre above each genre; None for a top genre.
    spellings : dict
        The genre of each spelling, folded by :func:`spelling_key`.
    no_genre : dict
        The reason for each folded text that names no genre.
    """

    parents: dict[str, str | None] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    no_genre: dict[str, str] = field(default_factory=dict)

    def lineage(self, genre: str) -> tuple[str, ...]:
        """Return the genres from the top one down to `genre`."""
        above = self.parents[genre]
        return (genre,) if above is None else (*self.lineage(above), genre)

    def genre_of(self, text: str) -> str | None:
        """Return the genre that a whole text is a spelling of; None if there is none."""
        key = spelling_key(text)
        if key in self.spellings or key in self.no_genre:
            return self.spellings.get(key)
        shorter = next((key.removesuffix(word) for word in _LAST_WORDS if key.endswith(word)), "")
        return self.spellings.get(shorter)

    def resolve(self, values: Iterable[str]) -> Meaning:
        """Return what the values of a song's genre tag say.

        A value that is a spelling of a genre is not split, unless by ";" or "|"; others are split at any sign between
        their parts. ID3v1's numbers are read, also in brackets, and texts that were read in a wrong encoding.
        """
        genres: dict[str, None] = {}
        unknown: dict[str, None] = {}
        reasons: dict[str, None] = {}
        pieces = (self._rightly_read(piece) for value in values for piece in _VALUES.split(value))
        for part in (part for piece in pieces for text in _texts(piece) for part in self._parts(text)):
            if genre := self.genre_of(part):
                genres[genre] = None
            elif reason := self.no_genre.get(spelling_key(part)):
                reasons[reason] = None
            else:
                unknown[part] = None
        above = {name for genre in genres for name in self.lineage(genre)[:-1]}
        return Meaning(tuple(genre for genre in genres if genre not in above), tuple(unknown), tuple(reasons))

    def _knows(self, text: str) -> bool:
        return self.genre_of(text) is not None or spelling_key(text) in self.no_genre

    def _parts(self, text: str) -> Iterator[str]:
        """Yield the known spellings in a text, the longest first from its start, and the unknown parts."""
        if self._knows(text) or len(text) > LONGEST or _ADDRESS.search(text):
            yield text
            return
        ends = [*(match.span() for match in _SEPARATORS.finditer(text)), (len(text), len(text))]
        starts = [0, *(end for _, end in ends)]
        at = 0
        while at < len(ends):
            runs = range(min(_RUN, len(ends) - at), 0, -1)
            found = next((n for n in runs if self._knows(text[starts[at] : ends[at + n - 1][0]])), 1)
            part = text[starts[at] : ends[at + found - 1][0]].strip()
            if spelling_key(part):
                yield self._rightly_read(part)
            at += found

    def _rightly_read(self, text: str) -> str:
        """Return a text as it was written, if it is a known one that was read in a wrong encoding."""
        if not text.isascii() and not self._knows(text):
            for read, written in _MISREAD:
                try:
                    right = text.encode(read).decode(written)
                except UnicodeError:
                    continue
                if self._knows(right):
                    return right
        return text


def spelling_key(text: str) -> str:
    """Return a text for comparison: letters and digits in lower case, without accents, "and" and "n".

    Of all signs "/" and "," stay, as "/" and inside only: "Jazz/Funk" and "Jazz-Funk" differ.
    """
    signs = "".join(c if unicodedata.category(c)[0] in "LMN" else " /"[c in "/,\\"] for c in folded(text))
    words = [[word for word in part.split() if word not in _SIMPLE_WORDS] or part.split() for part in signs.split("/")]
    return "/".join("".join(part) for part in words if part)


def printable(text: str) -> str:
    """Return a text without control characters and repeated blanks."""
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def _texts(value: str) -> Iterator[str]:
    """Yield the texts of one value of a tag, with ID3v1's numbers as names."""
    text = printable(value)
    if re.fullmatch("[0-9]{1,3}", text):
        text = f"({text})"
    if numbers := _NUMBERS.fullmatch(text):
        yield from map(_numbered, numbers[1][1:-1].split(")("))
        text = numbers[2].strip()
    text = text[1:] if text.startswith("((") else text
    if text:
        yield text


def _numbered(number: str) -> str:
    if not number.isdigit():
        return {"RX": "remix", "CR": "cover"}[number]
    return TCON.GENRES[int(number)] if int(number) < len(TCON.GENRES) else "unknown"
