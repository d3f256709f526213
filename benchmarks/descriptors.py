"""Descriptors of a track without trained weights: timbre, dynamics, modulation and rhythm, 1,477 numbers in 15 blocks.

In: the level of a track in dB relative to its maximum (frames, 128 mels), about 12.9 frames a second. Out: a dict of
blocks, each a short vector. Lengths of time are in frames of 78 ms. All but three blocks are the same for a track that
is louder by a constant: `mfcc` (in its first number), `band_level` and `contrast` (in its valleys) are not, since a
level relative to the loudest moment says how much of a track is loud.
"""

from itertools import pairwise

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Floats = NDArray[np.float32]

N_MELS = 128
WINDOW, HOP = 128, 32  # frames of a modulation spectrum: 9.9 s, every 2.5 s
MODULATION_EDGES = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64)  # bins of 0.1 Hz, about half an octave a band
ONSET_BANDS = ((0, 10), (10, 30), (30, 70), (70, N_MELS), (0, N_MELS))  # mels: bass, two of the middle, treble, all
LAGS = 110  # frames of the autocorrelation: 8.5 s


def describe(level: Floats) -> dict[str, Floats]:
    """All blocks of descriptors of a track.

    Parameters
    ----------
    level : np.ndarray [shape=(frames, 128)]
        dB relative to the track's maximum; at least `WINDOW` frames.

    Returns
    -------
    dict of np.ndarray [shape=(size of the block,), dtype=float32]

    Raises
    ------
    ValueError
        If it has other bands, or too few frames.
    """
    if level.ndim != 2 or level.shape[1] != N_MELS or len(level) < WINDOW:
        raise ValueError(f"needs at least {WINDOW} frames of {N_MELS} mels; received {level.shape}")
    level = np.asarray(level, dtype=np.float32)
    return {function.__name__: function(level).astype(np.float32) for function in BLOCKS}


# ── Timbre ───────────────────────────────────────────────────────────────────────────────────────────────────────


def mfcc(level: Floats) -> Floats:
    """Means and deviations of 20 MFCC and of their differences (Tzanetakis and Cook 2002 were first for genres)."""
    cepstrum = _cepstrum(level)[:, :20]
    parts = (cepstrum, np.diff(cepstrum, axis=0))
    return np.concatenate([statistic for part in parts for statistic in (part.mean(axis=0), part.std(axis=0))])


def mfcc_correlation(level: Floats) -> Floats:
    """How the 20 MFCC move together: their correlations (Mandel and Ellis 2005 take the covariance)."""
    cepstrum = _cepstrum(level)[:, :20]
    scores = (cepstrum - cepstrum.mean(axis=0)) / (cepstrum.std(axis=0) + 1e-3)
    return (scores.T @ scores / len(scores))[np.triu_indices(20, 1)]


def fine_cepstrum(level: Floats) -> Floats:
    """How tonal: log power of cepstral coefficients 20 to 79, which see single partials, three a number."""
    power = np.square(_cepstrum(level)[:, 20:80])
    return np.log(power.reshape(len(level), 20, 3).mean(axis=(0, 2)) + 1e-3)


def band_quantiles(level: Floats) -> Floats:
    """Quantiles over time of the level of 32 bands, relative to the track's mean."""
    bands = _pooled(level, 32)
    return _quantiles(bands - bands.mean(), (0.05, 0.25, 0.5, 0.75, 0.95))


def band_level(level: Floats) -> Floats:
    """Means and deviations of the level of 32 bands."""
    bands = _pooled(level, 32)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


def contrast(level: Floats) -> Floats:
    """Spectral contrast (Jiang et al. 2002): peaks over valleys, and valleys, of 8 bands of 16 mels."""
    ordered = np.sort(level.reshape(len(level), 8, -1), axis=2)
    peak, valley = ordered[:, :, -3:].mean(axis=2), ordered[:, :, :4].mean(axis=2)
    parts = (peak - valley, valley)
    return np.concatenate([statistic for part in parts for statistic in (part.mean(axis=0), part.std(axis=0))])


# ── Dynamics ─────────────────────────────────────────────────────────────────────────────────────────────────────


def flux(level: Floats) -> Floats:
    """Mean rise and mean fall from frame to frame, and the deviation of both, of 32 bands (spectral flux)."""
    change = np.diff(_pooled(level, 32), axis=0)
    rise, fall = np.maximum(change, 0), np.maximum(-change, 0)
    return np.concatenate([rise.mean(axis=0), fall.mean(axis=0), change.std(axis=0)])


def moments(level: Floats) -> Floats:
    """Skewness and kurtosis over time of the level and of its changes, of 32 bands."""
    bands = _pooled(level, 32)
    found = []
    for curves in (bands, np.diff(bands, axis=0)):
        scores = (curves - curves.mean(axis=0)) / (curves.std(axis=0) + 0.1)
        found += [(scores**3).mean(axis=0), (scores**4).mean(axis=0)]
    return np.concatenate(found)


def harmonic_percussive(level: Floats) -> Floats:
    """What lasts over what is broad: running medians along time and along frequency (Fitzgerald 2010), 16 bands."""
    difference = _pooled(_running_median(level, axis=0) - _running_median(level, axis=1), 16)
    return np.concatenate([difference.mean(axis=0), difference.std(axis=0), np.abs(difference).mean(axis=0)])


def sustain(level: Floats) -> Floats:
    """How long partials stand: correlation over 1 to 32 frames of what exceeds the mels around it, 16 bands."""
    partials = level - uniform_filter1d(level, 9, axis=1, mode="nearest")
    partials = partials.reshape(len(level), 16, -1)
    partials = partials / (partials.std(axis=(0, 2), keepdims=True) + 1e-3)
    return np.concatenate([(partials[lag:] * partials[:-lag]).mean(axis=(0, 2)) for lag in (1, 2, 4, 8, 16, 32)])


