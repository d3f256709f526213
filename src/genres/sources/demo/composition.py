"""Composition: compute a score from a style (src/genres/sources/demo/styles.py), an artist and random numbers.

Tunes come from tunes.py and are arranged here with instruments, a form and accompaniment. mixing.py renders the score.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from genres.sources.demo.percussion import DRUMS, KITS, Kit
from genres.sources.demo.styles import LAYERS, STYLES, Layer, Melody, Style
from genres.sources.demo.tunes import Chord, Tune, make_tune, onsets

# Sections and their numbers of bars; a longer song repeats its form.
FORMS = (
    (("intro", 2), ("verse", 4), ("chorus", 4), ("verse", 4), ("chorus", 4), ("break", 2), ("chorus", 4)),
    (("intro", 2), ("chorus", 4), ("verse", 4), ("break", 2), ("chorus", 8)),
    (("verse", 4), ("chorus", 4), ("break", 2), ("verse", 4), ("chorus", 8)),
    (("chorus", 4), ("verse", 8), ("chorus", 4), ("break", 4)),
)
SHORTEST_FORM = 6  # bars; a song of up to this length is all chorus
EQUALISER_HZ = (40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0, 5120.0, 10240.0)
STROKES = {"X": 1.0, "x": 0.75, "o": 0.42, "r": 0.5}


Clock = Callable[[float], float]  # from a position in sixteenths to seconds


@dataclass(frozen=True)
class Artist:
    """Sound that all songs of an artist share."""

    tempo_share: float  # 0 for the slowest tempo of the style, 1 for the fastest
    keys: tuple[int, ...]  # preferred keys, semitones above C
    instruments: dict[str, str]  # layer: instrument
    colours: dict[str, float]  # layer: brightness of its instrument, about 1
    balance_db: dict[str, float]  # layer: gain relative to the style's
    kit: Kit
    drum_balance_db: dict[str, float]
    equaliser_db: tuple[float, ...]  # at EQUALISER_HZ
    register: int  # transposition of the melody in semitones
    reverb_s: float
    reverb_db: float
    echo_db: float
    hiss_db: float
    saturation: float


@dataclass(frozen=True)
class Note:
    """A note of a pitched part: seconds, MIDI pitch, velocity 0 to 1."""

    start_s: float
    length_s: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Hit:
    """A stroke on a drum."""

    start_s: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Score:
    """A composed song."""

    genre: str
    artist: Artist
    tune: Tune
    tempo: float  # quarter notes per minute
    groove: dict[str, str]
    instruments: dict[str, str]  # layer: instrument
    notes: dict[str, tuple[Note, ...]]  # layer: notes
    hits: tuple[Hit, ...]
    seed: int  # of the random numbers of the rendering


def random_numbers(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of a combination of names, the same on every machine and in every process."""
    words = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


def make_artist(rng: np.random.Generator, style: Style) -> Artist:
    """Draw an artist at random.

    The equaliser and the balance vary as much between artists as between genres, so that the average spectrum says
    little about the genre.
    """
    octaves = np.log2(np.array(EQUALISER_HZ) / 640)
    curve = rng.uniform(-3.5, 3.5) * octaves + rng.normal(0, 2.8, len(octaves))
    layers: dict[str, Layer | Melody] = {
        "bass": style.bass,
        "chords": style.chords,
        "colour": style.colour,
        "melody": style.melody,
    }
    kit = KITS[str(rng.choice(style.kits))]
    tuned = {
        name: getattr(kit, name) * float(np.exp(rng.normal(0, 0.12)))
        for name in ("kick_hz", "kick_s", "click", "snare_hz", "snare_s", "rattle", "hat_s")
    }
    return Artist(
        tempo_share=float(rng.uniform(0, 1)),
        keys=tuple(int(key) for key in rng.choice(12, 3, replace=False)),
        instruments={name: str(rng.choice(layer.instruments)) for name, layer in layers.items()},
        colours={name: float(np.exp(rng.normal(0, 0.15))) for name in layers},
        balance_db={name: float(rng.normal(0, 2.0)) for name in LAYERS},
        kit=replace(kit, **tuned, hat_hz=float(np.clip(kit.hat_hz * np.exp(rng.normal(0, 0.15)), 4000, 8500))),
        drum_balance_db={name: float(rng.normal(0, 2.5)) for name in DRUMS},
        equaliser_db=tuple(float(value) for value in np.clip(curve - curve.mean(), -12, 12)),
        register=int(rng.integers(-3, 4)),
        reverb_s=float(rng.uniform(0.3, 1.5)),
        reverb_db=float(rng.uniform(-26, -14)),
        echo_db=float(rng.uniform(-30, -10)),
        hiss_db=float(rng.uniform(-66, -44)),
        saturation=float(rng.uniform(0.6, 2.2)),
    )


