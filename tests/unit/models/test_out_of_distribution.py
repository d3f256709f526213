"""Whether a song is like those of training: by hand, and on noises that no network knows to be none of its genres."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from genres.audio.format import Format
from genres.audio.mel import of_blocks
from genres.models import out_of_distribution

FORM = Format(sample_rate=22050, n_fft=2048, n_mels=64, frame_rate=22050 / 512, top_db=80.0)


def test_a_description_is_mean_and_deviation_in_decibels() -> None:
    track = np.random.default_rng(0).integers(0, 256, (9000, 7)).astype(np.uint8)
    decibels = track.astype(float) * 80 / 255
    expected = np.concatenate([decibels.mean(axis=0), decibels.std(axis=0)])
    np.testing.assert_allclose(out_of_distribution.description(track, 80.0), expected, rtol=1e-9)


def test_at_most_a_twentieth_of_validation_lies_beyond() -> None:
    rng = np.random.default_rng(1)
    train, val = ([rng.integers(low, 200, (50, 7)).astype(np.uint8) for low in rng.integers(0, 99, 60)] for _ in "ab")
    usual = out_of_distribution.reference(train, val, 80.0)
    beyond = sum(out_of_distribution.distance(track, usual, 80.0) > usual["threshold"] for track in val)
    assert 1 <= beyond <= 3
    middle = np.mean([out_of_distribution.distance(track, usual, 80.0) ** 2 for track in train])
    assert middle == pytest.approx(1, rel=0.2)  # the mean square of z-scores


def speech(seed: int) -> np.ndarray:
    """Noise of a telephone's band in syllables, four a second, of changing loudness, with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(20 * 22050) / 22050
    noise = lfilter(*butter(2, [300, 3400], "bandpass", fs=22050), rng.standard_normal(len(time)))
    loudness = np.interp(time, np.arange(0, 21, 0.2), rng.random(105)) ** 2
    return (0.1 * noise * loudness * (np.sin(2 * np.pi * 4 * time) > -0.3)).astype(np.float32)


def test_noise_is_none_of_these_and_songs_are(compose: Callable) -> None:
    songs = [of_blocks([compose(seed, 20.0)], FORM) for seed in range(60)]
    usual = out_of_distribution.reference(songs[:30], songs[30:45], FORM.top_db)

    def is_odd(samples: np.ndarray) -> bool:
        return out_of_distribution.distance(of_blocks([samples], FORM), usual, FORM.top_db) > usual["threshold"]

    false_alarms = np.mean(
        [out_of_distribution.distance(song, usual, FORM.top_db) > usual["threshold"] for song in songs[45:]]
    )
    assert false_alarms <= 0.2
    white = 0.1 * np.random.default_rng(2).standard_normal(20 * 22050).astype(np.float32)
    sine = np.sin(2 * np.pi * 440 * np.arange(20 * 22050) / 22050).astype(np.float32)
    assert is_odd(white)
    assert is_odd(0.01 * white)
    assert is_odd(sine)
    assert is_odd(speech(3))
    assert is_odd(speech(4))
