"""Synthesis of drum strokes from filtered noise, swept sines and inharmonic square waves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genres.sources.demo.synthesis import SAMPLE_RATE, faded, filtered, times


@dataclass(frozen=True)
class Kit:
    """Parameters of a drum set."""

    kick_hz: float  # final frequency of the kick drum's sweep
    kick_s: float
    click: float
    snare_hz: float
    snare_s: float
    rattle: float  # level of the snare drum's noise relative to its tone
    hat_s: float
    hat_hz: float  # lower corner frequency of the cymbals


KITS = {
    "acoustic": Kit(58, 0.16, 0.5, 190, 0.14, 1.0, 0.05, 5500),
    "tight": Kit(64, 0.08, 1.2, 220, 0.11, 1.2, 0.035, 6500),
    "machine": Kit(46, 0.3, 0.2, 180, 0.12, 0.8, 0.03, 7000),
    "club": Kit(52, 0.18, 0.7, 200, 0.13, 1.1, 0.045, 6000),
}


def drum(name: str, kit: Kit, rng: np.random.Generator) -> np.ndarray:
    """Synthesise one stroke on a drum or cymbal of a kit.

    Raises
    ------
    KeyError
        If there is no such drum.
    """
    stroke = _DRUMS[name](kit, rng)
    return faded(stroke / (np.abs(stroke).max() + 1e-9), 0.0003, 0.02)


def _noise(length_s: float, decay_s: float, rng: np.random.Generator) -> np.ndarray:
    time = times(length_s)
    return rng.standard_normal(len(time)) * np.exp(-time / decay_s)


def _skin(hz: float, decay_s: float, sweep: float, sweep_s: float = 0.025) -> np.ndarray:
    """Synthesise a struck skin: a sine that falls from (1 + sweep) times its frequency."""
    time = times(decay_s * 5)
    cycles = np.cumsum(hz * (1 + sweep * np.exp(-time / sweep_s))) / SAMPLE_RATE
    return np.sin(2 * np.pi * cycles) * np.exp(-time / decay_s)


def _mixed(*sounds: np.ndarray) -> np.ndarray:
    total = np.zeros(max(map(len, sounds)))
    for sound in sounds:
        total[: len(sound)] += sound
    return total


def _kick(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    click = filtered(_noise(0.02, 0.003, rng), "bandpass", (1500.0, 5000.0), 1) * kit.click
    return _mixed(_skin(kit.kick_hz, kit.kick_s, 3.0), click)


def _snare(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    rattle = filtered(_noise(kit.snare_s * 4, kit.snare_s * 0.6, rng), "highpass", 1200.0, 1) * kit.rattle * 0.5
    return _mixed(_skin(kit.snare_hz, kit.snare_s * 0.5, 0.6, 0.01), rattle)


def _rim(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    return _mixed(_skin(kit.snare_hz * 8.5, 0.012, 0.1), filtered(_noise(0.03, 0.004, rng), "highpass", 1500.0, 1))


def _clap(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a clap of several hands a few milliseconds apart."""
    hands = np.zeros(int(0.3 * SAMPLE_RATE))
    for delay_s in (0.0, 0.011, 0.023, 0.031):
        hand = _noise(0.2, 0.008 if delay_s < 0.03 else 0.06, rng)
        start = int((delay_s + 0.002 * rng.random()) * SAMPLE_RATE)
        hands[start : start + len(hand)] += hand
    return filtered(hands, "bandpass", (900.0, 4500.0), 1)


def _cymbal(decay_s: float, ring: float, corner: float) -> Callable[[Kit, np.random.Generator], np.ndarray]:
    """Return a cymbal: high-passed noise and inharmonic square waves; `decay_s` in units of the kit's `hat_s`."""

    def stroke(kit: Kit, rng: np.random.Generator) -> np.ndarray:
        length_s = kit.hat_s * decay_s
        time = times(length_s * 4)
        metal = sum(np.sign(np.sin(2 * np.pi * hz * kit.hat_hz / 6000 * time)) for hz in (2053, 3050, 3657, 5228, 5411))
        raw = (rng.standard_normal(len(time)) + ring * metal) * np.exp(-time / length_s)
        return filtered(raw, "highpass", kit.hat_hz * corner)

    return stroke


def _hand_drum(hz: float, decay_s: float, slap: float) -> Callable[[Kit, np.random.Generator], np.ndarray]:
    def stroke(kit: Kit, rng: np.random.Generator) -> np.ndarray:
        noise = filtered(_noise(0.05, 0.008, rng), "bandpass", (800.0, 5000.0), 1) * slap
        return _mixed(_skin(hz * kit.snare_hz / 200, decay_s, 0.4), noise)

    return stroke


def _cowbell(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    time = times(0.3)
    tones = sum(np.sign(np.sin(2 * np.pi * hz * time)) for hz in (540 * kit.snare_hz / 200, 800 * kit.snare_hz / 200))
    return filtered(tones * np.exp(-time / 0.06), "bandpass", (500.0, 4000.0), 1)


def _shaker(kit: Kit, rng: np.random.Generator) -> np.ndarray:
    return filtered(faded(_noise(0.09, 0.03, rng), 0.02, 0.02), "highpass", kit.hat_hz * 0.8, 1)


_DRUMS: dict[str, Callable[[Kit, np.random.Generator], np.ndarray]] = {
    "kick": _kick,
    "snare": _snare,
    "rim": _rim,
    "clap": _clap,
    "hat": _cymbal(1.0, 0.3, 1.0),
    "open hat": _cymbal(3.5, 0.3, 1.0),
    "ride": _cymbal(4.0, 0.4, 0.75),
    "crash": _cymbal(9.0, 0.2, 0.6),
    "tom": _hand_drum(120, 0.14, 0.3),
    "low tom": _hand_drum(80, 0.18, 0.3),
    "conga": _hand_drum(330, 0.07, 0.5),
    "low conga": _hand_drum(215, 0.1, 0.4),
    "cowbell": _cowbell,
    "shaker": _shaker,
}
DRUMS = tuple(_DRUMS)
