"""Generation of tunes: chords and a melody in a style.

A tune does not depend on the style of its arrangement, so that a remix is the same tune in another style.
"""

import re
from dataclasses import dataclass

import numpy as np

from genres.sources.demo.styles import Melody, Style

Chord = tuple[int, ...]  # MIDI pitches from the root upwards; the root is 36 to 47

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "natural minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
}
NUMERALS = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}  # semitones; "b" lowers by one
SEVENTHS = {"": (), "7": (10,), "maj7": (11,)}


@dataclass(frozen=True)
class Phrase:
    """Chords, two per bar, and the melody of a section; positions and lengths in sixteenths."""

    chords: tuple[Chord, ...]
    melody: tuple[tuple[int, int, int], ...]  # position, length, pitch

    def bars(self) -> int:
        """Length in bars."""
        return len(self.chords) // 2


@dataclass(frozen=True)
class Tune:
    """Key, verse and chorus, which a song and its remix share."""

    key: int
    verse: Phrase
    chorus: Phrase | None  # None if the verse continues


def chord_of(numeral: str, key: int) -> Chord:
    """Return the pitches of a chord in Roman numerals: upper case for major, lower for minor, then 7 or maj7."""
    match = re.fullmatch(r"(b?)([ivIV]+)(7|maj7)?", numeral)
    if match is None or match[2].lower() not in NUMERALS:
        raise ValueError(f"'{numeral}' is not a chord; write a Roman numeral such as bVI or ii7")
    root = 36 + (key + NUMERALS[match[2].lower()] - len(match[1])) % 12
    third = 4 if match[2].isupper() else 3
    return tuple(root + interval for interval in (0, third, 7, *SEVENTHS[match[3] or ""]))


def make_tune(rng: np.random.Generator, style: Style, key: int) -> Tune:
    """Generate a tune in a style."""
    scale = str(rng.choice(style.melody.scales))
    minor_scale = 3 in SCALES[scale] and scale not in ("blues", "minor pentatonic")
    # The scale and the chords must both be minor or both major; pentatonics and blues fit both.
    fitting = [
        (verse, chorus)
        for verse in style.verses
        for chorus in style.choruses or ("",)
        if "pentatonic" in scale or scale == "blues" or _is_minor(verse) == minor_scale
        if not chorus or _is_minor(verse) == _is_minor(chorus)
    ]
    verse, chorus = fitting[rng.integers(len(fitting))] if fitting else (style.verses[0], "")
    phrases = [_make_phrase(rng, style, key, scale, text) for text in (verse, chorus) if text]
    return Tune(key, phrases[0], phrases[1] if chorus else None)


def _is_minor(progression: str) -> bool:
    return any(name.rstrip("7maj") == "i" for name in re.split("[ /]", progression))


def _make_phrase(rng: np.random.Generator, style: Style, key: int, scale: str, progression: str) -> Phrase:
    chords: list[Chord] = []
    for bar in progression.split():
        first, _, second = bar.partition("/")
        chords += [chord_of(first, key), chord_of(second or first, key)]
    return Phrase(tuple(chords), _make_melody(rng, style.melody, style.steps, key, scale, chords))


def _make_melody(
    rng: np.random.Generator, melody: Melody, steps: int, key: int, scale: str, chords: list[Chord]
) -> tuple[tuple[int, int, int], ...]:
    """Generate a walk along the scale in repeated motifs; long notes on the beat are chord notes."""
    ladder = [p for p in range(melody.register - 9, melody.register + 11) if (p - key) % 12 in SCALES[scale]]
    form = str(rng.choice(melody.forms))
    rhythms = {letter: str(rng.choice(melody.rhythms)) for letter in sorted(set(form))}
    moves = {letter: rng.normal(0, melody.leap, steps).round().astype(int) for letter in sorted(set(form))}
    home = len(ladder) // 2
    notes = []
    for bar in range(len(chords) // 2):
        letter = form[bar % len(form)]
        if letter == ".":
            continue
        place = home
        for position, length in onsets(rhythms[letter], "x"):
            place = int(np.clip(place + moves[letter][position], 0, len(ladder) - 1))
            chord = chords[bar * 2 + (position >= steps // 2)]
            if melody.leap > 0 and position % 4 == 0 and length > 1:
                place = _nearest(ladder, place, {pitch % 12 for pitch in chord})
            notes.append((bar * steps + position, length, ladder[place]))
    return tuple(notes)


def _nearest(ladder: list[int], place: int, classes: set[int]) -> int:
    """Return the index of the nearest pitch of the ladder that is in the chord; `place` if there is none."""
    fitting = [index for index, pitch in enumerate(ladder) if pitch % 12 in classes]
    return min(fitting, key=lambda index: (abs(index - place), index)) if fitting else place


def onsets(pattern: str, characters: str) -> list[tuple[int, int]]:
    """Return position and length, including holds, of each of these characters in a pattern."""
    return [
        (match.start(), match.end() - match.start()) for match in re.finditer(f"[{re.escape(characters)}]-*", pattern)
    ]
