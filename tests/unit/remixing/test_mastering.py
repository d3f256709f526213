import numpy as np
import pyloudnorm
import pytest

from genres.remixing.equaliser import CROSSOVER_HZ, curve, equalised, spectrum
from genres.remixing.mastering import CEILING, loudness, mastered, weighted_squares
from genres.sources.demo.composition import EQUALISER_HZ


def noise(channels: int, n: int, level: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(channels)
    fading = np.linspace(0.001, 1, n) * (1 + np.sin(np.arange(n) / 30000))
    return (level * fading * rng.standard_normal((channels, n))).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_loudness_is_pyloudnorms(rate, channels):
    samples = noise(channels, round(7.3 * rate))
    expected = pyloudnorm.Meter(rate).integrated_loudness(samples.T.astype(np.float64))
    assert loudness(weighted_squares(samples, rate), rate) == pytest.approx(expected, abs=0.02)


def test_the_bass_channel_does_not_count():
    samples = noise(6, 30000)
    others = samples[[0, 1, 2, 4, 5]]
    assert np.array_equal(weighted_squares(samples, 8000), weighted_squares(others, 8000))


def test_silence_has_no_loudness():
    assert loudness(weighted_squares(np.zeros((1, 20000), np.float32), 8000), 8000) == -np.inf


@pytest.mark.parametrize("target", [-30.0, -14.0, -9.0])
def test_a_mix_gets_its_loudness_without_clipping(target):
    mix = noise(2, 200_000)
    mix[:, ::9000] = 3.0
    result = mastered(mix, 22050, target)
    assert pyloudnorm.Meter(22050).integrated_loudness(result.T.astype(np.float64)) == pytest.approx(target, abs=0.1)
    assert np.abs(result).max() <= CEILING + 1e-6 and result.dtype == np.float32


@pytest.mark.parametrize("rate", [22050, 44100])
def test_the_filter_has_the_gains_that_it_is_given(rate):
    gains = np.array([0, 3, -6, 0, 6, 0, -9, 4, 0])
    click = np.eye(1, rate, rate // 2, dtype=np.float32)
    result = equalised(click, rate, gains, 0.0)
    response = np.abs(np.fft.rfft(result[0]))
    assert result[0].argmax() == rate // 2  # no delay
    for hz, gain in list(zip(EQUALISER_HZ, gains, strict=True))[1:]:
        assert 20 * np.log10(response[round(hz)]) == pytest.approx(gain, abs=1.0)


def test_a_song_gives_way_to_the_bass_below_the_crossover_only():
    click = np.eye(1, 44100, 22050, dtype=np.float32)
    response = np.abs(np.fft.rfft(equalised(click, 44100, np.zeros(9), 1.0)[0]))
    assert response[round(CROSSOVER_HZ / 2)] < 0.1 and response[2 * round(CROSSOVER_HZ)] > 0.9


def test_the_filter_moves_a_spectrum_to_that_of_a_style(song):
    _, samples = song("country", 1)
    own, style = spectrum(samples), spectrum(song("disco", 0)[1])
    moved = np.subtract(spectrum(equalised(samples[np.newaxis], 22050, curve(own, style), 0.0)[0]), style)
    before = np.subtract(own, style)
    assert np.std(moved[1:-1]) < 0.4 * np.std(before[1:-1])
