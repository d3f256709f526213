import hashlib
import subprocess
import sys

import numpy as np
import pyloudnorm
import pytest
import soxr
from checkout import ROOT

from genres.core.console import UserError
from genres.remixing import layers
from genres.remixing.remix import CONTROLS, FASTEST, INGREDIENTS, SLOWEST, STYLES, Remixer
from genres.remixing.styles import REMIX_STYLES

RATE = 22050
WHOLE = dict.fromkeys(INGREDIENTS, 1.0)


def lufs(samples: np.ndarray, rate: int = RATE) -> float:
    return pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))


@pytest.fixture
def remixer(song):
    return Remixer(song("pop", 0)[1], RATE, "brazilian_funk", 0)


def onsets_s(samples: np.ndarray) -> np.ndarray:
    """Times where the level rises by 12 dB within 3 ms, from one that was steady for 40 ms."""
    level = np.sqrt(np.convolve(samples.astype(np.float64) ** 2, np.ones(66) / 66, "same")) + 1e-4
    rise = level[66:] / level[:-66]
    found = np.flatnonzero((rise > 4) & (np.roll(rise, 1) <= 4)) + 66
    return found[np.append(True, np.diff(found) > 0.04 * RATE)] / RATE


def test_no_dose_is_the_song_itself(remixer, song):
    assert np.array_equal(remixer.render({}), song("pop", 0)[1])
    assert np.array_equal(remixer.render(dict.fromkeys(INGREDIENTS, 0.0), "noise"), song("pop", 0)[1])


@pytest.mark.parametrize(
    "doses", [{name: 1.0} for name in INGREDIENTS] + [WHOLE, dict.fromkeys(INGREDIENTS, 0.4)], ids=str
)
def test_loudness_is_the_songs_and_nothing_clips(remixer, song, doses):
    remix = remixer.render(doses)
    assert lufs(remix) == pytest.approx(lufs(song("pop", 0)[1]), abs=0.1)
    assert np.abs(remix).max() < 1 and remix.dtype == np.float32


@pytest.mark.parametrize("style", STYLES)
def test_every_style_adds_its_drums(song, style):
    samples = song("pop", 0)[1]
    remix = Remixer(samples, RATE, style, 3).render({"drums": 1.0})
    assert remix.shape == samples.shape and np.isfinite(remix).all()
    assert np.corrcoef(remix, samples)[0, 1] < 0.95


@pytest.mark.parametrize(("genre", "artist"), [("pop", 0), ("rock", 0), ("country", 1), ("disco", 0)])
def test_strokes_are_on_the_sixteenths_of_the_true_beats(song, genre, artist):
    """Compare the onsets of the added drums alone, with and without the change of the tempo."""
    score, samples = song(genre, artist)
    remixer = Remixer(samples, RATE, "rock", 0)
    for tempo in (0.0, 1.0):
        ratio = remixer.ratio**tempo
        places = onsets_s(remixer._layer(ratio, None)["drums"]) * ratio / (15 / score.tempo)
        places = places[places < 112]  # the eighth bar has a fill, with rolls
        assert len(places) > 20
        assert np.abs(places - np.round(places)).max() * 15 / score.tempo < 0.02


@pytest.mark.parametrize(("genre", "artist"), [("pop", 2), ("rock", 0), ("disco", 0)])
def test_beats_of_the_stretched_song_are_where_the_ratio_puts_them(song, genre, artist):
    score, samples = song(genre, artist)
    remixer = Remixer(samples, RATE, "brazilian_funk", 0)
    remix = remixer.render({"tempo": 1.0})
    assert len(remix) == round(len(samples) / remixer.ratio)
    again = Remixer(remix, RATE, "brazilian_funk", 0)
    octave = 2.0 ** round(np.log2(again.tempo / score.tempo))
    period = 60 / score.tempo / remixer.ratio / octave
    phase = again.beats_s / period
    assert np.abs(phase - np.round(phase)).max() * period < 0.02


def test_doses_add_up(remixer):
    """More drums and more bass with each dose, and the pitch of neither depends on it."""
    steps = np.linspace(0, 1, 6)
    song, added = remixer.render({}), remixer._layer(1.0, None)
    for name in ("drums", "bass"):
        shares = [np.dot(remixer.render({name: dose}), added[name]) for dose in steps]
        assert np.all(np.diff(shares) > 0)
    lengths = [len(remixer.render({"tempo": dose})) for dose in steps]
    assert lengths == [round(len(song) / remixer.ratio**dose) for dose in steps]


