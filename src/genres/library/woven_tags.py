"""Tags that are woven into the container, so that mutagen writes them: FLAC, Ogg, MP4 and ASF."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mutagen.asf import ASF
from mutagen.flac import FLAC
from mutagen.mp4 import MP4, MP4FreeForm
from mutagen.ogg import OggPage
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from genres.library import id3, mp4
from genres.library.error import LeftAloneError
from genres.library.form import SOURCE, Form, digest_of

MP4_SOURCE = f"----:org.music-genres:{SOURCE}"
_VORBIS_OWN = ("genre", SOURCE.casefold())
_MP4_OWN = (b"\xa9gen", b"gnre", f"----:{SOURCE}".lower().encode())
_ASF_OWN = ("wm/genre", "wm/genreid", SOURCE.casefold())


def _music(path: Path) -> bytes:
    """Return a digest of the encoded audio: all packets with their times, wherever they are in the file."""
    import av  # loads 60 MB of FFmpeg

    digest = hashlib.sha256()
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        for packet in container.demux(container.streams.audio):
            digest.update(f"{packet.stream_index} {packet.pts} {packet.size}".encode())
            digest.update(bytes(packet))
    return digest.digest()


# FLAC, Ogg Vorbis and Opus: Vorbis comments


def _vorbis(kind: type[Any], rest: Callable[[Path], Iterator[bytes]]) -> Form:
    def write(path: Path, genre: str, source: str) -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        file.tags["GENRE"], file.tags[SOURCE] = genre, source
        file.save()

    return Form(
        lambda path: [*_vorbis_values(kind, path, "genre"), *id3.of_file(path).genres()],  # ID3 before some FLAC files
        lambda path: _vorbis_values(kind, path, SOURCE),
        write,
        rest,
    )


def _vorbis_values(kind: type[Any], path: Path, name: str) -> list[str]:
    return [*filter(str.strip, (kind(path).tags or {}).get(name, []))]


def _comments(data: bytes) -> Iterator[bytes]:
    """Yield the comments of a block but our own, and what is behind them, without regard to padding."""
    place = 4 + int.from_bytes(data[:4], "little")
    number = int.from_bytes(data[place : place + 4], "little")
    place += 4
    for _ in range(number):
        end = place + 4 + int.from_bytes(data[place : place + 4], "little")
        comment = data[place + 4 : end]
        if end > len(data):
            raise LeftAloneError("its tag is damaged")
        if comment.partition(b"=")[0].lower().decode("latin-1") not in _VORBIS_OWN:
            yield b"comment " + comment
        place = end
    if behind := data[place:].rstrip(b"\0"):
        yield b"behind " + behind


def _flac_others(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        prefix = id3.size_of(file.read(id3.HEADER))
        file.seek(prefix + 4)
        last = False
        while not last:
            head = file.read(4)
            last, kind, length = bool(head[0] & 128), head[0] & 127, int.from_bytes(head[1:], "big")
            block = file.read(length)
            if len(head) < 4 or len(block) < length:
                raise LeftAloneError("its header is cut off")
            if kind == 4:
                yield from _comments(block)
            elif kind != 1:  # padding
                yield b"%d" % kind + block
        music = file.tell()
    yield digest_of(path, 0, prefix)
    yield digest_of(path, music)


def _ogg_others(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        pages = [OggPage(file)]
        is_opus = pages[0].packets[0].startswith(b"OpusHead")
        while len(packets := _whole(pages)) < (2 if is_opus else 3):
            page = OggPage(file)
            if page.serial != pages[0].serial:
                raise LeftAloneError("it has several streams")
            pages.append(page)
    yield packets[0]
    yield from _comments(packets[1][8:] if is_opus else packets[1][7:])
    if not is_opus:
        yield packets[2]
    yield _music(path)  # not the bytes, since pages may be numbered anew


def _whole(pages: list[OggPage]) -> list[bytes]:
    packets = OggPage.to_packets(pages)
    return packets if pages[-1].complete else packets[:-1]


# MP4


def _mp4_genres(path: Path) -> list[str]:
    return [*filter(str.strip, (MP4(path).tags or {}).get("\xa9gen", []))]


def _mp4_source(path: Path) -> list[str]:
    return [bytes(value).decode("utf-8", "replace") for value in (MP4(path).tags or {}).get(MP4_SOURCE, [])]


def _write_mp4(path: Path, genre: str, source: str) -> None:
    file = MP4(path)
    if file.tags is None:
        file.add_tags()
    file.tags["\xa9gen"], file.tags[MP4_SOURCE] = [genre], [MP4FreeForm(source.encode())]
    file.save()


def _mp4_others(path: Path) -> Iterator[bytes]:
    yield from mp4.others(path, _MP4_OWN)
    yield _music(path)


# ASF: wma


def _asf_values(path: Path, name: str) -> list[str]:
    return [text for key, value in ASF(path).tags if key.casefold() == name.casefold() and (text := str(value)).strip()]


def _write_asf(path: Path, genre: str, source: str) -> None:
    file = ASF(path)
    for key in {key for key, _ in file.tags if key.casefold() in _ASF_OWN}:
        del file.tags[key]
    file.tags["WM/Genre"], file.tags[SOURCE] = genre, source
    file.save()


def _asf_others(path: Path) -> Iterator[bytes]:
    for key, value in ASF(path).tags:
        if key.casefold() not in _ASF_OWN:
            content = value.value if isinstance(value.value, bytes) else str(value.value).encode()
            yield b"%s %d %s" % (key.encode(), value.TYPE, content)
    yield _music(path)


FLAC_FORM = _vorbis(FLAC, _flac_others)
VORBIS_FORM, OPUS_FORM = _vorbis(OggVorbis, _ogg_others), _vorbis(OggOpus, _ogg_others)
MP4_FORM = Form(_mp4_genres, _mp4_source, _write_mp4, _mp4_others)
ASF_FORM = Form(
    lambda path: _asf_values(path, "WM/Genre"), lambda path: _asf_values(path, SOURCE), _write_asf, _asf_others
)
