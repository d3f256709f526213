"""Decode audio files to mono float32 samples at a given sample rate.

libsndfile reads uncompressed and mp3 files quickly, if they are as their headers say (:mod:`genres.audio.sndfile`);
FFmpeg reads all others (:mod:`genres.audio.ffmpeg`). Blocks are mixed down and resampled as they are decoded, so that
an hour-long mix is never held in memory (:func:`read`).
"""

import contextlib
import errno
import itertools
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr

from genres.audio import sndfile
from genres.audio.error import AudioError
from genres.core.console import warn

T = TypeVar("T")

# Peak below -80 dB of full scale: inaudible, and normalising it would amplify rounding noise.
SILENCE_PEAK = 1e-4

# Channels cancel each other out if the power of their mean is this part of their mean power, or less: -20 dB.
CANCELLED_POWER = 0.01
_POWER_STEP = 7  # one sample in so many tells the power

# Sample rates in Hz that music has; DSD has the highest. Damaged headers declare others, to fill memory with.
_RATES = range(1000, 3_000_000)


class _CancelledError(Exception):
    """Channels that cancel each other out in the mix; the argument is the number of the loudest."""


def load(path: Path, sample_rate: int) -> np.ndarray:
    """Decode a file to mono at `sample_rate`.

    Channels are averaged; resampling is soxr's HQ, as in librosa.load.

    Parameters
    ----------
    path : Path
        Audio file.
    sample_rate : int
        Target sample rate in Hz.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Samples, full scale is 1.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is empty, truncated or silent, lacks more than a second, or has samples that are
        not finite.
    """
    return read(path, sample_rate, _joined)


def read(path: Path, sample_rate: int, consume: Callable[[Iterator[np.ndarray]], T]) -> T:
    """Decode a file to mono at `sample_rate` block by block, in memory that does not grow with its length.

    A line of warning says if only one channel is used, since all together cancel each other out, or only the first of
    several files that are joined into one.

    Parameters
    ----------
    path, sample_rate
        As in :func:`load`.
    consume : callable
        Function of the iterator of blocks, float32 [shape=(n,)] each; it must exhaust it. It is called again with
        blocks from the start if libsndfile fails half-way, or channels cancel each other out. Its result is returned
        only if no error follows, since a silent or truncated file is detected at its end.

    Returns
    -------
    The result of `consume`.

    Raises
    ------
    AudioError
        As :func:`load`.
    """

    def mixed(channel: int | None) -> Callable[[Iterator[tuple[int, np.ndarray]]], T]:
        return lambda blocks: consume(_checked(_resampled(_mixed_down(blocks, channel), sample_rate)))

    with _opened(path):
        try:
            result = _read_with_any_decoder(path, mixed(None))
        except _CancelledError as cancelled:
            (channel,) = cancelled.args
            result = _read_with_any_decoder(path, mixed(channel))
            warn(f"{path}: its channels cancel each other out; only channel {channel + 1} is used")
        return result


def load_channels(path: Path, longest_s: float) -> tuple[np.ndarray, int]:
    """Decode a file with all its channels, at its own sample rate.

    Parameters
    ----------
    path : Path
        Audio file.
    longest_s : float
        Seconds after which a file is refused, so that it does not fill the memory.

    Returns
    -------
    samples : np.ndarray [shape=(channels, n), dtype=float32]
        Full scale is 1.
    rate : int
        Hz.

    Raises
    ------
    AudioError
        As :func:`load`, and if the file is too long or changes its rate or its number of channels.
    """

    def joined(blocks: Iterator[tuple[int, np.ndarray]]) -> tuple[np.ndarray, int]:
        first = next(blocks, None)
        if first is None:
            raise AudioError("empty")
        rate, kind = _plausible(first[0]), (first[0], first[1].shape[1])

        def alike() -> Iterator[np.ndarray]:
            length = 0
            for other, block in itertools.chain([first], blocks):
                if (other, block.shape[1]) != kind:
                    raise AudioError("changes its sample rate or its number of channels")
                length += len(block)
                if length > longest_s * rate:
                    raise AudioError(f"longer than {longest_s / 60:.0f} minutes; use an excerpt")
                yield block

        return np.concatenate([block.T for block in _checked(alike())], axis=1), rate

    with _opened(path):
        return _read_with_any_decoder(path, joined)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[None]:
    """Check that a file can be opened and is not empty; make an AudioError of an OSError of the file system."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
            raise AudioError("cannot be opened (not a regular file)")
        with path.open("rb") as opened:  # the decoders' errors do not tell denied access from bad data
            if not opened.read(1):
                raise AudioError("empty")
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:  # raised by `consume`, not caused by the song
            raise
        raise AudioError(f"cannot be opened ({error.strerror or error})") from None


def _read_with_any_decoder(path: Path, consume: Callable[[Iterator[tuple[int, np.ndarray]]], T]) -> T:
    try:
        return consume(sndfile.blocks(path))
    except sndfile.NotTrustedError:
        from genres.audio import ffmpeg  # loads 60 MB of FFmpeg, which uncompressed data sets never need

        return consume(ffmpeg.blocks(path))


def _checked(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the blocks; raise an AudioError if they are empty, silent or not finite."""
    peak: float | None = None
    for block in blocks:
        if not len(block):
            continue
        highest, lowest = float(block.max()), float(block.min())
        if not (np.isfinite(highest) and np.isfinite(lowest)):
            raise AudioError("has samples that are not numbers (NaN or infinity)")
        peak = max(peak or 0.0, highest, -lowest)
        yield block
    if peak is None:
        raise AudioError("empty")
    if peak < SILENCE_PEAK:
        raise AudioError("silent")


def _joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.float32), *blocks])


def _mixed_down(blocks: Iterator[tuple[int, np.ndarray]], channel: int | None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield rate and mono samples: one channel, or the mean of all.

    Raises
    ------
    _CancelledError
        At the end, if the channels cancel each other out.
    """
    powers: list[float] = []  # of each channel
    total, mixed = 0.0, 0.0  # mean power of the channels, power of their mean
    for rate, block in blocks:
        channels = block.shape[1]
        if channels == 1 or channel is not None:
            yield rate, np.ascontiguousarray(block[:, min(channel or 0, channels - 1)])
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # damaged samples, which are refused as not finite
            # The sum of two is bit-identical to mean(), in a tenth of its time.
            mono = (block[:, 0] + block[:, 1]) / 2 if channels == 2 else np.ascontiguousarray(block).mean(axis=1)
            added = [_power(samples) for samples in block.T]
            mixed += _power(mono)
        powers = [sum(pair) for pair in itertools.zip_longest(powers, added, fillvalue=0.0)]
        total += sum(added) / channels
        yield rate, mono
    if mixed < total * CANCELLED_POWER:
        raise _CancelledError(powers.index(max(powers)))


def _power(samples: np.ndarray) -> float:
    some = samples[::_POWER_STEP]
    return float(np.dot(some, some))


def _plausible(rate: int) -> int:
    if rate not in _RATES:
        raise AudioError(f"cannot be decoded: damaged or not audio (sample rate {rate} Hz)")
    return rate


def _resampled(blocks: Iterator[tuple[int, np.ndarray]], target: int) -> Iterator[np.ndarray]:
    """Resample mono blocks to `target` Hz, each from its own rate."""
    resampler, current = None, None
    for rate, block in blocks:
        if rate != current:
            _plausible(rate)
            if resampler is not None:
                yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
            resampler = None if rate == target else soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
            current = rate
        yield block if resampler is None else resampler.resample_chunk(block)
    if resampler is not None:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
