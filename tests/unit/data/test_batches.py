"""Batches of clips: the right windows, and an order that follows from seed and epoch alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genres.audio.format import Format
from genres.core.params import Augment
from genres.data import shards
from genres.data.batches import Clips, Epochs, for_fit
from genres.data.shards import Spectrograms
from genres.data.windows import Windowing
from genres.models.backend import keras
from genres.models.blocks import AtFrameRate

FRAME_RATE, FRAMES, LENGTHS = 10.0, 20, {"a": 100, "b": 55, "short": 12}
WINDOWING = Windowing(FRAMES / FRAME_RATE)

AUGMENT = Augment(stretch=0.2, shift_bands=1, equalizer_db=3.0, mask_bands=2, mask_s=0.5, mixup=0.0)


@pytest.fixture
def spectrograms(tmp_path) -> Spectrograms:
    """Three tracks in which each frame holds its own number."""
    total = sum(LENGTHS.values())
    numbered = np.repeat(np.arange(total, dtype=np.uint8)[:, None], 4, axis=1)
    tracks = np.split(numbered, np.cumsum(list(LENGTHS.values()))[:-1])
    table = pd.DataFrame({"track_id": list(LENGTHS), "sha256": list(LENGTHS)})
    form = Format(sample_rate=8000, n_fft=512, n_mels=4, frame_rate=FRAME_RATE, top_db=80.0)
    shards.write(tmp_path, table, tracks.__getitem__, form, key="", n_shards=2)
    return Spectrograms(tmp_path)


@pytest.fixture
def clips() -> pd.DataFrame:
    rows = [("a", start) for start in range(0, 10, 2)] + [("b", 0.0), ("b", 3.5), ("short", 0.0)]
    return pd.DataFrame(rows, columns=["track_id", "start_s"])


def feed(spectrograms, clips, windowing=WINDOWING, **options) -> Clips:
    return Clips(spectrograms, clips, np.arange(len(clips)), windowing, batch_size=3, **options)


def everything(source: Clips, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    batches = [source.batch(epoch, index) for index in range(len(source))]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def test_fixed_clips_are_the_windows_of_the_table(spectrograms, clips):
    source = feed(spectrograms, clips)
    x, y = everything(source)
    assert len(source) == 3
    assert x.dtype == np.uint8
    assert x.shape == (8, FRAMES, 4)
    assert y.tolist() == list(range(8))
    # First frames: those of `a` at 0, 2, … s; `b` starts at frame 100, `short` at 155.
    assert x[:, 0, 0].tolist() == [0, 20, 40, 60, 80, 100, 135, 155]
    assert (np.diff(x[:7, :, 0].astype(int), axis=1) == 1).all()


def test_a_window_behind_the_end_is_moved_back_and_a_short_track_is_padded(spectrograms):
    clips = pd.DataFrame({"track_id": ["b", "short"], "start_s": [4.0, 0.0]})
    x, _ = everything(feed(spectrograms, clips))
    assert x[0, :, 0].tolist() == list(range(135, 155))
    assert x[1, :, 0].tolist() == [*range(155, 167), *[0] * 8]


def test_shuffling_keeps_clips_and_labels_together(spectrograms, clips):
    source = feed(spectrograms, clips, shuffle_seed=1)
    x, y = everything(source)
    plain, _ = everything(feed(spectrograms, clips))
    assert y.tolist() != sorted(y)
    assert sorted(y) == list(range(8))
    np.testing.assert_array_equal(x, plain[y])


def test_random_crops_stay_in_their_track_and_change_from_epoch_to_epoch(spectrograms, clips):
    source = feed(spectrograms, clips, shuffle_seed=1, random_crops=True)
    ends = {"a": (0, 80), "b": (100, 135), "short": (155, 155)}
    starts = set()
    for epoch in range(30):
        x, y = everything(source, epoch)
        for first, label in zip(x[:, 0, 0], y, strict=True):
            low, high = ends[clips["track_id"][label]]
            assert low <= first <= high
            starts.add(int(first))
    assert len(starts) > 50


@pytest.mark.parametrize("random_crops", [False, True])
def test_an_epoch_follows_from_seed_and_number_alone(spectrograms, clips, random_crops):
    once = feed(spectrograms, clips, shuffle_seed=1, random_crops=random_crops)
    seen = [everything(once, epoch) for epoch in range(5)]
    resumed = feed(spectrograms, clips, shuffle_seed=1, random_crops=random_crops)
    for one, other in zip(seen[3], everything(resumed, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert seen[3][1].tolist() != seen[4][1].tolist()


def test_epochs_follow_each_other_without_an_end(spectrograms, clips):
    source = feed(spectrograms, clips, shuffle_seed=1, random_crops=True, variation=AUGMENT)
    epochs = Epochs(source, first=2)
    assert epochs.num_batches is None
    for index in [*range(3 * len(source)), 0]:  # Keras looks at the first ones beforehand
        expected = source.batch(2 + index // len(source), index % len(source))
        for one, other in zip(epochs[index], expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("first", [0, 3])
def test_keras_gets_each_batch_of_each_epoch_once(spectrograms, clips, first):
    source = feed(spectrograms, clips, shuffle_seed=1, random_crops=True)
    seen: list[list[int]] = []

    class Listening(keras.Model):
        def train_step(self, data):
            seen.append(np.asarray(data[1]).tolist())
            return {"clips": keras.ops.ones(())}

    model = Listening()
    model.compile(run_eagerly=True)
    model.fit(for_fit(Epochs(source, first)), steps_per_epoch=len(source), epochs=3, shuffle=False, verbose=0)
    expected = [source.batch(first + epoch, index) for epoch in range(3) for index in range(len(source))]
    assert seen == [labels.tolist() for _, labels in expected]


def test_no_thread_tunes_the_data_set(spectrograms, clips):
    """Closing an iterator would wait for that thread, for seconds at some validations: no test by the clock."""
    dataset = for_fit(Epochs(feed(spectrograms, clips)))
    assert dataset.options().autotune.enabled is False
    with_weights = dataset.map(lambda *batch: batch).prefetch(2)  # as Keras makes of it
    assert with_weights.options().autotune.enabled is False


@pytest.mark.parametrize("variation", [None, AUGMENT.model_copy(update=dict.fromkeys(AUGMENT.model_dump(), 0))])
def test_frames_that_the_network_leaves_out_are_not_read(spectrograms, clips, variation):
    options = {"shuffle_seed": 1, "random_crops": True, "variation": variation}
    whole, labels = everything(feed(spectrograms, clips, **options))
    fewer, same = everything(feed(spectrograms, clips, frame_stride=10.0 / 3, **options))
    np.testing.assert_array_equal(fewer, AtFrameRate(10.0 / 3)(whole))
    np.testing.assert_array_equal(same, labels)


def test_masks_last_as_long_where_frames_are_left_out(spectrograms, clips):
    how = AUGMENT.model_copy(update=dict.fromkeys(AUGMENT.model_dump(), 0) | {"mask_s": 2.0})
    shares = []
    for stride in (1.0, 2.0):
        options = {"shuffle_seed": 1, "frame_stride": stride}
        plain = feed(spectrograms, clips, **options)
        masked = feed(spectrograms, clips, variation=how, **options)
        pairs = [(everything(plain, epoch)[0], everything(masked, epoch)[0]) for epoch in range(100)]
        shares.append(np.mean([(one != other).any(axis=2) for one, other in pairs]))
    assert shares[0] == pytest.approx(shares[1], rel=0.1)
    assert shares[0] == pytest.approx(0.5, abs=0.1)


def test_mean_and_deviation_are_those_of_the_clips(spectrograms, clips):
    source = feed(spectrograms, clips)
    x, _ = everything(source)
    assert source.mean_and_deviation() == pytest.approx((x.mean(), x.std()))


def test_a_short_track_can_be_filled_up_with_itself(spectrograms):
    clips = pd.DataFrame({"track_id": ["short"], "start_s": [0.0]})
    x, _ = everything(feed(spectrograms, clips, replace(WINDOWING, short="repeat")))
    assert x[0, :, 0].tolist() == [*range(155, 167), *range(155, 163)]


def test_varied_clips_follow_from_seed_and_epoch_and_keep_their_labels(spectrograms, clips):
    sources = [feed(spectrograms, clips, shuffle_seed=1, random_crops=True, variation=AUGMENT) for _ in range(2)]
    (x, y), (again, _) = (everything(source, 3) for source in sources)
    np.testing.assert_array_equal(x, again)
    assert x.dtype == np.uint8
    assert sorted(y) == list(range(8))
    assert (everything(sources[0], 4)[0] != x).any()
    plain, order = everything(feed(spectrograms, clips, shuffle_seed=1, random_crops=True), 3)
    assert (plain != x).any()
    assert order.tolist() == y.tolist()


def test_mixup_mixes_clips_as_it_mixes_labels(spectrograms, clips):
    labels = np.eye(len(clips), dtype=np.float32)
    how = AUGMENT.model_copy(update=dict.fromkeys(("stretch", "equalizer_db", "mask_s"), 0.0))
    how = how.model_copy(update={"shift_bands": 0, "mask_bands": 0, "mixup": 1.0})
    x, y = Clips(spectrograms, clips, labels, WINDOWING, variation=how, batch_size=8, shuffle_seed=1)[0]
    plain, _ = everything(feed(spectrograms, clips))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
    assert (y > 0.05).sum() > 8
    # Labels are one-hot, so each is the very share of its clip.
    np.testing.assert_allclose(x, np.tensordot(y, plain.astype(float), axes=1), atol=0.51)
