"""Compute mel spectrograms from samples and store them as bytes.

A cell is the level in dB relative to the reference, from 0 down to ``-top_db``, in 255 equal steps; with the default
80 dB a step is 0.31 dB, so a stored value is within 0.16 dB of librosa's. The reference is the track's loudest cell
(``peak``), or a fixed distance above its loudness (``loudness``). The latter makes all tracks equally loud, however
they were mastered, and a single loud click does not lower the rest of its song.
"""

import functools
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from genres.audio import decode
from genres.audio.format import Format, format_of, mel_edges, to_bytes
from genres.audio.loudness import Meter

if TYPE_CHECKING:
    from genres.core.params import MelParams

# Frames whose power spectra are converted to mel bands at a time.
_BLOCK_FRAMES = 64

# Frames transformed at a time: their spectra (256 kB) fit a core's cache. A divisor of `_BLOCK_FRAMES`.
_FFT_FRAMES = 32

# Mel bands computed at a time, from the few bins that any of them covers.
_GROUP_BANDS = 16

# The floor of librosa.power_to_db, which keeps the logarithm finite.
LEAST_POWER = 1e-10

# Level of 0 dB with reference `loudness`: dB of power in 1 Hz, above the loudness in LUFS. Measured on 208 tracks of
# 30 s (148 mp3s of Emotify, 60 wavs of GTZAN; 2048 samples a frame, 128 bands): 0.0008 % of the cells lie higher (and
# are cut off), 7 % of the tracks have one of them, and 8 % of the cells lie more than 80 dB lower (fmax 10 kHz: 7 %).
TOP_ABOVE_LOUDNESS_DB = -6.0

# Samples processed at a time, whatever the input's blocks, so that the result does not depend on them: 3 s.
_PIECE_SAMPLES = 1 << 16

# Bytes of a track held in memory until its loudest cell is known; longer tracks use a temporary file. This is a
# quarter of an hour at 43 frames a second and 128 bands, so that songs need no file.
_SPOOL_BYTES = 20 << 20

# Frames converted to bytes at a time: 256 kB with 128 bands.
_ROWS = 512

# Largest gain before the loudness is measured: what it does not lift is rounding noise.
MOST_GAIN = 1e12


def mel_power(samples: np.ndarray, params: "MelParams") -> np.ndarray:
    """Compute the mel power spectrogram, as ``librosa.feature.melspectrogram`` (centred, zero-padded, Hann, Slaney).

    This takes about a third of librosa's time: it processes a few frames at a time, squares without a square root in
    between, and multiplies small matrices instead of one that is nearly all zeros.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at ``params.sample_rate``.
    params : MelParams
        Sizes, band and number of mel bands.

    Returns
    -------
    np.ndarray [shape=(1 + n // hop_length, n_mels), dtype=float32]
        Frames first, so that a window in time is contiguous in memory.
    """
    return np.concatenate(list(mel_power_of_blocks([samples], format_of(params))))


