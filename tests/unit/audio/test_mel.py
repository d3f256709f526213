"""Spectrograms against librosa's, and the bytes they are stored as."""

import json
from collections.abc import Callable

import librosa
import numpy as np
import pyloudnorm
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve, firwin

from genres.audio import format, mel
from genres.audio.format import Format, format_of
from genres.audio.loudness import Meter
from genres.core.params import MelParams

DEFAULT = {
    "sample_rate": 22050,
    "n_fft": 2048,
    "hop_length": 512,
    "n_mels": 128,
    "fmin": 0.0,
    "fmax": None,
    "top_db": 80.0,
}
LOUDNESS = DEFAULT | {"reference": "loudness"}
SETS = {
    "default": {},
    "small": {"n_fft": 1024, "hop_length": 256, "n_mels": 64},
    "band": {"fmin": 60.0, "fmax": 8000.0, "n_mels": 40},
    "gaps between frames": {"n_fft": 512, "hop_length": 700, "n_mels": 32},
    "odd": {"n_fft": 1200, "hop_length": 331, "n_mels": 50, "sample_rate": 16000, "top_db": 60.0},
}


def librosa_power(samples: np.ndarray, settings: MelParams) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=samples,
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )


@pytest.mark.parametrize("changes", SETS.values(), ids=list(SETS))
@pytest.mark.parametrize("length", [66150, 50001, 2048, 5000])
def test_power_is_librosas(compose: Callable, changes: dict, length: int) -> None:
    settings = MelParams(**DEFAULT | changes)
    samples = compose(1)[:length]
    power = mel.mel_power(samples, settings)
    expected = librosa_power(samples, settings)
    assert power.shape == (1 + length // settings.hop_length, settings.n_mels)
    np.testing.assert_allclose(power.T, expected, rtol=1e-3, atol=1e-7 * expected.max())


@pytest.mark.filterwarnings("ignore:n_fft=")
@pytest.mark.parametrize("changes", SETS.values(), ids=list(SETS))
@pytest.mark.parametrize("length", [66150, 50001, 700, 1])
def test_stored_levels_are_librosas_within_half_a_step(compose: Callable, changes: dict, length: int) -> None:
    settings = MelParams(**DEFAULT | changes)
    samples = compose(2)[100 : 100 + length]
    stored = mel.of_samples(samples, settings)
    assert stored.dtype == np.uint8
    assert stored.shape == (1 + length // settings.hop_length, settings.n_mels)
    expected = librosa.power_to_db(librosa_power(samples, settings), ref=np.max, top_db=settings.top_db)
    error = np.abs(format.to_decibels(stored, settings.top_db).T - expected)
    assert error.max() <= settings.top_db / 255 / 2 + 0.005
    assert stored.max() == 255


def loudness(samples: np.ndarray, rate: int, gain: float = 1.0) -> float:
    meter = Meter(rate)
    meter.update(samples)
    return meter.integrated(gain)


@pytest.mark.parametrize(("rate", "seconds"), [(22050, 4.0), (16000, 1.0), (44100, 0.4)])
def test_loudness_is_pyloudnorms(compose: Callable, rate: int, seconds: float) -> None:
    samples = compose(3, seconds, rate)
    expected = pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))
    assert loudness(samples, rate) == pytest.approx(expected, abs=1e-6)
    gates_apart = pyloudnorm.Meter(rate).integrated_loudness(0.01 * samples.astype(np.float64))
    assert loudness(samples, rate, 0.01) == pytest.approx(gates_apart, abs=1e-6)


def test_a_sine_of_997_hz_is_as_loud_however_short() -> None:
    """BS.1770: a sine of full scale at 997 Hz in one channel is -3.01 LUFS; below 0.4 s the RMS has to do."""
    sine = np.sin(2 * np.pi * 997 * np.arange(22050) / 22050).astype(np.float32)
    assert loudness(sine, 22050) == pytest.approx(-3.01, abs=0.1)
    assert loudness(sine[:8000], 22050) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("length", [1, 4000, 22050])
