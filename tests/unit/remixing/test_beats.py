import numpy as np
import pytest

from genres.core.console import UserError
from genres.remixing import harmony
from genres.remixing.beats import FRAME_RATE, RATE, find_beats, track
from genres.remixing.harmony import Key

CLEAR = [("pop", 0), ("pop", 2), ("rock", 0), ("rock", 2), ("country", 1), ("disco", 0), ("blues", 0), ("blues", 2)]


def error_s(times: np.ndarray, period: float) -> np.ndarray:
    """The distance of times from the nearest multiple of a period."""
    return np.abs(times - np.round(times / period) * period)


@pytest.mark.parametrize(("genre", "artist"), CLEAR)
def test_beats_are_where_the_score_has_them(song, genre, artist):
    score, samples = song(genre, artist)
    beats = find_beats(samples)
    period = 60 / score.tempo
    assert beats.tempo == pytest.approx(score.tempo, rel=0.005)
    assert error_s(beats.times_s, period).max() < 0.02
    assert len(beats.times_s) == pytest.approx(len(samples) / RATE / period, abs=1.5)


def test_the_tracker_is_librosas():
    librosa_beat = pytest.importorskip("librosa.beat")
    rng = np.random.default_rng(0)
    onsets = rng.random(3000) * 0.5
    onsets[np.round(np.arange(20, 2980, 51.3)).astype(int)] += 1
    for tempo in (118.0, 60.0, 171.0):
        _, expected = librosa_beat.beat_track(
            onset_envelope=onsets, sr=FRAME_RATE * 512, hop_length=512, bpm=tempo, trim=False
        )
        assert np.array_equal(track(onsets, tempo), expected)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_half_and_double_tempo_have_the_same_beats(factor):
    """A click at 55 or 220 beats a minute: a tracker may count every second one, or one between, but no third."""
    samples, period = np.zeros(20 * RATE, np.float32), 60 / (110 * factor)
    noise = np.random.default_rng(0).standard_normal(400).astype(np.float32) * np.exp(-np.arange(400) / 80)
    for start in np.round(np.arange(0.2, 19.9, period) * RATE).astype(int):
        samples[start : start + 400] += 0.5 * noise
    beats = find_beats(samples)
    ratio = np.log2(beats.tempo * period / 60)
    assert ratio == pytest.approx(round(ratio), abs=0.01)
    step = period * min(1, 2.0 ** -round(ratio))
    assert error_s(beats.times_s - 0.2, step).max() < 0.02


def test_beats_follow_a_drummer_whose_tempo_drifts():
    rng = np.random.default_rng(0)
    periods = 0.5 * (1 + 0.04 * np.sin(2 * np.pi * np.arange(70) / 70))
    true = 0.3 + np.cumsum(periods)
    samples = 0.003 * rng.standard_normal(int((true[-1] + 0.5) * RATE)).astype(np.float32)
    stroke = rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
    for start in np.round(true * RATE).astype(int):
        samples[start : start + 2000] += 0.5 * stroke
    beats = find_beats(samples).times_s
    assert np.abs(beats[:, np.newaxis] - true).min(axis=0)[2:-2].max() < 0.02


def noise(seconds: float, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("seconds", [4, 8, 30])
def test_noise_has_no_beat(seconds):
    for seed in range(4):
        with pytest.raises(UserError, match="no steady beat"):
            find_beats(noise(seconds, seed))


@pytest.mark.parametrize(
    "samples",
    [
        0.3 * np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE),
        np.eye(1, 10 * RATE, 5000)[0],
        (np.random.default_rng(0).random(20 * RATE) < 1e-4) * 0.8,
    ],
    ids=["tone", "one click", "clicks at random"],
)
def test_what_has_no_beat_is_refused(samples):
    with pytest.raises(UserError, match="no steady beat"):
        find_beats(samples.astype(np.float32))


@pytest.mark.parametrize(("tonic", "minor"), [(0, False), (9, True), (6, False), (1, True)])
def test_the_key_of_a_cadence(tonic, minor):
    third = 3 if minor else 4
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)]
    time = np.arange(RATE) / RATE
    samples = np.concatenate(
        [sum(np.sin(2 * np.pi * 220 * 2 ** ((note + tonic - 9) / 12) * time) for note in chord) for chord in chords]
    )
    levels = harmony.chroma((0.1 * samples).astype(np.float32))
    key = harmony.find_key(levels)
    assert key == Key(tonic, minor)
    roots = [chord[0] % 12 for chord in harmony.find_chords(levels, key, np.arange(5.0))]
    assert roots[0] == roots[3] == tonic and roots[1] == (tonic + 5) % 12
