"""Which tracks are one recording: same bytes, same code or same sound, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from genres.audio import decode, fingerprint
from genres.core.groups import groups

RATE = fingerprint.SAMPLE_RATE


def name_recordings(vectors: list[np.ndarray], durations: list[float] | None = None, **known: list[str]) -> list[str]:
    n = len(vectors)
    return fingerprint.recordings(
        known.get("hashes", [f"hash {row}" for row in range(n)]),
        known.get("codes", [""] * n),
        np.array(durations or [6.0] * n),
        np.array(vectors, dtype=np.int8),
        [f"track {row}" for row in range(n)],
    )


def tone(hz: float, seconds: float = 6.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", {"bitrate_mode": "CONSTANT", "compression_level": 0.9}),
        ("a.mp3", {}),
        ("a.ogg", {}),
        ("a.m4a", {}),
        ("a.flac", {}),
        ("a.wav", {"subtype": "PCM_U8"}),
    ],
)
def test_encoding_does_not_hide_a_recording(tmp_path: Path, write_song: Callable, name: str, options: dict) -> None:
    original = decode.load(write_song(tmp_path / "original.wav", 1, seconds=6, rate=44100), RATE)
    copy = decode.load(write_song(tmp_path / name, 1, seconds=6, rate=44100, **options), RATE)
    other = decode.load(write_song(tmp_path / "other.wav", 2, seconds=6, rate=44100), RATE)
    vectors = [fingerprint.of_audio(samples) for samples in (original, other, copy)]
    assert name_recordings(vectors) == ["track 0", "track 1", "track 0"]


def test_level_does_not_hide_a_recording(compose: Callable) -> None:
    samples = compose(1, 6, RATE)
    vectors = [fingerprint.of_audio(gain * samples) for gain in (1, 0.1)]
    assert name_recordings(vectors) == ["track 0", "track 0"]


def test_different_songs_are_different_recordings(compose: Callable) -> None:
    vectors = [fingerprint.of_audio(compose(seed, 6, RATE)) for seed in range(8)]
    assert name_recordings(vectors) == [f"track {row}" for row in range(8)]


def test_stationary_tones_are_different_recordings() -> None:
    vectors = [fingerprint.of_audio(tone(hz)) for hz in (220, 440, 880, 3000)]
    assert name_recordings(vectors) == [f"track {row}" for row in range(4)]


def test_fingerprints_that_say_nothing_join_nothing() -> None:
    vectors = [np.zeros(fingerprint.BANDS * fingerprint.SEGMENTS, np.int8)] * 3
    assert name_recordings(vectors) == ["track 0", "track 1", "track 2"]
    assert name_recordings(vectors, hashes=["x", "y", "x"]) == ["track 0", "track 1", "track 0"]


def test_bytes_and_codes_join_but_unknown_codes_do_not(compose: Callable) -> None:
    vectors = [fingerprint.of_audio(compose(seed, 3, RATE)) for seed in range(6)]
    hashes = ["a", "b", "c", "d", "b", "e"]
    codes = ["", "US1", "", "US2", "", "US2"]
    named = name_recordings(vectors, hashes=hashes, codes=codes)
    assert named == ["track 0", "track 1", "track 2", "track 3", "track 1", "track 3"]


def test_joins_are_transitive(compose: Callable) -> None:
    samples = compose(1, 3, RATE)
    same = fingerprint.of_audio(samples)
    other = fingerprint.of_audio(compose(2, 3, RATE))
    named = name_recordings([other, same, same], hashes=["a", "b", "c"], codes=["X", "X", ""])
    assert named == ["track 0", "track 0", "track 0"]


@pytest.mark.parametrize(("difference", "joined"), [(0.0, True), (0.9, True), (1.0, False), (-5.0, False)])
def test_only_tracks_of_about_equal_length_are_compared(compose: Callable, difference: float, joined: bool) -> None:
    vector = fingerprint.of_audio(compose(1, 6, RATE))
    named = name_recordings([vector, vector], [20.0, 20.0 + difference])
    assert (named[0] == named[1]) == joined


def test_blocks_do_not_change_the_result(compose: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = [fingerprint.of_audio(compose(seed, 3, RATE)) for seed in (0, 1, 2, 0, 3, 1, 0)]
    expected = [f"track {first}" for first in (0, 1, 2, 0, 4, 1, 0)]
    assert name_recordings(vectors) == expected
    monkeypatch.setattr(fingerprint, "_BLOCK", 2)
    assert name_recordings(vectors) == expected


@pytest.mark.filterwarnings("ignore:n_fft=")
@pytest.mark.parametrize("length", [1, 500, 5000, 3 * RATE])
def test_vector_has_the_promised_form(compose: Callable, length: int) -> None:
    vector = fingerprint.of_audio(compose(4, 3, RATE)[-length:])
    assert vector.dtype == np.int8
    assert vector.shape == (fingerprint.BANDS * fingerprint.SEGMENTS,)
    norm = np.linalg.norm(vector.astype(float))
    assert norm == 0 or norm == pytest.approx(1016, rel=0.05)


@pytest.mark.parametrize("bands", [32, 64, 128])
@pytest.mark.parametrize("frames", [1, 63, 64, 387])
def test_picture_of_any_size_has_the_promised_form(bands: int, frames: int) -> None:
    power = np.random.default_rng(0).lognormal(0, 2, (bands, frames))
    vector = fingerprint.of_power(power)
    assert vector.shape == (2048,)
    assert (vector == 0).all() == (frames == 1), "one frame has no movement"


def test_picture_of_one_moving_band() -> None:
    """32 bands in 64 frames: the picture is the matrix of levels less each band's mean, brought to length 1016."""
    power = np.ones((32, 64))
    power[3, :32] = 100.0  # 20 dB
    picture = np.zeros((32, 64))
    picture[3] = np.where(np.arange(64) < 32, 10.0, -10.0)
    expected = np.clip(np.round(picture / np.linalg.norm(picture) * 1016), -127, 127)
    np.testing.assert_array_equal(fingerprint.of_power(power).reshape(32, 64), expected)


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_groups_are_unions_of_linked_items(case: tuple[int, list[tuple[int, int]]]) -> None:
    n, links = case
    sets = DisjointSet(range(n))
    for link in links:
        sets.merge(*link)
    assert groups(n, pairs=links) == [min(sets.subset(item)) for item in range(n)]


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=12))
def test_equal_labels_are_joined_and_empty_ones_are_not(labels: list[str]) -> None:
    assert groups(len(labels), labels) == [labels.index(label) if label else row for row, label in enumerate(labels)]


@pytest.mark.parametrize("n", [1, 2, 40, 700])
def test_what_the_projection_leaves_out_is_never_a_pair(n: int) -> None:
    """All pairs in full, on tracks of which many are on the verge of being alike."""
    rng = np.random.default_rng(n)
    originals = rng.normal(size=(n, fingerprint.BANDS * fingerprint.SEGMENTS)) * np.geomspace(1, 0.01, 2048)
    copies = originals + rng.normal(size=originals.shape) * originals.std(axis=1, keepdims=True) * rng.uniform(
        0.2, 0.5, (n, 1)
    )
    vectors = np.concatenate([originals, copies, np.zeros((1, originals.shape[1]))])
    vectors = np.round(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1) * 1016).clip(-127, 127)
    durations = rng.uniform(29, 31, len(vectors))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1)
    alike = (units @ units.T >= fingerprint.SAME_RECORDING) & (np.abs(np.subtract.outer(durations, durations)) < 1)
    expected = {(int(a), int(b)) for a, b in np.argwhere(alike) if a < b}
    assert set(fingerprint._similar_pairs(vectors.astype(np.int8), durations)) == expected
    assert n < 40 or n / 4 < len(expected) < n
