"""Remixes of a song: ingredients of a style, each in a dose from 0 to 1."""

from collections.abc import Mapping

import numpy as np
import soxr

from genres.audio.decode import CANCELLED_POWER
from genres.core.console import UserError
from genres.remixing import harmony, layers
from genres.remixing.beats import RATE, SHORTEST_S, find_beats
from genres.remixing.equaliser import curve, equalised, spectrum
from genres.remixing.mastering import loudness, mastered, weighted_squares
from genres.remixing.stretch import stretched
from genres.remixing.styles import REMIX_STYLES, SPECTRA, middle_tempo

INGREDIENTS = ("tempo", "drums", "bass", "filter")
CONTROLS = ("noise", "own_beats")
STYLES = tuple(sorted(REMIX_STYLES))

SLOWEST, FASTEST = 0.75, 1.35  # limits of the change of the tempo
LEVELS_LU = {"drums": 0.0, "bass": -3.0}  # of a whole dose, relative to the song
DUCKING = 0.6  # share of the song that a kick drum takes away at a whole dose
LONGEST_S = 600.0  # which takes 2.3 GB of memory in stereo at 44.1 kHz

Layers = dict[str, np.ndarray]  # drums, bass, and how much the kick drum lowers the song: float32 [shape=(n,)] each


class Remixer:
    """Remixes of one song to one style.

    What was computed for one remix is kept for the next: the beats, the stretched song, its drums and bass.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,) or (n, channels), dtype=float32]
        The song.
    rate : int
        Hz.
    style : str
        One of :data:`STYLES`.
    seed : int
        Seed of the groove, the drum kit and the bass.

    Attributes
    ----------
    tempo : float
        Quarter notes a minute, counted in the octave that is nearest to the style's.
    beats_s : np.ndarray
        Times of the beats in the song, in seconds.
    downbeat : int
        The first beat that begins a bar.
    key : Key
        Key of the song.
    ratio : float
        Change of the tempo at a whole dose.
    filter_db : np.ndarray
        Gain in octaves at a whole dose of the filter.
    loudness : float
        LUFS, which all remixes have.

    Raises
    ------
    UserError
        If the style is not known, or the song is too short or too long, silent, or without a steady beat.
    """

    def __init__(self, samples: np.ndarray, rate: int, style: str, seed: int) -> None:
        if style not in REMIX_STYLES:
            raise UserError(f"no style '{style}'; choose among {', '.join(STYLES)}")
        if len(samples) > LONGEST_S * rate:
            raise UserError(f"longer than {LONGEST_S / 60:.0f} minutes; use an excerpt")
        if len(samples) < SHORTEST_S * rate:
            raise UserError(f"{len(samples) / rate:.1f} s are too short to find a beat; it takes {SHORTEST_S:.0f} s")
        self.samples, self.rate, self._seed, self._name = samples, rate, seed, style
        self._rows = np.ascontiguousarray(samples.reshape(len(samples), -1).T)  # (channels, n)
        self.loudness = loudness(weighted_squares(self._rows, rate), rate)
        if not np.isfinite(self.loudness):
            raise UserError("silent")
        mono = soxr.resample(_mixed_down(self._rows), rate, RATE)
        beats = find_beats(mono)
        levels = harmony.chroma(mono)
        downbeat = beats.downbeat
        if not harmony.changes_at_bars(levels, beats.times_s, downbeat):
            downbeat = (downbeat + 2) % 4
        target = middle_tempo(REMIX_STYLES[style])
        octave = min((-1, 0, 1), key=lambda octave: abs(np.log2(target / beats.tempo) - octave))
        self.tempo = beats.tempo * 2.0**octave
        self.beats_s, self.downbeat = _in_octave(beats.times_s, downbeat, octave)
        self.ratio = float(np.clip(target / self.tempo, SLOWEST, FASTEST))
        self._attacks_s = beats.attacks_s
        self.key = harmony.find_key(levels)
        self._bars_s = _bars(self.beats_s, self.downbeat)
        self._chords = harmony.find_chords(levels, self.key, self._bars_s[::2])
        self.filter_db = curve(spectrum(mono), SPECTRA[style])
        self._songs: dict[float, np.ndarray] = {1.0: self._rows}
        self._layers: dict[tuple[float, str | None], Layers] = {}

    def render(self, doses: Mapping[str, float], control: str | None = None) -> np.ndarray:
        """Return the song with ingredients of the style.

        Parameters
        ----------
        doses : mapping
            Ingredient, one of :data:`INGREDIENTS`: dose from 0 to 1. A missing one is 0.
        control : str, optional
            What replaces the drums, at their dose: "noise" in their places, or "own_beats", attacks of the song itself
            at each of its beats.

        Returns
        -------
        np.ndarray [shape=(n,) or (n, channels), dtype=float32]
            At the rate and the loudness of the song. Without a dose it is the song itself.

        Raises
        ------
        ValueError
            If an ingredient or the control is not known, or a dose is not from 0 to 1.
        """
        unknown = set(doses) - set(INGREDIENTS)
        if unknown or not all(0 <= dose <= 1 for dose in doses.values()):
            raise ValueError(f"doses must be from 0 to 1 for {', '.join(INGREDIENTS)}; received {dict(doses)}")
        if control not in (None, *CONTROLS):
            raise ValueError(f"control must be one of {', '.join(CONTROLS)}; received {control}")
        tempo, drums, bass, filtered = (float(doses.get(name, 0.0)) for name in INGREDIENTS)
        if not any((tempo, drums, bass, filtered)):
            return self.samples
        ratio = self.ratio**tempo
        mix = self._song(ratio)
        if filtered or bass:
            mix = equalised(mix, self.rate, filtered * self.filter_db, bass)
        if drums or bass:
            layer = self._layer(ratio, control if drums else None)
            mix = mix * (1 - np.float32(DUCKING * max(drums, bass)) * layer["kick"])
            mix += np.float32(drums) * layer["drums"] + np.float32(bass) * layer["bass"]
        mix = mastered(mix, self.rate, self.loudness)
        return mix[0] if self.samples.ndim == 1 else mix.T

    def _song(self, ratio: float) -> np.ndarray:
        if ratio not in self._songs:
            self._songs[ratio] = stretched(self._rows, self.rate, ratio, self._attacks_s)
        return self._songs[ratio]

    def _layer(self, ratio: float, control: str | None) -> Layers:
        """Return what is added to the song at one tempo, at whole doses."""
        if (ratio, control) not in self._layers:
            song = self._song(ratio)
            length = round(song.shape[1] * RATE / self.rate)
            bars, style = self._bars_s / ratio, REMIX_STYLES[self._name]
            score = layers.compose(style, self._seed, self._name, bars, self._chords)
            if control == "own_beats":
                score = layers.on_beats(score, self.beats_s / ratio)
            tracks = layers.render(score, length)
            if control == "noise":
                tracks["drums"] = layers.noise_like(tracks["drums"], self._seed)
            elif control == "own_beats":
                mono = soxr.resample(_mixed_down(song), self.rate, RATE)
                tracks["drums"] = tracks["kick"][: len(mono)] * mono[:length]
            for name, track in tracks.items():
                if name in LEVELS_LU:
                    missing = (
                        self.loudness + LEVELS_LU[name] - loudness(weighted_squares(track[np.newaxis], RATE), RATE)
                    )
                    track = track * 10 ** (missing / 20 if np.isfinite(missing) else 0.0)
                track = soxr.resample(track, RATE, self.rate)[: song.shape[1]].astype(np.float32)
                tracks[name] = np.pad(track, (0, song.shape[1] - len(track)))
            self._layers[ratio, control] = tracks
        return self._layers[ratio, control]


def _mixed_down(rows: np.ndarray) -> np.ndarray:
    """Return the mean of the channels, or the loudest one if they cancel each other out."""
    mono = rows.mean(axis=0)
    powers = np.array([float(np.dot(row, row)) for row in rows])
    return rows[powers.argmax()] if np.dot(mono, mono) < CANCELLED_POWER * powers.mean() else mono


def _in_octave(beats: np.ndarray, downbeat: int, octave: int) -> tuple[np.ndarray, int]:
    """Return beats and downbeat at half the tempo (-1), the same (0), or twice the tempo (1)."""
    if octave > 0:
        return np.interp(np.arange(2 * len(beats) - 1) / 2, np.arange(len(beats)), beats), 2 * downbeat % 4
    return (beats[downbeat % 2 :: 2], downbeat // 2) if octave else (beats, downbeat)


def _bars(beats: np.ndarray, downbeat: int) -> np.ndarray:
    """Return the beats of whole bars from the first downbeat on, and the one that ends them; at least one bar."""
    beats = beats[downbeat:]
    missing = max(0, 5 - len(beats))
    beats = np.append(beats, beats[-1] + np.diff(beats).mean() * np.arange(1, missing + 1))
    return beats[: len(beats) - (len(beats) - 1) % 4]
