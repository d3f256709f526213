"""Drums and bass of a style on the beats of a song, by the demo's own composition and synthesis."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from genres.sources.demo.composition import Bar, Hit, Score, make_artist, play_drums, play_layer, random_numbers, swung
from genres.sources.demo.mixing import drum_track, part, pumping
from genres.sources.demo.styles import Style
from genres.sources.demo.synthesis import SAMPLE_RATE
from genres.sources.demo.tunes import Chord, Phrase, Tune

SECTION = 8  # bars; the last has a fill


def compose(style: Style, seed: int, name: str, beats_s: np.ndarray, chords: Sequence[Chord]) -> Score:
    """Compose the drums and the bass of a style.

    Parameters
    ----------
    style : Style
        Its players play exactly on the beats, whose own looseness the song has.
    seed : int
        Seed of the groove, the drum kit and the bass.
    name : str
        Name of the style, which the random numbers depend on.
    beats_s : np.ndarray
        Times of the beats in seconds, four a bar, from a downbeat on; the last ends the last bar.
    chords : sequence of Chord
        Two a bar.
    """
    style = replace(style, looseness_s=0.0)
    rng = random_numbers(seed, "remix", name)
    artist = make_artist(rng, style)
    groove = style.grooves[rng.integers(len(style.grooves))]
    pattern = str(rng.choice(style.bass.patterns))
    swing = float(rng.uniform(*style.swing))
    following = [*chords[2::2], chords[-1]]
    bars = [
        Bar(
            layers=frozenset(("drums", "bass")),
            first=number % SECTION == 0,
            last=number % SECTION == SECTION - 1,
            chords=(chords[2 * number], chords[2 * number + 1], following[number]),
            melody=(),
        )
        for number in range(len(beats_s) // 4)
    ]
    positions = 4.0 * np.arange(len(beats_s))

    def clock(position: float) -> float:
        return float(np.interp(swung(position, swing, 2 * style.swing_steps), positions, beats_s))

    notes = {"bass": tuple(play_layer(rng, "bass", style.bass, pattern, style, bars, clock))}
    hits = tuple(play_drums(rng, style, groove, bars, clock))
    tempo = 60 / float(np.median(np.diff(beats_s)))
    tune = Tune(0, Phrase((), ()), None)
    return Score(name, artist, tune, tempo, groove, artist.instruments, notes, hits, int(rng.integers(2**32)))


def on_beats(score: Score, beats_s: np.ndarray) -> Score:
    """Return a score with one stroke of the kick drum on each beat instead of its drums."""
    return replace(score, hits=tuple(Hit(float(beat), "kick", 1.0) for beat in beats_s))


def render(score: Score, length: int) -> dict[str, np.ndarray]:
    """Render drums and bass, and "kick": the envelope from 0 to 1 by which the kick drum lowers all else.

    Returns
    -------
    dict of np.ndarray [shape=(length,), dtype=float64]
        At :data:`genres.sources.demo.synthesis.SAMPLE_RATE`.
    """
    rng = np.random.default_rng(score.seed)
    return {
        "drums": drum_track(score, length, rng),
        "bass": part(score, "bass", length, rng),
        "kick": 1 - pumping(score, length, 1.0),
    }


def noise_like(track: np.ndarray, seed: int) -> np.ndarray:
    """Return white noise with the envelope of a track."""
    envelope = np.sqrt(np.maximum(uniform_filter1d(track**2, round(0.01 * SAMPLE_RATE)), 0))
    return envelope * random_numbers(seed, "noise").standard_normal(len(track))
