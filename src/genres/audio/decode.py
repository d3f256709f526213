"""Decoding: any audio file in, mono float32 samples at the wanted rate out.

libsndfile reads wav, au, flac, ogg and mp3, and quickly; FFmpeg (inside PyAV's wheel, so nothing to install) reads
m4a and whatever libsndfile refuses. Blocks are mixed down and resampled as they come, so that an hour-long mix need
never lie in memory (:func:`read`).
"""

import errno
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
import soxr

T = TypeVar("T")

EXTENSIONS = (".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a")

BLOCK_SECONDS = 30

# Peak below -80 dB of full scale: nothing that one could hear, and normalising it would amplify rounding noise.
SILENCE_PEAK = 1e-4

# A file may miss this much of what its header declares before it counts as cut off: mp3 headers count encoder padding.
TRUNCATION_SECONDS = 1.0


# What FFmpeg may take a file for: no playlists, which would let a song that somebody sent open other files.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,mpeg,mpegts,"
    "ogg,tta,voc,w64,wav,wv"
)


class AudioError(Exception):
    """A file that cannot be used as music; the message is the reason in a few words."""


def load(path: Path, sample_rate: int) -> np.ndarray:
    """Decode a file to mono at `sample_rate`.

    Channels are averaged; resampling is soxr's HQ, as in librosa.load.

    Parameters
    ----------
    path : Path
        An audio file.
    sample_rate : int
        Hz.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Samples, full scale is 1.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is empty, cut off or silent, or has samples that are no numbers.
    """
    return read(path, sample_rate, _joined)