# ── Arrangements ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Bar:
    """Plan of a bar."""

    layers: frozenset[str]
    first: bool  # in its section
    last: bool
    chords: tuple[Chord, Chord, Chord]  # of both halves and of the next bar
    melody: tuple[tuple[int, int, int], ...]  # positions relative to the start of the bar


def swung(position: float, swing: float, pair: int) -> float:
    """Return a position in sixteenths with swing: the first half of each pair takes the share `swing` of it."""
    whole, rest = divmod(position, pair)
    half = pair / 2
    share = rest / half * swing if rest < half else swing + (rest - half) / half * (1 - swing)
    return (whole + share) * pair


class _Clock:
    """Conversion of a position in sixteenths to seconds, with swing and rubato."""

    def __init__(self, tempo: float, swing: float, swing_steps: int, rubato: float):
        self.step_s = 15.0 / tempo
        self.swing, self.pair, self.rubato = swing, 2 * swing_steps, rubato

    def __call__(self, position: float) -> float:
        time = swung(position, self.swing, self.pair) * self.step_s
        breath_s = 64 * self.step_s  # once in four bars
        return time + self.rubato * breath_s / (2 * np.pi) * math.sin(2 * np.pi * time / breath_s)


def compose(seed: int, genre: str, artist: int, song: int, seconds: float) -> Score:
    """Compose a song.

    Parameters
    ----------
    seed : int
        Seed of the data set.
    genre : str
        Key of :data:`genres.sources.demo.styles.STYLES`.
    artist, song : int
        Number of the artist in the genre, and number of the song of the artist.
    seconds : float
        Length in seconds; the score ends with the last bar that begins before it.
    """
    style = STYLES[genre]
    player = make_artist(random_numbers(seed, "artist", genre, artist), style)
    rng = random_numbers(seed, "song", genre, artist, song)
    tune = make_tune(rng, style, player.keys[rng.integers(len(player.keys))])
    return _arrange(rng, genre, player, tune, seconds)


def compose_pair(seed: int, pair: int, seconds: float) -> tuple[Score, Score]:
    """Compose a pop song and its Brazilian funk remix: the same tune in two styles, by two artists."""
    rng = random_numbers(seed, "pair", pair)
    tune = make_tune(rng, STYLES["pop"], int(rng.integers(12)))
    scores = []
    for genre in ("pop", "brazilian_funk"):
        player = make_artist(random_numbers(seed, "artist of pair", genre, pair), STYLES[genre])
        scores.append(_arrange(random_numbers(seed, "arrangement", genre, pair), genre, player, tune, seconds))
    return scores[0], scores[1]


def _arrange(rng: np.random.Generator, genre: str, artist: Artist, tune: Tune, seconds: float) -> Score:
    style = STYLES[genre]
    slow, fast = style.tempo
    tempo = slow + (fast - slow) * float(np.clip(artist.tempo_share + rng.normal(0, 0.08), 0, 1))
    clock = _Clock(tempo, float(rng.uniform(*style.swing)), style.swing_steps, style.rubato)
    bars = _plan_bars(rng, style, tune, math.ceil(seconds / (style.steps * clock.step_s)) + 1)
    groove = style.grooves[rng.integers(len(style.grooves))]

    instruments = dict(artist.instruments)
    notes: dict[str, tuple[Note, ...]] = {}
    for name in ("bass", "chords", "colour"):
        layer: Layer = getattr(style, name)
        if rng.random() < 0.2:  # sometimes another instrument than the artist's own
            instruments[name] = str(rng.choice(layer.instruments))
        pattern = str(rng.choice(layer.patterns))
        notes[name] = tuple(play_layer(rng, name, layer, pattern, style, bars, clock))
    notes["melody"] = tuple(_play_melody(rng, artist, style, bars, clock))
    hits = tuple(play_drums(rng, style, groove, bars, clock))
    return Score(genre, artist, tune, tempo, groove, instruments, notes, hits, int(rng.integers(2**32)))


def _plan_bars(rng: np.random.Generator, style: Style, tune: Tune, n_bars: int) -> list[Bar]:
    """Plan the form: layers, chords and melody of each bar."""
    form = FORMS[rng.integers(len(FORMS))] if n_bars > SHORTEST_FORM else (("chorus", n_bars),)
    choices = {
        "intro": style.intros,
        "verse": style.verse_layers,
        "chorus": style.chorus_layers,
        "break": style.breaks,
    }
    bars: list[Bar] = []
    played = {"verse": 0, "chorus": 0}
    for section, length in form * math.ceil(n_bars / 6):
        layers = frozenset(str(rng.choice(choices[section])).split())
        kind = "chorus" if section == "chorus" and tune.chorus else "verse"
        phrase = tune.chorus if kind == "chorus" and tune.chorus else tune.verse
        for number in range(length):
            index = played[kind] % phrase.bars()
            played[kind] += 1
            start = index * style.steps
            chords = phrase.chords[index * 2 : index * 2 + 2]
            following = phrase.chords[(index * 2 + 2) % len(phrase.chords)]
            melody = tuple((p - start, n, pitch) for p, n, pitch in phrase.melody if 0 <= p - start < style.steps)
            last = number == length - 1 and length > 2
            bars.append(Bar(layers, number == 0, last, (chords[0], chords[1], following), melody))
    return bars[:n_bars]


