"""Downloads that resume, and archives that unpack safely.

``fetch`` brings an address to a file: in pieces over lost connections and killed runs, checked before it gets its name.
``extract_tar`` brings an archive to a folder, whole or not at all. Two processes that want the same take turns.
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

CHUNK_BYTES = 1 << 18

# Statuses that pass by themselves: too slow, too early, too many, and all of 5xx.
_PASSING = (408, 425, 429)


class _LostError(Exception):
    """A fault that may be gone at the next try; the message is the reason in a few words."""


def fetch(
    url: str,
    destination: Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    what: str,
    way_out: str = "",
    attempts: int = 4,
    backoff_s: float = 1.0,
    timeouts_s: tuple[float, float] = (10.0, 60.0),
) -> Path:
    """Download a file, unless `destination` is it already.

    What has come lies in ``<destination>.part`` and is resumed from there. A part that an earlier run left is used only
    where a checksum can prove the result, for the file at the address may have changed in between.

    Parameters
    ----------
    url : str
        Its address.
    destination : Path
        Gets the file once it is whole and has the right checksum.
    md5, sha256 : str, optional
        Hexadecimal.
    what : str
        What it is, for people: the name of the progress bar, and the beginning of each message.
    way_out : str
        What to do if it cannot be had; ends the message.
    attempts : int
        Failures in a row, without a new byte in between, after which it gives up.
    backoff_s : float
        Pause before the second attempt; doubles with each further one.
    timeouts_s : tuple of float
        Seconds to wait for the connection, and for the next bytes.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UserError
        Where it cannot be had, or is another file than the checksum says.
    OSError
        Where the disk is full; the part is kept.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    checked = md5 is not None or sha256 is not None
    with one_at_a_time(_lock(destination), what):
        if destination.is_file() and not _mismatch(destination, md5, sha256):
            return destination
        if not checked:
            part.unlink(missing_ok=True)
        # A run may have been killed between the last byte and the new name.
        if not (checked and part.is_file() and not _mismatch(part, md5, sha256)):
            _transfer(url, part, what, way_out, attempts, backoff_s, timeouts_s)
        wrong = _mismatch(part, md5, sha256)
        if wrong:
            part.unlink()
            again = "it is deleted; run the same again, a damaged transfer would then be mended"
            raise UserError(_sentence(f"{what}: {url} gave another file than expected ({wrong}); {again}", way_out))
        part.replace(destination)
    return destination


def _mismatch(path: Path, md5: str | None, sha256: str | None) -> str:
    """What is wrong with a file's checksums; empty: nothing."""
    for name, expected in (("md5", md5), ("sha256", sha256)):
        if expected is None:
            continue
        with path.open("rb") as file:
            received = hashlib.file_digest(file, name).hexdigest()
        if received != expected.lower():
            return f"{name}: expected {expected}, received {received}"
    return ""


def _sentence(message: str, way_out: str) -> str:
    return f"{message}; {way_out}" if way_out else message


