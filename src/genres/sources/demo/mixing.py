"""Rendering of scores to mixed samples.

Each part is rendered, set to a level, and mixed with the balance, equaliser and reverb of its artist.
"""

import numpy as np
from scipy import signal

from genres.sources.demo.composition import EQUALISER_HZ, Artist, Score
from genres.sources.demo.percussion import drum
from genres.sources.demo.styles import STYLES
from genres.sources.demo.synthesis import INSTRUMENTS, SAMPLE_RATE, distorted

PEAK_DB = -1.0  # peak of the finished song, dB of full scale
LEVELS_DB = {"drums": 1.5, "bass": -2.0, "chords": -3.0, "colour": -6.0, "melody": -2.0}
REVERB_SENDS = {"drums": 0.35, "bass": 0.0, "chords": 1.0, "colour": 1.0, "melody": 1.0}
VARIANTS = 3  # recordings of each drum, so that successive strokes can differ
FADE_OUT_S = 0.8


def gain(decibels: float) -> float:
    """Return the amplitude factor of a level in dB."""
    return float(10 ** (decibels / 20))


def render(score: Score, seconds: float) -> np.ndarray:
    """Render and mix a score.

    Parameters
    ----------
    score : Score
        Score from :func:`genres.sources.demo.composition.compose`.
    seconds : float
        Length of the result in seconds.

    Returns
    -------
    np.ndarray [shape=(round(22050 * seconds),), dtype=float32]
        Mono samples at 22,050 Hz; the peak is 1 dB below full scale.
    """
    length = round(seconds * SAMPLE_RATE)
    rng = np.random.default_rng(score.seed)
    artist, style = score.artist, STYLES[score.genre]
    parts = {"drums": drum_track(score, length, rng)}
    style_db = {"drums": style.drums_db, "melody": style.melody.gain_db}
    for layer in ("bass", "chords", "colour", "melody"):
        parts[layer] = part(score, layer, length, rng)
        style_db.setdefault(layer, getattr(style, layer).gain_db if layer != "melody" else 0.0)
    # Silent parts are dropped, for a song may have no drums.
    parts = {
        layer: samples
        * gain(LEVELS_DB[layer] + style_db[layer] + artist.balance_db[layer] + rng.normal(0, 1.0))
        / level
        for layer, samples in parts.items()
        if (level := _loudness(samples)) > 0
    }
    if "melody" in parts:
        parts["melody"] = _with_echo(parts["melody"], 45.0 / score.tempo, gain(artist.echo_db))
    if style.pumping:
        push = pumping(score, length, style.pumping)
        parts = {layer: samples * (1 if layer == "drums" else push) for layer, samples in parts.items()}
    dry = sum(parts.values(), np.zeros(length))
    wet = sum((samples * REVERB_SENDS[layer] for layer, samples in parts.items()), np.zeros(length))
    return _mastered(dry + _reverb(wet, artist, rng), artist, rng)


def _add(track: np.ndarray, samples: np.ndarray, start_s: float, level: float) -> None:
    start = int(start_s * SAMPLE_RATE)
    room = len(track) - start
    if room > 0:
        track[start : start + len(samples)] += level * samples[:room]


def part(score: Score, layer: str, length: int, rng: np.random.Generator) -> np.ndarray:
    """Render a layer; notes of equal pitch and of similar length and velocity are synthesised once."""
    instrument = INSTRUMENTS[score.instruments[layer]]
    colour = score.artist.colours[layer]
    track = np.zeros(length)
    tones: dict[tuple[int, int, int], np.ndarray] = {}
    for note in score.notes[layer]:
        if note.start_s * SAMPLE_RATE >= length:
            continue
        key = (note.pitch, round(note.length_s / 0.03), round(note.velocity * 4))
        if key not in tones:
            tones[key] = instrument.tone(key[0], max(key[1], 1) * 0.03, key[2] / 4, colour, rng)
        _add(track, tones[key], note.start_s, note.velocity)
    return distorted(track, instrument.drive * colour) if instrument.drive and track.any() else track


def drum_track(score: Score, length: int, rng: np.random.Generator) -> np.ndarray:
    """Render the drums: float64 [shape=(length,)]."""
    track = np.zeros(length)
    recordings = {
        name: [drum(name, score.artist.kit, rng) for _ in range(VARIANTS)]
        for name in sorted({hit.drum for hit in score.hits})
    }
    for hit in score.hits:
        samples = recordings[hit.drum][rng.integers(VARIANTS)]
        level = DRUM_LEVELS_DB.get(hit.drum, -8.0) + score.artist.drum_balance_db[hit.drum]
        _add(track, samples, hit.start_s, hit.velocity**1.5 * gain(level))
    return track