def play_layer(
    rng: np.random.Generator, name: str, layer: Layer, pattern: str, style: Style, bars: list[Bar], clock: Clock
) -> list[Note]:
    """Return the notes of the bass, the chords or the colour; :data:`Layer.patterns` of the style has the patterns."""
    notes = []
    for number, bar in enumerate(bars):
        if name not in bar.layers:
            continue
        offset = number * style.steps % len(pattern)
        for position, length in onsets(pattern[offset : offset + style.steps], "xX123456w"):
            character = pattern[offset + position]
            chord = bar.chords[position >= style.steps // 2]
            ladder = _bass_ladder(chord, layer) if name == "bass" else _voicing(chord, layer)
            if character == "w":
                pitches = [_bass_ladder(bar.chords[2], layer)[0] - 1]
            elif character in "xX":
                pitches = ladder
            else:
                index = int(character) - 1
                pitches = [ladder[index % len(ladder)] + 12 * (index // len(ladder))]
            start = number * style.steps + position
            start_s, end_s = clock(start), clock(start + length)
            accent = 0.15 * (character == "X") + 0.08 * (position % 4 == 0)
            late_s = rng.normal(0, style.looseness_s)
            for string, pitch in enumerate(pitches):
                velocity = float(np.clip(rng.normal(0.7 + accent, 0.07), 0.2, 1.0))
                begin_s = max(start_s + late_s + string * layer.strum_s, 0.0)
                notes.append(Note(begin_s, (end_s - start_s) * 0.93, pitch, velocity))
    return notes


def _bass_ladder(chord: Chord, layer: Layer) -> list[int]:
    """Return root, third, fifth, seventh (else sixth), octave and tenth of a chord for the bass."""
    root = layer.register - 6 + (chord[0] - layer.register + 6) % 12
    third, fifth = chord[1] - chord[0], chord[2] - chord[0]
    fourth = chord[3] - chord[0] if len(chord) > 3 else 9
    return [root, root + third, root + fifth, root + fourth, root + 12, root + 12 + third]


def _voicing(chord: Chord, layer: Layer) -> list[int]:
    """Return a chord's notes within an octave about the layer's register, so that voices move little between chords."""
    if layer.power:
        root = layer.register - 6 + (chord[0] - layer.register + 6) % 12
        return [root, root + 7, root + 12]
    low = layer.register - 6
    return sorted(low + (pitch - low) % 12 for pitch in chord)


def _play_melody(rng: np.random.Generator, artist: Artist, style: Style, bars: list[Bar], clock: Clock) -> list[Note]:
    notes = []
    for number, bar in enumerate(bars):
        for position, length, pitch in bar.melody if "melody" in bar.layers else ():
            start = number * style.steps + position
            start_s, end_s = clock(start), clock(start + length)
            velocity = float(np.clip(rng.normal(0.75 + 0.1 * (position % 4 == 0), 0.08), 0.2, 1.0))
            begin_s = max(start_s + rng.normal(0.004, style.looseness_s), 0.0)
            notes.append(Note(begin_s, (end_s - start_s) * 0.9, pitch + artist.register, velocity))
    return notes


def play_drums(
    rng: np.random.Generator, style: Style, groove: dict[str, str], bars: list[Bar], clock: Clock
) -> list[Hit]:
    """Return the strokes of a groove, with a fill in the last bar of each section."""
    hits = []
    for number, bar in enumerate(bars):
        if "drums" not in bar.layers:
            continue
        patterns = style.fills[rng.integers(len(style.fills))] if bar.last else groove
        if bar.first and style.crash and number and patterns:
            hits.append(Hit(clock(number * style.steps), "crash", 0.8))
        for name, pattern in patterns.items():
            for position, character in enumerate(pattern[: style.steps]):
                strokes = 3 if character == "r" else 1
                for stroke in range(strokes if character != "." else 0):
                    start_s = clock(number * style.steps + position + stroke / strokes)
                    velocity = float(np.clip(STROKES[character] * rng.normal(1, 0.08), 0.1, 1.0))
                    hits.append(Hit(max(start_s + rng.normal(0, style.looseness_s * 0.7), 0.0), name, velocity))
    return hits
