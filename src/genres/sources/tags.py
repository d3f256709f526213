"""Read artist, title, ISRC, album and genre from the tags of a file, whatever kind they are of."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3

from genres.core.names import clean_isrc, known_artists

# Names in ID3, Vorbis comments and APEv2, MP4, ASF, and RIFF's INFO list, in lower case.
_NAMES = {
    "artist": ("tpe1", "artist", "©art", "author", "iart"),
    "album artist": ("tpe2", "albumartist", "album artist", "album_artist", "aart", "wm/albumartist"),
    "title": ("tit2", "title", "©nam", "inam"),
    "isrc": ("tsrc", "isrc", "txxx:isrc", "----:com.apple.itunes:isrc", "wm/isrc"),
    "album": ("talb", "album", "©alb", "wm/albumtitle", "iprd"),
    "genre": ("tcon", "genre", "©gen", "wm/genre", "ignr"),
}

# Containers of which mutagen reads no tags, or not all.
_CONTAINERS = "aac,au,avi,caf,flv,matroska,mpegts,voc,w64,wav"


# Kinds of file that may have an APEv2 tag beside an ID3 tag.
_TWO_TAGS = (".aac", ".mp2", ".mp3", ".mpa", ".mpga", ".tta")


@dataclass(frozen=True)
class SongTags:
    """Hold what the tags of a file say; empty where they say nothing."""

    artist: str = ""
    title: str = ""
    isrc: str = ""
    album: str = ""
    album_artist: str = ""
    genres: tuple[str, ...] = ()
    ape_genres: tuple[str, ...] = ()  # of an APEv2 tag beside an ID3 tag


def read_tags(path: Path) -> dict[str, str]:
    """Return artist, title and isrc of a file; empty if it has no tags or they cannot be read.

    Several artists, and the album's, are joined by "; ". A placeholder such as "Various Artists" is left out, unless
    there is nothing else.
    """
    return _names(_found(path, ("artist", "title")))


def read_song_tags(path: Path) -> SongTags:
    """Return what the tags of a file say, with its album and genre; artists as in :func:`read_tags`."""
    found = _found(path, ("artist", "title", "genre"))
    ape = _read(APEv2, path) if path.suffix.lower() in _TWO_TAGS else {}
    return SongTags(
        **_names(found),
        album=next(iter(found.get("album", [])), ""),
        album_artist=next(iter(found.get("album artist", [])), ""),
        genres=tuple(found.get("genre", [])),
        ape_genres=tuple(ape.get("genre", [])),
    )


def _found(path: Path, wanted: Iterable[str]) -> dict[str, list[str]]:
    """Return the values by our names, of the first kind of tag that has them; read on until all wanted are found."""
    found: dict[str, list[str]] = {}
    for reader in (mutagen.File, ID3, APEv2, _with_ffmpeg):
        found = _read(reader, path) | found
        if all(name in found for name in wanted):
            break
    return found


def _read(reader: Any, path: Path) -> dict[str, list[str]]:
    found = {}
    with suppress(Exception):  # of damaged files; what was read before stays
        for name, values in _values(reader(path)):
            found[name] = values
    return found


def _names(found: dict[str, list[str]]) -> dict[str, str]:
    text = ";".join(found.get("artist", []) + found.get("album artist", []))
    artists = known_artists(text) or (text,)
    isrc = next(filter(None, map(clean_isrc, found.get("isrc", []))), "")
    return {"artist": "; ".join(artists), "title": next(iter(found.get("title", [])), ""), "isrc": isrc}


def _values(tags: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield our name and the values, without outer blanks, of each tag that is wanted."""
    present = {str(key).casefold(): value for key, value in dict(tags or {}).items()}
    for name, names in _NAMES.items():
        for key in names:
            if key in present and (values := [*filter(None, map(_text, _listed(present[key])))]):
                yield name, values
                break


def _listed(value: Any) -> list[Any]:
    """Return the values of a tag: of an ID3 frame, of APEv2's, or of a list."""
    value = getattr(value, "text", value)
    return [value] if isinstance(value, str | bytes) else [*value]


def _text(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    # A half of a surrogate pair cannot be written to a table.
    return text.encode(errors="replace").decode().replace("\0", ";").strip().strip(";")


def _with_ffmpeg(path: Path) -> dict[str, list[str]]:
    import av  # loads 60 MB of FFmpeg, which most data sets never need

    # Read as Latin-1, which takes any byte, to try UTF-8 first: INFO lists of wav files do not say what they are in.
    options = {"format_whitelist": _CONTAINERS}
    with av.open(f"file:{path}", options=options, metadata_encoding="latin-1") as container:
        tags = {**container.streams.audio[0].metadata, **container.metadata}
    return {key: [_decoded(value.encode("latin-1"))] for key, value in tags.items()}


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")