@pytest.mark.parametrize("style", ["brazilian_funk", "house", "rock", "reggae"])
def test_the_bass_plays_the_chords(style):
    beats, chords = 0.4 + 0.5 * np.arange(17), [(36, 40, 43), (36, 40, 43), (45, 48, 52), (45, 48, 52)] * 2
    score = layers.compose(REMIX_STYLES[style], 0, style, beats, chords)
    assert len(score.notes["bass"]) > 4
    for note in score.notes["bass"]:
        chord = chords[int((note.start_s - 0.4 + 1e-6) // 1.0)]
        assert note.pitch % 12 in {pitch % 12 for pitch in chord}


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_are_as_loud_as_the_drums_and_no_drums(remixer, control):
    drums = remixer._layer(1.0, None)["drums"]
    other = remixer._layer(1.0, control)["drums"]
    assert lufs(other) == pytest.approx(lufs(drums), abs=0.1)
    assert abs(np.corrcoef(drums, other)[0, 1]) < 0.2
    remix = remixer.render({"drums": 1.0}, control)
    assert lufs(remix) == pytest.approx(remixer.loudness, abs=0.1)
    assert not np.array_equal(remix, remixer.render({"drums": 1.0}))


def test_noise_is_in_the_places_of_the_drums(remixer):
    frames = len(remixer.samples) // 441
    levels = [
        np.sqrt(np.square(remixer._layer(1.0, control)["drums"][: frames * 441].reshape(frames, 441)).mean(axis=1))
        for control in (None, "noise")
    ]
    assert np.corrcoef(levels)[0, 1] > 0.9


def test_own_beats_are_the_songs_attacks(remixer):
    remixer.render({"drums": 1.0}, "own_beats")
    found = onsets_s(remixer._layer(1.0, "own_beats")["kick"])
    assert np.abs(found[:, np.newaxis] - remixer.beats_s).min(axis=1).max() < 0.02


SCRIPT = """
import hashlib, sys
from genres.sources.demo.composition import compose
from genres.sources.demo.mixing import render
from genres.remixing import layers
from genres.remixing.remix import INGREDIENTS, Remixer
samples = render(compose(3, "pop", 0, 0, 16.0), 16.0)
remix = Remixer(samples, 22050, "brazilian_funk", int(sys.argv[1])).render(dict.fromkeys(INGREDIENTS, 1.0))
print(hashlib.sha256(remix.tobytes()).hexdigest())
"""


def test_it_depends_on_the_seed_alone(remixer):
    def digest(seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, seed], cwd=ROOT / "src", capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    remixer.render({"drums": 0.3})  # what came before does not matter
    own = hashlib.sha256(remixer.render(WHOLE).tobytes()).hexdigest()
    assert digest("0") == own != digest("1")


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_channels_and_rate_are_the_songs(song, channels, rate):
    mono = soxr.resample(song("rock", 0)[1], RATE, rate)
    samples = mono[:, np.newaxis] * np.linspace(1, 0.2, channels, dtype=np.float32)
    remix = Remixer(samples, rate, "house", 0).render(WHOLE)
    assert remix.shape[1] == channels and np.isfinite(remix).all()
    assert np.abs(remix).max() < 1
    if channels < 6:
        assert lufs(remix, rate) == pytest.approx(lufs(samples, rate), abs=0.1)


def test_channels_that_cancel_each_other_out(song):
    mono = song("rock", 0)[1]
    remixer = Remixer(np.stack([mono, -mono], axis=1), RATE, "house", 0)
    assert remixer.tempo == pytest.approx(Remixer(mono, RATE, "house", 0).tempo, rel=0.01)


@pytest.mark.parametrize("style", STYLES)
def test_the_octave_of_the_tempo_is_the_nearest(song, style):
    for artist in ("pop", 2), ("rap", 1), ("metal", 2):
        remixer = Remixer(song(*artist)[1], RATE, style, 0)
        assert max(SLOWEST, 2**-0.5 - 0.01) <= remixer.ratio <= min(FASTEST, 2**0.5 + 0.01)
        period = np.diff(remixer.beats_s)
        assert np.median(period) == pytest.approx(60 / remixer.tempo, rel=0.01)
        assert 0 <= remixer.downbeat < 4


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(10 * RATE, np.float32), "silent"),
        (np.full(10 * RATE, 1e-5, np.float32), "silent"),
        (np.zeros(0, np.float32), "too short"),
        (0.1 * np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32), "no steady beat"),
        (0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32), "too short"),
        (0.1 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32), "too short"),
        (np.broadcast_to(np.float32(0.1), (3600 * RATE,)), "longer than 10 minutes"),
    ],
    ids=["silence", "near silence", "nothing", "noise", "1 s", "3 s", "an hour"],
)
def test_what_cannot_be_remixed_is_one_line(samples, message):
    with pytest.raises(UserError, match=message):
        Remixer(samples, RATE, "house", 0)


def test_an_unknown_style_lists_the_styles():
    with pytest.raises(UserError, match="no style 'polka'; choose among blues, brazilian_funk"):
        Remixer(np.zeros(RATE, np.float32), RATE, "polka", 0)


@pytest.mark.parametrize(
    ("doses", "control"), [({"drum": 1}, None), ({"drums": 1.5}, None), ({"drums": np.nan}, None), ({}, "x")]
)
def test_unknown_doses_and_controls_are_errors(remixer, doses, control):
    with pytest.raises(ValueError, match="received"):
        remixer.render(doses, control)
