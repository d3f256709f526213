"""No tag but the genre and its source changes, whatever tags a song has."""

import base64
import shutil
import tempfile
from pathlib import Path

import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.asf import ASF, ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, PRIV, TALB, TCON, TPE1, TXXX, UFID
from mutagen.mp4 import MP4, MP4Cover, MP4FreeForm
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from genres.library import undo
from genres.library.change import genres_of, write
from genres.library.id3 import read
from genres.library.replace import signature
from genres.library.undo import Journal

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
KEY = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ _"), min_size=2, max_size=12).filter(
    lambda name: name.strip() == name and name not in ("GENRE", "GENRE_SOURCE", "TAG", "ID3", "MP+", "OGGS")
)
BYTES = st.binary(min_size=1, max_size=3000)
FEW = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
GENRES = st.lists(TEXT.map(lambda text: f"x{text}"), max_size=3)
TEXTS = st.dictionaries(KEY, st.lists(TEXT, min_size=1, max_size=3), max_size=4)


def picture(data: bytes) -> Picture:
    cover = Picture()
    cover.type, cover.mime, cover.data = 3, "image/png", data
    return cover


def put_id3(path: Path, texts: dict, cover: bytes, genres: list[str], version: int) -> None:
    tags = ID3()
    tags.add(APIC(encoding=0, mime="image/png", type=3, desc="front", data=cover))
    tags.add(PRIV(owner="somebody", data=cover[::-1]))
    tags.add(UFID(owner="http://somewhere", data=b"\xff\x00\xff\xe0"))
    tags.add(TALB(encoding=1 if version == 3 else 3, text=["Album"]))
    for name, values in texts.items():
        tags.add(TXXX(encoding=1, desc=name, text=values))
        tags.add(COMM(encoding=1, lang="deu", desc=name, text=values))
    tags.add(TPE1(encoding=1, text=[value for values in texts.values() for value in values] or ["one"]))
    if genres:
        tags.add(TCON(encoding=1, text=genres))
    tags.save(path, v2_version=version)


def id3_frames(path: Path) -> list[bytes]:
    data = path.read_bytes()
    start = max(data.find(b"ID3\x03"), data.find(b"ID3\x04"))
    return [
        frame.raw for frame in read(data[start:]).frames if not (frame.name == b"TCON" or b"GENRE_SOURCE" in frame.raw)
    ]


def put_vorbis(kind):
    def put(path: Path, texts: dict, cover: bytes, genres: list[str], version: int) -> None:
        file = kind(path)
        for name, values in texts.items():
            file[name] = values
        if kind is FLAC:
            file.add_picture(picture(cover))
        else:
            file["METADATA_BLOCK_PICTURE"] = base64.b64encode(picture(cover).write()).decode()
        if genres:
            file["genre"] = genres
        file.save()

    return put


def vorbis_tags(path: Path):
    file = mutagen.File(path)
    comments = [item for item in file.tags if item[0].lower() not in ("genre", "genre_source")]
    return comments, [image.write() for image in getattr(file, "pictures", [])], file.tags.vendor


def put_mp4(path: Path, texts: dict, cover: bytes, genres: list[str], version: int) -> None:
    file = MP4(path)
    for name, values in texts.items():
        file[f"----:com.apple.iTunes:{name}"] = [MP4FreeForm(value.encode()) for value in values]
    file["covr"], file["trkn"], file["cpil"] = [MP4Cover(cover, MP4Cover.FORMAT_PNG)], [(3, 12)], True
    if genres:
        file["\xa9gen"] = genres
    file.save()


def mp4_tags(path: Path):
    return {
        name: [bytes(one) if isinstance(one, bytes) else one for one in (value if isinstance(value, list) else [value])]
        for name, value in MP4(path).tags.items()
        if name != "\xa9gen" and "GENRE_SOURCE" not in name
    }


def put_ape(path: Path, texts: dict, cover: bytes, genres: list[str], version: int) -> None:
    tags = APEv2()
    for name, values in texts.items():
        tags[name] = values
    tags["Cover Art (Front)"] = b"cover.png\0" + cover
    if genres:
        tags["Genre"] = genres
    tags.save(path)


def ape_tags(path: Path):
    tags = APEv2(path)
    return {name: (tag.kind, tag.value) for name, tag in tags.items() if name.lower() not in ("genre", "genre_source")}


def put_asf(path: Path, texts: dict, cover: bytes, genres: list[str], version: int) -> None:
    file = ASF(path)
    for name, values in texts.items():
        file[name] = values
    file["WM/Picture"] = ASFByteArrayAttribute(cover)
    file["WM/TrackNumber"] = 3
    if genres:
        file["WM/Genre"] = genres
    file.save()


def asf_tags(path: Path):
    return sorted(
        (name, value.TYPE, value.value) for name, value in ASF(path).tags if name not in ("WM/Genre", "GENRE_SOURCE")
    )


KINDS = {
    "bare.mp3": (put_id3, id3_frames),
    "song.flac": (put_vorbis(FLAC), vorbis_tags),
    "song.ogg": (put_vorbis(OggVorbis), vorbis_tags),
    "song.opus": (put_vorbis(OggOpus), vorbis_tags),
    "song.m4a": (put_mp4, mp4_tags),
    "song.wv": (put_ape, ape_tags),
    "song.ape": (put_ape, ape_tags),
    "song.wma": (put_asf, asf_tags),
}


@pytest.mark.parametrize("name", KINDS)
@FEW
@given(
    texts=TEXTS,
    cover=BYTES,
    genres=st.lists(TEXT.map(lambda text: f"x{text}"), max_size=3),
    version=st.sampled_from([3, 4]),
)
def test_other_tags_stay(originals, name, texts, cover, genres, version):
    put, tags_of = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "music", name)
        path.parent.mkdir()
        shutil.copy(originals / name, path)
        put(path, texts, cover, genres, version)
        before, tags = path.read_bytes(), tags_of(path)
        assert bool(genres_of(path)) == bool(genres)
        journal = Journal(Path(folder, "undo.jsonl"), path.parent)
        write(path, signature(path), "rock", "of a test", journal)
        assert tags_of(path) == tags
        assert genres_of(path) == ["rock"]
        (entry,) = undo.entries(journal.path)
        assert undo.restore(entry)
        assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["song.wav", "song.aiff"])
@FEW
@given(texts=TEXTS, cover=BYTES, version=st.sampled_from([3, 4]))
def test_other_frames_of_chunks_stay(originals, name, texts, cover, version):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "music", name)
        path.parent.mkdir()
        shutil.copy(originals / name, path)
        file = mutagen.File(path)
        if file.tags is None:
            file.add_tags()
        for text, values in texts.items():
            file.tags.add(TXXX(encoding=1, desc=text, text=values))
        file.tags.add(APIC(encoding=0, mime="image/png", type=3, desc="front", data=cover))
        file.tags.save(path, v2_version=version)
        before, frames = path.read_bytes(), id3_frames(path)
        journal = Journal(Path(folder, "undo.jsonl"), path.parent)
        write(path, signature(path), "rock", "of a test", journal)
        assert id3_frames(path) == frames
        (entry,) = undo.entries(journal.path)
        assert undo.restore(entry)
        assert path.read_bytes() == before
