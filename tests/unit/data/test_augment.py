"""Random changes of clips: each does what it says, to the size it says, and nothing else."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.core.params import Augment
from genres.data import augment

NONE = Augment(stretch=0.0, shift_bands=0, equalizer_db=0.0, mask_bands=0, mask_s=0.0, mixup=0.0)
RATE, TOP_DB = 10.0, 80.0


def varied(clip: np.ndarray, seed: int = 0, **how: float) -> np.ndarray:
    options = NONE.model_copy(update=how)
    clips = clip[np.newaxis]
    return augment.augmented(clips, options, np.random.default_rng(seed), frame_rate=RATE, top_db=TOP_DB)[0]


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(60, 200, (50, 32), dtype=np.uint8)


@given(st.integers(2, 300), st.integers(0, 400), st.integers(1, 60), st.floats(0.5, 2.0))
def test_a_window_stays_in_its_track_and_moves_evenly(length: int, start: int, frames: int, factor: float) -> None:
    track = np.repeat(np.arange(length, dtype=float)[:, np.newaxis], 2, axis=1)
    found = augment.window(track, min(start, length - 1), np.arange(frames), factor)[:, 0]
    assert len(found) == frames
    assert found.min() >= 0
    assert found.max() <= length - 1
    if (frames - 1) * factor <= length - 1:
        np.testing.assert_allclose(found - found[0], np.arange(frames) * factor, atol=1.01)  # whole frames


def test_a_factor_of_one_takes_the_frames_as_they_are() -> None:
    np.testing.assert_array_equal(augment.window(noise(), 7, np.arange(20), 1.0), noise()[7:27])


@pytest.mark.parametrize("bands", [0, 2, -2, 7, -7, 8, -8, 100, -100])
def test_bands_are_shifted_up_and_down(bands: int) -> None:
    clip = np.random.default_rng(2).integers(0, 256, (3, 8))
    shifted = np.empty((3, 8))
    augment.shift(clip, bands, shifted)
    assert (shifted == clip[:, [min(max(band - bands, 0), 7) for band in range(8)]]).all()


def test_each_clip_of_a_batch_is_changed_in_its_own_way() -> None:
    options = NONE.model_copy(update={"shift_bands": 3, "equalizer_db": 4.0, "mask_bands": 5, "mask_s": 1.0})
    same = np.repeat(noise()[np.newaxis], 6, axis=0)
    found = augment.augmented(same, options, np.random.default_rng(0), frame_rate=RATE, top_db=TOP_DB)
    assert all((one != other).any() for one, other in itertools.combinations(found, 2))


def test_without_any_change_the_clip_is_the_same() -> None:
    np.testing.assert_array_equal(varied(noise()), noise())


def test_the_equaliser_is_one_smooth_curve_of_the_right_size() -> None:
    clip = np.full((5, 101), 128.0)
    curves = np.array([varied(clip, seed, equalizer_db=2.0) - 128 for seed in range(400)])
    assert (curves == curves[:, :1]).all()  # the same at all times
    assert np.std(curves[:, 0, ::25]) * TOP_DB / 255 == pytest.approx(2.0, rel=0.05)  # at its five knots
    assert np.abs(np.diff(curves[:, 0], n=2, axis=1)[:, 1:24]).max() < 1e-4  # straight between them


@pytest.mark.parametrize(("what", "most", "axis"), [("mask_bands", 6, 0), ("mask_s", 0.8, 1)])
def test_masks_are_one_run_of_the_mean_up_to_their_width(what: str, most: float, axis: int) -> None:
    clip = noise().astype(np.float32)
    widths = set()
    for seed in range(200):
        changed = (varied(clip, seed, **{what: most}) != clip).any(axis=axis)
        places = np.flatnonzero(changed)
        widths.add(len(places))
        assert len(places) == 0 or places[-1] - places[0] + 1 == len(places)
        masked = varied(clip, seed, **{what: most}).swapaxes(0, axis)[:, places] if axis else None
        if masked is not None and masked.size:
            assert np.unique(masked).size == 1 or np.allclose(masked, clip.mean())
    assert widths == set(range(9 if axis else 7))


def test_levels_stay_in_their_range() -> None:
    loud = np.where(noise() > 130, 255, 0).astype(np.uint8)
    found = varied(loud, equalizer_db=20.0)
    assert found.min() >= 0
    assert found.max() <= 255
