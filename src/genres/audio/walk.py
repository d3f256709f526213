"""Find the music below a folder: one walk for ingestion and prediction."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from genres.core.console import warn

# Extensions of files that libsndfile or FFmpeg reads as sound, also of videos.
EXTENSIONS = (
    *(".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a", ".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aifc"),
    *(".aiff", ".amr", ".ape", ".asf", ".avi", ".bwf", ".caf", ".dsf", ".dts", ".eac3", ".flv", ".m4b"),
    *(".m4r", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp4", ".mpa", ".mpeg", ".mpg", ".mpga", ".oga"),
    *(".ogv", ".opus", ".ra", ".rf64", ".rm", ".snd", ".spx", ".tta", ".voc", ".w64", ".wave", ".weba"),
    *(".webm", ".wma", ".wmv", ".wv"),
)

# Folders and files that systems and network storage put beside music, in lower case. Hidden ones begin with a dot.
SYSTEM_NAMES = (
    *("__macosx", "system volume information", "$recycle.bin", "recycler", "recycled", "@eadir", "#recycle"),
    *("lost+found", "network trash folder", "temporary items", "thumbs.db", "desktop.ini", "icon\r"),
)

NOT_UNICODE = "its name is not UTF-8: rename it"


@dataclass
class Found:
    """Files below a folder, as sorted paths relative to it."""

    songs: list[Path] = field(default_factory=list)
    misnamed: list[Path] = field(default_factory=list)  # songs whose names are not UTF-8
    others: list[Path] = field(default_factory=list)


def find_music(folder: Path) -> Found:
    """Find the music below a folder, by the extensions of the files.

    Hidden and system files are skipped. Links are followed, but never back to the folder or one above it, and below
    each entry of the folder no folder is entered twice. A folder that cannot be opened is named in a warning.
    """
    found = Found()
    above = {_identity(path) for path in (folder, *folder.resolve().parents)}
    for entry in _entries(folder):
        seen = set(above)
        waiting = [entry]
        while waiting:
            path = waiting.pop()
            if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where access is denied)
                _add(found, path, path.relative_to(folder))
            elif _identity(path) not in seen:
                seen.add(_identity(path))
                waiting += _entries(path)
    for paths in (found.songs, found.misnamed, found.others):
        paths.sort()
    return found


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds. Links come first, to be entered last, so that folders keep their own names."""
    try:
        paths = [path for path in folder.iterdir() if not _is_hidden(path.name)]
    except OSError as error:
        warn(f"{readable(folder)}: left out: cannot be opened ({error.strerror})")
        return []
    return sorted(paths, key=lambda path: (not path.is_symlink(), path))


def _is_hidden(name: str) -> bool:
    if name.startswith(".") and name.endswith(".icloud"):  # stands for a song that is not on this disk: counted
        return False
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def _add(found: Found, path: Path, relative: Path) -> None:
    if path.suffix.lower() not in EXTENSIONS or not os.path.isfile(path):  # noqa: PTH113 (as above)
        found.others.append(relative)
    elif is_unicode(relative):
        found.songs.append(relative)
    else:
        found.misnamed.append(relative)


def is_unicode(path: Path) -> bool:
    """Return True if a name can be written to a table; those from old systems may be in Latin-1."""
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(path: Path) -> str:
    """Return a path as text that any terminal and table takes: bytes that are not UTF-8 as backslash and digits."""
    return os.fsencode(path).decode(errors="backslashreplace")


def kinds(paths: Iterable[Path]) -> str:
    """Count files by extension: "3 .mid, 2 .txt, 1 without extension"."""
    counts = Counter(readable(Path(path.suffix.lower())) if path.suffix else "without extension" for path in paths)
    return ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
