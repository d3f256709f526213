"""Locations of songs for a cluster's workers: the same path as on this machine, or one below an fsspec URL."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from genres.core.console import UserError
from genres.core.params import Compute

# Attributes of stored files that change whenever the content does; the first that a store has is used.
_MARKS = ("ETag", "etag", "md5Hash", "mtime", "LastModified")


@dataclass(frozen=True)
class Place:
    """Location of a song; str() gives its path or URL."""

    path: str  # absolute, or relative to `data`
    data: str | None = None  # fsspec URL

    def __str__(self) -> str:
        return self.path if self.data is None else f"{self.data.rstrip('/')}/{self.path}"

    @contextmanager
    def local(self, reader: str) -> Iterator[Path]:
        """Give a local path to the song: its own, or that of a temporary copy.

        Raises
        ------
        UserError
            If `reader` (the name of this process, for the message) cannot read it.
        """
        with tempfile.TemporaryDirectory(prefix="song-") as folder:
            try:
                song = self._fetched(Path(folder))
            except UserError:
                raise
            except Exception as error:  # the store's library may raise anything
                hint = "" if self.data else ", or set compute.data to a URL of the songs"
                raise UserError(
                    f"{self}: {reader} cannot read it ({_reason(error)}); give all workers access to "
                    f"{'compute.data' if self.data else 'the same paths as here'}{hint}"
                ) from None
            yield song

    def _fetched(self, folder: Path) -> Path:
        if self.data is None:
            Path(self.path).open("rb").close()
            return Path(self.path)
        files, root = _opened(self.data)
        # Joined as text, not parsed as a URL again: a song's name may hold special characters.
        source = f"{root.rstrip('/')}/{self.path}"
        if "file" in files.protocol:
            Path(source).open("rb").close()
            return Path(source)
        copy = folder / PurePosixPath(self.path).name
        files.get_file(source, str(copy))
        return copy


def place(path: Path, songs: Path | None, data: str | None) -> Place:
    """Return the location for workers of the song at `path`, where the URL `data` replaces the folder `songs`."""
    path = path.absolute()
    if data is None or songs is None or not path.is_relative_to(songs.absolute()):
        return Place(str(path))
    return Place(path.relative_to(songs.absolute()).as_posix(), data)


def listing(options: Compute) -> dict[str, str]:
    """Return size and version of each file below `compute.data`, by its relative path; empty without such a URL.

    It tells missing songs from those that exist only there, and changed songs from unchanged ones.
    """
    if options.scheduler is None or options.data is None:
        return {}
    files, root = _opened(options.data)
    try:
        details = files.find(root, detail=True)
    except Exception as error:  # the store's library may raise anything
        raise UserError(f"compute.data: cannot list {options.data} ({_reason(error)})") from None
    return {
        PurePosixPath(name).relative_to(PurePosixPath(root)).as_posix(): _stamp(about)
        for name, about in details.items()
    }


def _stamp(about: dict[str, Any]) -> str:
    return f"{about.get('size')}\0{next((about[mark] for mark in _MARKS if about.get(mark)), '')}"


def _opened(data: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(data)
    except (ValueError, ImportError) as error:
        raise UserError(f"compute.data: {data}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
