"""Hand-designed descriptors of a track: timbre, dynamics, modulation and rhythm, 1,477 numbers in 15 blocks.

Input: the level of a track in dB relative to its maximum (batch, frames, 128 mels), about 12.9 frames a second. Lengths
of time are in frames of 78 ms. All but three blocks are invariant to a constant added to the level. `mfcc` (its first
coefficient), `band_level` and `contrast` (its valleys) are not, since the level relative to the loudest moment tells
how much of a track is loud.
"""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from genres.models.backend import keras

ops = keras.ops
Tensor: TypeAlias = keras.KerasTensor

N_MELS = 128
FRAME_RATE = 12.9  # frames a second that all lengths assume
WINDOW, HOP = 128, 32  # frames of a modulation spectrum's window and hop: 9.9 s, every 2.5 s
MODULATION_EDGES = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64)  # bins of 0.1 Hz, about half an octave per band
ONSET_BANDS = ((0, 10), (10, 30), (30, 70), (70, N_MELS), (0, N_MELS))  # mels: bass, two of the middle, treble, all
LAGS = 110  # frames of the autocorrelation: 8.5 s


@keras.saving.register_keras_serializable("genres")
class Descriptors(keras.Layer):
    """Layer from levels, float [shape=(batch, frames, 128)], to descriptors, float [shape=(batch, 1477)].

    Raises
    ------
    ValueError
        If the input does not have 128 bands or has fewer than `WINDOW` frames.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Check the shape of the levels."""
        if len(shape) != 3 or shape[2] != N_MELS or shape[1] is None or shape[1] < WINDOW:
            raise ValueError(f"needs at least {WINDOW} frames of {N_MELS} mels; received {shape[1:]}")

    def call(self, levels: Tensor) -> Tensor:
        """Concatenate all blocks."""
        return ops.concatenate([block(levels) for block in BLOCKS], axis=1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return the shape of the descriptors."""
        return (shape[0], sum(sizes()))


def sizes() -> list[int]:
    """Return the size of each block, in order; it does not depend on the number of frames."""
    return [ops.convert_to_numpy(block(ops.zeros((1, WINDOW, N_MELS)))).shape[1] for block in BLOCKS]


# ── Timbre ───────────────────────────────────────────────────────────────────────────────────────────────────────


def mfcc(levels: Tensor) -> Tensor:
    """Compute means and deviations of 20 MFCC and their differences (first for genres: Tzanetakis and Cook 2002)."""
    cepstrum = _cepstrum(levels, 0, 20)
    parts = (cepstrum, _difference(cepstrum))
    return _joined(statistic(part, axis=1) for part in parts for statistic in (ops.mean, ops.std))


def mfcc_correlation(levels: Tensor) -> Tensor:
    """Compute the correlations of 20 MFCC (Mandel and Ellis 2005 take the covariance)."""
    scores = _cepstrum(levels, 0, 20)
    scores = scores - ops.mean(scores, axis=1, keepdims=True)
    scores = scores / (ops.std(scores, axis=1, keepdims=True) + 1e-3)
    correlations = ops.matmul(ops.transpose(scores, (0, 2, 1)), scores) / levels.shape[1]
    one, other = np.triu_indices(20, 1)
    return ops.take(_flat(correlations), 20 * one + other, axis=1)


def fine_cepstrum(levels: Tensor) -> Tensor:
    """Compute tonality: log power of cepstral coefficients 20 to 79, which resolve single partials, in threes."""
    power = ops.reshape(ops.square(_cepstrum(levels, 20, 80)), (-1, levels.shape[1], 20, 3))
    return ops.log(ops.mean(power, axis=(1, 3)) + 1e-3)


def band_quantiles(levels: Tensor) -> Tensor:
    """Compute quantiles over time of the level of 32 bands, relative to the track's mean."""
    bands = _pooled(levels, 32)
    return _quantiles(bands - ops.mean(bands, axis=(1, 2), keepdims=True), (0.05, 0.25, 0.5, 0.75, 0.95))


def band_level(levels: Tensor) -> Tensor:
    """Compute means and deviations of the level of 32 bands."""
    bands = _pooled(levels, 32)
    return _joined([ops.mean(bands, axis=1), ops.std(bands, axis=1)])


def contrast(levels: Tensor) -> Tensor:
    """Compute spectral contrast (Jiang et al. 2002): peaks less valleys, and valleys, of 8 bands of 16 mels."""
    ordered = ops.sort(ops.reshape(levels, (-1, levels.shape[1], 8, N_MELS // 8)), axis=3)
    peak, valley = ops.mean(ordered[..., -3:], axis=3), ops.mean(ordered[..., :4], axis=3)
    return _joined(statistic(part, axis=1) for part in (peak - valley, valley) for statistic in (ops.mean, ops.std))


# ── Dynamics ─────────────────────────────────────────────────────────────────────────────────────────────────────


def flux(levels: Tensor) -> Tensor:
    """Compute spectral flux: mean rise, mean fall and deviation of the change from frame to frame, of 32 bands."""
    change = _difference(_pooled(levels, 32))
    rise, fall = ops.mean(ops.relu(change), axis=1), ops.mean(ops.relu(-change), axis=1)
    return _joined([rise, fall, ops.std(change, axis=1)])


def moments(levels: Tensor) -> Tensor:
    """Compute skewness and kurtosis over time of the level and of its changes, of 32 bands."""
    bands = _pooled(levels, 32)
    values = []
    for curves in (bands, _difference(bands)):
        scores = curves - ops.mean(curves, axis=1, keepdims=True)
        scores = scores / (ops.std(curves, axis=1, keepdims=True) + 0.1)
        values += [ops.mean(scores**3, axis=1), ops.mean(scores**4, axis=1)]
    return _joined(values)


def harmonic_percussive(levels: Tensor) -> Tensor:
    """Compute harmonic less percussive levels by running medians (Fitzgerald 2010), of 16 bands."""
    difference = _pooled(running_median(levels, axis=1) - running_median(levels, axis=2), 16)
    return _joined(
        [ops.mean(difference, axis=1), ops.std(difference, axis=1), ops.mean(ops.abs(difference), axis=1)],
    )


def sustain(levels: Tensor) -> Tensor:
    """Compute the persistence of partials: correlation over 1 to 32 frames of level above nearby mels, 16 bands."""
    partials = levels - ops.matmul(levels, _running_mean_matrix(N_MELS, 9))
    partials = ops.reshape(partials, (-1, levels.shape[1], 16, N_MELS // 16))
    partials = partials / (ops.std(partials, axis=(1, 3), keepdims=True) + 1e-3)
    return _joined(ops.mean(partials[:, lag:] * partials[:, :-lag], axis=(1, 3)) for lag in (1, 2, 4, 8, 16, 32))


# ── Modulation spectra ───────────────────────────────────────────────────────────────────────────────────────────


def modulation(levels: Tensor) -> Tensor:
    """Compute the shape of the modulation spectra of 16 bands (Lee et al. 2009): tremolo, pulse and slow change."""
    power = _modulation_spectra(_pooled(levels, 16))
    return _flat(power - ops.mean(power, axis=2, keepdims=True))


def cepstral_modulation(levels: Tensor) -> Tensor:
    """Compute modulation spectra of the first 12 MFCC (Lee et al. 2009): the speed of changes of timbre."""
    return _flat(_modulation_spectra(_cepstrum(levels, 0, 12)))


def _modulation_spectra(curves: Tensor) -> Tensor:
    """Compute log power of curves (batch, frames, n) in 11 modulation bands (batch, n, 11), mean over windows."""
    curves = ops.transpose(curves, (0, 2, 1))
    starts = range(0, curves.shape[2] - WINDOW + 1, HOP)
    windows = ops.stack([curves[:, :, start : start + WINDOW] for start in starts], axis=1)
    windows = (windows - ops.mean(windows, axis=3, keepdims=True)) * np.hanning(WINDOW).astype(np.float32)
    power = ops.mean(_power_spectrum(windows, WINDOW), axis=1)
    bands = [ops.mean(power[:, :, low:high], axis=2) for low, high in pairwise(MODULATION_EDGES)]
    return ops.log(ops.stack(bands, axis=2) + 1e-3)


# ── Rhythm ───────────────────────────────────────────────────────────────────────────────────────────────────────


def periodicity(levels: Tensor) -> Tensor:
    """Compute pulse strength at any tempo: the sorted values of the autocorrelation, and its first lags."""
    correlation = autocorrelation(_onset_curves(levels))
    in_order = ops.sort(correlation[:, :, 2:60], axis=2)[:, :, 1::4]
    return _joined([_flat(in_order), _flat(correlation[:, :, 1:4])])


def scale_transform(levels: Tensor) -> Tensor:
    """Compute tempo-invariant rhythm: scale transform of the autocorrelation (Holzapfel and Stylianou 2011).

    A scale (Mellin) transform is the Fourier transform over the logarithm of the lag, here 2 to 100 frames, of the
    values times the square root of the lag. Another tempo shifts the curve along that axis and keeps the magnitudes.
    """
    lags = np.geomspace(2, 100, 128)
    # Linear interpolation of the 110 values at those lags is a matrix product.
    places = np.stack([np.interp(lags, np.arange(LAGS), unit) for unit in np.eye(LAGS)])
    places *= np.sqrt(lags / lags.mean()) * np.hanning(len(lags))
    curves = ops.matmul(autocorrelation(_onset_curves(levels)), places.astype(np.float32))
    power = _power_spectrum(curves, len(lags))[:, :, :24]
    return _flat(ops.log(ops.sqrt(power + 1e-12) + 1e-2))


def onsets(levels: Tensor) -> Tensor:
    """Compute peakedness of the onset curves: quantiles over the mean, and rates of peaks above 1, 2, 3 means."""
    curves = _onset_curves(levels)
    curves = ops.transpose(curves / (ops.mean(curves, axis=2, keepdims=True) + 1e-3), (0, 2, 1))
    middle = curves[:, 1:-1]
    is_peak = ops.logical_and(middle > curves[:, :-2], middle >= curves[:, 2:])
    rates = [ops.mean(ops.cast(ops.logical_and(is_peak, middle > high), "float32"), axis=1) for high in (1, 2, 3)]
    return _joined([_quantiles(curves, (0.1, 0.25, 0.5, 0.75, 0.9, 0.97)), *rates])


def autocorrelation(curves: Tensor) -> Tensor:
    """Compute the autocorrelation of centred curves (batch, n, frames) at lags 0 to `LAGS` - 1; 1 at lag 0."""
    curves = curves - ops.mean(curves, axis=2, keepdims=True)
    size = 2 ** math.ceil(math.log2(curves.shape[2] + LAGS))  # long enough to avoid circular wrap-around
    power = _power_spectrum(curves, size)
    # The inverse transform of a real and even spectrum is its transform, up to the scale.
    both = ops.concatenate([power, ops.flip(power[:, :, 1:-1], axis=2)], axis=2)
    correlation = ops.rfft(both, size)[0][:, :, :LAGS] / size
    return correlation / (correlation[:, :, :1] + 1e-6)


def _onset_curves(levels: Tensor) -> Tensor:
    """Compute the mean rise from frame to frame in each of `ONSET_BANDS`: (batch, bands, frames - 1)."""
    rise = ops.relu(_difference(levels))
    return ops.stack([ops.mean(rise[:, :, low:high], axis=2) for low, high in ONSET_BANDS], axis=1)


# ── Shared by several blocks ─────────────────────────────────────────────────────────────────────────────────────


def _cepstrum(levels: Tensor, first: int, end: int) -> Tensor:
    """Compute cepstral coefficients `first` to `end` - 1 of each frame, by librosa's orthonormal DCT-II."""
    numbers = np.arange(first, end)
    cosines = np.cos(np.pi / N_MELS * (np.arange(N_MELS)[:, np.newaxis] + 0.5) * numbers) * np.sqrt(2 / N_MELS)
    cosines[:, numbers == 0] /= np.sqrt(2)
    return ops.matmul(levels, cosines.astype(np.float32))


def _difference(curves: Tensor) -> Tensor:
    """Return the change from frame to frame: (batch, frames - 1, n)."""
    return curves[:, 1:] - curves[:, :-1]


def _pooled(levels: Tensor, bands: int) -> Tensor:
    """Average neighbouring mels: (batch, frames, bands)."""
    return ops.mean(ops.reshape(levels, (-1, levels.shape[1], bands, N_MELS // bands)), axis=3)


def _quantiles(curves: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """Return nearest-rank quantiles of curves (batch, frames, n), ordered by quantile, then curve."""
    ordered = ops.sort(curves, axis=1)
    return _joined(ordered[:, round(quantile * (curves.shape[1] - 1))] for quantile in quantiles)


def _power_spectrum(curves: Tensor, size: int) -> Tensor:
    """Compute the power spectrum of real curves along the last axis: (…, size / 2 + 1)."""
    real, imaginary = ops.rfft(curves, size)
    return ops.square(real) + ops.square(imaginary)


def running_median(levels: Tensor, axis: int) -> Tensor:
    """Approximate the running median of 9 by a median of medians of three (Rousseeuw and Bassett 1990), faster."""
    for step in (1, 3):
        n = levels.shape[axis]
        if n <= step:  # too short for reflection at its ends
            continue
        padded = ops.pad(levels, [(step, step) if a == axis else (0, 0) for a in range(3)], mode="reflect")
        a, b, c = (
            padded[:, start : start + n] if axis == 1 else padded[:, :, start : start + n]
            for start in (0, step, 2 * step)
        )
        levels = ops.maximum(ops.minimum(a, b), ops.minimum(ops.maximum(a, b), c))
    return levels


def _running_mean_matrix(n: int, width: int) -> np.ndarray:
    """Return the matrix that turns a row of n numbers into its running mean, with the ends repeated."""
    matrix = np.zeros((n, n), np.float32)
    for offset in range(-(width // 2), width // 2 + 1):
        np.add.at(matrix, (np.clip(np.arange(n) + offset, 0, n - 1), np.arange(n)), 1 / width)
    return matrix


def _flat(x: Tensor) -> Tensor:
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


def _joined(parts: Iterable[Tensor]) -> Tensor:
    return ops.concatenate(list(parts), axis=1)


BLOCKS: tuple[Callable[[Tensor], Tensor], ...] = (
    mfcc,
    mfcc_correlation,
    fine_cepstrum,
    band_quantiles,
    band_level,
    contrast,
    flux,
    moments,
    harmonic_percussive,
    sustain,
    modulation,
    cepstral_modulation,
    periodicity,
    scale_transform,
    onsets,
)
