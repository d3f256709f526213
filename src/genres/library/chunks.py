"""Chunks of wav and aiff files: an ID3 tag is one, and a wav file's INFO list another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from genres.library.error import LeftAloneError
from genres.library.form import splice

FORM_HEADER, CHUNK_HEADER = 12, 8  # bytes
TAG_NAMES = (b"id3 ", b"ID3 ", b"ID32")
LIST, INFO, INFO_GENRE = b"LIST", b"INFO", b"IGNR"


@dataclass(frozen=True)
class Chunk:
    """Name, place of the header, and length of the content in bytes."""

    name: bytes
    start: int
    length: int

    @property
    def content_start(self) -> int:
        return self.start + CHUNK_HEADER

    @property
    def end(self) -> int:
        """Place behind the content, which a byte may follow that makes the length even."""
        return self.content_start + self.length


def order_of(head: bytes) -> Literal["little", "big"] | None:
    """Return the order of the bytes of numbers in a wav or aiff file, by its first 12 bytes; None if it is neither."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "little"
    return "big" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def read(file: BinaryIO) -> list[Chunk]:
    """Return the chunks of a file.

    Raises
    ------
    LeftAloneError
        If lengths do not fit the file, as those that a recorder left that was stopped.
    """
    file.seek(0)
    head = file.read(FORM_HEADER)
    order = order_of(head)
    size = file.seek(0, 2)
    if order is None or int.from_bytes(head[4:8], order) + 8 not in (size, size - 1):
        raise LeftAloneError("its header gives another length than the file has")
    chunks, place = [], FORM_HEADER
    while place + CHUNK_HEADER <= size:
        file.seek(place)
        header = file.read(CHUNK_HEADER)
        chunk = Chunk(header[:4], place, int.from_bytes(header[4:], order))
        if chunk.end > size:
            raise LeftAloneError("its last part is cut off")
        chunks.append(chunk)
        place = chunk.end + chunk.length % 2
    return chunks


def tag_of(path: Path) -> tuple[Chunk | None, bytes]:
    """Return the chunk of the ID3 tag, and its content: None and no bytes if there is none."""
    return _only(path, "ID3 tags", lambda chunk, _: chunk.name in TAG_NAMES)


def info_of(path: Path) -> tuple[Chunk | None, bytes]:
    """Return the chunk of the INFO list, and its content: None and no bytes if there is none."""
    return _only(path, "INFO lists", is_info)


def is_info(chunk: Chunk, file: BinaryIO) -> bool:
    if chunk.name != LIST:
        return False
    file.seek(chunk.content_start)
    return file.read(4) == INFO


def _only(path: Path, what: str, is_it: Callable[[Chunk, BinaryIO], bool]) -> tuple[Chunk | None, bytes]:
    with path.open("rb") as file:
        found = [chunk for chunk in read(file) if is_it(chunk, file)]
        if len(found) > 1:
            raise LeftAloneError(f"it has several {what}")
        if not found:
            return None, b""
        file.seek(found[0].content_start)
        return found[0], file.read(found[0].length)


def items_of(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and value of the items of an INFO list, whose content begins with its kind.

    Raises
    ------
    LeftAloneError
        If lengths do not fit.
    """
    place = 4
    while place + CHUNK_HEADER <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        start = place + CHUNK_HEADER
        if start + length > len(content):
            raise LeftAloneError("its INFO list is damaged")
        yield content[place : place + 4], content[start : start + length]
        place = start + length + length % 2


def info_with(content: bytes, genre: str) -> bytes:
    """Return an INFO list with this genre in place of its own."""
    items = [item for item in items_of(content) if item[0] != INFO_GENRE] + [(INFO_GENRE, genre.encode() + b"\0")]
    return INFO + b"".join(
        name + len(value).to_bytes(4, "little") + value + b"\0" * (len(value) % 2) for name, value in items
    )


def put(path: Path, old: Chunk | None, name: bytes, content: bytes) -> None:
    """Write a chunk in the place of another one, or at the end.

    Raises
    ------
    LeftAloneError
        If the file would be larger than its header can tell.
    """
    with path.open("r+b") as file:
        order = order_of(file.read(FORM_HEADER))
        assert order is not None  # its chunks have been read
        size = file.seek(0, 2)
        new = name + len(content).to_bytes(4, order) + content + b"\0" * (len(content) % 2)
        if old is None:
            splice(file, size, size, b"\0" * (size % 2) + new)
        else:
            splice(file, old.start, min(old.end + old.length % 2, size), new)
        size = file.seek(0, 2) - 8
        if size >= 1 << 32:
            raise LeftAloneError("it would be larger than 4 GB")
        file.seek(4)
        file.write(size.to_bytes(4, order))
