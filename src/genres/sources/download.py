"""Resumable downloads and safe unpacking of archives.

``fetch`` downloads a file, resumes after lost connections and killed runs, and verifies the checksum before the file
gets its final name. ``extract_tar`` unpacks an archive completely or not at all. A file lock serialises processes that
want the same file.
"""

import hashlib
import re
import shutil
import sys
import tarfile
import time
import zlib
from lzma import LZMAError
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from genres.core.console import UserError, progress, warn
from genres.core.files import one_at_a_time
from genres.sources import web
from genres.sources.web import RetryableError

ATTEMPTS = 4  # failures in a row, without a new byte in between, before giving up
TIMEOUTS_S = (10.0, 60.0)  # of the connection, and of each read
CHUNK_BYTES = 1 << 18


def fetch(
    url: str,
    destination: Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    what: str,
    remedy: str = "",
) -> Path:
    """Download a file unless `destination` already exists with the right checksum.

    Partial data is kept in ``<destination>.part`` and resumed. A part from an earlier run is used only if a checksum
    was given, because the file at the URL may have changed.

    Parameters
    ----------
    url : str
        URL of the file.
    destination : Path
        Path of the complete, verified file.
    md5, sha256 : str, optional
        Expected checksums, hexadecimal.
    what : str
        Name of the download in the progress bar and at the start of messages.
    remedy : str
        Advice that ends the error message.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UserError
        If the download fails or the checksum differs.
    OSError
        If the disk is full; the part is kept.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    checked = md5 is not None or sha256 is not None
    with one_at_a_time(_lock(destination), what):
        if destination.is_file() and not _mismatch(destination, md5, sha256):
            return destination
        if not checked:
            part.unlink(missing_ok=True)
        # A run may have been killed between the last byte and the rename.
        if not (checked and part.is_file() and not _mismatch(part, md5, sha256)):
            _transfer(url, part, what, remedy)
        wrong = _mismatch(part, md5, sha256)
        if wrong:
            part.unlink()
            again = "the download is deleted: run the same command again in case the transfer was damaged"
            raise UserError(_sentence(f"{what}: the file at {url} has a wrong checksum ({wrong}); {again}", remedy))
        part.replace(destination)
    return destination


def _mismatch(path: Path, md5: str | None, sha256: str | None) -> str:
    """Return a description of the first checksum that differs; empty if all match."""
    for name, expected in (("md5", md5), ("sha256", sha256)):
        if expected is None:
            continue
        with path.open("rb") as file:
            received = hashlib.file_digest(file, name).hexdigest()
        if received != expected.lower():
            return f"{name}: expected {expected}, received {received}"
    return ""


def _sentence(message: str, remedy: str) -> str:
    return f"{message}; {remedy}" if remedy else message


def _transfer(url: str, part: Path, what: str, remedy: str) -> None:
    """Download the rest of `part`, with as many requests as needed."""
    failures, furthest = 0, _size(part)
    while True:
        try:
            return _request(url, part, what)
        except RetryableError as error:
            # Progress resets the count, for a large file over a bad line fails often. Progress means more bytes than
            # ever before: otherwise a server that restarts at zero each time would loop forever.
            failures = 1 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= ATTEMPTS:
                kept = f"; {_size(part)} bytes are kept for the next run" if _size(part) else ""
                raise UserError(_sentence(f"{what}: cannot download {url} ({error}){kept}", remedy)) from None
            asked_s = min(error.after_s or 0.0, web.LONGEST_WAIT_S)
            pause_s = max(asked_s, web.FIRST_BACKOFF_S * 2 ** (failures - 1))
            warn(f"{what}: {error}; retrying in {pause_s:g} s")
            time.sleep(pause_s)
        except requests.RequestException as error:
            raise UserError(_sentence(f"{what}: cannot download {url} ({error})", remedy)) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _request(url: str, part: Path, what: str) -> None:
    """Request the missing bytes of `part` once and append them."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}  # ranges count encoded bytes
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with (
            web.new_session() as session,
            web.get_once(session, url, headers=headers, stream=True, timeout=TIMEOUTS_S) as response,
        ):
            if have and response.status_code == 416:
                if _content_range(response)[1] == have:
                    return
                part.unlink()
                raise RetryableError("the partial file was longer than the whole")
            response.raise_for_status()
            start = have if response.status_code == 206 else 0
            first, total = _content_range(response)
            if response.status_code == 206 and first != have:
                part.unlink(missing_ok=True)
                raise RetryableError("the server sent a wrong byte range")
            if total is None and "Content-Length" in response.headers:
                total = start + int(response.headers["Content-Length"])
            _write(response, part, start, total, what)
            if total is not None and _size(part) < total:
                raise RetryableError(f"ended after {_size(part)} of {total} bytes")
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise RetryableError(web.connection_fault(error)) from None
    except requests.RequestException:
        raise  # a subclass of OSError, but not a file error
    except OSError as error:
        error.filename = error.filename or str(part)  # names the full disk in the message
        raise


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return first byte and total length of "bytes 5-9/10" or "bytes */10"; None for what is missing."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    first, total = match.groups()
    return int(first) if first else None, int(total) if total != "*" else None


def _write(response: requests.Response, part: Path, start: int, total: int | None, what: str) -> None:
    bar = tqdm(
        total=total, initial=start, desc=what, unit="B", unit_scale=True, disable=not sys.stderr.isatty(), leave=False
    )
    with bar, part.open("ab" if start else "wb") as file:
        # Not iter_content, which loses up to a chunk of received bytes when the connection breaks.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))


def _lock(destination: Path) -> Path:
    """Return the lock file of a download, for queued experiments start together and want the same file."""
    return destination.with_name(f".{destination.name}.lock")


def extract_tar(archive: Path, destination: Path) -> Path:
    """Unpack an archive into a folder that appears only when complete; do nothing if it exists.

    Parameters
    ----------
    archive : Path
        Tar file, compressed or not.
    destination : Path
        Folder to create, with its parents.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UserError
        If the archive is damaged or has an entry outside of the folder.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UserError(f"Python {sys.version.split()[0]} cannot unpack archives safely: use 3.11.4 or later")
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name}.unpacking")
    with one_at_a_time(_lock(destination), f"unpacking {archive.name}"):
        if destination.is_dir():
            return destination
        shutil.rmtree(temporary, ignore_errors=True)  # left by a killed run
        temporary.mkdir()
        try:
            with tarfile.open(archive) as tar:
                for member in progress(tar, what=f"unpacking {archive.name}", unit="file"):
                    # The filter would only strip a leading slash.
                    if member.name.startswith(("/", "\\")):
                        raise tarfile.AbsolutePathError(member)
                    tar.extract(member, temporary, filter="data")
            temporary.replace(destination)
        except tarfile.FilterError as error:
            raise UserError(f"{archive}: unsafe archive, not unpacked: {error}; get it from another source") from None
        except (tarfile.TarError, EOFError, zlib.error, LZMAError) as error:
            raise UserError(_damaged(archive, error)) from None
        except OSError as error:
            if error.errno is None:  # gzip and bz2 errors; system errors have a number
                raise UserError(_damaged(archive, error)) from None
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return destination


def _damaged(archive: Path, error: Exception) -> str:
    return f"{archive}: damaged or incomplete tar archive ({error}); delete it and run the same command again"
