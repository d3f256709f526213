"""Mel spectrograms: computed from samples, stored as bytes.

A cell is its level in dB below the reference, from 0 down to ``-top_db``, in 255 equal steps; with the default 80 dB
a step is 0.31 dB, so that a stored value is within 0.16 dB of librosa's. The reference is the track's loudest cell
(``peak``), or a fixed distance above its loudness (``loudness``): then all tracks are equally loud, however they were
mastered, and one loud click does not make the rest of its song quieter.
"""

import functools
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.fft

from genres.audio import decode
from genres.audio.format import Format, format_of, mel_edges, to_bytes
from genres.audio.loudness import Meter
from genres.core.params import MelParams

# Frames whose power spectra are turned into mel bands at a time.
_BLOCK_FRAMES = 64

# Frames that are transformed at a time: their spectra (256 kB) stay in a core's cache. A divisor of the above.
_FFT_FRAMES = 32

# Mel bands that are summed up at a time, from the few bins that any of them covers.
_GROUP_BANDS = 16

# The floor of librosa.power_to_db, where a logarithm would have none.
_LEAST_POWER = 1e-10

# Where 0 dB lies with reference `loudness`: dB of power in 1 Hz, above the loudness in LUFS. Measured on 208 tracks of
# 30 s (148 mp3s of Emotify, 60 wavs of GTZAN; 2048 samples a frame, 128 bands): 0.0008 % of the cells lie higher (and
# are cut off), 7 % of the tracks have one of them, and 8 % of the cells lie more than 80 dB lower (fmax 10 kHz: 7 %).
TOP_ABOVE_LOUDNESS_DB = -6.0

# Samples that are heard at a time, however they come, so that the result does not depend on it: 3 s.
_PIECE_SAMPLES = 1 << 16

# What is kept of a track in memory until its loudest cell is known, in bytes; the rest goes to a temporary file. A
# quarter of an hour at 43 frames a second and 128 bands, so that songs do without.
_SPOOL_BYTES = 20 << 20

# Frames that are turned into bytes at a time: 256 kB with 128 bands.
_ROWS = 512

# A track is amplified by no more than this before its loudness is measured: beyond, there is nothing but rounding.
_MOST_GAIN = 1e12


