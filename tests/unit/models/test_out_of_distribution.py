"""Out-of-distribution score: by hand, on simulated artists, and on noises that are none of a network's genres."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from genres.audio.format import Format
from genres.audio.mel import of_blocks
from genres.models import out_of_distribution

SECONDS = 6
FORM = Format(sample_rate=22050, n_fft=2048, n_mels=64, frame_rate=22050 / 512, top_db=80.0)


def test_a_description_is_mean_and_deviation_in_decibels() -> None:
    track = np.random.default_rng(0).integers(0, 256, (9000, 7)).astype(np.uint8)
    decibels = track.astype(float) * 80 / 255
    expected = np.concatenate([decibels.mean(axis=0), decibels.std(axis=0)])
    np.testing.assert_allclose(out_of_distribution.description(track, 80.0), expected, rtol=1e-9)


def described(rng: np.random.Generator, sizes: np.ndarray, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions of 12 numbers of artists with `sizes` tracks each, most of whose variance is the artist's."""
    artists = np.repeat(np.arange(len(sizes)), sizes)
    sound = 5 * rng.standard_normal((len(sizes), 12)) * rng.gamma(4, 0.25, (len(sizes), 1))
    return 40 + spread * sound[artists] + 2 * rng.standard_normal((len(artists), 12)), artists


def test_each_track_is_scored_by_the_other_artists_alone() -> None:
    rows, artists = described(np.random.default_rng(1), np.array([3, 1, 4, 2]))
    rows[:, 5] = 7.0  # a band without any variance
    found = out_of_distribution.held_out_distances(rows, artists)
    for track, artist in enumerate(artists):
        others = rows[artists != artist]
        deviation = np.maximum(others.std(axis=0), out_of_distribution.LEAST_DEVIATION_DB)
        z = (rows[track] - others.mean(axis=0)) / deviation
        assert found[track] == pytest.approx(np.sqrt(np.mean(z**2)))


@pytest.mark.parametrize(("tracks", "rank"), [(19, 19), (39, 38), (59, 57), (100, 96)])
def test_with_one_track_an_artist_the_threshold_is_the_conformal_quantile(tracks: int, rank: int) -> None:
    scores = np.random.default_rng(2).random(tracks)
    assert out_of_distribution.threshold(scores, np.arange(tracks)) == np.sort(scores)[rank - 1]


def test_with_few_artists_the_threshold_is_the_largest_score_whatever_the_number_of_tracks() -> None:
    scores = np.random.default_rng(3).random(400)
    assert out_of_distribution.threshold(scores, np.arange(400) % 18) == scores.max()
    assert out_of_distribution.threshold(scores, np.arange(400) % 19) == scores.max()
    assert out_of_distribution.threshold(scores, np.arange(400) % 40) < scores.max()


@pytest.mark.parametrize("sizes", [[2] * 55, [1] * 60 + [8] * 20, [5] * 25])
def test_tracks_of_new_artists_are_false_alarms_as_rarely_as_promised(sizes: list[int]) -> None:
    """120 collections with strong artist effects."""
    rng, alarms, tracks = np.random.default_rng(4), 0, 0
    for _ in range(120):
        rows, artists = described(rng, rng.permutation([*sizes, *sizes[::5]]))
        new = artists >= len(sizes)
        known, numbers = rows[~new], artists[~new]
        limit = out_of_distribution.threshold(out_of_distribution.held_out_distances(known, numbers), numbers)
        deviation = np.maximum(known.std(axis=0), out_of_distribution.LEAST_DEVIATION_DB)
        distances = np.sqrt(np.mean(((rows[new] - known.mean(axis=0)) / deviation) ** 2, axis=1))
        alarms, tracks = alarms + np.sum(distances > limit), tracks + new.sum()
    assert 0.02 < alarms / tracks <= 0.055


def test_tracks_of_a_single_artist_count_one_by_one() -> None:
    rng = np.random.default_rng(5)
    tracks = [rng.integers(low, 200, (50, 7)).astype(np.uint8) for low in rng.integers(0, 99, 60)]
    together = out_of_distribution.reference(tracks, np.zeros(60, int), 80.0)
    assert together == out_of_distribution.reference(tracks, np.arange(60), 80.0)
    distances = np.array([out_of_distribution.distance(track, together, 80.0) for track in tracks])
    assert np.mean(distances**2) == pytest.approx(1, rel=0.2)  # the mean square of z-scores
    assert 1 <= np.sum(distances > together["threshold"]) <= 3


def speech(seed: int) -> np.ndarray:
    """Noise of a telephone's band in syllables, four a second, of changing loudness, with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * 22050) / 22050
    noise = lfilter(*butter(2, [300, 3400], "bandpass", fs=22050), rng.standard_normal(len(time)))
    loudness = np.interp(time, np.arange(0, SECONDS + 1, 0.2), rng.random(5 * SECONDS + 5)) ** 2
    return (0.1 * noise * loudness * (np.sin(2 * np.pi * 4 * time) > -0.3)).astype(np.float32)


def test_noise_is_none_of_these_and_songs_are(compose: Callable) -> None:
    songs = [of_blocks([compose(seed, SECONDS)], FORM) for seed in range(120)]
    known = out_of_distribution.reference(songs[:90], np.arange(90), FORM.top_db)

    def is_odd(samples: np.ndarray) -> bool:
        return out_of_distribution.distance(of_blocks([samples], FORM), known, FORM.top_db) > known["threshold"]

    false_alarms = np.mean(
        [out_of_distribution.distance(song, known, FORM.top_db) > known["threshold"] for song in songs[90:]]
    )
    assert false_alarms <= 0.2
    white = 0.1 * np.random.default_rng(2).standard_normal(SECONDS * 22050).astype(np.float32)
    sine = np.sin(2 * np.pi * 440 * np.arange(SECONDS * 22050) / 22050).astype(np.float32)
    assert is_odd(white)
    assert is_odd(0.01 * white)
    assert is_odd(sine)
    assert is_odd(speech(3))
    assert is_odd(speech(4))
