"""Read files with FFmpeg (bundled in PyAV's wheel); packets that cannot be decoded are skipped and counted."""

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from genres.audio.error import AudioError
from genres.audio.header import Declared, Trust, length_of_samples
from genres.audio.loss import MOST_MISSING_SECONDS, Loss
from genres.audio.mpeg import declared_seconds, frame_bytes, tag_bytes
from genres.audio.sndfile import BLOCK_VALUES
from genres.audio.structure import end_of_sound

# Container formats that FFmpeg may use. Playlists are excluded: an uploaded one could open other files.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,loas,matroska,webm,mlp,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,"
    "mpeg,mpegts,ogg,rm,truehd,tta,voc,w64,wav,wv"
)

# Formats whose headers declare the length of each stream. In others FFmpeg estimates it from the bit rate, reads it
# at the end of the file, or knows only the longest stream's, which may be a video's.
_DECLARING = ("aiff", "ape", "au", "dsf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "rm", "tta", "wav", "wv")

# Formats that count samples: a gap in their times is a missing part. Elsewhere a gap may be a pause of the recorder,
# and counts only behind a packet that cannot be decoded.
_COUNTING = ("flac", "ogg")

# Formats without times: FFmpeg counts packets, whatever lies between them, so that only bytes tell what is missing.
_WITHOUT_TIMES = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mlp", "mp3", "truehd")

# A packet of a format without times that is larger, and than four others, holds more than a frame.
_LARGE_BYTES = 2048

# Frames of one size differ by a byte or word of padding.
_PADDING_BYTES = 4

# A packet that is not complete is the last one but for what decoders and parsers keep back.
_CUT_SECONDS = 0.1

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
            tagged = container.metadata.get("TLEN", "")  # milliseconds
            loss = Loss(
                _declared(path, header, container, stream),
                end_of_sound(path),
                int(tagged) / 1000 if tagged.isdecimal() else None,
            )
            yield from _gathered(_frames(path, container, stream, loss))
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
    if container.format.name in _DECLARING and stream.duration and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.format.name == "matroska,webm":
        parts = stream.metadata.get("DURATION", "").split(":")  # as 00:01:02.345000000
        if len(parts) == 3 and all(part.replace(".", "", 1).isdecimal() for part in parts):
            start = (container.start_time or 0) / av.time_base  # which is not 0 in an excerpt
            return 3600 * float(parts[0]) + 60 * float(parts[1]) + float(parts[2]) - max(0.0, start)
        # FFmpeg estimates a missing length if it knows the bit rate.
        if len(container.streams) == 1 and not stream.codec_context.bit_rate and container.duration is not None:
            return container.duration / av.time_base
    return None


def _frames(path: Path, container: InputContainer, stream: AudioStream, loss: Loss) -> Iterator[AudioFrame]:
    """Yield the frames of a stream; raise an AudioError if more than a second is missing."""
    has_times, counts = container.format.name not in _WITHOUT_TIMES, container.format.name in _COUNTING
    is_pcm = stream.codec_context.name.startswith("pcm")  # whose last packet is rarely full
    packets = container.demux()  # of all streams, which tells the place in the file
    position, failed = 0, False  # end of the last packet, damage since the last one that was decoded
    cut_at = -math.inf  # seconds, of the last packet that is not complete
    size, n_packets = 0, 0  # of the decoded packets
    last, sizes = b"", set[int]()  # the last packet, sizes of those before it
    start: float | None = None  # time of a frame that nothing is missing before, less what was decoded before it
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the format itself is damaged, and FFmpeg cannot go on
            loss.note()
            failed, cut_at = True, loss.decoded
            break
        if packet is None:
            break
        position = position if packet.pos is None else max(position, packet.pos + packet.size)
        if packet.stream_index != stream.index:
            continue
        if packet.size and not has_times:
            sizes.add(len(last))
            last = bytes(packet)
        if packet.is_corrupt and not is_pcm:
            cut_at = loss.decoded
        try:
            frames = stream.decode(packet)
        except av.EOFError:
            continue
        except av.FFmpegError:
            n_bytes = packet.size - tag_bytes(bytes(packet))
            failed, cut_at = True, loss.decoded if n_bytes > 0 else cut_at
            if size and not has_times:
                loss.miss(max(0, n_bytes) * loss.decoded / size)
            continue
        mean_size = size // max(1, n_packets)
        if size and not has_times and packet.size > max(_LARGE_BYTES, 4 * mean_size):  # tags or zeros are skipped
            excess = packet.size - mean_size - tag_bytes(bytes(packet))
            if excess > 0:
                loss.miss(excess * loss.decoded / size)
        else:
            size, n_packets = size + packet.size, n_packets + 1
        for frame in frames:
            if has_times and (time := frame.time) is not None:
                late = 0.0 if start is None else time - start - loss.decoded
                if late > _ROUNDING_SECONDS and (counts or failed):
                    loss.miss(late)
                    start = time - loss.decoded
                elif start is None or late < -MOST_MISSING_SECONDS or not counts:
                    if late > MOST_MISSING_SECONDS:
                        loss.note()
                    start = time - loss.decoded
            loss.decoded += frame.samples / frame.sample_rate
            failed = False
            yield frame
    if failed and not loss.decoded:
        raise AudioError("cannot be decoded: damaged or not audio (no packet can be decoded)")
    sizes.discard(0)
    of_one_size = bool(sizes) and max(sizes) - min(sizes) <= _PADDING_BYTES
    is_short = len(last) < (min(sizes) if of_one_size else frame_bytes(last))
    is_cut = is_short or loss.decoded - cut_at < _CUT_SECONDS
    loss.finish(path, position, is_cut, shows_cuts=container.format.name == "flac")


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
        with np.errstate(over="ignore"):  # damaged float64 samples become infinite, which is refused
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
