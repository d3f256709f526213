"""Replace a file by a changed copy of it: written beside it, then renamed, with its times, rights and owner."""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genres.library.error import LeftAloneError

_TEMPORARY = re.compile(r"\.genres-(\d+)-\d+(\.\w*)?")  # hidden, so that no walk takes it for music
FULL = (errno.ENOSPC, errno.EDQUOT)


def refuse_unwritable(path: Path) -> None:
    """Raise LeftAloneError for a file that must not be replaced, with the reason."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise LeftAloneError("it is no file")
    if status.st_nlink > 1:
        raise LeftAloneError(f"the file has {status.st_nlink} names (hard links), which replacing it would separate")
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise LeftAloneError("the file is read-only")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise LeftAloneError("its folder is read-only")


def signature(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody else writes to a file."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextmanager
def copy_beside(path: Path) -> Iterator[Path]:
    """Yield a new, empty file beside `path`; remove it at the end if it was not renamed."""
    number = 0
    while True:
        temporary = path.with_name(f".genres-{os.getpid()}-{number}{path.suffix if path.suffix.isascii() else ''}")
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:  # of somebody else
            number += 1
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def rename(temporary: Path, path: Path, times_ns: tuple[int, int] | None = None) -> None:
    """Rename a written file to `path`, with the rights, owner and attributes of that, and its times or given ones."""
    status = path.stat()
    with suppress(PermissionError):  # of a file of somebody else, and where the disk knows no owners
        os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(path, temporary)
    os.utime(temporary, ns=times_ns or (status.st_atime_ns, status.st_mtime_ns))
    _sync(temporary)
    temporary.replace(path)
    with suppress(OSError):  # some network disks cannot do this with folders
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove the temporary files of processes that were killed."""
    for folder in set(folders):
        for path in folder.glob(".genres-*"):
            if (found := _TEMPORARY.fullmatch(path.name)) and not _is_running(int(found[1])):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        return True
    return True
