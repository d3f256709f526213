"""Read the outermost parts of a file: where its sound ends by its own account, and if other files are joined to it."""

import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from genres.audio.header import UNKNOWN_LENGTH
from genres.audio.mpeg import tag_bytes
from genres.core.console import warn

_RIFF: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big", b"FORM": "big"}
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_MATROSKA = b"\x1a\x45\xdf\xa3"

# Beginnings of flv, tta, voc and wv files, of which FFmpeg reads the first of several, and bytes between them.
_READ_ONCE, _BETWEEN = (b"FLV", b"TTA", b"Cre", b"wvp"), 64

_TS_PACKET = 188  # bytes, of MPEG transport streams

# Elements of matroska files: the one around all, those with sound, and the others beside them.
_SEGMENT, _CLUSTER, _BLOCKS = 0x18538067, 0x1F43B675, (0xA3, 0xA0)
_BESIDE = (0x1A45DFA3, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1254C367, 0x1941A469, 0x1043A770, 0xEC, 0xBF)
_IN_CLUSTERS = (0xE7, 0xA7, 0xAB)


# Parts of mp4 files beside the fragments, without sound.
_BESIDE_FRAGMENTS = (b"free", b"skip", b"mfra", b"sidx", b"ssix", b"styp", b"emsg", b"prft", b"udta", b"meta", b"uuid")


class End(NamedTuple):
    """End of the sound: byte, infinite if it is cut off and declares no size; False if a mark of the end is missing."""

    position: float
    marked: bool = True


def end_of_sound(path: Path) -> End | None:
    """Return where the sound of a file ends; None if its outermost parts do not tell."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == b"OggS":
            return _end_of_ogg(data)
        if data[:4] == _MATROSKA:
            return End(_end_of_matroska(data))
        if data[:3] == b"FLV":
            at = data.find(b"filesize\0", 0, 4096)
            declared = struct.unpack(">d", data[at + 9 : at + 17])[0] if 0 < at < len(data) - 17 else 0.0
            if len(data) < declared < math.inf:
                return End(declared)
            return End(_end_of_blocks(data, int.from_bytes(data[5:9], "big") + 4, "big", around=15))
        if data[:19] == b"Creative Voice File":
            return End(_end_of_blocks(data, int.from_bytes(data[20:22], "little"), "little", around=4))
        if data[:1] == data[_TS_PACKET : _TS_PACKET + 1] == data[2 * _TS_PACKET : 2 * _TS_PACKET + 1] == b"G":
            return End(len(data), marked=len(data) % _TS_PACKET == 0)
        if data[:16] == _W64:
            return End(next((end for _, _, end in _parts(data)), len(data)))
        if data[:16] == _ASF:
            return End(_end_of_asf(data))
        if data[:4] == b"caff":
            return End(next((end for name, _, end in _parts(data) if name == b"data"), len(data)))
        if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
            return End(_end_of_avi(data))
        if data[4:8] == b"ftyp":
            return _end_of_fragments(data)
    return None


def warn_of_others(path: Path, seconds: float, position: int | None = None) -> bool:
    """Warn if a file is several files, one behind the other, of which decoders read the first only; return if it is.

    Parameters
    ----------
    path : Path
    seconds : float
        Seconds that were read.
    position : int or None
        Where the decoder ended, in bytes; needed for formats that declare no length in bytes.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = b"ftyp" if data[4:8] == b"ftyp" else data[:4]
        if position is not None and first[:3] in _READ_ONCE:
            position += tag_bytes(data, position)
            is_several = data.find(first, position, position + _BETWEEN) >= 0
        else:
            is_avi = data[8:12] == b"AVI "  # all are read
            is_several = not is_avi and any(start and name[:4] == first for name, start, _ in _parts(data))
    if is_several:
        warn(
            f"{path}: several files joined into one, of which only the first, up to {seconds:.1f} s, is read: split it"
        )
    return is_several


