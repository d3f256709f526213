"""Describe what the package does with the tags of a kind of file."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

SOURCE = "GENRE_SOURCE"  # name of the field that says where the genre comes from
CHUNK = 1 << 20  # bytes that are read at once


class Form(NamedTuple):
    """Functions on files of one kind."""

    genres: Callable[[Path], list[str]]  # those that are not blank
    source: Callable[[Path], list[str]]
    write: Callable[[Path, str, str], None]  # genre and source, in place
    others: Callable[[Path], Iterator[bytes]]  # all parts, or their digests, that are neither of these, nor padding


def digest_of(path: Path, start: int, end: int | None = None) -> bytes:
    """Return the SHA-256 of a part of a file, by default to its end."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        left = (file.seek(0, 2) if end is None else end) - start
        file.seek(start)
        while left > 0 and (part := file.read(min(left, CHUNK))):
            digest.update(part)
            left -= len(part)
    return digest.digest()


def splice(file: BinaryIO, start: int, end: int, new: bytes) -> None:
    """Replace the bytes of an open file from `start` to `end`; what is behind moves, piece by piece."""
    size, shift = file.seek(0, 2), len(new) - (end - start)
    pieces = range(end, size, CHUNK) if shift else range(0)
    for place in reversed(pieces) if shift > 0 else pieces:
        file.seek(place)
        part = file.read(min(CHUNK, size - place))
        file.seek(place + shift)
        file.write(part)
    file.seek(start)
    file.write(new)
    file.truncate(size + shift)