def mel_power_of_blocks(blocks: Iterable[np.ndarray], form: Format) -> Iterator[np.ndarray]:
    """Yield the mel power spectrogram of samples that arrive in blocks, some frames at a time.

    Frame k is centred at sample ``k * sample_rate / frame_rate``, rounded if the hop length is not whole, as in
    published spectrograms.
    """
    window, groups = _window_and_filters(
        form.sample_rate, form.n_fft, form.n_mels, form.fmin, form.fmax or form.sample_rate / 2
    )
    hop = form.sample_rate / form.frame_rate
    whole_hop = round(hop) if abs(hop - round(hop)) < 1e-6 else None
    half = np.zeros(form.n_fft // 2, np.float32)
    scratch = _Scratch(form.n_fft)
    buffer, offset, frame = half, 0, 0  # samples still needed, number of samples before them, next frame
    for block, is_last in _marking_the_last(itertools.chain(blocks, [half])):
        buffer = np.concatenate([buffer, block])
        if len(buffer) < form.n_fft:
            continue
        views = np.lib.stride_tricks.sliding_window_view(buffer, form.n_fft)
        while True:
            starts = np.round(np.arange(frame, frame + _BLOCK_FRAMES) * hop).astype(np.int64) - offset
            complete = int(np.searchsorted(starts, len(buffer) - form.n_fft, side="right"))
            # Always the same number at a time: the shape of a matrix product affects its last bit.
            if complete == 0 or (complete < _BLOCK_FRAMES and not is_last):
                break
            chosen = slice(starts[0], starts[complete - 1] + 1, whole_hop) if whole_hop else starts[:complete]
            power = scratch.power(views[chosen], window)
            mels = np.empty((complete, form.n_mels), np.float32)
            for bands, bins, weights in groups:
                mels[:, bands] = power[:, bins] @ weights
            yield mels
            frame += complete
        passed = min(max(0, round(frame * hop) - offset), len(buffer))
        buffer, offset = buffer[passed:], offset + passed


class _Scratch:
    """Reused buffers for power spectra; new memory each time would be slow to allocate and outside the cache."""

    def __init__(self, n_fft: int) -> None:
        self._samples = np.empty((_FFT_FRAMES, n_fft), np.float32)
        self._power = np.empty((_BLOCK_FRAMES, n_fft // 2 + 1), np.float32)

    def power(self, frames: np.ndarray, window: np.ndarray) -> np.ndarray:
        """Return the power spectra of up to `_BLOCK_FRAMES` frames; valid until the next call."""
        for start in range(0, len(frames), _FFT_FRAMES):
            some = frames[start : start + _FFT_FRAMES]
            spectra = scipy.fft.rfft(np.multiply(some, window, out=self._samples[: len(some)]), overwrite_x=True)
            parts = spectra.view(np.float32)  # real and imaginary parts in turns: squares of memory in one piece
            np.square(parts, out=parts)
            np.add(parts[:, ::2], parts[:, 1::2], out=self._power[start : start + len(some)])
        return self._power[: len(frames)]


def _marking_the_last(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    waiting = None
    for block in blocks:
        if waiting is not None:
            yield waiting, False
        waiting = block
    if waiting is not None:
        yield waiting, True


def _pieces(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the samples in pieces of a fixed size; the last may be smaller."""
    waiting: list[np.ndarray] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= _PIECE_SAMPLES:
            joined = np.concatenate(waiting)
            whole = len(joined) - len(joined) % _PIECE_SAMPLES
            yield from (joined[start : start + _PIECE_SAMPLES] for start in range(0, whole, _PIECE_SAMPLES))
            waiting = [joined[whole:]]
    joined = np.concatenate(waiting) if waiting else np.empty(0, np.float32)
    if len(joined):
        yield joined


@functools.lru_cache(maxsize=4)
def _window_and_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> tuple[np.ndarray, list[tuple[slice, slice, np.ndarray]]]:
    """Return the Hann window, and the bands, bins and weights [shape=(bins, bands)] of each group of bands."""
    window = hann_window(n_fft)
    filters = mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    groups = []
    for first in range(0, n_mels, _GROUP_BANDS):
        bands = slice(first, first + _GROUP_BANDS)
        covered = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 1)
        groups.append((bands, bins, np.ascontiguousarray(filters[bands, bins].T)))
    return window, groups


def hann_window(n_fft: int) -> np.ndarray:
    """Return the periodic Hann window: float32 [shape=(n_fft,)]."""
    return (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_fft + 1)[:-1])).astype(np.float32)


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return the filters of ``librosa.filters.mel`` (Slaney, equal areas): float32 [shape=(n_mels, bins)].

    librosa itself is not used, since importing it takes each worker two seconds, the time of fifty tracks.
    """
    edges = mel_edges(n_mels, fmin, fmax)
    distances = edges[:, np.newaxis] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)[:, np.newaxis]
    triangles = np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:]).clip(min=0).astype(np.float32)
    triangles *= (2 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return triangles


def of_samples(samples: np.ndarray, params: "MelParams") -> np.ndarray:
    """Compute the stored spectrogram of a track: uint8 [shape=(frames, n_mels)]."""
    return of_blocks([samples], format_of(params))


def of_blocks(blocks: Iterable[np.ndarray], form: Format) -> np.ndarray:
    """Compute the stored spectrogram of samples that arrive in blocks.

    The 0 dB reference, the loudest cell or the loudness, is known only at the end. Until then the power of each cell is
    kept, for long tracks in a temporary file (79 MB an hour of music with the default parameters), so that an hour
    needs no more memory than a quarter of an hour.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,)]
        Mono, at ``form.sample_rate``. The sizes of the blocks do not change the result by a bit.
    form : Format
        Format of the result.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=uint8]
    """
    meter = Meter(form.sample_rate) if form.reference == "loudness" else None

    def metered() -> Iterator[np.ndarray]:
        for piece in _pieces(blocks):
            if meter is not None:
                meter.update(piece)
            yield piece

    loudest, frames = 0.0, 0
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as kept:
        for power in mel_power_of_blocks(metered(), form):
            loudest, frames = max(loudest, float(power.max())), frames + len(power)
            kept.write(power.data)
        # With reference `loudness` the peak is normalised, so that the floor and the gates do not depend on the gain.
        gain, top = 1.0, _decibels(np.array([loudest], np.float32))[0]
        if meter is not None:
            gain = min(1 / max(meter.peak, 1 / MOST_GAIN), MOST_GAIN)
            top = np.float32(meter.integrated(gain) + zero_db_above_loudness(form))
        kept.seek(0)
        stored = np.empty((frames, form.n_mels), np.uint8)
        for start in range(0, frames, _ROWS):
            rows = stored[start : start + _ROWS]
            power = np.frombuffer(kept.read(4 * rows.size), np.float32).reshape(rows.shape)
            levels = _decibels(power if gain == 1 else power * np.float32(gain**2))
            levels -= top
            rows[:] = to_bytes(levels, form.top_db)
    return stored


def _decibels(power: np.ndarray) -> np.ndarray:
    levels = np.maximum(power, np.float32(LEAST_POWER))
    np.log10(levels, out=levels)
    levels *= 10
    return levels


def zero_db_above_loudness(form: Format) -> float:
    """Return by how much the mel power in dB that is stored as 0 dB lies above a track's loudness in LUFS.

    Noise of power density S (in 1 Hz) has a mel power of ``S * n_fft**2 * 3 / 16``, whatever the bands and the sample
    rate: the Hann window's squares sum to 3 / 8 n_fft, the triangles' weights to n_fft / sample_rate.
    """
    return TOP_ABOVE_LOUDNESS_DB + 10 * float(np.log10(form.n_fft**2 * 3 / 16))


def spectrogram_of(song: Path, form: Format) -> np.ndarray:
    """Decode a song and compute its spectrogram, both block by block.

    Parameters
    ----------
    song : Path
        Audio file of any length, sample rate and format.
    form : Format
        Format of the result, as saved with each model.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=uint8]

    Raises
    ------
    genres.audio.decode.AudioError
        If the file cannot be used as music.
    """
    return decode.read(song, form.sample_rate, lambda blocks: of_blocks(blocks, form))
