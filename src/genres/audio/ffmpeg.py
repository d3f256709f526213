"""Read files with FFmpeg (bundled in PyAV's wheel); packets that cannot be decoded are skipped and counted."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from genres.audio.error import AudioError
from genres.audio.header import Declared, Trust, length_of_samples
from genres.audio.mpeg import declared_seconds, tag_bytes
from genres.audio.sndfile import BLOCK_VALUES

# A file that lacks more is rejected. Less may be the padding of an encoder, which some headers count.
MOST_MISSING_SECONDS = 1.0

# Container formats that FFmpeg may use. Playlists are excluded: an uploaded one could open other files.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,mpeg,mpegts,"
    "ogg,tta,voc,w64,wav,wv"
)

# Formats whose headers declare the length of each stream. In others FFmpeg estimates it from the bit rate, reads it
# at the end of the file, or knows only the longest stream's, which may be a video's.
_DECLARING = ("aiff", "ape", "au", "avi", "caf", "dsf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "tta", "w64", "wav", "wv")

# Formats that count samples: a gap in their times is a missing part. Elsewhere a gap may be a pause of the recorder,
# and counts only behind a packet that cannot be decoded.
_COUNTING = ("flac", "ogg")

# Formats without times: FFmpeg counts packets, whatever lies between them, so that only bytes tell what is missing.
_WITHOUT_TIMES = ("aac", "ac3", "amr", "eac3", "mp3")

# A packet of a format without times that is larger, and than four others, holds more than a frame.
_LARGE_BYTES = 2048

# Times of frames are rounded, in matroska to 1 ms, and overlap by a block of Vorbis.
_ROUNDING_SECONDS = 0.05

_TYPES: dict[str, type[np.generic]] = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}


def blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the sample rate in Hz and the samples [shape=(n, channels), dtype=float32] of blocks of a file.

    The rate and the number of channels may differ from block to block, since they may change within a stream.

    Raises
    ------
    AudioError
        If the file cannot be decoded, or more than a second is missing.
    """
    options = {"format_whitelist": _CONTAINERS}
    header = length_of_samples(path)
    if header.trust is Trust.UNKNOWN:
        options["ignore_length"] = "1"  # of the wav format
    try:
        # "file:" prevents a colon in the name from being read as a protocol.
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, AudioStream):
                damaged = "cannot be decoded: damaged or not audio (no sample rate)"
                raise AudioError(damaged if container.streams.audio else "has no audio stream")
            if stream.codec_context is None:  # PyAV would crash at its first packet
                raise AudioError("cannot be decoded: of a codec that FFmpeg does not know, or damaged")
            yield from _gathered(_frames(container, stream, _declared(path, header, container, stream)))
    except av.FFmpegError as error:
        raise AudioError(f"cannot be decoded: damaged or not audio ({error.strerror})") from None


def _declared(path: Path, header: Declared, container: InputContainer, stream: AudioStream) -> float | None:
    """Return the seconds that the header declares for the stream; None if it declares none."""
    trust, length = header
    if trust is Trust.UNKNOWN:
        return None
    if trust is Trust.TOO_LONG and stream.codec_context.name.startswith("pcm") and stream.codec_context.bit_rate:
        return 8 * length / stream.codec_context.bit_rate  # FFmpeg's own value is what the file has
    if container.format.name == "mp3":
        return declared_seconds(path, stream.codec_context.sample_rate)
    if container.format.name in _DECLARING and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.format.name == "matroska,webm":
        parts = stream.metadata.get("DURATION", "").split(":")  # as 00:01:02.345000000
        if len(parts) == 3 and all(part.replace(".", "", 1).isdecimal() for part in parts):
            return 3600 * float(parts[0]) + 60 * float(parts[1]) + float(parts[2])
        # FFmpeg estimates a missing length if it knows the bit rate.
        if len(container.streams) == 1 and not stream.codec_context.bit_rate and container.duration is not None:
            return container.duration / av.time_base
    return None


class _Progress:
    """Count of the seconds that are decoded and of those that are missing."""

    def __init__(self) -> None:
        self.decoded, self.missing = 0.0, 0.0
        self.place: float | None = None  # of the first damage, in seconds

    def miss(self, seconds: float) -> None:
        """Add missing seconds here.

        Raises
        ------
        AudioError
            If it is too much in all.
        """
        self.place = self.decoded if self.place is None else self.place
        self.missing += seconds
        if self.missing > MOST_MISSING_SECONDS:
            raise AudioError(f"damaged at {self.place:.1f} s: more than {MOST_MISSING_SECONDS:.0f} s cannot be decoded")