def _transfer(
    url: str,
    part: Path,
    what: str,
    way_out: str,
    attempts: int,
    backoff_s: float,
    timeouts_s: tuple[float, float],
) -> None:
    """Bring `part` to its full length, over as many requests as it takes."""
    failures, furthest = 0, _size(part)
    while True:
        try:
            return _request(url, part, what, timeouts_s)
        except _LostError as error:
            # A large file over a bad line is lost often; what counts is whether it comes any further. (Further than
            # ever, so that a server that starts at zero each time cannot keep this going for good.)
            failures = 1 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= attempts:
                kept = f"; {_size(part)} bytes have come and are kept for the next run" if _size(part) else ""
                raise UserError(_sentence(f"{what}: cannot be fetched from {url} ({error}){kept}", way_out)) from None
            pause_s = backoff_s * 2 ** (failures - 1)
            warn(f"{what}: {error}; trying again in {pause_s:g} s")
            time.sleep(pause_s)
        except requests.RequestException as error:
            raise UserError(_sentence(f"{what}: cannot be fetched from {url} ({error})", way_out)) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _request(url: str, part: Path, what: str, timeouts_s: tuple[float, float]) -> None:
    """Ask once for what is missing of `part`, and write what comes."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}  # a range counts the bytes as they are sent
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeouts_s) as response:
            if have and response.status_code == 416:
                if _content_range(response)[1] == have:
                    return
                part.unlink()
                raise _LostError("the part that was here is longer than the file")
            if response.status_code in _PASSING or response.status_code >= 500:
                raise _LostError(f"HTTP {response.status_code} {response.reason}")
            response.raise_for_status()
            start = have if response.status_code == 206 else 0
            first, total = _content_range(response)
            if response.status_code == 206 and first != have:
                part.unlink(missing_ok=True)
                raise _LostError("the server sent another part than the one asked for")
            if total is None and "Content-Length" in response.headers:
                total = start + int(response.headers["Content-Length"])
            _write(response, part, start, total, what)
            if total is not None and _size(part) < total:
                raise _LostError(f"ended after {_size(part)} of {total} bytes")
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise _LostError(_reason(error)) from None
    except requests.RequestException:
        raise  # is an OSError too, but none of a file
    except OSError as error:
        error.filename = error.filename or str(part)  # says on which disk there is no space left
        raise


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total length of "bytes 5-9/10" or "bytes */10"; None where it does not say."""
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
        # Not iter_content, which loses up to a whole chunk that has come already when the connection breaks.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))


def _reason(error: Exception) -> str:
    """A lost connection in a few words, without the addresses of objects that the libraries put into theirs."""
    text = str(error)
    for sign, reason in (
        ("NameResolutionError", "the host's name cannot be resolved: offline?"),
        ("Connection refused", "the connection was refused: offline?"),
        ("unreachable", "the network is unreachable: offline?"),
        ("CERTIFICATE", "the host's certificate cannot be verified"),
        ("ProxyError", "the proxy does not answer"),
        ("timed out", "timed out"),
    ):
        if sign in text:
            return reason
    return "the connection was lost"


def _lock(destination: Path) -> Path:
    """Queued experiments begin at the same moment, and want the same file."""
    return destination.with_name(f".{destination.name}.lock")


def extract_tar(archive: Path, destination: Path) -> Path:
    """Unpack an archive into a folder that appears only when it is complete; an existing one is left as it is.

    Parameters
    ----------
    archive : Path
        A tar file, compressed or not.
    destination : Path
        The folder to make; its parent is made where needed.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UserError
        Where the archive is damaged, or has an entry that would lie outside of the folder.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UserError(f"Python {sys.version.split()[0]} cannot unpack archives safely: use 3.11.4 or later")
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name}.unpacking")
    with one_at_a_time(_lock(destination), f"unpacking {archive.name}"):
        if destination.is_dir():
            return destination
        shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
        temporary.mkdir()
        try:
            with tarfile.open(archive) as tar:
                for member in progress(tar, what=f"unpacking {archive.name}", unit="file"):
                    # The filter would only strip the slash.
                    if member.name.startswith(("/", "\\")):
                        raise tarfile.AbsolutePathError(member)
                    tar.extract(member, temporary, filter="data")
            temporary.replace(destination)
        except tarfile.FilterError as error:
            raise UserError(f"{archive}: unsafe, not unpacked: {error}; get the archive elsewhere") from None
        except (tarfile.TarError, EOFError, zlib.error, LZMAError) as error:
            raise UserError(_damaged(archive, error)) from None
        except OSError as error:
            if error.errno is None:  # what gzip and bz2 raise; the system's own errors have a number
                raise UserError(_damaged(archive, error)) from None
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return destination


def _damaged(archive: Path, error: Exception) -> str:
    return f"{archive}: not a whole tar archive ({error}); delete it and run the same again"
