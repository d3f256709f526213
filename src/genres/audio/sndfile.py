"""Read files with libsndfile, where it is quicker than FFmpeg and can be trusted.

These are uncompressed files, and mp3 files without a gap between their frames. libsndfile reads only the first of
several streams, and ends at the first damage.
"""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from genres.audio.header import Trust, length_of_samples
from genres.audio.mpeg import is_whole
from genres.audio.structure import warn_of_others

# Values decoded at a time: 1.5 s of stereo at 44.1 kHz, which fits a core's cache.
BLOCK_VALUES = 1 << 17

# Beginnings of mp3 files, and of all that FFmpeg reads; of w64 (riff) and voc files (Crea) libsndfile reads what is
# between and behind the samples.
_MP3, _FOR_FFMPEG = (b"ID3", b"\xff"), (b"ID3", b"\xff", b"fLaC", b"OggS", b"riff", b"Crea", b"caff", b"RF64")

_SUBTYPES = ("ULAW", "ALAW", "PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "MPEG_LAYER_III")


class NotTrustedError(Exception):
    """A file that FFmpeg must read."""


def blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the sample rate in Hz and the samples [shape=(n, channels), dtype=float32] of blocks of a file.

    Raises
    ------
    NotTrustedError
        If libsndfile cannot read the file, or not all of it; possibly half-way.
    """
    with path.open("rb", buffering=0) as opened:  # libsndfile starts where the file descriptor is
        head = opened.read(4)
        if not (head.startswith(_MP3) and is_whole(path)) and (
            head.startswith(_FOR_FFMPEG) or length_of_samples(path).trust not in (Trust.TRUE, Trust.UNTESTED)
        ):
            raise NotTrustedError
        opened.seek(0)
        try:
            # Without the name: libsndfile would guess the format from it.
            with _quiet():
                file = soundfile.SoundFile(opened.fileno(), closefd=False)
            with file:
                if file.format == "RAW" or file.subtype not in _SUBTYPES:
                    raise NotTrustedError
                rate, position = file.samplerate, 0
                while len(block := _next(file)):
                    position += len(block)
                    yield rate, block
                if position < file.frames:
                    raise NotTrustedError
                warn_of_others(path, position / rate)
        except soundfile.LibsndfileError:
            raise NotTrustedError from None


def _next(file: soundfile.SoundFile) -> np.ndarray:
    """Return the next block. SoundFile.blocks() is not used: it pads a truncated file with stale memory."""
    # libsndfile takes five times as long to give the same values as floats.
    is_short = file.subtype == "PCM_16"
    with _quiet():
        block = file.read(
            max(1, BLOCK_VALUES // file.channels), dtype="int16" if is_short else "float32", always_2d=True
        )
    return block * np.float32(2**-15) if is_short else block


class _Stream:
    """The C library's `stderr`, to which libsndfile's mp3 decoder writes notes that name no file."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        self._nowhere = library.fopen(b"/dev/null", b"w")
        try:
            self._pointer = ctypes.c_void_p.in_dll(library, "stderr")
        except ValueError:  # a system that calls it something else: notes are shown
            self._pointer = ctypes.c_void_p()
        self._own = self._pointer.value

    def mute(self) -> None:
        with self._lock:
            self._users += 1
            self._pointer.value = self._nowhere

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._pointer.value = self._own


_STDERR = _Stream()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Mute what C code writes to `stderr`. Python's own output is not concerned, since it has a buffer of its own."""
    _STDERR.mute()
    try:
        yield
    finally:
        _STDERR.restore()