# ── Modulation spectra ───────────────────────────────────────────────────────────────────────────────────────────


def modulation(level: Floats) -> Floats:
    """Shape of the modulation spectra of 16 bands (Lee et al. 2009): how much tremolo, pulse and slow change."""
    power = _modulation_spectra(_pooled(level, 16))
    return (power - power.mean(axis=1, keepdims=True)).ravel()


def cepstral_modulation(level: Floats) -> Floats:
    """Modulation spectra of the first 12 MFCC (Lee et al. 2009): how fast the timbre changes."""
    return _modulation_spectra(_cepstrum(level)[:, :12]).ravel()


def _modulation_spectra(curves: Floats) -> Floats:
    """Log power of curves (frames, n) in bands of modulation frequency (n, 11), the mean over windows."""
    starts = range(0, len(curves) - WINDOW + 1, HOP)
    windows = np.stack([curves[start : start + WINDOW] for start in starts])
    windows = windows - windows.mean(axis=1, keepdims=True)
    taper = np.hanning(WINDOW).astype(np.float32)[:, np.newaxis]
    power = np.square(np.abs(scipy.fft.rfft(windows * taper, axis=1))).mean(axis=0).T
    bands = [power[:, low:high].mean(axis=1) for low, high in pairwise(MODULATION_EDGES)]
    return np.log(np.stack(bands, axis=1) + 1e-3)


# ── Rhythm ───────────────────────────────────────────────────────────────────────────────────────────────────────


def periodicity(level: Floats) -> Floats:
    """How strong the pulses are, whatever the tempo: the autocorrelation's values in order; and its first lags."""
    correlation = autocorrelation(_onset_curves(level))
    in_order = np.sort(correlation[:, 2:60], axis=1)[:, 1::4]
    return np.concatenate([in_order.ravel(), correlation[:, 1:4].ravel()])


def scale_transform(level: Floats) -> Floats:
    """Rhythm apart from tempo: scale transform of the autocorrelation (Holzapfel and Stylianou 2011).

    A scale (Mellin) transform is the Fourier transform over the logarithm of the lag, here 2 to 100 frames, of the
    values times the square root of the lag. Another tempo shifts the curve along that axis, and magnitudes stay.
    """
    lags = np.geomspace(2, 100, 128)
    correlation = autocorrelation(_onset_curves(level))
    curves = np.stack([np.interp(lags, np.arange(LAGS), curve) for curve in correlation])
    curves *= np.sqrt(lags / lags.mean()) * np.hanning(len(lags))
    return np.log(np.abs(scipy.fft.rfft(curves, axis=1))[:, :24] + 1e-2).ravel()


def onsets(level: Floats) -> Floats:
    """How peaked the onset curves are: quantiles relative to the mean, and how often a peak exceeds 1, 2, 3 means."""
    curves = _onset_curves(level)
    curves = (curves / (curves.mean(axis=1, keepdims=True) + 1e-3)).T
    middle = curves[1:-1]
    is_peak = (middle > curves[:-2]) & (middle >= curves[2:])
    often = [(is_peak & (middle > threshold)).mean(axis=0) for threshold in (1, 2, 3)]
    return np.concatenate([_quantiles(curves, (0.1, 0.25, 0.5, 0.75, 0.9, 0.97)), *often])


def autocorrelation(curves: Floats) -> Floats:
    """Autocorrelation of curves (n, frames) less their means, at lags 0 to `LAGS` - 1; 1 at lag 0."""
    centred = curves - curves.mean(axis=1, keepdims=True)
    size = scipy.fft.next_fast_len(curves.shape[1] + LAGS, real=True)  # long enough that nothing wraps around
    power = np.square(np.abs(scipy.fft.rfft(centred, size, axis=1)))
    found = scipy.fft.irfft(power, size, axis=1)[:, :LAGS]
    return found / (found[:, :1] + 1e-9)


def _onset_curves(level: Floats) -> Floats:
    """Mean rise from frame to frame in each of `ONSET_BANDS`: (bands, frames - 1)."""
    rise = np.maximum(np.diff(level, axis=0), 0)
    return np.stack([rise[:, low:high].mean(axis=1) for low, high in ONSET_BANDS])


# ── What several blocks need ─────────────────────────────────────────────────────────────────────────────────────


def _cepstrum(level: Floats) -> Floats:
    """All 128 mel-frequency cepstral coefficients of each frame, the orthonormal DCT-II that librosa takes."""
    return scipy.fft.dct(level, axis=1, norm="ortho")


def _pooled(level: Floats, bands: int) -> Floats:
    """Mean level of neighbouring mels: (frames, bands)."""
    return level.reshape(len(level), bands, -1).mean(axis=2)


def _quantiles(curves: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Quantiles of curves (frames, n) by the nearest rank, one quantile of all curves after the other."""
    ordered = np.sort(curves, axis=0)
    return ordered[[round(quantile * (len(curves) - 1)) for quantile in quantiles]].ravel()


def _running_median(level: Floats, axis: int) -> Floats:
    """About the running median of 9: a median of three medians of three (Rousseeuw and Bassett 1990), and quicker."""
    for step in (1, 3):
        n = level.shape[axis]
        padded = np.pad(level, [(step, step) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        a, b, c = (np.take(padded, range(start, start + n), axis=axis) for start in (0, step, 2 * step))
        level = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return level


BLOCKS = (
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
