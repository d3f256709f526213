"""Decoding: any audio file in, mono float32 samples at the wanted rate out.

libsndfile reads wav, au, flac, ogg and mp3, and quickly; FFmpeg (inside PyAV's wheel, so nothing to install) reads
m4a and whatever libsndfile refuses. Blocks are mixed down and resampled as they come, so that an hour-long stereo mix
never lies in memory at its full size.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

EXTENSIONS = (".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a")

BLOCK_SECONDS = 30

# Peak below -80 dB of full scale: nothing that one could hear, and normalising it would amplify rounding noise.
SILENCE_PEAK = 1e-4

# A file may miss this much of what its header declares before it counts as cut off: mp3 headers count encoder padding.
TRUNCATION_SECONDS = 1.0


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
    try:
        samples, declared_s = _decode(path, sample_rate)
    except AudioError:
        raise
    except OSError as error:
        raise AudioError(f"cannot be opened ({error.strerror or error})") from None
    duration_s = len(samples) / sample_rate
    if len(samples) == 0:
        raise AudioError("empty")
    if not np.isfinite(samples).all():
        raise AudioError("has samples that are not numbers (NaN or infinity)")
    if declared_s is not None and duration_s < declared_s - TRUNCATION_SECONDS:
        raise AudioError(f"truncated: {duration_s:.1f} s of the {declared_s:.1f} s that its header declares")
    if np.abs(samples).max() < SILENCE_PEAK:
        raise AudioError("silent")
    return samples


def _decode(path: Path, sample_rate: int) -> tuple[np.ndarray, float | None]:
    """Return the samples and the duration in seconds that the header declares (None: it declares none)."""
    with path.open("rb") as opened:  # the decoders do not say whether they may not or cannot read a file
        if not opened.read(1):
            raise AudioError("empty")
    if path.suffix.lower() != ".m4a":
        try:
            with soundfile.SoundFile(path) as file:
                if _is_understood(path, file):
                    samples = _resampled(_blocks(file), file.samplerate, sample_rate)
                    return samples, _declared_duration(path, file)
        except soundfile.LibsndfileError:
            pass  # FFmpeg reads some files that libsndfile refuses
    return _decode_with_ffmpeg(path, sample_rate)


def _is_understood(path: Path, file: soundfile.SoundFile) -> bool:
    """Whether libsndfile knows what it has opened.

    Anything called .au that has no header it takes for raw mu-law; and of an mp3 file that does not say how long it
    is, it gives as much as it guesses from the first bit rates.
    """
    return file.format != "RAW" and (file.format != "MP3" or _counts_its_frames(path))


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """Mono blocks. SoundFile.blocks() will not do: where a file is cut off it fills up with what lies in memory."""
    while len(block := file.read(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)):
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)


def _decode_with_ffmpeg(path: Path, sample_rate: int) -> tuple[np.ndarray, float | None]:
    import av  # loads 60 MB of FFmpeg, which most folders never need

    try:
        with av.open(f"file:{path}") as container:  # so that a colon in the name is no protocol
            if not container.streams.audio:
                raise AudioError("has no audio stream")
            stream = container.streams.audio[0]
            rate = stream.codec_context.sample_rate
            if not rate:
                raise AudioError("cannot be decoded: damaged or not audio (no sample rate)")
            to_mono = av.AudioResampler(format="flt", layout=None, rate=None)

            def blocks() -> Iterator[np.ndarray]:
                for frame in container.decode(stream):
                    for part in to_mono.resample(frame):
                        yield part.to_ndarray().reshape(-1, part.layout.nb_channels).mean(axis=1)

            samples = _resampled(blocks(), rate, sample_rate)
            # Of mp3 files only those come here that do not say how long they are: FFmpeg would guess, too.
            declared = None if container.format.name == "mp3" else container.duration
            return samples, None if declared is None else declared / av.time_base
    except av.FFmpegError as error:
        raise AudioError(f"cannot be decoded: damaged or not audio ({error.strerror})") from None


def _resampled(blocks: Iterator[np.ndarray], rate: int, wanted: int) -> np.ndarray:
    """Join mono blocks at `rate` into one array at `wanted` Hz, resampling on the way."""
    if rate == wanted:
        parts = list(blocks)
    else:
        resampler = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
        parts = [resampler.resample_chunk(block.astype(np.float32, copy=False)) for block in blocks]
        parts.append(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


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
