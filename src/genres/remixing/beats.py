"""Beats of a song: tempo from the autocorrelation of its onsets, beats by dynamic programming (Ellis 2007).

The tracker is that of ``librosa.beat.beat_track``, with which a test compares it: librosa itself takes three seconds to
import. Beats are then put on the beat (metre.py) and between the frames, and a song without a steady beat is refused.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from genres.audio.format import Format
from genres.audio.mel import mel_power_of_blocks
from genres.core.console import UserError
from genres.remixing.metre import first_step, mean_bar

RATE = 22050  # Hz, of the samples that are analysed
FRAME_RATE = 100
_FORMAT = Format(sample_rate=RATE, n_fft=1024, n_mels=40, frame_rate=FRAME_RATE, top_db=80)
_BANDS = ((0, 2), (2, 22), (22, 40))  # mel bands of kick drums, of snares and hand drums, of cymbals

SHORTEST_S = 4.0
SLOWEST, FASTEST = 45.0, 215.0  # quarter notes a minute
_LIKELIEST, _OCTAVES = 115.0, 0.8  # centre and width of the prior on the tempo
_MULTIPLES = (1.0, 0.7, 0.2, 0.5)  # weights of the autocorrelation at one to four beats

# Less rise in a frame is rounding, as in a steady tone.
_LEAST_RISE = 0.01

# A song is refused below the first number plus the second over its seconds: what noise reaches by chance. Measured over
# 40 pieces of white noise each of 4 to 30 s.
LEAST_CLARITY = (0.08, 1.4)

_REACH = 4  # frames about a beat that tell its time
_SMOOTH = 10  # beats, standard deviation of the weights of the beats around
_FAR_S = 0.02  # distance at which a beat is trusted a quarter


@dataclass(frozen=True)
class Beats:
    """Beats of a song."""

    tempo: float  # quarter notes a minute, median
    times_s: np.ndarray  # ascending, over the whole song
    downbeat: int  # the first beat that begins a bar, 0 to 3
    clarity: float  # autocorrelation of the onsets at the beat, up to 1
    attacks_s: np.ndarray  # times of all clear onsets, ascending


def find_beats(samples: np.ndarray) -> Beats:
    """Find the beats of a song.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at :data:`RATE`, of :data:`SHORTEST_S` or more.

    Raises
    ------
    UserError
        If the song has no steady beat; the line does not name it.
    """
    seconds = len(samples) / RATE
    power = np.concatenate(list(mel_power_of_blocks([samples], _FORMAT)))
    onsets = onset_strength(power)
    bands = np.array([onset_strength(power[:, first:last], 1.0) for first, last in _BANDS])
    # The kick drum and the bass tell beats from the cymbals between them.
    pulse = _scaled(onsets) + _scaled(bands[0])
    tempo, clarity = find_tempo(autocorrelation(pulse))
    least = LEAST_CLARITY[0] + LEAST_CLARITY[1] / seconds
    frames = track(pulse, tempo) if clarity >= least else np.empty(0, int)
    if len(frames) < 6:
        raise UserError(
            f"no steady beat (clarity {clarity:.2f} of at least {least:.2f}); choose a song with a clear one"
        )
    times = refine(frames, onsets)
    late = first_step(mean_bar(bands, times * FRAME_RATE)) % 4 / 4  # beats, of the pulse after the beat
    times = extended(np.interp(np.arange(len(times) - 1) + late, np.arange(len(times)), times), seconds)
    downbeat = first_step(mean_bar(bands, times * FRAME_RATE)) // 4
    return Beats(60 / float(np.median(np.diff(times))), times, downbeat, clarity, attacks(onsets))


def onset_strength(power: np.ndarray, compression: float = 1e3) -> np.ndarray:
    """Return the rise of the level in each frame of a mel power spectrogram, mean over the bands.

    Parameters
    ----------
    power : np.ndarray [shape=(frames, bands)]
    compression : float
        A high one makes soft onsets as strong as loud ones.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float64]
        Less its mean over the second around; not below 0.
    """
    level = np.log1p(power * (compression / max(float(power.mean()), 1e-12)))
    rise = np.zeros(len(level))
    rise[2:] = np.maximum(level[2:] - level[:-2], 0).mean(axis=1)
    return np.maximum(rise - uniform_filter1d(rise, FRAME_RATE + 1) - _LEAST_RISE, 0)


def _scaled(onsets: np.ndarray) -> np.ndarray:
    return onsets / max(float(onsets.std()), 1e-9)


def autocorrelation(onsets: np.ndarray) -> np.ndarray:
    """Return the autocorrelation for lags up to 4 s: the mean over windows of 12 s, so that the tempo may drift."""
    length = min(12 * FRAME_RATE, len(onsets))
    lags = np.arange(min(4 * FRAME_RATE, length))
    rows = []
    for start in range(0, len(onsets) - length + 1, max(1, length // 2)):
        part = onsets[start : start + length] - onsets[start : start + length].mean()
        row = scipy.fft.irfft(np.abs(scipy.fft.rfft(part, 2 * length)) ** 2)[: len(lags)]
        rows.append(row / max(float(row[0]), 1e-9) * length / np.maximum(length - lags, length / 4))
    return np.mean(rows, axis=0)


def find_tempo(correlation: np.ndarray) -> tuple[float, float]:
    """Return the tempo in quarter notes a minute and its clarity, from the autocorrelation of the onsets."""
    tempi = np.exp2(np.arange(np.log2(SLOWEST), np.log2(FASTEST), 0.005))
    beats = 60 * FRAME_RATE / tempi * np.arange(1, len(_MULTIPLES) + 1)[:, np.newaxis]
    at = np.interp(beats, np.arange(len(correlation)), correlation, right=0.0)
    prior = np.exp(-0.5 * (np.log2(tempi / _LIKELIEST) / _OCTAVES) ** 2)
    best = int(np.argmax(_MULTIPLES @ at * prior))
    return float(tempi[best]), float(at[[0, 1, 3], best].max())


def track(onsets: np.ndarray, tempo: float, tightness: float = 100.0) -> np.ndarray:
    """Return the frames of beats: those with the strongest onsets at distances near the period of the tempo."""
    period = round(60 * FRAME_RATE / tempo)
    width = np.arange(-period, period + 1)
    local = np.convolve(onsets / onsets.std(ddof=1), np.exp(-0.5 * (width * 32.0 / period) ** 2), "same")
    offsets = np.arange(-2 * period, -round(period / 2) + 1)
    penalty = -tightness * np.log(-offsets / period) ** 2
    score = np.zeros(len(local) + 2 * period)  # of frames from two periods before the first one on
    before = np.full(len(local), -1)
    started = False
    for frame, value in enumerate(local):
        candidates = score[frame : frame + len(offsets)] + penalty
        best = int(candidates.argmax())
        score[2 * period + frame] = value + candidates[best]
        started = started or value >= 0.01 * local.max()
        if started:
            before[frame] = frame + offsets[best]
    score = score[2 * period :]
    peaks = np.flatnonzero((score > np.roll(score, 1)) & (score >= np.roll(score, -1)))
    if not len(peaks):
        return np.empty(0, int)
    beats = [int(peaks[score[peaks] >= 0.5 * np.median(score[peaks])].max())]
    while before[beats[-1]] >= 0:
        beats.append(int(before[beats[-1]]))
    return np.array(beats[::-1])


def refine(frames: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    """Return the times of beats in seconds, between the frames.

    Each is on a parabola through the beats around it; beats that lie far from it hardly count.
    """
    near = np.pad(onsets, _REACH)[frames[:, np.newaxis] + np.arange(2 * _REACH + 1)] ** 2
    strength = near.sum(axis=1)
    times = (frames + (near @ np.arange(-_REACH, _REACH + 1)) / np.maximum(strength, 1e-12)) / FRAME_RATE
    strength = np.sqrt(strength) + 1e-3 * onsets.max()
    ahead = np.arange(-3 * _SMOOTH, 3 * _SMOOTH + 1)
    beside = np.arange(len(times))[:, np.newaxis] + ahead
    inside = (beside >= 0) & (beside < len(times))
    beside = beside.clip(0, len(times) - 1)
    weights = np.exp(-0.5 * (ahead / _SMOOTH) ** 2) * strength[beside] * inside
    powers = (ahead / _SMOOTH)[:, np.newaxis] ** np.arange(3)
    trust = np.ones(weights.shape)
    for _ in range(4):  # reweighted least squares
        weighted = (weights * trust)[:, :, np.newaxis] * powers
        line = np.linalg.solve(
            powers.T @ weighted + 1e-9 * np.eye(3),
            (weighted * times[beside][:, :, np.newaxis]).sum(axis=1)[:, :, np.newaxis],
        )[:, :, 0]
        trust = 1 / (1 + ((times[beside] - line @ powers.T) / _FAR_S) ** 2) ** 2
    return np.maximum.accumulate(line[:, 0])


def attacks(onsets: np.ndarray) -> np.ndarray:
    """Return the times of clear onsets in seconds: those that are the highest within 40 ms around."""
    peaks = np.flatnonzero((onsets == maximum_filter1d(onsets, 9)) & (onsets > 0.5 * onsets.std()))
    before, at, after = (onsets[(peaks + shift).clip(0, len(onsets) - 1)] for shift in (-1, 0, 1))
    return (peaks + (after - before) / (before + at + after)) / FRAME_RATE


def extended(times: np.ndarray, seconds: float) -> np.ndarray:
    """Continue beats with the period of the outermost ones over a whole song."""
    first, last = np.diff(times[:9]).mean(), np.diff(times[-9:]).mean()
    head = times[0] - first * np.arange(max(0, int(times[0] / first)), 0, -1)
    tail = times[-1] + last * np.arange(1, max(0, int((seconds - times[-1]) / last)) + 1)
    every = np.concatenate([head, times, tail])
    return every[(every >= 0) & (every < seconds)]