def read(path: Path, sample_rate: int, consume: Callable[[Iterator[np.ndarray]], T]) -> T:
    """Decode a file to mono at `sample_rate` block by block, so that an hour takes no more memory than a minute.

    Parameters
    ----------
    path, sample_rate
        As in :func:`load`.
    consume : callable
        Takes the blocks, float32 [shape=(n,)] each, all of them. Where libsndfile gives a file up half-way it is called
        once more, with FFmpeg's from the start. What it returns counts only if there is no error, for whether a file
        is silent or cut off is known at its end.

    Returns
    -------
    What `consume` returned.

    Raises
    ------
    AudioError
        As :func:`load`.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
            raise AudioError("cannot be opened (not a regular file)")
        with path.open("rb") as opened:  # the decoders do not say whether they may not or cannot read a file
            if not opened.read(1):
                raise AudioError("empty")
        if path.suffix.lower() != ".m4a":
            try:
                with soundfile.SoundFile(path) as file:
                    if _is_understood(path, file):
                        resampled = _resampled(_blocks(file), file.samplerate, sample_rate)
                        return consume(_checked(resampled, sample_rate, lambda: _declared_duration(path, file)))
            except soundfile.LibsndfileError:
                pass  # FFmpeg reads some files that libsndfile refuses
        return _read_with_ffmpeg(path, sample_rate, consume)
    except OSError as error:
        if error.errno == errno.ENOSPC:  # of `consume`: no fault of the song's
            raise
        raise AudioError(f"cannot be opened ({error.strerror or error})") from None


def _checked(
    blocks: Iterator[np.ndarray], sample_rate: int, declared_duration: Callable[[], float | None]
) -> Iterator[np.ndarray]:
    """Pass the blocks on; raise an AudioError where they turn out to be no music.

    `declared_duration` gives the seconds that the header promises, or None; it is asked at the end.
    """
    length, peak = 0, 0.0
    for block in blocks:
        if not len(block):
            continue
        highest, lowest = float(block.max()), float(block.min())
        if not (np.isfinite(highest) and np.isfinite(lowest)):
            raise AudioError("has samples that are not numbers (NaN or infinity)")
        length, peak = length + len(block), max(peak, highest, -lowest)
        yield block
    declared_s, duration_s = declared_duration(), length / sample_rate
    if length == 0:
        raise AudioError("empty")
    if declared_s is not None and duration_s < declared_s - TRUNCATION_SECONDS:
        raise AudioError(f"truncated: {duration_s:.1f} s of the {declared_s:.1f} s that its header declares")
    if peak < SILENCE_PEAK:
        raise AudioError("silent")


def _joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.float32), *blocks])


def _is_understood(path: Path, file: soundfile.SoundFile) -> bool:
    """Whether libsndfile knows what it has opened.

    Anything called .au that has no header it takes for raw mu-law; and of an mp3 file that does not say how long it
    is, it gives as much as it guesses from the first bit rates.
    """
    return file.format != "RAW" and (file.format != "MP3" or _counts_its_frames(path))


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """Mono blocks. SoundFile.blocks() will not do: where a file is cut off it fills up with what lies in memory."""
    while len(block := file.read(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)):
        yield _mixed_down(block)


def _mixed_down(block: np.ndarray) -> np.ndarray:
    """The mean of the channels [shape=(n, channels) → (n,)]."""
    if block.shape[1] == 1:
        return block[:, 0]
    if block.shape[1] == 2:  # as mean() has it, to the bit, in a tenth of its time
        return (block[:, 0] + block[:, 1]) / 2
    return np.ascontiguousarray(block).mean(axis=1)


def _read_with_ffmpeg(path: Path, sample_rate: int, consume: Callable[[Iterator[np.ndarray]], T]) -> T:
    import av  # loads 60 MB of FFmpeg, which most folders never need

    try:
        # "file:", so that a colon in the name is no protocol.
        with av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS}) as container:
            if not container.streams.audio:
                raise AudioError("has no audio stream")
            stream = container.streams.audio[0]
            rate = stream.codec_context.sample_rate
            if not rate:
                raise AudioError("cannot be decoded: damaged or not audio (no sample rate)")
            to_float = av.AudioResampler(format="fltp", layout=None, rate=None)

            def blocks() -> Iterator[np.ndarray]:
                # Frames are of a thousand samples: one by one they cost more than what is in them.
                gathered: list[np.ndarray] = []
                length = 0
                for frame in container.decode(stream):
                    for part in to_float.resample(frame):
                        gathered.append(_mixed_down(part.to_ndarray().T))
                        length += part.samples
                    if length >= rate:
                        yield np.concatenate(gathered)
                        gathered, length = [], 0
                if gathered:
                    yield np.concatenate(gathered)

            def declared_duration() -> float | None:
                # Of mp3 files only those come here that do not say how long they are: FFmpeg would guess, too.
                declared = None if container.format.name == "mp3" else container.duration
                return None if declared is None else declared / av.time_base

            return consume(_checked(_resampled(blocks(), rate, sample_rate), sample_rate, declared_duration))
    except av.FFmpegError as error:
        raise AudioError(f"cannot be decoded: damaged or not audio ({error.strerror})") from None


def _resampled(blocks: Iterator[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """Mono blocks at `rate` as blocks at `wanted` Hz."""
    if rate == wanted:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(block.astype(np.float32, copy=False))
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _declared_duration(path: Path, file: soundfile.SoundFile) -> float | None:
    """Seconds of audio that the header of a wav or au file promises; for other formats what libsndfile says.

    libsndfile quietly shortens a wav or au file that is cut off, so the header is read here.
    """
    if file.format not in ("WAV", "WAVEX", "AU"):
        return None if file.frames <= 0 else file.frames / file.samplerate
    bytes_declared = _declared_data_bytes(path)
    bytes_per_second = file.samplerate * file.channels * _BYTES_PER_SAMPLE.get(file.subtype, 0)
    return bytes_declared / bytes_per_second if bytes_declared and bytes_per_second else None


def _counts_its_frames(path: Path) -> bool:
    """Whether an mp3 file says, in what looks like its first frame, how many there are."""
    with path.open("rb") as file:
        head = file.read(10)
        while head[:3] == b"ID3":
            file.seek(sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False)), 1)
            head = file.read(10)
        first_frame = head + file.read(200)
    return any(mark in first_frame for mark in (b"Xing", b"Info", b"VBRI"))


_BYTES_PER_SAMPLE = {
    "ULAW": 1,
    "ALAW": 1,
    "PCM_U8": 1,
    "PCM_S8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
# From here on it is what programs write that stream into a pipe: SoX 0x7FFFF000, FFmpeg 0xFFFFFFFF.
_UNKNOWN_LENGTH = 0x7FFFF000


def _declared_data_bytes(path: Path) -> int | None:
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b".snd":
            size = int.from_bytes(head[8:12], "big")
            return None if size >= _UNKNOWN_LENGTH else size
        if head[:4] != b"RIFF":
            return None
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return None if size >= _UNKNOWN_LENGTH else size
            file.seek(size + size % 2, 1)
    return None
