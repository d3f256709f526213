"""Where a worker of a cluster finds a song: at the same path as here, or below an address of fsspec's."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from genres.core.console import UserError
from genres.core.params import Compute

# What a store says of a file besides its size, that is another one whenever the file is; the first that it has.
_MARKS = ("ETag", "etag", "md5Hash", "mtime", "LastModified")


@dataclass(frozen=True)
class Place:
    """A song's place; as text, what people call it."""

    path: str  # absolute, or below `data`
    data: str | None = None  # an address of fsspec's

    def __str__(self) -> str:
        return self.path if self.data is None else f"{self.data.rstrip('/')}/{self.path}"

    @contextmanager
    def local(self, reader: str) -> Iterator[Path]:
        """Give a path to the song: where it lies, or of a copy for the time being.

        Raises
        ------
        UserError
            Where `reader` (who it is, for people) cannot read it.
        """
        with tempfile.TemporaryDirectory(prefix="song-") as folder:
            try:
                song = self._fetched(Path(folder))
            except UserError:
                raise
            except Exception as error:  # whatever the store's library raises
                hint = "" if self.data else " or let compute.data be an address where they find the songs"
                raise UserError(
                    f"{self}: {reader} cannot read it ({_reason(error)}); let all workers read "
                    f"{'what compute.data names' if self.data else 'the same paths as here,'}{hint}"
                ) from None
            yield song

    def _fetched(self, folder: Path) -> Path:
        if self.data is None:
            Path(self.path).open("rb").close()
            return Path(self.path)
        files, root = _opened(self.data)
        # Not an address again: what a song is called means nothing in it.
        source = f"{root.rstrip('/')}/{self.path}"
        if "file" in files.protocol:
            Path(source).open("rb").close()
            return Path(source)
        copy = folder / PurePosixPath(self.path).name
        with files.open(source, "rb") as stored, copy.open("wb") as file:
            shutil.copyfileobj(stored, file, 1 << 20)
        return copy


def place(path: Path, songs: Path | None, data: str | None) -> Place:
    """Where the workers find the song that is `path` here, if `data` stands for the folder `songs`."""
    path = path.absolute()
    if data is None or songs is None or not path.is_relative_to(songs.absolute()):
        return Place(str(path))
    return Place(path.relative_to(songs.absolute()).as_posix(), data)


def listing(how: Compute) -> dict[str, str]:
    """Size and version of each file below `compute.data`, by its path there; empty where there is no such address.

    So that songs that lie nowhere but there can be told from those that are missing, and changed ones from known ones.
    """
    if how.scheduler is None or how.data is None:
        return {}
    files, root = _opened(how.data)
    try:
        found = files.find(root, detail=True)
    except Exception as error:  # whatever the store's library raises
        raise UserError(f"compute.data: {how.data} cannot be listed ({_reason(error)})") from None
    return {
        PurePosixPath(name).relative_to(PurePosixPath(root)).as_posix(): _stamp(about) for name, about in found.items()
    }


def _stamp(about: dict[str, Any]) -> str:
    return f"{about.get('size')}\0{next((about[mark] for mark in _MARKS if about.get(mark)), '')}"


def _opened(data: str) -> tuple[Any, str]:
    """The file system of an address, and the path there."""
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
