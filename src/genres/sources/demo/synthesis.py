"""Synthesis of pitched instruments: compute samples from pitch, length and velocity.

All instruments use one of four methods: plucked string, frequency modulation, wavetable or voice. Drums are in
percussion.py. Samples are mono float64 at 22,050 Hz and about full scale; mixing.py sets the levels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import signal

SAMPLE_RATE = 22050  # Hz
HIGHEST_PARTIAL = 9500.0  # Hz; leaves headroom below the Nyquist frequency for vibrato
TABLE_LENGTH = 2048

Tone = Callable[[float, float, float, float, np.random.Generator], np.ndarray]


def frequency(pitch: float) -> float:
    """Return the frequency in Hz of a MIDI pitch in equal temperament; 69 is A at 440 Hz."""
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def filtered(samples: np.ndarray, kind: str, hz: float | tuple[float, float], order: int = 2) -> np.ndarray:
    """Apply a Butterworth filter; `kind` is lowpass, highpass or bandpass."""
    return signal.sosfilt(_sections(kind, hz, order), samples)


@lru_cache(maxsize=4096)
def _sections(kind: str, hz: float | tuple[float, float], order: int) -> np.ndarray:
    return signal.butter(order, hz, kind, fs=SAMPLE_RATE, output="sos")


def times(length_s: float) -> np.ndarray:
    """Return the times of a sound's samples in seconds, at least 64."""
    return np.arange(max(int(length_s * SAMPLE_RATE), 64)) / SAMPLE_RATE


def faded(samples: np.ndarray, attack_s: float, release_s: float) -> np.ndarray:
    """Apply half-cosine ramps at both ends in place, so that no note begins or ends with a click."""
    for ramp_s, where in ((attack_s, slice(None)), (release_s, slice(None, None, -1))):
        length = min(max(int(ramp_s * SAMPLE_RATE), 2), len(samples))
        samples[where][:length] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
    return samples


# ── Pitched tones: (pitch, length_s, velocity, colour, rng, **character) ─────────────────────────────────────────
# `pitch` is MIDI; `velocity` is 0 to 1 and also raises brightness; `colour` is the artist's brightness, about 1.


def pluck(
    pitch: float,
    length_s: float,
    velocity: float,
    colour: float,
    rng: np.random.Generator,
    *,
    brightness: float,
    decay_s: float,
    release_s: float = 0.04,
    position: float = 0.14,
) -> np.ndarray:
    """Synthesise a plucked string: noise in a low-passed delay line (Karplus and Strong 1983, Jaffe and Smith 1983).

    y[n] = x[n] + g ((1 - d) y[n - N] + d y[n - N - 1]), with a third tap that tunes the period to a fraction of a
    sample; x is one period of noise, comb-filtered by the picking position.

    Parameters
    ----------
    brightness : float
        Brightness from 0 (nylon) to 1 (steel); reduces the damping of the high partials.
    decay_s : float
        Time in which the fundamental falls by 60 dB, seconds.
    release_s : float
        Length of the fade after `length_s`, seconds.
    position : float
        Picking position as a share of the string's length.
    """
    time = times(length_s + release_s)
    period = SAMPLE_RATE / frequency(pitch)
    damping = float(np.clip(0.5 - 0.45 * brightness * colour, 0.03, 0.5))
    gain = 10 ** (-3 * period / (decay_s * SAMPLE_RATE))
    whole = int(period - damping)
    taps = np.convolve([1 - damping, damping], [1 - (period - damping - whole), period - damping - whole])
    loop = np.zeros(whole + 3)
    loop[0], loop[whole:] = 1.0, -gain * taps

    burst = rng.uniform(-1, 1, int(period) + 1)
    burst -= burst.mean()
    cutoff = min(900 + 7000 * brightness * colour * (0.35 + 0.65 * velocity), HIGHEST_PARTIAL)
    excitation = np.zeros(len(time))
    length = min(len(burst), len(time))
    excitation[:length] = burst[:length]
    excitation = filtered(excitation, "lowpass", round(cutoff, -2), 1)
    delay = max(int(period * position), 1)
    excitation[delay:] -= 0.8 * excitation[:-delay]
    tone = signal.lfilter([1.0], loop, excitation)
    return faded(tone / (np.abs(tone).max() + 1e-9), 0.001, release_s)


