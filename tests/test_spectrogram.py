"""Spectrograms against librosa's, and the bytes they are stored as."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src import spectrogram
from src.console import UserError
from src.files import write_json, write_table
from src.params import MelParams
from src.spectrogram import Format, Spectrograms

DEFAULT = {
    "sample_rate": 22050,
    "n_fft": 2048,
    "hop_length": 512,
    "n_mels": 128,
    "fmin": 0.0,
    "fmax": None,
    "top_db": 80.0,
}
SETS = {
    "default": {},
    "small": {"n_fft": 1024, "hop_length": 256, "n_mels": 64},
    "band": {"fmin": 60.0, "fmax": 8000.0, "n_mels": 40},
    "gaps between frames": {"n_fft": 512, "hop_length": 700, "n_mels": 32},
    "odd": {"n_fft": 1200, "hop_length": 331, "n_mels": 50, "sample_rate": 16000, "top_db": 60.0},
}


def librosa_power(samples: np.ndarray, mel: MelParams) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=samples,
        sr=mel.sample_rate,
        n_fft=mel.n_fft,
        hop_length=mel.hop_length,
        n_mels=mel.n_mels,
        fmin=mel.fmin,
        fmax=mel.fmax,
    )


@pytest.mark.parametrize("changes", SETS.values(), ids=list(SETS))
@pytest.mark.parametrize("length", [66150, 50001, 2048, 5000])
def test_power_is_librosas(compose: Callable, changes: dict, length: int) -> None:
    mel = MelParams(**DEFAULT | changes)
    samples = compose(1)[:length]
    power = spectrogram.mel_power(samples, mel)
    expected = librosa_power(samples, mel)
    assert power.shape == (1 + length // mel.hop_length, mel.n_mels)
    np.testing.assert_allclose(power.T, expected, rtol=1e-3, atol=1e-7 * expected.max())


@pytest.mark.filterwarnings("ignore:n_fft=")
@pytest.mark.parametrize("changes", SETS.values(), ids=list(SETS))
@pytest.mark.parametrize("length", [66150, 50001, 700, 1])
def test_stored_levels_are_librosas_within_half_a_step(compose: Callable, changes: dict, length: int) -> None:
    mel = MelParams(**DEFAULT | changes)
    samples = compose(2)[100 : 100 + length]
    stored = spectrogram.of_samples(samples, mel)
    assert stored.dtype == np.uint8
    assert stored.shape == (1 + length // mel.hop_length, mel.n_mels)
    expected = librosa.power_to_db(librosa_power(samples, mel), ref=np.max, top_db=mel.top_db)
    error = np.abs(spectrogram.to_decibels(stored, mel.top_db).T - expected)
    assert error.max() <= mel.top_db / 255 / 2 + 0.005
    assert stored.max() == 255


@given(st.floats(-200, 0), st.floats(10, 120))
def test_stored_value_is_the_closed_form(decibels: float, top_db: float) -> None:
    stored = spectrogram.to_bytes(np.array([decibels]), top_db)
    back = float(spectrogram.to_decibels(stored, top_db)[0])
    assert abs(back - max(decibels, -top_db)) <= top_db / 255 / 2 + 1e-3


def test_all_bytes_come_back() -> None:
    stored = np.arange(256, dtype=np.uint8)
    decibels = spectrogram.to_decibels(stored, 80.0)
    assert (decibels[0], decibels[255]) == (-80.0, 0.0)
    np.testing.assert_allclose(np.diff(decibels), 80 / 255, rtol=1e-4)
    np.testing.assert_array_equal(spectrogram.to_bytes(decibels, 80.0), stored)


@pytest.mark.parametrize(
    ("frame_rate", "seconds", "frames"),
    [(22050 / 512, 3.0, 129), (22050 / 512, 30.0, 1292), (12.9, 3.0, 39), (12.9, 9.0, 116), (12.9, 0.001, 1)],
)
def test_frames_of_a_duration(frame_rate: float, seconds: float, frames: int) -> None:
    form = Format(sample_rate=22050, n_fft=2048, n_mels=128, frame_rate=frame_rate, top_db=80.0)
    assert form.frames(seconds) == frames


def test_tracks_are_runs_of_one_memory_mapped_array(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (10, 4)).astype(np.uint8)
    np.save(tmp_path / "mels.npy", frames)
    index = pd.DataFrame({"track_id": ["007", "NA"], "sha256": ["a", "b"], "start": [0, 7], "frames": [7, 3]})
    write_table(tmp_path / "index.csv", index)
    form = Format(sample_rate=8000, n_fft=64, n_mels=4, frame_rate=10.0, top_db=80.0)
    write_json(tmp_path / "format.json", vars(form))
    stored = Spectrograms(tmp_path)
    assert stored.format == form
    np.testing.assert_array_equal(stored.track("007"), frames[:7])
    np.testing.assert_array_equal(stored.track("NA"), frames[7:])
    assert isinstance(stored.track("NA"), np.memmap)
    with pytest.raises(KeyError):
        stored.track("7")


def test_missing_spectrograms_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no spectrograms here; make them with: dvc repro mels"):
        spectrogram.Spectrograms(tmp_path)