def test_silence_has_a_loudness(length: int) -> None:
    assert np.isfinite(loudness(np.zeros(length, np.float32), 22050))
    stored = mel.of_samples(np.zeros(length, np.float32), MelParams(**LOUDNESS))
    assert len(np.unique(stored)) == 1


@given(st.floats(-70, 20), st.sampled_from([3000, 30000]))
def test_gain_changes_nothing(compose: Callable, gain_db: float, length: int) -> None:
    settings = MelParams(**LOUDNESS)
    samples = compose(4)[:length]
    louder = (samples * 10 ** (gain_db / 20)).astype(np.float32)
    difference = mel.of_samples(louder, settings).astype(int) - mel.of_samples(samples, settings)
    assert np.abs(difference).max() <= 1  # where a level lies on the edge of two steps
    assert (difference != 0).sum() <= max(1, 0.001 * difference.size)


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(22050, 2048, 128), (22050, 1024, 64), (16000, 1200, 40), (44100, 4096, 128)]
)
def test_noise_has_the_level_of_its_density(rate: int, n_fft: int, n_mels: int) -> None:
    """White noise of variance s has a power density of 2 s / rate in each 1 Hz, however it is analysed."""
    noise = 0.05 * np.random.default_rng(0).standard_normal(10 * rate).astype(np.float32)
    settings = MelParams(**LOUDNESS | {"sample_rate": rate, "n_fft": n_fft, "n_mels": n_mels})
    stored = format.to_decibels(mel.of_samples(noise, settings), settings.top_db)
    level = 10 * np.log10(np.mean(10 ** (stored[5:-5] / 10)))
    loud = pyloudnorm.Meter(rate).integrated_loudness(noise.astype(np.float64))
    density = 10 * np.log10(2 * 0.05**2 / rate)
    assert level == pytest.approx(density - loud - mel.TOP_ABOVE_LOUDNESS_DB, abs=0.1)


def test_a_click_does_not_make_the_rest_quieter(compose: Callable) -> None:
    quiet = compose(5)
    clicked = quiet.copy()
    clicked[1000:1050] += 20.0
    changes = {}
    for reference in ("peak", "loudness"):
        settings = MelParams(**DEFAULT | {"reference": reference})
        before, after = (format.to_decibels(mel.of_samples(x, settings), 80.0)[10:] for x in (quiet, clicked))
        changes[reference] = float((before - after)[(before > -60) & (after > -80)].mean())
    assert changes["peak"] > 5
    assert abs(changes["loudness"]) < changes["peak"] / 2


def low_passed(samples: np.ndarray) -> np.ndarray:
    return fftconvolve(samples, firwin(2001, 10500, fs=22050), "same").astype(np.float32)


def resampled(samples: np.ndarray) -> np.ndarray:
    """As if it came from a file of 44.1 kHz: soxr's filter begins at 10.06 kHz, a native 22 kHz file has none."""
    return soxr.resample(soxr.resample(samples, 22050, 44100), 44100, 22050)


@pytest.mark.parametrize("limit", [low_passed, resampled])
@pytest.mark.parametrize("reference", ["peak", "loudness"])
def test_the_band_hides_how_a_song_was_stored(compose: Callable, limit: Callable, reference: str) -> None:
    full = compose(6)
    other = np.float32(0.6) * limit(full)
    worst = {}
    for fmax in (None, 10000.0):
        settings = MelParams(**DEFAULT | {"fmax": fmax, "reference": reference})
        levels = [format.to_decibels(mel.of_samples(x, settings), 80.0)[5:-5] for x in (full, other)]
        worst[fmax] = np.abs(levels[0] - levels[1]).mean(axis=0).max()  # of the bands, mean over time
    assert worst[10000.0] < 0.3
    assert worst[None] > 10