def modulated(
    pitch: float,
    length_s: float,
    velocity: float,
    colour: float,
    rng: np.random.Generator,
    *,
    ratio: float,
    index: float,
    index_decay_s: float,
    decay_s: float,
    attack_s: float = 0.002,
    release_s: float = 0.08,
) -> np.ndarray:
    """Synthesise by frequency modulation with a decaying index (Chowning 1973): sin(w t + I(t) sin(ratio w t)).

    Parameters
    ----------
    ratio : float
        Frequency ratio of modulator to carrier.
    index : float
        Modulation index at the attack, radians; it falls to 15 % with the time constant `index_decay_s`.
    decay_s : float
        Time constant of the loudness, seconds.
    """
    time = times(length_s + release_s)
    angle = 2 * np.pi * frequency(pitch) * time
    # High notes get a lower index, to avoid aliasing of the side bands.
    index = index * colour * (0.4 + 0.6 * velocity) * min(1.0, 1500 / (frequency(pitch) * ratio + 1))
    depth = index * (0.15 + 0.85 * np.exp(-time / index_decay_s))
    tone = np.sin(angle + depth * np.sin(ratio * angle)) * np.exp(-time / decay_s)
    return faded(tone, attack_s, release_s)


def _table(amplitudes: np.ndarray) -> np.ndarray:
    """Return one period with these amplitudes of partials 1, 2, …, plus the first sample for the interpolation."""
    spectrum = np.zeros(TABLE_LENGTH // 2 + 1, complex)
    spectrum[1 : len(amplitudes) + 1] = -1j * amplitudes
    period = np.fft.irfft(spectrum)
    period /= np.sqrt((period**2).mean()) + 1e-12
    return np.append(period, period[0])


def _read(table: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    place = (cycles % 1.0) * TABLE_LENGTH
    index = place.astype(np.intp)
    return table[index] + (place - index) * (table[index + 1] - table[index])


def _partials(hz: float) -> np.ndarray:
    return np.arange(1, min(max(int(HIGHEST_PARTIAL / hz), 1), TABLE_LENGTH // 2 - 1) + 1)


WAVEFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "saw": lambda k: 1.0 / k,
    "square": lambda k: (k % 2) / k,
    "triangle": lambda k: (k % 2) / k**2,
    "organ": lambda k: np.isin(k, (1, 2, 3, 4, 6, 8)) / np.sqrt(k),
    "sine": lambda k: (k == 1) + 0.12 * (k == 2),
    "reed": lambda k: (k % 2 + 0.35) / k**0.8,
}


def wavetable(
    pitch: float,
    length_s: float,
    velocity: float,
    colour: float,
    rng: np.random.Generator,
    *,
    wave: str,
    cutoff: tuple[float, float],
    sweep_s: float,
    attack_s: float = 0.01,
    decay_s: float = 30.0,
    release_s: float = 0.06,
    voices: int = 1,
    vibrato: float = 0.0,
    scoop: float = 0.0,
    breath: float = 0.0,
) -> np.ndarray:
    """Synthesise a band-limited waveform that fades from a bright to a dark filter, as in subtractive synthesis.

    Parameters
    ----------
    wave : str
        Key of :data:`WAVEFORMS`.
    cutoff : tuple of float
        Corners of a low-pass of 12 dB per octave, in partials of the note, at the attack and after the sweep.
    sweep_s : float
        Time constant of the sweep, seconds.
    voices : int
        Number of slightly detuned oscillators.
    vibrato, scoop : float
        Depth of the vibrato, and initial pitch deviation below the note, semitones.
    breath : float
        Level of noise.
    """
    time = times(length_s + release_s)
    hz = frequency(pitch)
    partials = _partials(hz)
    shape = WAVEFORMS[wave](partials)
    bright, dark = (
        _table(shape / (1 + (partials / (corner * colour * (0.6 + 0.4 * velocity))) ** 2)) for corner in cutoff
    )
    bend = vibrato * np.clip((time - 0.15) / 0.3, 0, 1) * np.sin(2 * np.pi * (5.2 * time + rng.random()))
    bend = bend - scoop * np.exp(-time / 0.05)
    cycles = np.cumsum(hz * 2 ** (bend / 12)) / SAMPLE_RATE
    blend = np.exp(-time / sweep_s)
    tone = np.zeros(len(time))
    for voice in range(voices):
        spread = (voice - (voices - 1) / 2) * 0.0035
        own = cycles * (1 + spread) + rng.random()
        tone += blend * _read(bright, own) + (1 - blend) * _read(dark, own)
    tone /= voices**0.5
    if breath:
        noise = rng.standard_normal(len(time)) * breath
        tone += filtered(noise, "bandpass", (round(min(hz * 1.5, 4000), -2) + 100, 9000.0), 1)
    return faded(tone * np.exp(-time / decay_s), attack_s, release_s)


# Formant frequencies of men in Hz (Peterson and Barney 1952).
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}


def voice(
    pitch: float,
    length_s: float,
    velocity: float,
    colour: float,
    rng: np.random.Generator,
    *,
    tract: float = 1.1,
    consonant: float = 0.3,
    fall: float = 0.0,
    vibrato: float = 0.3,
    attack_s: float = 0.025,
    release_s: float = 0.05,
) -> np.ndarray:
    """Synthesise a syllable: a glottal source with three formants that glide from one vowel to another.

    Parameters
    ----------
    tract : float
        Scale of the formant frequencies: 1 for a man, 1.2 for a woman.
    consonant : float
        Level of the noise at the start of the syllable.
    fall : float
        Fall of the pitch over the syllable, as in speech, semitones.
    vibrato : float
        Depth of the vibrato on held notes, semitones.
    """
    time = times(length_s + release_s)
    hz = frequency(pitch)
    partials = _partials(hz)
    tables = []
    for vowel in rng.choice(list(VOWELS), 2):
        response = np.full(len(partials), 0.02)
        for strength, formant in zip((1.0, 0.6, 0.3), VOWELS[str(vowel)], strict=True):
            width = 50 + 0.07 * formant
            response += strength / (1 + ((partials * hz - formant * tract) / width) ** 2)
        tables.append(_table(response / partials**0.8 * colour ** np.log2(partials)))
    place = np.clip(time / max(length_s, 0.05), 0, 1)
    bend = vibrato * np.clip((time - 0.2) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.5 * time)
    bend = bend - 1.2 * np.exp(-time / 0.03) - fall * place
    cycles = np.cumsum(hz * 2 ** (bend / 12)) / SAMPLE_RATE
    tone = (1 - place) * _read(tables[0], cycles) + place * _read(tables[1], cycles)
    tone = faded(tone, attack_s, release_s)
    burst = min(int(0.06 * SAMPLE_RATE), len(tone))
    noise = rng.standard_normal(burst) * np.hanning(burst) * consonant * rng.choice([0.0, 0.5, 1.0, 1.5])
    tone[:burst] += filtered(noise, "bandpass", (float(rng.choice([1800, 2600, 3600])), 8500.0), 1)
    return tone


@dataclass(frozen=True)
class Instrument:
    """A tone generator and the drive of its amplifier."""

    tone: Tone
    drive: float = 0.0  # 0 for clean; else the gain before the clipping of :func:`distorted`


def _guitar(
    brightness: float, decay_s: float, drive: float = 0.0, release_s: float = 0.04, position: float = 0.14
) -> Instrument:
    tone = partial(pluck, brightness=brightness, decay_s=decay_s, release_s=release_s, position=position)
    return Instrument(tone, drive)


INSTRUMENTS = {
    "nylon guitar": _guitar(0.45, 2.5),
    "steel guitar": _guitar(0.85, 3.0),
    "electric guitar": _guitar(0.7, 3.5, position=0.22),
    "muted guitar": _guitar(0.6, 0.35, release_s=0.015),
    "overdriven guitar": _guitar(0.7, 6.0, 4.0, position=0.2),
    "distorted guitar": _guitar(0.8, 7.0, 14.0, position=0.2),
    "chugging guitar": _guitar(0.55, 0.5, 14.0, release_s=0.012, position=0.1),
    "banjo": _guitar(0.95, 0.9, position=0.06),
    "piano": _guitar(0.62, 4.5, release_s=0.12, position=0.12),
    "harp": _guitar(0.4, 3.0, release_s=0.4, position=0.35),
    "bass guitar": _guitar(0.35, 3.0, position=0.25),
    "picked bass": _guitar(0.75, 2.5, 1.5, position=0.12),
    "electric piano": Instrument(partial(modulated, ratio=1.0, index=1.6, index_decay_s=0.3, decay_s=1.4)),
    "bell": Instrument(partial(modulated, ratio=3.5, index=2.0, index_decay_s=0.4, decay_s=0.8)),
    "marimba": Instrument(partial(modulated, ratio=4.0, index=1.0, index_decay_s=0.04, decay_s=0.25)),
    "brass": Instrument(
        partial(modulated, ratio=1.0, index=3.5, index_decay_s=0.5, decay_s=3.0, attack_s=0.035, release_s=0.05)
    ),
    "organ": Instrument(partial(wavetable, wave="organ", cutoff=(9, 7), sweep_s=0.1, vibrato=0.08, voices=2)),
    "strings": Instrument(
        partial(
            wavetable,
            wave="saw",
            cutoff=(7, 5),
            sweep_s=1.0,
            attack_s=0.09,
            release_s=0.15,
            voices=3,
            vibrato=0.12,
        )
    ),
    "pad": Instrument(
        partial(wavetable, wave="saw", cutoff=(6, 2.5), sweep_s=0.9, attack_s=0.05, release_s=0.3, voices=3)
    ),
    "saw synth": Instrument(partial(wavetable, wave="saw", cutoff=(14, 6), sweep_s=0.2, voices=3)),
    "square synth": Instrument(partial(wavetable, wave="square", cutoff=(14, 6), sweep_s=0.15, decay_s=1.5)),
    "plucked synth": Instrument(partial(wavetable, wave="saw", cutoff=(14, 1.5), sweep_s=0.07, decay_s=0.35)),
    "flute": Instrument(
        partial(wavetable, wave="triangle", cutoff=(4, 3), sweep_s=0.2, attack_s=0.05, vibrato=0.2, breath=0.12)
    ),
    "fiddle": Instrument(
        partial(wavetable, wave="saw", cutoff=(9, 8), sweep_s=0.5, attack_s=0.05, vibrato=0.25, scoop=0.8)
    ),
    "saxophone": Instrument(
        partial(wavetable, wave="reed", cutoff=(8, 5), sweep_s=0.2, attack_s=0.03, vibrato=0.2, scoop=1.0, breath=0.08)
    ),
    "slide guitar": Instrument(
        partial(wavetable, wave="saw", cutoff=(7, 2.5), sweep_s=0.4, attack_s=0.02, vibrato=0.3, scoop=2.0, decay_s=2.0)
    ),
    "lead guitar": Instrument(
        partial(wavetable, wave="saw", cutoff=(8, 4), sweep_s=0.5, vibrato=0.35, scoop=1.0, decay_s=3.0), 3.0
    ),
    "synth bass": Instrument(partial(wavetable, wave="saw", cutoff=(9, 3), sweep_s=0.12, release_s=0.03)),
    "square bass": Instrument(partial(wavetable, wave="square", cutoff=(7, 3), sweep_s=0.2, release_s=0.03)),
    "sub bass": Instrument(
        partial(wavetable, wave="sine", cutoff=(9, 9), sweep_s=1.0, attack_s=0.004, decay_s=0.7, scoop=-3.0), 1.5
    ),
    "singer": Instrument(partial(voice, tract=1.15)),
    "low singer": Instrument(partial(voice, tract=1.0)),
    "rapper": Instrument(partial(voice, tract=1.02, consonant=0.8, fall=2.5, vibrato=0.0, attack_s=0.012)),
    "shouter": Instrument(partial(voice, tract=1.08, consonant=0.6, fall=1.0, vibrato=0.0, attack_s=0.01), 3.0),
}


def distorted(track: np.ndarray, drive: float) -> np.ndarray:
    """Simulate an overdriven amplifier and loudspeaker: tanh at twice the rate (against aliasing), then a band-pass."""
    level = np.sqrt((track**2).mean() / max((np.abs(track) > 1e-4).mean(), 1e-3)) + 1e-9
    shaped = signal.resample_poly(np.tanh(signal.resample_poly(track, 2, 1) * (drive / level / 2)), 1, 2)
    if drive < 2.5:  # a bass keeps its low frequencies
        return shaped
    return filtered(filtered(shaped, "highpass", 80.0), "lowpass", 4800.0)
