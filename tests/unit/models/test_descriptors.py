"""Fixed descriptors: against closed forms, librosa, SciPy and known answers."""

from collections.abc import Callable

import librosa
import numpy as np
import pytest
from scipy import stats

from genres.models import descriptors

FRAMES, MELS = 160, 128


def noise(seed: int = 0) -> np.ndarray:
    """Levels from -60 to 0 dB in steps of 1/4 dB, so that sums of them are exact."""
    return (np.random.default_rng(seed).integers(-240, 1, (FRAMES, MELS)) / 4).astype(np.float32)


def of(block: Callable, level: np.ndarray) -> np.ndarray:
    """A block of one track."""
    return np.asarray(block(np.asarray(level, dtype=np.float32)[np.newaxis]))[0]


def blocks(level: np.ndarray) -> dict[str, np.ndarray]:
    """All blocks of one track."""
    return {block.__name__: of(block, level) for block in descriptors.BLOCKS}


def described(level: np.ndarray) -> np.ndarray:
    """What the layer makes of one track."""
    return of(descriptors.Descriptors(), level)


def test_there_are_as_many_numbers_as_it_says() -> None:
    assert len(described(noise())) == sum(descriptors.sizes()) == 1477
    assert "1,477 numbers in 15 blocks" in (descriptors.__doc__ or "")
    assert len(descriptors.BLOCKS) == 15