def _frames(container: InputContainer, stream: AudioStream, declared: float | None) -> Iterator[AudioFrame]:
    """Yield the frames of a stream; raise an AudioError if more than a second is missing, compared with `declared`."""
    has_times, counts = container.format.name not in _WITHOUT_TIMES, container.format.name in _COUNTING
    progress, packets = _Progress(), container.demux(stream)
    position, failed = 0, False  # end of the last packet, damage since the last one that was decoded
    size, n_packets = 0, 0  # of the decoded packets
    start: float | None = None  # time of a frame that nothing is missing before, less what was decoded before it
    gap: float | None = None
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the format itself is damaged, and FFmpeg cannot go on
            progress.miss((container.size - position) * progress.decoded / size if size else MOST_MISSING_SECONDS)
            break
        if packet is None:
            break
        position = position if packet.pos is None else packet.pos + packet.size
        try:
            frames = packet.decode()
        except av.EOFError:
            continue
        except av.FFmpegError:
            failed = True
            if size and not has_times:
                progress.miss(max(0, packet.size - tag_bytes(bytes(packet))) * progress.decoded / size)
            continue
        mean_size = size // max(1, n_packets)
        if size and not has_times and packet.size > max(_LARGE_BYTES, 4 * mean_size):  # tags or zeros are skipped
            excess = packet.size - mean_size - tag_bytes(bytes(packet))
            if excess > 0:
                progress.miss(excess * progress.decoded / size)
        else:
            size, n_packets = size + packet.size, n_packets + 1
        for frame in frames:
            if has_times and (time := frame.time) is not None:
                late = 0.0 if start is None else time - start - progress.decoded
                if late > _ROUNDING_SECONDS and (counts or failed):
                    progress.miss(late)
                    start = time - progress.decoded
                elif start is None or late < -MOST_MISSING_SECONDS or not counts:
                    gap = progress.decoded if late > MOST_MISSING_SECONDS and gap is None else gap
                    start = time - progress.decoded
            progress.decoded += frame.samples / frame.sample_rate
            failed = False
            yield frame
    if failed and not progress.decoded:
        raise AudioError("cannot be decoded: damaged or not audio (no packet can be decoded)")
    if declared is not None and progress.decoded < declared - MOST_MISSING_SECONDS:
        place = gap if progress.place is None else progress.place
        of = f"{progress.decoded:.1f} s of the {declared:.1f} s that its header declares"
        raise AudioError(f"truncated: {of}" if place is None else f"damaged at {place:.1f} s: {of} can be decoded")


def _gathered(frames: Iterator[AudioFrame]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield rate and samples of blocks of frames.

    Frames hold about a thousand samples; one by one, the overhead would exceed the decoding.
    """
    kind, length, buffer = (0, "", 0), 0, np.empty((0, 0), np.float32)
    for frame in frames:
        samples, now = frame.samples, (frame.sample_rate, frame.format.name, frame.layout.nb_channels)
        if now != kind or length + samples > buffer.shape[1]:
            if length:
                yield kind[0], _scaled(buffer[:, :length], kind[1])
            kind, length = now, 0
            buffer = np.empty((now[2], max(samples, BLOCK_VALUES // now[2])), np.float32)
        part, dtype = buffer[:, length : length + samples], _TYPES[now[1].removesuffix("p")]
        if now[1].endswith("p"):
            for row, plane in zip(part, frame.planes, strict=True):
                row[:] = np.frombuffer(memoryview(plane), dtype, samples)
        else:
            part[:] = np.frombuffer(memoryview(frame.planes[0]), dtype, part.size).reshape(samples, now[2]).T
        length += samples
    if length:
        yield kind[0], _scaled(buffer[:, :length], kind[1])


def _scaled(samples: np.ndarray, form: str) -> np.ndarray:
    """Return samples [shape=(channels, n)] of a format of FFmpeg as [shape=(n, channels)] with full scale 1."""
    dtype = np.dtype(_TYPES[form.removesuffix("p")])
    if dtype.kind == "u":
        samples -= 128
    if dtype.kind in "iu":
        samples *= np.float32(2.0 ** (1 - 8 * dtype.itemsize))
    return samples.T