DRUM_LEVELS_DB = {
    "kick": 0.0,
    "snare": -2.0,
    "clap": -3.0,
    "rim": -5.0,
    "tom": -3.0,
    "low tom": -2.0,
    "hat": -9.0,
    "open hat": -10.0,
    "ride": -11.0,
    "crash": -13.0,
    "shaker": -11.0,
    "conga": -6.0,
    "low conga": -5.0,
    "cowbell": -11.0,
}


def _loudness(samples: np.ndarray) -> float:
    """Return the root mean square of the louder half of the frames that are not silent."""
    n_frames = max(len(samples) // 2048, 1)
    energy = (samples[: n_frames * (len(samples) // n_frames)].reshape(n_frames, -1) ** 2).mean(axis=1)
    sounding = energy[energy > energy.max() * 1e-4]
    return float(np.sqrt(np.sort(sounding)[len(sounding) // 2 :].mean())) if len(sounding) else 0.0


def pumping(score: Score, length: int, depth: float) -> np.ndarray:
    """Return the gain of a compressor keyed by the kick drum: down at each stroke, back within three sixteenths."""
    level = np.ones(length)
    dip = 1 - depth * np.linspace(1, 0, int(45.0 / score.tempo * SAMPLE_RATE)) ** 1.5
    attack = int(0.005 * SAMPLE_RATE)  # a step would click
    dip[:attack] = np.linspace(1, dip[attack], attack)
    for hit in score.hits:
        start = int(hit.start_s * SAMPLE_RATE)
        if hit.drum == "kick" and start < length:
            dipped = level[start : start + len(dip)]
            np.minimum(dipped, dip[: len(dipped)], out=dipped)
    return level


def _with_echo(track: np.ndarray, delay_s: float, feedback: float) -> np.ndarray:
    """Add three echoes, each softer than the last."""
    wet = track.copy()
    for repeat in (1, 2, 3):
        shift = int(repeat * delay_s * SAMPLE_RATE)
        if shift < len(track):
            wet[shift:] += track[:-shift] * feedback**repeat
    return wet


def _reverb(send: np.ndarray, artist: Artist, rng: np.random.Generator) -> np.ndarray:
    """Convolve with decaying noise (Moorer 1979) that grows duller as it fades; `reverb_s` is the time to -60 dB."""
    time = np.arange(int(artist.reverb_s * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.standard_normal((2, len(time))) * 10 ** (-3 * time / artist.reverb_s)
    dull = signal.lfilter([0.12], [1, -0.88], noise[1])
    tail = noise[0] * np.exp(-time / 0.15) + 2 * dull
    tail *= np.clip(time / 0.012, 0, 1)
    tail /= np.sqrt((tail**2).sum())
    return signal.oaconvolve(send, tail)[: len(send)] * gain(artist.reverb_db)


def _mastered(mix: np.ndarray, artist: Artist, rng: np.random.Generator) -> np.ndarray:
    """Apply tape hiss, the artist's equaliser, gentle saturation, fades and the final level."""
    level = _loudness(mix)
    mix = mix + rng.standard_normal(len(mix)) * level * gain(artist.hiss_db)
    hz = np.fft.rfftfreq(len(mix), 1 / SAMPLE_RATE)
    position = np.log2(np.maximum(hz, 20.0))
    curve = np.interp(position, np.log2(EQUALISER_HZ), artist.equaliser_db)
    below_hearing = 1 / (1 + (25 / np.maximum(hz, 1e-3)) ** 6)
    mix = np.fft.irfft(np.fft.rfft(mix) * 10 ** (curve / 20) * below_hearing, len(mix))
    mix = np.tanh(mix / _loudness(mix) * 0.3 * artist.saturation)
    ramp = min(int(0.005 * SAMPLE_RATE), len(mix))
    mix[:ramp] *= np.arange(ramp) / ramp
    ramp = min(int(FADE_OUT_S * SAMPLE_RATE), len(mix) // 10)
    if ramp:
        mix[-ramp:] *= np.cos(np.linspace(0, np.pi / 2, ramp)) ** 2
    return (mix * gain(PEAK_DB) / np.abs(mix).max()).astype(np.float32)
