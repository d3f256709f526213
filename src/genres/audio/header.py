"""Read what headers declare about the length of a file, and compare it with the file.

Decoders believe these headers: libsndfile silently shortens a truncated wav file, and both decoders end where a wav
file's header says that the samples end, also if a recorder crashed before it could write the true length.
"""

from enum import Enum
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

# Larger sizes are placeholders of programs that write to a pipe: SoX 0x7FFFF000, FFmpeg 0xFFFFFFFF.
UNKNOWN_LENGTH = 0x7FFFF000

# Bytes behind the samples that are neither samples nor metadata; a fifth of a second of a CD.
_PADDING_BYTES = 1 << 15

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}


class Trust(Enum):
    """Trust in the length of the samples that a header declares."""

    TRUE = "the samples fill the file, but for metadata"
    UNKNOWN = "no length is declared, or there are more samples behind it"
    TOO_LONG = "the file has less"
    UNTESTED = "another format"


class Declared(NamedTuple):
    """Length of the samples that a header declares, compared with the size of the file."""

    trust: Trust
    length: int = 0  # bytes


def length_of_samples(path: Path) -> Declared:
    """Compare the header of a wav, aiff or au file with the size of the file; UNTESTED for other formats."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b".snd":
            start, samples = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
            if samples == 0 or samples >= UNKNOWN_LENGTH or start + samples < size - _PADDING_BYTES:
                return Declared(Trust.UNKNOWN)
            return Declared(Trust.TRUE if start + samples <= size else Trust.TOO_LONG, samples)
        if head[:4] not in _ORDERS:
            return Declared(Trust.UNTESTED)
        position, samples = 12, 0
        while size - position >= 8:
            name, length = _chunk(file, position, _ORDERS[head[:4]])
            if samples and not (_is_name(name) and position + 8 + length <= size + 1):
                is_padding = size - position <= _PADDING_BYTES or _is_zero(file, position)
                return Declared(Trust.TRUE if is_padding else Trust.UNKNOWN, samples)
            if name in (b"data", b"SSND"):
                if length == 0 or length >= UNKNOWN_LENGTH:
                    return Declared(Trust.UNKNOWN)
                samples = length
            position += 8 + length
            # Chunks have even lengths, but some programs forget the byte that is needed for it.
            if length % 2 and not _is_name(_chunk(file, position, "big")[0]):
                position += 1
        return Declared(Trust.TRUE if samples and position <= size + 1 else Trust.TOO_LONG, samples)


def _chunk(file: BinaryIO, position: int, order: Literal["little", "big"]) -> tuple[bytes, int]:
    """Return the name and the length of the chunk at a position."""
    file.seek(position)
    head = file.read(8)
    return head[:4], int.from_bytes(head[4:], order)


def _is_zero(file: BinaryIO, position: int) -> bool:
    """Return True if all bytes from a position on are 0, as where a file is padded to whole blocks of a disk."""
    file.seek(position)
    return not any(part.strip(b"\0") for part in iter(lambda: file.read(1 << 16), b""))


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)
