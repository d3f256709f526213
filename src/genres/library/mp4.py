"""Parts of an mp4 file that writing a tag leaves as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from genres.library.error import LeftAloneError
from genres.library.form import digest_of

HEADER = 8  # bytes
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"meta", b"ilst")
_ITEMS, _META = (b"moov", b"udta", b"meta", b"ilst"), (b"moov", b"udta", b"meta")
# Places in the file, which move with the tag, and empty space.
_MOVING = (b"stco", b"co64", b"tfhd", b"free", b"skip")


def others(path: Path, own: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield a digest of each part of a file but those that move, with the names of the parts around it.

    Parameters
    ----------
    path : Path
    own : tuple of bytes
        Beginnings of the names of tags that are left out, of those with names of their own followed by these.

    Raises
    ------
    LeftAloneError
        If lengths do not fit the file.
    """
    with path.open("rb") as file:
        for names, start, end in _leaves(file, (), 0, file.seek(0, 2)):
            if names[-1] in _MOVING or (names[:3] == _META and names[:4] != _ITEMS):
                continue
            if names[:-1] == _ITEMS and _name(file, names[-1], start, end) in own:
                continue
            yield b"/".join(names) + b" " + digest_of(path, start, end)


def _leaves(
    file: BinaryIO, around: tuple[bytes, ...], start: int, end: int
) -> Iterator[tuple[tuple[bytes, ...], int, int]]:
    """Yield the names, start and end of the content of each part that is none of several parts."""
    while start + HEADER <= end:
        file.seek(start)
        head = file.read(2 * HEADER)
        size, name, header = int.from_bytes(head[:4], "big"), head[4:8], HEADER
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 2 * HEADER
        elif size == 0 and not around:
            size = end - start
        if size < header or start + size > end:
            if around and around[-1] == b"udta":  # which may end with four zeros
                return
            raise LeftAloneError("its parts are damaged or cut off")
        names = (*around, name)
        if name in _CONTAINERS and around == _CONTAINERS_OF.get(name, around) and around[-1:] != (b"ilst",):
            yield from _leaves(file, names, start + header + (4 if name == b"meta" else 0), start + size)
        else:
            yield names, start + header, start + size
        start += size


_CONTAINERS_OF = {b"meta": (b"moov", b"udta"), b"ilst": _META, b"moov": ()}


def _name(file: BinaryIO, name: bytes, start: int, end: int) -> bytes:
    """Return the name of a tag; of one with a name of its own, that name in lower case."""
    if name != b"----":
        return name
    file.seek(start)
    content = file.read(min(end - start, 4096))
    place = content.find(b"name")
    length = int.from_bytes(content[place - 4 : place], "big") if place >= 4 else 0
    return name + b":" + content[place + 8 : place - 4 + length].lower()
