"""Read the frames' headers of mp3 files: the duration that the first one declares, and if all others are there."""

import mmap
from pathlib import Path
from typing import NamedTuple

_RATES = (44100, 48000, 32000)  # Hz, of MPEG 1; half of it in MPEG 2, a quarter in MPEG 2.5
_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class _Info(NamedTuple):
    """The first frame: its position, the number of frames behind it, samples in each, samples of padding."""

    position: int
    frames: int
    per_frame: int
    padding: int


def declared_seconds(path: Path, sample_rate: int) -> float | None:
    """Return the duration that the first frame of an mp3 file declares; None if it has no number of frames."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        info = _info(data)
    return None if info is None else (info.frames * info.per_frame - info.padding) / sample_rate


def is_whole(path: Path) -> bool:
    """Return True if an mp3 file has the frames that it declares, all of one kind, and nothing but tags around them."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        info = _info(data)
        if info is None or (kind := _kind(data[info.position : info.position + 4])) is None:
            return False
        position, sizes, end = info.position, _frame_sizes(kind), len(data)
        frames = -1  # the first frame has no sound
        while position + 4 <= end:
            head = data[position : position + 4]
            size = sizes.get(head[2] >> 1) if _kind(head) == kind else None
            if size is None:
                break
            position, frames = position + size, frames + 1
        # Some programs count the first frame, too.
        return info.frames - frames in (0, 1) and position + tag_bytes(data, position) == end


def frame_bytes(head: bytes) -> int:
    """Return the length of a frame of layer III by its header; 0 if it is none."""
    kind = _kind(head)
    return 0 if kind is None else _frame_sizes(kind).get(head[2] >> 1, 0)


def tag_bytes(data: bytes | mmap.mmap, position: int = 0) -> int:
    """Return the length of the tags at a position, of ID3v2, APEv2, Lyrics3 and ID3v1."""
    start = position
    while True:
        head = data[position : position + 32]
        if head[:3] == b"ID3" and len(head) >= 10:
            position += _id3_bytes(head)
        elif head[:8] == b"APETAGEX":
            position += 32 + int.from_bytes(head[12:16], "little")
        elif head[:3] == b"TAG":
            position += 128
        elif head[:11] == b"LYRICSBEGIN":
            ends = [data.find(mark, position) for mark in (b"LYRICS200", b"LYRICSEND")]
            if max(ends) < 0:
                return position - start
            position = max(ends) + 9
        else:
            return position - start


def _id3_bytes(head: bytes) -> int:
    """Return the length of an ID3v2 tag by its header, whose size has seven bits a byte."""
    return 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))


def _info(data: mmap.mmap) -> _Info | None:
    position = 0
    while (head := data[position : position + 10])[:3] == b"ID3":
        position += _id3_bytes(head)
    frame = data[position : position + 210]
    per_frame = 1152 if frame[1:2] > b"\xf7" else 576  # MPEG 1, MPEG 2
    vbri, xing = frame.find(b"VBRI"), max(frame.find(b"Xing"), frame.find(b"Info"))
    if vbri >= 0:
        return _Info(position, int.from_bytes(frame[vbri + 14 : vbri + 18], "big"), per_frame, 0)
    if xing < 0 or not frame[xing + 7] & 1:  # a flag says if the number of frames is there
        return None
    # The fields of all flags are followed by LAME's, with the padding at the start and at the end in 12 bits each.
    lame = xing + 8 + sum(size for flag, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if frame[xing + 7] & flag)
    padding = int.from_bytes(frame[lame + 21 : lame + 24], "big") if frame[lame : lame + 4].isalpha() else 0
    frames = int.from_bytes(frame[xing + 8 : xing + 12], "big")
    return _Info(position, frames, per_frame, (padding >> 12) + (padding & 0xFFF))


def _kind(head: bytes) -> tuple[int, int, bool] | None:
    """Return what all frames have in common: version, sample rate, mono; None if it is no header of layer III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 0x08 or head[2] & 0x0C == 0x0C:
        return None
    return head[1] & 0x18, head[2] & 0x0C, head[3] >> 6 == 3


def _frame_sizes(kind: tuple[int, int, bool]) -> dict[int, int]:
    """Return bytes by the third byte of the header, shifted by one bit, of frames of a kind."""
    version, rate_bits, _ = kind
    rate = _RATES[rate_bits >> 2] // {0x18: 1, 0x10: 2, 0x00: 4}[version]
    return {
        index << 3 | rate_bits >> 1 | padded: (144 if version == 0x18 else 72) * 1000 * kbits // rate + padded
        for index, kbits in enumerate(_KBITS[1 if version == 0x18 else 2])
        for padded in (0, 1)
        if kbits
    }
