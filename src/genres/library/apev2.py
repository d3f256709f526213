"""Change single items of an APEv2 tag at the end of a file; all other items stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genres.library.error import LeftAloneError

FRAME = 32  # bytes of the header and of the footer
MARK = b"APETAGEX"
ID3V1 = 128  # bytes of the tag that may follow
HAS_HEADER, IS_HEADER, KIND = 1 << 31, 1 << 29, 6  # flags of the tag; bits of an item that tell text from others


@dataclass(frozen=True)
class Item:
    """One item as it is in the file: its key in lower case, and all its bytes."""

    key: str
    raw: bytes

    def texts(self) -> list[str]:
        """Return the values of an item of text."""
        value = self.raw[8:].partition(b"\0")[2]
        return value.decode("utf-8", "replace").split("\0") if not self.raw[4] & KIND else []


@dataclass(frozen=True)
class Tag:
    """An APEv2 tag: its items, and where its bytes begin and end in the file."""

    items: tuple[Item, ...]
    start: int
    end: int

    def genres(self) -> list[str]:
        """Return the values of the genre that are not empty."""
        return [text for item in self.items if item.key == "genre" for text in item.texts() if text.strip()]


def read(path: Path) -> Tag:
    """Read the tag of a file; an empty one, where it would be written, if there is none.

    Raises
    ------
    LeftAloneError
        If it is damaged, or of version 1.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - ID3V1))
        if file.read(3) == b"TAG" and end >= ID3V1:
            end -= ID3V1
        file.seek(max(0, end - FRAME))
        footer = file.read(FRAME)
        if footer[:8] != MARK:
            return Tag((), end, end)
        version, size, count, flags = (int.from_bytes(footer[place : place + 4], "little") for place in (8, 12, 16, 20))
        start = end - size - (FRAME if flags & HAS_HEADER else 0)
        if version != 2000 or start < 0 or size < FRAME:
            raise LeftAloneError("its APE tag is damaged, or of an unknown version")
        file.seek(end - size)
        body = file.read(size - FRAME)
    items, place = [], 0
    while place < len(body):
        length = int.from_bytes(body[place : place + 4], "little")
        key, found, _ = body[place + 8 : place + 8 + 256].partition(b"\0")
        behind = place + 8 + len(key) + 1 + length
        if not found or behind > len(body):
            raise LeftAloneError("its APE tag is damaged")
        items.append(Item(key.decode("latin-1").casefold(), body[place:behind]))
        place = behind
    if len(items) != count:
        raise LeftAloneError("its APE tag is damaged")
    return Tag(tuple(items), start, end)


def changed(tag: Tag, texts: Mapping[str, str]) -> bytes:
    """Return the whole tag with these texts, in place of the items of the same keys."""
    own = {key.casefold(): _item(key, text) for key, text in texts.items()}
    left = dict(own)
    raw = [left.pop(item.key, b"") if item.key in own else item.raw for item in tag.items]
    raw = [*filter(None, raw), *left.values()]
    body = b"".join(raw)
    numbers = (2000).to_bytes(4, "little") + (len(body) + FRAME).to_bytes(4, "little") + len(raw).to_bytes(4, "little")
    header, footer = (
        MARK + numbers + flags.to_bytes(4, "little") + bytes(8) for flags in (HAS_HEADER | IS_HEADER, HAS_HEADER)
    )
    return header + body + footer


def _item(key: str, text: str) -> bytes:
    value = text.encode()
    return len(value).to_bytes(4, "little") + bytes(4) + key.encode("ascii") + b"\0" + value
