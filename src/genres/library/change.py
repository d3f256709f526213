"""Write a genre into a song, or leave the song exactly as it is."""

import shutil
from pathlib import Path

from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.library.error import LeftAloneError
from genres.library.formats import form_of, others
from genres.library.replace import FULL, copy_beside, refuse_unwritable, rename, signature
from genres.library.undo import Journal


def genres_of(path: Path) -> list[str]:
    """Return the genres in the tags of a song; empty if all are blank.

    Raises
    ------
    LeftAloneError
        If its tags cannot be read, or not be written.
    """
    try:
        found = form_of(path).genres(path)
        return found or [*filter(str.strip, _with_ffmpeg(path))]
    except (LeftAloneError, MemoryError):
        raise
    except Exception as error:  # of any type, since the file determines it
        raise _refusal(error) from None


def _with_ffmpeg(path: Path) -> list[str]:
    """Return the genre that players which rest on FFmpeg show: also of the kinds of tags that are not read here."""
    import av

    with av.open(f"file:{path}", metadata_errors="replace") as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams.audio)]
    return [value for each in tags for name, value in each.items() if name.casefold() == "genre"]


def write(song: Path, seen: tuple[int, ...], genre: str, source: str, journal: Journal) -> None:
    """Write a genre and its source into a song's tags.

    The change is made in a copy. It takes the song's place if everything but genre, source and padding is equal, and
    the undo file has been written.

    Parameters
    ----------
    song : Path
        No link.
    seen : tuple of int
        The file's signature when its sound was read.
    genre, source : str
    journal : Journal
        The undo file.

    Raises
    ------
    LeftAloneError
        If the song was not changed, with the reason.
    UserError
        If the undo file cannot be written.
    OSError
        If the disk is full.
    """
    try:
        refuse_unwritable(song)
        form = form_of(song)
        with copy_beside(song) as copy:
            shutil.copyfile(song, copy)
            before = sha256_of(copy)
            _check_unchanged(song, seen)
            form.write(copy, genre, source)
            written = form.genres(copy)
            if genre not in written or form.source(copy) != [source]:
                raise LeftAloneError("the genre could not be read back")
            if {*written, *_with_ffmpeg(copy)} != {genre}:
                raise LeftAloneError("it has a genre in another kind of tag, too, which players would go on to show")
            if others(copy, form) != others(song, form):
                raise LeftAloneError("its other tags or its music would change")
            journal.add(song, copy, before)
            _check_unchanged(song, seen)
            rename(copy, song)
    except (LeftAloneError, UserError):
        raise
    except Exception as error:  # of any type, since the file determines it
        cause = next((one for one in (error, *error.args, error.__cause__) if isinstance(one, OSError)), None)
        if cause is not None and cause.errno in FULL:
            raise cause from None
        raise _refusal(cause or error) from None


def _check_unchanged(song: Path, seen: tuple[int, ...]) -> None:
    if signature(song) != seen:
        raise LeftAloneError("it was changed by another program meanwhile")


def _refusal(error: Exception) -> LeftAloneError:
    if isinstance(error, OSError) and error.strerror:
        return LeftAloneError(f"{error.strerror}")
    return LeftAloneError(
        f"its tags cannot be read or written ({' '.join(str(error).split()) or type(error).__name__})"
    )