def test_a_constant_in_level_is_seen_where_it_says_and_nowhere_else() -> None:
    before, after = blocks(noise()), blocks(noise() - 8)
    expected = {name: block.copy() for name, block in before.items()}
    expected["mfcc"][0] -= 8 * np.sqrt(MELS)  # the mean of coefficient 0
    expected["band_level"][:32] -= 8
    expected["contrast"][16:24] -= 8
    for name, block in after.items():
        np.testing.assert_allclose(block, expected[name], rtol=1e-3, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("level", [np.zeros((FRAMES, MELS)), np.full((FRAMES, MELS), -80.0), np.zeros((128, MELS))])
def test_silence_gives_finite_numbers(level: np.ndarray) -> None:
    assert np.isfinite(described(level)).all()


@pytest.mark.parametrize("shape", [(127, MELS), (FRAMES, 64), (2, FRAMES, MELS)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 128 frames of 128 mels"):
        described(np.zeros(shape, np.float32))


def test_mfcc_are_those_of_librosa() -> None:
    found = librosa.feature.mfcc(S=noise().T, n_mfcc=20)
    change = np.diff(found, axis=1)
    expected = [found.mean(axis=1), found.std(axis=1), change.mean(axis=1), change.std(axis=1)]
    np.testing.assert_allclose(of(descriptors.mfcc, noise()), np.concatenate(expected), rtol=1e-4, atol=1e-3)


def test_mfcc_correlations_are_those_of_numpy() -> None:
    correlations = np.corrcoef(librosa.feature.mfcc(S=noise().T, n_mfcc=20))
    expected = [correlations[i, j] for i in range(20) for j in range(i + 1, 20)]
    np.testing.assert_allclose(of(descriptors.mfcc_correlation, noise()), expected, atol=1e-3)


@pytest.mark.parametrize(("coefficient", "number"), [(20, 0), (22, 0), (23, 1), (40, 6), (79, 19)])
def test_fine_cepstrum_sees_the_spacing_of_partials(coefficient: int, number: int) -> None:
    comb = 10 * np.cos(np.pi * coefficient * (np.arange(MELS) + 0.5) / MELS)
    found = of(descriptors.fine_cepstrum, np.tile(comb, (FRAMES, 1)))
    # Three coefficients a number; a cosine of amplitude 10 has the energy 10² / 2 a mel.
    np.testing.assert_allclose(
        found, np.log(np.where(np.arange(20) == number, 100 / 2 * MELS / 3, 0) + 1e-3), atol=0.01
    )


def test_quantiles_are_levels_that_occur() -> None:
    bands = noise().reshape(FRAMES, 32, 4).mean(axis=2)
    expected = np.quantile(bands - bands.mean(), (0.05, 0.25, 0.5, 0.75, 0.95), axis=0, method="nearest").ravel()
    np.testing.assert_allclose(of(descriptors.band_quantiles, noise()), expected, atol=1e-4)


def test_contrast_is_peak_over_valley() -> None:
    band = np.r_[-60, -62, -64, -66, np.full(9, -40), -6, -3, 0]  # four valleys and three peaks in each of 8 bands
    level = np.tile(np.random.default_rng(0).permutation(band), (FRAMES, 8))
    np.testing.assert_allclose(of(descriptors.contrast, level), np.repeat([60, 0, -63, 0], 8), atol=1e-4)


def test_flux_is_what_rises_and_falls() -> None:
    level = np.tile(np.where(np.arange(FRAMES) % 2, -6.0, 0.0)[:, np.newaxis], (1, MELS))  # 80 falls and 79 rises
    expected = [79 * 6 / 159, 80 * 6 / 159, np.std([-6] * 80 + [6] * 79)]
    np.testing.assert_allclose(of(descriptors.flux, level), np.repeat(expected, 32), rtol=1e-5)


def test_moments_are_skewness_and_kurtosis() -> None:
    level = 100 * np.random.default_rng(0).exponential(size=(FRAMES, MELS))
    bands = level.reshape(FRAMES, 32, 4).mean(axis=2)
    curves = (bands, np.diff(bands, axis=0))
    expected = [f for c in curves for f in (stats.skew(c, axis=0), stats.kurtosis(c, axis=0, fisher=False))]
    np.testing.assert_allclose(of(descriptors.moments, level), np.concatenate(expected), rtol=0.02, atol=0.02)


def test_tones_are_harmonic_and_clicks_percussive() -> None:
    tone, clicks = np.full((2, FRAMES, MELS), -60.0)
    tone[:, 20] = 0  # band 2 of 16
    clicks[::20] = 0
    harmonic, percussive = (of(descriptors.harmonic_percussive, level)[:16] for level in (tone, clicks))
    np.testing.assert_allclose(harmonic, np.where(np.arange(16) == 2, 60 / 8, 0), atol=1e-5)
    np.testing.assert_allclose(percussive, -60 / 20, atol=1e-5)


def test_partials_that_stand_are_told_from_those_that_move() -> None:
    standing, moving = np.full((2, FRAMES, MELS), -60.0)
    standing[:, 4::8] = 0
    moving[np.arange(FRAMES), np.random.default_rng(0).integers(0, MELS, FRAMES)] = 0
    after_32 = slice(-16, None)
    assert of(descriptors.sustain, standing)[after_32].min() > 0.9
    assert np.abs(of(descriptors.sustain, moving)[after_32]).max() < 0.1


@pytest.mark.parametrize(("cycles", "band"), [(1, 0), (5, 3), (20, 7), (50, 10)])
def test_modulation_is_found_at_its_frequency(cycles: int, band: int) -> None:
    tremolo = 10 * np.sin(2 * np.pi * cycles * np.arange(FRAMES) / 128)
    level = np.tile(tremolo[:, np.newaxis], (1, MELS))
    assert (of(descriptors.modulation, level).reshape(16, 11).argmax(axis=1) == band).all()
    tilt = np.cos(np.pi * (np.arange(MELS) + 0.5) / MELS)  # coefficient 1 of the cepstrum
    cepstral = of(descriptors.cepstral_modulation, tremolo[:, np.newaxis] * tilt).reshape(12, 11)
    assert np.unravel_index(cepstral.argmax(), cepstral.shape) == (1, band)


def test_autocorrelation_is_the_sum_of_products() -> None:
    curves = np.random.default_rng(0).normal(size=(3, FRAMES))
    for curve, found in zip(curves, of(descriptors.autocorrelation, curves), strict=True):
        full = np.correlate(curve - curve.mean(), curve - curve.mean(), "full")[FRAMES - 1 :]
        np.testing.assert_allclose(found, full[: descriptors.LAGS] / full[0], atol=1e-6)


def rhythm(beat: float, strokes: tuple[float, ...]) -> np.ndarray:
    """Noise bursts of 30 s at parts of a bar of four beats; `beat` in frames."""
    bar, time = 4 * beat, np.arange(387)
    distance = [np.abs((time / bar - stroke + 0.5) % 1 - 0.5) * bar for stroke in strokes]
    bursts = np.exp(-((np.min(distance, axis=0) / (beat / 6)) ** 2))
    return np.tile(-60 + 50 * bursts[:, np.newaxis], (1, MELS))


def test_the_scale_transform_keeps_the_rhythm_and_not_the_tempo() -> None:
    straight, dotted = (0, 0.25, 0.5, 0.75), (0, 0.375, 0.5, 0.625)
    levels = [rhythm(10, straight), rhythm(12, straight), rhythm(10, dotted)]
    one, slower, other = (of(descriptors.scale_transform, level) for level in levels)
    assert np.linalg.norm(one - slower) < 0.4 * np.linalg.norm(one - other)
    # Without it, another tempo is further away than another rhythm.
    one, slower, other = (of(descriptors.autocorrelation, np.diff(level[:, :1], axis=0).T) for level in levels)
    assert np.linalg.norm(one - slower) > np.linalg.norm(one - other)


def test_the_scale_transform_is_the_integral_over_lags() -> None:
    level = rhythm(9.5, (0, 0.25, 0.4))
    correlation = of(descriptors.autocorrelation, np.diff(level[:, :1], axis=0).clip(0).T)[0]
    lag = np.linspace(2, 100, 200_001)
    step = np.log(100 / 2) / 127  # of the logarithm of the lag
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.log(lag / 2) / np.log(100 / 2))
    curve = np.interp(lag, np.arange(len(correlation)), correlation) * taper
    scales = 2 * np.pi * np.arange(24) / (128 * step)
    integrals = np.array([np.trapezoid(curve * lag ** (-0.5 - 1j * scale), lag) for scale in scales])
    expected = np.log(np.abs(integrals) / step / np.sqrt(np.geomspace(2, 100, 128).mean()) + 1e-2)
    # 128 points are not many for the integral, the last ones being 3 frames apart.
    np.testing.assert_allclose(of(descriptors.scale_transform, level)[:24], expected, atol=0.15)


def test_onset_counts_are_peaks_a_frame() -> None:
    level = np.full((FRAMES + 1, MELS), -60.0)
    level[10::16] = 0  # 10 clicks, each one rise
    counts = of(descriptors.onsets, level)[-15:]
    np.testing.assert_allclose(counts, 10 / (FRAMES - 2), rtol=1e-5)


def test_all_blocks_are_in_the_layer_in_order() -> None:
    np.testing.assert_allclose(described(noise()), np.concatenate(list(blocks(noise()).values())), rtol=1e-4, atol=1e-4)
    assert [len(block) for block in blocks(noise()).values()] == descriptors.sizes()
