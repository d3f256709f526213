"""Name the album of each song, so that its songs share a fold: they share a recording studio and a mastering."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from genres.core.names import known_artists, normalised_artist
from genres.sources.tags import SongTags

# Titles that programs write, or people for songs of no album; others are in genres.core.names.
_NO_ALBUMS = """
    unknown album; no album; non album; non-album tracks; single; singles; unsorted; downloads; download; mp3; music;
    unbekanntes album; album inconnu; álbum desconocido; album sconosciuto; onbekend album; okänt album; nieznany album;
    неизвестный альбом; không rõ album; 未知专辑; 不明なアルバム
"""
_NOTHING = frozenset(normalised_artist(title.strip()) for title in _NO_ALBUMS.split(";"))
_DISC = re.compile(r"[\s(\[,–-]*\b(?:cd|dis[ck])\s*\d+[)\]]?$", re.IGNORECASE)


def albums_of(track_ids: Sequence[str], tags: Sequence[SongTags]) -> list[str]:
    """Return a text for each song that is equal for songs of one album; empty where no album is known.

    The album is the title and the album's artist. Where there is no album's artist, it is the title and the folder, of
    all discs; "Various Artists" are none, so a compilation is one album wherever its songs lie. Songs without a title
    of an album are one if they lie in one folder, at least two below the library's, and name one artist at most.
    """
    folders = [PurePosixPath(track_id).parent for track_id in track_ids]
    untitled: dict[PurePosixPath, set[str]] = defaultdict(set)
    for folder, own in zip(folders, tags, strict=True):
        if not _title(own):
            untitled[folder].update(known_artists(own.artist))
    return [_album(folder, own, untitled) for folder, own in zip(folders, tags, strict=True)]


def _album(folder: PurePosixPath, tags: SongTags, untitled: dict[PurePosixPath, set[str]]) -> str:
    title = _title(tags)
    if not title:
        is_album = len(folder.parts) >= 2 and len(untitled[folder]) <= 1
        return f"folder {folder}" if is_album else ""
    if not tags.album_artist:
        discs = folder.parent if _DISC.fullmatch(folder.name) else folder
        return f"{title} in {discs}"
    artists = "; ".join(map(normalised_artist, known_artists(tags.album_artist)))
    return f"{title} by {artists}"


def _title(tags: SongTags) -> str:
    """Return the folded title of the album without the number of the disc; empty if it is none."""
    titles = known_artists(_DISC.sub("", tags.album))
    title = normalised_artist(titles[0]) if titles else ""
    return "" if title in _NOTHING else title
