"""Key of a song and the chord of each half bar, from its chroma."""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.fft

from genres.remixing.beats import RATE
from genres.sources.demo.tunes import Chord

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Krumhansl and Kessler 1982: fit of the twelve pitch classes from the tonic upwards.
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}

_FFT, _HOP = 8192, 2048  # samples: 2.7 Hz a bin
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 1800.0
_FRAMES = 256  # transformed at a time


@dataclass(frozen=True)
class Key:
    """A key."""

    tonic: int  # semitones above C
    minor: bool

    def __str__(self) -> str:
        return f"{NAMES[self.tonic]} {'minor' if self.minor else 'major'}"


def chroma(samples: np.ndarray) -> np.ndarray:
    """Return the level of the twelve pitch classes from C, a row for each :data:`_HOP` samples: float64."""
    hz = np.arange(_FFT // 2 + 1) * RATE / _FFT
    used = np.flatnonzero((hz >= _LOWEST_HZ) & (hz <= _HIGHEST_HZ))
    pitch = 69 + 12 * np.log2(hz[used] / 440)
    weights = np.zeros((len(used), 12))
    # A bin counts for the semitones next to it; the lower and the higher bins less, which tell less of the pitch.
    fit = np.clip(1 - 2 * np.abs(pitch - np.round(pitch)), 0, 1) * np.exp(-0.5 * ((pitch - 60) / 15) ** 2)
    weights[np.arange(len(used)), np.round(pitch).astype(int) % 12] = fit
    window = np.hanning(_FFT).astype(np.float32)
    padded = np.pad(samples, _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    rows = []
    for start in range(0, len(frames), _FRAMES):
        spectrum = np.abs(scipy.fft.rfft(frames[start : start + _FRAMES] * window)[:, used])
        rows.append(np.sqrt(spectrum) @ weights)
    return np.concatenate(rows)


def find_key(levels: np.ndarray) -> Key:
    """Return the key whose profile correlates most with the mean chroma (Krumhansl and Schmuckler)."""
    mean = levels.mean(axis=0)
    fits = {
        Key(tonic, minor): np.corrcoef(mean, np.roll(profile, tonic))[0, 1]
        for minor, profile in ((False, MAJOR), (True, MINOR))
        for tonic in range(12)
    }
    return max(fits, key=lambda key: fits[key])


def changes_at_bars(levels: np.ndarray, beats_s: np.ndarray, downbeat: int) -> bool:
    """Return if the harmony changes more at the downbeats than half a bar later, which drums often do not tell.

    Parameters
    ----------
    levels : np.ndarray
        From :func:`chroma`.
    beats_s : np.ndarray
        Times of the beats in seconds.
    downbeat : int
        The first beat that begins a bar, as drums tell it.
    """
    frames = np.round(beats_s * RATE / _HOP).astype(int).clip(0, len(levels) - 1)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(levels, axis=0)])
    beats = np.diff(total[frames], axis=0)
    beats = beats / np.maximum(np.linalg.norm(beats, axis=1, keepdims=True), 1e-9)
    before, after = beats[:-3] + beats[1:-2], beats[2:-1] + beats[3:]
    change = np.linalg.norm(after - before, axis=1)  # at beat 2, 3, …
    at = [change[(downbeat + half - 2) % 4 :: 4] for half in (0, 2)]
    return not len(at[1]) or not len(at[0]) or float(at[0].mean()) >= float(at[1].mean())


def find_chords(levels: np.ndarray, key: Key, bounds_s: np.ndarray) -> list[Chord]:
    """Return the triad of the key that fits best between each two bounds in seconds, as MIDI pitches."""
    frames = np.round(bounds_s * RATE / _HOP).astype(int).clip(0, len(levels))
    scale = [(key.tonic + step) % 12 for step in SCALES[key.minor]]
    triads: list[Chord] = []
    for degree in range(7):
        root, third, fifth = (scale[(degree + step) % 7] for step in (0, 2, 4))
        intervals = ((third - root) % 12, (fifth - root) % 12)
        if intervals[1] == 7:  # no diminished triad
            triads.append((36 + root, 36 + root + intervals[0], 36 + root + 7))
    templates = np.zeros((len(triads), 12))
    for row, triad in zip(templates, triads, strict=True):
        row[[pitch % 12 for pitch in triad]] = (1.2, 0.8, 1.0)
    chords = []
    for first, last in itertools.pairwise(frames.tolist()):
        part = levels[first : max(last, first + 1)].sum(axis=0) if first < len(levels) else np.zeros(12)
        part = part - part.mean()
        chords.append(triads[int(np.argmax(templates @ part))])
    return chords