def _parts(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the outermost parts, up to the end of the file or to what is no part."""
    magic = data[:4]
    position = 8 if magic == b"caff" else 0
    while position + 8 <= len(data):
        head = data[position : position + 28]
        name = head[:4]
        if magic in _RIFF:
            length = 8 + int.from_bytes(head[4:8], _RIFF[magic])
            if name == b"RF64":
                length = 8 + int.from_bytes(head[20:28], "little")
            length += length % 2
        elif magic == b"caff":
            declared = int.from_bytes(head[4:12], "big", signed=True)
            length = len(data) - position if declared < 0 else 12 + declared
        elif magic in (_ASF[:4], _W64[:4]):
            name, length = head[:16], int.from_bytes(head[16:24], "little")
            length += -length % 8 if magic == _W64[:4] else 0
        else:
            name, length = head[4:8], int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length or len(data) - position
        if length < 8 or (len(name) == 4 and not name.isascii()) or b"\0\0\0\0" in name[:4]:
            return
        yield name, position, position + length
        position += length


def _end_of_ogg(data: mmap.mmap) -> End:
    page = data.rfind(b"OggS")
    n_segments = int.from_bytes(data[page + 26 : page + 27], "big")
    end = page + 27 + n_segments + sum(data[page + 27 : page + 27 + n_segments])
    if end > len(data):
        return End(math.inf)
    # The place of a packet is that of its page. The last page has a mark; what follows it is no sound.
    is_marked = bool(data[page + 5] & 4)
    return End(page if is_marked else len(data) - (end - page), is_marked)


def _end_of_matroska(data: mmap.mmap) -> float:
    position, end, end_of_segment, name = 0, 0, 0, 0
    while position < len(data):
        name, at = _number(data, position)
        length, content = _number(data, at)
        bits = 7 * (content - at)
        length &= (1 << bits) - 1
        is_known = length != (1 << bits) - 1
        position = content + length
        if name == _SEGMENT and is_known:
            end_of_segment = position
        if name == _SEGMENT or not is_known:
            position = content
        elif name == _CLUSTER or name in _BLOCKS:
            end = position
        elif name not in _BESIDE and name not in _IN_CLUSTERS:
            return end if 0 < end_of_segment <= at else max(end_of_segment, len(data))
    if end_of_segment > len(data):
        return end_of_segment
    return math.inf if end > len(data) else end


def _number(data: mmap.mmap, position: int) -> tuple[int, int]:
    """Return a number of matroska, whose first bits tell its length and are kept, and the position behind it."""
    width = 9 - int.from_bytes(data[position : position + 1], "big").bit_length()
    return int.from_bytes(data[position : position + width], "big"), position + width


def _end_of_asf(data: mmap.mmap) -> int:
    properties = data.find(_ASF_PROPERTIES)
    packet = int.from_bytes(data[properties + 92 : properties + 96], "little") if properties > 0 else 0
    for name, start, end in _parts(data):
        if name == _ASF_DATA and end - start > 50:  # else of a recorder, which did not know the size
            return end - packet  # times and places are those of the packets
    return len(data) - packet


def _end_of_blocks(data: mmap.mmap, position: int, order: Literal["little", "big"], around: int) -> float:
    """Return the end of blocks, each of a type, a length of three bytes, and bytes `around` the content."""
    while position + 4 <= len(data) and 0 < data[position] < 32:
        position += around + int.from_bytes(data[position + 1 : position + 4], order)
    return math.inf if position > len(data) else len(data)


def _end_of_avi(data: mmap.mmap) -> float:
    position, end, is_known = 0, 0, True
    while position + 12 <= len(data):
        head = data[position : position + 12]
        length = int.from_bytes(head[4:8], "little")
        is_open = not 0 < length < UNKNOWN_LENGTH  # of a recorder, which did not know the size
        if head[:4] == b"RIFF" or (head[:4] == b"LIST" and is_open):
            position, is_known = position + 12, is_known and not is_open
            continue
        if not head[:4].isalnum():
            break
        position += 8 + length + length % 2
        if head[8:] == b"movi" or head[:2].isdigit():
            end = position
    if end > len(data) and not is_known:
        return math.inf
    return end or len(data)


def _end_of_fragments(data: mmap.mmap) -> End | None:
    """Return where the sound of an mp4 file of fragments ends; None for others, which declare how long they are."""
    end, behind, is_fragmented, name = 0, 0, False, b""
    for name, _, behind in _parts(data):
        is_fragmented |= name == b"moof"
        if name in (b"moof", b"mdat"):
            end = behind
    if not is_fragmented:
        return None
    if end > len(data):
        return End(math.inf)
    # Junk in place of the rest may look like a part that leads beyond the file.
    is_whole = behind == len(data) or (behind > len(data) and name in _BESIDE_FRAGMENTS)
    return End(end if is_whole else len(data))
