"""Change single frames of an ID3v2 tag; all other bytes of the tag stay as they are.

mutagen would write all frames anew, in its own order and encodings, and lose those that it does not know.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genres.library.error import LeftAloneError

GENRE = {2: b"TCO", 3: b"TCON", 4: b"TCON"}
USER_TEXT = {2: b"TXX", 3: b"TXXX", 4: b"TXXX"}
NEW = 3  # version of a tag that was not there: 2.3 is what most players read
HEADER = 10  # bytes of a tag's header
FRAME_HEADER = {2: 6, 3: 10, 4: 10}
PADDING = 1024  # bytes behind the frames of a tag that has to grow
LONGEST = 127  # bytes of a frame's content, up to which both ways of writing sizes in version 2.4 are equal

UNSYNCHRONISED, EXTENDED, FOOTER = 0x80, 0x40, 0x10
_ENCODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


@dataclass(frozen=True)
class Frame:
    """One frame as it is in the file: identifier, and all bytes, header included."""

    name: bytes
    raw: bytes


@dataclass(frozen=True)
class Tag:
    """An ID3v2 tag: version (2, 3 or 4), flags, frames, and its size in the file with header and padding."""

    version: int = NEW
    flags: int = 0
    frames: tuple[Frame, ...] = ()
    size: int = 0

    def texts(self, frame: Frame) -> list[str]:
        """Return the texts of a frame: values, after the description in a text of the user."""
        content = frame.raw[FRAME_HEADER[self.version] :]
        text = content[1:].decode(_ENCODINGS.get(content[0] if content else 0, "latin-1"), "replace")
        return [part.strip("\ufeff") for part in text.split("\0")]

    def genres(self) -> list[str]:
        """Return the values of all frames of the genre that are not empty."""
        frames = (frame for frame in self.frames if frame.name == GENRE[self.version])
        return [text for frame in frames for text in self.texts(frame) if text.strip()]

    def is_own(self, frame: Frame, names: Mapping[str, str]) -> bool:
        """Return True for the genre, and for a text of the user with one of these names."""
        if frame.name == USER_TEXT[self.version]:
            return self.texts(frame)[0].casefold() in {name.casefold() for name in names}
        return frame.name == GENRE[self.version]


def size_of(header: bytes) -> int:
    """Return the size of the tag with this header (10 bytes); 0 if it is none."""
    return HEADER + _number(header[6:10], 7) if header[:3] == b"ID3" and len(header) == HEADER else 0


def read(data: bytes) -> Tag:
    """Read the tag that `data` begins with; an empty one of version 2.3 if there is none.

    Raises
    ------
    LeftAloneError
        If it has parts that cannot be kept as they are.
    """
    size = size_of(data[:HEADER])
    if not size:
        return Tag()
    version, flags = data[3], data[5]
    if version not in GENRE or max(data[6:HEADER]) > 127:
        raise LeftAloneError(f"its ID3 tag is damaged, or of the unknown version 2.{version}")
    if flags & (FOOTER | EXTENDED):
        raise LeftAloneError("its ID3 tag has an extended header, a footer or is compressed")
    if len(data) < size:
        raise LeftAloneError("its ID3 tag is cut off")
    body = data[HEADER:size]
    if flags & UNSYNCHRONISED and version < 4:  # in version 2.4 it is a matter of each frame
        plain = body.replace(b"\xff\x00", b"\xff")
        if _unsynchronised(plain) != body:
            raise LeftAloneError("its ID3 tag is unsynchronised in an unusual way")
        body = plain
    # Programs have written sizes of version 2.4 as in 2.3.
    for bits in (7, 8) if version == 4 else (8,):
        try:
            return Tag(version, flags, tuple(_frames(body, version, bits)), size)
        except LeftAloneError as error:
            problem = error
    raise problem


def of_file(path: Path) -> Tag:
    """Read the tag that a file begins with: see :func:`read`."""
    with path.open("rb") as file:
        size = size_of(file.read(HEADER))
        file.seek(0)
        return read(file.read(size))


def _number(digits: bytes, bits: int) -> int:
    value = 0
    for digit in digits:
        value = value << bits | digit
    return value


def _unsynchronised(data: bytes) -> bytes:
    return re.sub(rb"\xff(?=[\x00\xe0-\xff]|\Z)", b"\xff\x00", data)


def _frames(body: bytes, version: int, bits: int) -> Iterator[Frame]:
    header, letters = FRAME_HEADER[version], 3 if version == 2 else 4
    place = 0
    while place < len(body) and body[place]:
        name, digits = body[place : place + letters], body[place + letters : place + letters + min(letters, 4)]
        end = place + header + _number(digits, bits)
        if not re.fullmatch(rb"[A-Z][A-Z0-9]{2,3}[ ]?", name) or end > len(body) or (bits == 7 and max(digits) > 127):
            raise LeftAloneError("its ID3 tag has bytes that are no frames")
        yield Frame(name, body[place:end])
        place = end
    if body[place:].strip(b"\0"):
        raise LeftAloneError("its ID3 tag has bytes behind its frames")


def changed(tag: Tag, genre: str, texts: Mapping[str, str]) -> bytes:
    """Return the whole tag with this genre and these texts of the user, in place of all that it had of either.

    It takes as many bytes as before if its padding suffices.

    Raises
    ------
    LeftAloneError
        If a text is too long.
    """
    own = _frame(tag.version, GENRE[tag.version], genre)
    own += b"".join(_frame(tag.version, USER_TEXT[tag.version], *pair) for pair in texts.items())
    is_own = [tag.is_own(frame, texts) for frame in tag.frames]
    place = is_own.index(True) if any(is_own) else len(tag.frames)
    kept = [frame.raw for frame, ours in zip(tag.frames, is_own, strict=True) if not ours]
    body = b"".join([*kept[:place], own, *kept[place:]])
    if tag.flags & UNSYNCHRONISED and tag.version < 4:
        body = _unsynchronised(body)
    room = tag.size - HEADER
    if len(body) > room:
        room = len(body) + PADDING
    size = bytes(room >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([tag.version, 0, tag.flags]) + size + body.ljust(room, b"\0")


def _frame(version: int, name: bytes, *texts: str) -> bytes:
    """Return a frame of texts, in the simplest encoding that its version has for them."""
    if all(text.isascii() for text in texts):
        content = b"\x00" + "\0".join(texts).encode("ascii")
    elif version == 4:
        content = b"\x03" + "\0".join(texts).encode()
    else:  # each text with its own mark of the byte order
        content = b"\x01" + b"\0\0".join(text.encode("utf-16") for text in texts)
    if len(content) > LONGEST:
        raise LeftAloneError(f"the genre or its source is too long for its tag: '{texts[-1]}'")
    length, flags = (3, b"") if version == 2 else (4, b"\0\0")
    return name + len(content).to_bytes(length, "big") + flags + content