def test_a_model_card_says_how_to_make_the_same_picture(compose: Callable) -> None:
    settings = MelParams(**LOUDNESS | {"fmin": 30.0, "fmax": 10000.0, "hop_length": 331})
    card = json.loads(json.dumps(vars(format_of(settings))))
    hop_length = round(card["sample_rate"] / card.pop("frame_rate"))
    again = MelParams(**card, hop_length=hop_length)
    assert again == settings
    samples = compose(7)
    np.testing.assert_array_equal(mel.of_samples(samples, again), mel.of_samples(samples, settings))


def test_a_format_of_before_there_was_a_choice_still_loads() -> None:
    form = Format(sample_rate=22050, n_fft=2048, n_mels=128, frame_rate=12.9, top_db=80.0)
    assert (form.fmin, form.fmax, form.reference) == (0.0, None, "peak")


@given(st.floats(-200, 0), st.floats(10, 120))
def test_stored_value_is_the_closed_form(decibels: float, top_db: float) -> None:
    stored = format.to_bytes(np.array([decibels]), top_db)
    back = float(format.to_decibels(stored, top_db)[0])
    assert abs(back - max(decibels, -top_db)) <= top_db / 255 / 2 + 1e-3


def test_all_bytes_come_back() -> None:
    stored = np.arange(256, dtype=np.uint8)
    decibels = format.to_decibels(stored, 80.0)
    assert (decibels[0], decibels[255]) == (-80.0, 0.0)
    np.testing.assert_allclose(np.diff(decibels), 80 / 255, rtol=1e-4)
    np.testing.assert_array_equal(format.to_bytes(decibels, 80.0), stored)


@pytest.mark.parametrize(
    ("frame_rate", "seconds", "frames"),
    [(22050 / 512, 3.0, 129), (22050 / 512, 30.0, 1292), (12.9, 3.0, 39), (12.9, 9.0, 116), (12.9, 0.001, 1)],
)
def test_frames_of_a_duration(frame_rate: float, seconds: float, frames: int) -> None:
    form = Format(sample_rate=22050, n_fft=2048, n_mels=128, frame_rate=frame_rate, top_db=80.0)
    assert form.frames(seconds) == frames


@pytest.mark.parametrize("reference", ["peak", "loudness"])
@given(cuts=st.lists(st.integers(0, 200_000), max_size=8), length=st.sampled_from([1, 1000, 65536, 70_000, 200_000]))
@settings(max_examples=15)
def test_blocks_give_the_bits_of_the_whole(compose: Callable, reference: str, cuts: list[int], length: int) -> None:
    """However a song is cut into blocks, and whether what is kept until its end fits into memory."""
    form = format_of(MelParams(**DEFAULT | {"reference": reference}))
    samples = compose(8, 10.0)[:length]
    whole = mel.of_blocks([samples], form)
    blocks = np.split(samples, sorted(cut for cut in cuts if cut < length))
    np.testing.assert_array_equal(mel.of_blocks(iter(blocks), form), whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mel, "_SPOOL_BYTES", 1000)
        np.testing.assert_array_equal(mel.of_blocks(blocks, form), whole)


@pytest.mark.parametrize("frame_rate", [12.9, 31.25, 43.5, 22050 / 512])
def test_frames_lie_where_the_frame_rate_says(compose: Callable, frame_rate: float) -> None:
    """Published spectrograms have no whole hop length: frame k is librosa's, centred at k / frame_rate seconds."""
    form = Format(sample_rate=22050, n_fft=2048, n_mels=128, frame_rate=frame_rate, top_db=80.0)
    samples = compose(9, 5.0)
    power = np.concatenate(list(mel.mel_power_of_blocks(np.split(samples, 7), form)))
    centres = [round(k * 22050 / frame_rate) for k in range(1000) if round(k * 22050 / frame_rate) <= len(samples)]
    assert len(power) == len(centres)
    padded = np.pad(samples, 1024)
    for k in (0, 1, 2, len(centres) // 2, len(centres) - 1):
        frame = padded[centres[k] : centres[k] + 2048]
        expected = librosa.feature.melspectrogram(y=frame, sr=22050, n_fft=2048, n_mels=128, center=False)
        np.testing.assert_allclose(power[k], expected[:, 0], rtol=1e-3, atol=1e-7 * power.max())
