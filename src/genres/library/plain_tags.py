"""Tags that are changed byte by byte: ID3 of mp3, wav and aiff, and APEv2 of ape and wv."""

from collections.abc import Iterator
from pathlib import Path

from genres.library import apev2, chunks, id3
from genres.library.form import SOURCE, Form, digest_of, splice

_ID3V1 = 128  # bytes
_NO_GENRE = 255  # in ID3v1

# mp3: ID3v2 before the music, perhaps APEv2 and ID3v1 behind it


def _mp3_genres(path: Path) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _ID3V1))
        last = file.read()
    old = ["ID3v1"] if last[:3] == b"TAG" and len(last) == _ID3V1 and last[-1] != _NO_GENRE else []
    return id3.of_file(path).genres() + apev2.read(path).genres() + old


def _write_mp3(path: Path, genre: str, source: str) -> None:
    tag = id3.of_file(path)
    with path.open("r+b") as file:
        splice(file, 0, tag.size, id3.changed(tag, genre, {SOURCE: source}))


def _id3_others(tag: id3.Tag) -> Iterator[bytes]:
    yield b"ID3 2.%d %d" % (tag.version if tag.size else id3.NEW, tag.flags)
    for frame in tag.frames:
        if not tag.is_own(frame, {SOURCE: ""}):
            yield frame.raw


def _id3_source(tag: id3.Tag) -> list[str]:
    name = id3.USER_TEXT[tag.version]
    users = (tag.texts(frame) for frame in tag.frames if frame.name == name)
    return [value for description, *values in users if description.casefold() == SOURCE.casefold() for value in values]


def _mp3_others(path: Path) -> Iterator[bytes]:
    tag = id3.of_file(path)
    yield from _id3_others(tag)
    yield digest_of(path, tag.size)


# wav and aiff: ID3v2 in a chunk; wav also an INFO list, which FFmpeg and Windows read


def _is_wav(path: Path) -> bool:
    with path.open("rb") as file:
        return chunks.order_of(file.read(chunks.FORM_HEADER)) == "little"


def _chunk_tag(path: Path) -> id3.Tag:
    return id3.read(chunks.tag_of(path)[1])


def _chunk_genres(path: Path) -> list[str]:
    info = (value for name, value in chunks.items_of(chunks.info_of(path)[1]) if name == chunks.INFO_GENRE)
    texts = (value.rstrip(b"\0").decode("utf-8", "replace") for value in info)
    return list(dict.fromkeys([*_chunk_tag(path).genres(), *filter(str.strip, texts)]))


def _write_chunk(path: Path, genre: str, source: str) -> None:
    chunk, content = chunks.tag_of(path)
    name = chunk.name if chunk else b"id3 " if _is_wav(path) else b"ID3 "
    chunks.put(path, chunk, name, id3.changed(id3.read(content), genre, {SOURCE: source}))
    if _is_wav(path):
        chunk, content = chunks.info_of(path)
        chunks.put(path, chunk, chunks.LIST, chunks.info_with(content, genre))


def _chunk_others(path: Path) -> Iterator[bytes]:
    yield from _id3_others(_chunk_tag(path))
    yield from (b"INFO" + name + value for name, value in chunks.items_of(chunks.info_of(path)[1]) if name != b"IGNR")
    with path.open("rb") as file:
        found = [chunk for chunk in chunks.read(file) if chunk.name not in chunks.TAG_NAMES]
        found = [chunk for chunk in found if not chunks.is_info(chunk, file)]
    for number, chunk in enumerate(found):
        yield b"%d" % number + chunk.name + digest_of(path, chunk.content_start, chunk.end)


# ape and wv: APEv2 at the end


def _write_ape(path: Path, genre: str, source: str) -> None:
    tag = apev2.read(path)
    with path.open("r+b") as file:
        splice(file, tag.start, tag.end, apev2.changed(tag, {"Genre": genre, SOURCE: source}))


def _ape_source(path: Path) -> list[str]:
    return [text for item in apev2.read(path).items if item.key == SOURCE.casefold() for text in item.texts()]


def _ape_others(path: Path) -> Iterator[bytes]:
    tag = apev2.read(path)
    yield from (item.raw for item in tag.items if item.key not in ("genre", SOURCE.casefold()))
    yield digest_of(path, 0, tag.start)
    yield digest_of(path, tag.end)


MP3 = Form(_mp3_genres, lambda path: _id3_source(id3.of_file(path)), _write_mp3, _mp3_others)
WAV_AND_AIFF = Form(_chunk_genres, lambda path: _id3_source(_chunk_tag(path)), _write_chunk, _chunk_others)
APE = Form(lambda path: apev2.read(path).genres(), _ape_source, _write_ape, _ape_others)
