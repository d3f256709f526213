import numpy as np
import pytest
from scipy import signal

from genres.remixing.stretch import stretched

RATIOS = [0.75, 0.93, 1.12, 1.35]
NOTHING = np.empty(0)


def tone(rate: int, hz: float = 440.0, seconds: float = 4.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_length_changes_and_pitch_and_level_do_not(rate, ratio):
    result = stretched(tone(rate)[np.newaxis], rate, ratio, NOTHING)[0]
    assert len(result) == round(4 * rate / ratio)
    middle = result[len(result) // 4 : -len(result) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    assert spectrum.argmax() * rate / (1 << 18) == pytest.approx(440, abs=0.2)
    envelope = np.abs(signal.hilbert(middle))[rate // 20 : -rate // 20]
    assert envelope == pytest.approx(0.5, rel=0.05)


def drums(rate: int, times: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = np.zeros(round((times[-1] + 0.5) * rate), np.float32)
    for start in np.round(times * rate).astype(int):
        samples[start : start + rate // 10] += (
            0.3 * rng.standard_normal(rate // 10) * np.exp(-np.arange(rate // 10) * 50 / rate)
        )
    return samples


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("error_s", [0.0, 0.006])
def test_attacks_are_where_they_belong_and_as_sharp_as_they_were(ratio, error_s):
    """Also with a chord below them, and where their times are known to a few milliseconds only."""
    rate, times = 44100, 0.4 + 0.2371 * np.arange(20)
    samples = drums(rate, times)
    time = np.arange(len(samples)) / rate
    samples += 0.05 * sum(np.sin(2 * np.pi * hz * time) for hz in (220, 277, 330)).astype(np.float32)
    known = times + error_s * np.random.default_rng(1).uniform(-1, 1, len(times))
    result = stretched(samples[np.newaxis], rate, ratio, known)[0]
    high_pass = signal.butter(4, 2000, "highpass", fs=rate, output="sos")

    def attack(sound: np.ndarray, near_s: float) -> tuple[float, float]:
        """Time at which 5 % of the energy has passed, and the time from there to half of it."""
        start = round((near_s - 0.05) * rate)
        energy = np.cumsum(signal.sosfiltfilt(high_pass, sound)[start : start + rate // 8] ** 2)
        five, half = np.searchsorted(energy, [0.05 * energy[-1], 0.5 * energy[-1]]) / rate
        return start / rate + five, half - five

    for place in times:
        (before, sharp), (after, blurred) = attack(samples, place), attack(result, place / ratio)
        assert after - place / ratio == pytest.approx(before - place, abs=0.003)
        assert blurred < sharp + 0.003


def test_channels_keep_their_phase():
    rate = 22050
    left = tone(rate)
    result = stretched(np.stack([left, -0.5 * left, 0 * left]), rate, 1.2, NOTHING)
    assert np.abs(result[1] + 0.5 * result[0]).max() < 1e-4 and not result[2].any()


@pytest.mark.parametrize("n_samples", [0, 1, 500])
def test_a_few_samples(n_samples):
    result = stretched(np.ones((2, n_samples), np.float32), 44100, 1.25, np.array([0.001]))
    assert result.shape == (2, round(n_samples / 1.25)) and np.isfinite(result).all()