def mel_power(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """Mel power spectrogram, as ``librosa.feature.melspectrogram`` (centred, zero-padded, Hann, Slaney) makes it.

    Takes about a third of librosa's time: a few frames at a time, squares without a square root in between, and
    products of small matrices instead of one that is nearly all zeros.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at ``params.sample_rate``.
    params : MelParams
        Sizes, band and number of mel bands.

    Returns
    -------
    np.ndarray [shape=(1 + n // hop_length, n_mels), dtype=float32]
        Frames first, so that a window in time is one piece of memory.
    """
    return np.concatenate(list(mel_power_of_blocks([samples], format_of(params))))


def mel_power_of_blocks(blocks: Iterable[np.ndarray], form: Format) -> Iterator[np.ndarray]:
    """The same of samples that come block by block, some frames at a time.

    Frame k is centred at sample ``k * sample_rate / frame_rate``, rounded where the frame rate, as that of published
    spectrograms, is not that of a whole hop length.
    """
    window, groups = _window_and_filters(
        form.sample_rate, form.n_fft, form.n_mels, form.fmin, form.fmax or form.sample_rate / 2
    )
    hop = form.sample_rate / form.frame_rate
    whole_hop = round(hop) if abs(hop - round(hop)) < 1e-6 else None
    half = np.zeros(form.n_fft // 2, np.float32)
    scratch = _Scratch(form.n_fft)
    heard, behind, frame = half, 0, 0  # what is still needed, how many samples came before it, the next frame
    for block, is_last in _marking_the_last(itertools.chain(blocks, [half])):
        heard = np.concatenate([heard, block])
        if len(heard) < form.n_fft:
            continue
        views = np.lib.stride_tricks.sliding_window_view(heard, form.n_fft)
        while True:
            starts = np.round(np.arange(frame, frame + _BLOCK_FRAMES) * hop).astype(np.int64) - behind
            complete = int(np.searchsorted(starts, len(heard) - form.n_fft, side="right"))
            # Always as many at a time: where a product of matrices is cut decides its last bit.
            if complete == 0 or (complete < _BLOCK_FRAMES and not is_last):
                break
            chosen = slice(starts[0], starts[complete - 1] + 1, whole_hop) if whole_hop else starts[:complete]
            power = scratch.power(views[chosen], window)
            mels = np.empty((complete, form.n_mels), np.float32)
            for bands, bins, weights in groups:
                mels[:, bands] = power[:, bins] @ weights
            yield mels
            frame += complete
        passed = min(max(0, round(frame * hop) - behind), len(heard))
        heard, behind = heard[passed:], behind + passed


class _Scratch:
    """Power spectra in memory that is used again: what is new each time is slow to come by, and far from the core."""

    def __init__(self, n_fft: int) -> None:
        self._samples = np.empty((_FFT_FRAMES, n_fft), np.float32)
        self._squares = np.empty((_FFT_FRAMES, n_fft // 2 + 1), np.float32)
        self._power = np.empty((_BLOCK_FRAMES, n_fft // 2 + 1), np.float32)

    def power(self, frames: np.ndarray, window: np.ndarray) -> np.ndarray:
        """Of up to `_BLOCK_FRAMES` frames; valid until the next call."""
        for start in range(0, len(frames), _FFT_FRAMES):
            some = frames[start : start + _FFT_FRAMES]
            spectra = scipy.fft.rfft(np.multiply(some, window, out=self._samples[: len(some)]), overwrite_x=True)
            power, squares = self._power[start : start + len(some)], self._squares[: len(some)]
            np.square(spectra.real, out=power)
            power += np.square(spectra.imag, out=squares)
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
    """The same samples in pieces of always the same size; the last may be smaller."""
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
    """The Hann window; for each group of bands: which, from which bins, with which weights [shape=(bins, bands)]."""
    window = (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_fft + 1)[:-1])).astype(np.float32)
    filters = mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    groups = []
    for first in range(0, n_mels, _GROUP_BANDS):
        bands = slice(first, first + _GROUP_BANDS)
        covered = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 1)
        groups.append((bands, bins, np.ascontiguousarray(filters[bands, bins].T)))
    return window, groups


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, equal to ``librosa.filters.mel``: float32 [shape=(n_mels, bins)].

    Not taken from there, since loading librosa takes each worker two seconds, the time of fifty tracks.
    """
    edges = mel_edges(n_mels, fmin, fmax)
    distances = edges[:, np.newaxis] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)[:, np.newaxis]
    triangles = np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:]).clip(min=0).astype(np.float32)
    triangles *= (2 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return triangles


def of_samples(samples: np.ndarray, params: MelParams) -> np.ndarray:
    """The spectrogram of a track as it is stored: uint8 [shape=(frames, n_mels)]."""
    return of_blocks([samples], format_of(params))


def of_blocks(blocks: Iterable[np.ndarray], form: Format) -> np.ndarray:
    """The spectrogram as it is stored, of samples that come block by block.

    What 0 dB is, the loudest cell or the loudness, is known only at the end: until then the power of each cell is kept,
    of long tracks in a temporary file (79 MB an hour of music with the default parameters), so that an hour needs no
    more memory than a quarter of it.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,)]
        Mono, at ``form.sample_rate``. How the samples are cut into blocks changes no bit of the result.
    form : Format
        What to make.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=uint8]
    """
    meter = Meter(form.sample_rate) if form.reference == "loudness" else None

    def heard() -> Iterator[np.ndarray]:
        for piece in _pieces(blocks):
            if meter is not None:
                meter.hear(piece)
            yield piece

    loudest, frames = 0.0, 0
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as kept:
        for power in mel_power_of_blocks(heard(), form):
            loudest, frames = max(loudest, float(power.max())), frames + len(power)
            kept.write(power.data)
        # With reference `loudness` as loud as it goes: then neither the least power nor the gates depend on the gain.
        gain = 1.0 if meter is None else min(1 / max(meter.peak, 1 / _MOST_GAIN), _MOST_GAIN)
        top = _decibels(np.array([loudest], np.float32))[0] if meter is None else _loudness_top(meter, gain, form)
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
    levels = np.maximum(power, np.float32(_LEAST_POWER))
    np.log10(levels, out=levels)
    levels *= 10
    return levels


def _loudness_top(meter: Meter, gain: float, form: Format) -> np.float32:
    """The mel power in dB that is 0 dB of the stored scale, for a track of this loudness.

    Noise of power density S (in 1 Hz) has a mel power of ``S * n_fft**2 * 3 / 16``, whatever the bands and the sample
    rate: the Hann window's squares sum up to 3 / 8 n_fft, the triangles' weights to n_fft / sample_rate.
    """
    density_db = 10 * np.log10(form.n_fft**2 * 3 / 16)
    return np.float32(meter.integrated(gain) + TOP_ABOVE_LOUDNESS_DB + density_db)


def spectrogram_of(song: Path, form: Format) -> np.ndarray:
    """Decode a song and make its spectrogram, both block by block.

    Parameters
    ----------
    song : Path
        An audio file of any length, sample rate and format.
    form : Format
        What to make; travels with each model.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=uint8]

    Raises
    ------
    genres.audio.decode.AudioError
        If the file cannot be used as music.
    """
    return decode.read(song, form.sample_rate, lambda blocks: of_blocks(blocks, form))
