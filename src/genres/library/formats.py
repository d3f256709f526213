"""The kind of a song's tags, by its content.

ID3 and APEv2 tags are changed byte by byte. FLAC, Ogg, MP4 and ASF are written by mutagen, since there the tag is
woven into the container; :func:`others` shows afterwards that nothing else was changed.
"""

from collections import Counter
from pathlib import Path

from genres.library import chunks, id3
from genres.library.error import LeftAloneError
from genres.library.form import Form
from genres.library.plain_tags import APE, MP3, WAV_AND_AIFF
from genres.library.woven_tags import ASF_FORM, FLAC_FORM, MP4_FORM, OPUS_FORM, VORBIS_FORM


def form_of(path: Path) -> Form:
    """Return the functions for a file, by its content, whatever its extension.

    Raises
    ------
    LeftAloneError
        If its tags cannot be written.
    """
    with path.open("rb") as file:
        head = file.read(36)
        behind = id3.size_of(head[: id3.HEADER])
        file.seek(behind)
        start = file.read(36)
    if chunks.order_of(head[: chunks.FORM_HEADER]):
        return WAV_AND_AIFF
    if head[4:8] == b"ftyp":
        return MP4_FORM
    if head[:4] == b"OggS" and start[28:].startswith((b"\x01vorbis", b"OpusHead")):
        return OPUS_FORM if start[28:].startswith(b"Opus") else VORBIS_FORM
    if head[:4] == b"\x30\x26\xb2\x75":
        return ASF_FORM
    if start[:4] == b"fLaC":
        return FLAC_FORM
    if start[:4] in (b"MAC ", b"wvpk"):
        return APE
    if behind or (start[:1] == b"\xff" and start[1:2] and start[1] & 0xE6 in (0xE2, 0xE4, 0xE6)):  # MPEG audio, no AAC
        return MP3
    raise LeftAloneError("tags of this format cannot be written")


def others(path: Path, form: Form) -> Counter[bytes]:
    """Return all parts of a file, or their digests, that are neither genre, source, nor padding, with their numbers."""
    return Counter(form.others(path))
