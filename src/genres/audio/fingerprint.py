"""Recordings that occur more than once: the same file, the same ISRC, or the same sound under another encoding.

Exact duplicates are real: GTZAN has fifty. A fingerprint is a coarse picture of how a track's bands rise and fall
over its whole length; the same recording in another format gives nearly the same picture, another song never does.
Excerpts of one recording from different places are not recognised.
"""

from collections.abc import Iterable

import librosa
import numpy as np

from genres.core.groups import Groups

SAMPLE_RATE = 11025  # Hz: what every codec keeps
BANDS = 32
SEGMENTS = 64

# Cosine similarity from which two tracks are one recording. Measured on the 296 excerpts of the Emotify set: mp3 copies
# at 64 kbit/s reach 0.992 and more, different recordings stay below 0.84; and three pairs of the set itself, at 0.985
# to 0.997, are one song (same artist and title) under two numbers.
SAME_RECORDING = 0.95

# A sound whose bands never move (a test tone) has no picture to compare: standard deviation in dB.
STATIONARY_DB = 0.5

_BLOCK = 2048  # tracks that are compared at a time, to bound memory
_DIRECTIONS = 64  # in which they are compared first
_ROUNDING = 1e-4  # of a squared distance in float32, and more


def of_audio(samples: np.ndarray) -> np.ndarray:
    """Fingerprint of mono samples at `SAMPLE_RATE`: int8 [shape=(BANDS * SEGMENTS,)]."""
    power = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=1024, hop_length=1024, n_mels=BANDS)
    return of_power(power)


def of_power(power: np.ndarray) -> np.ndarray:
    """Fingerprint of a mel power spectrogram.

    Parameters
    ----------
    power : np.ndarray [shape=(bands, frames)]
        Any number of bands that is a multiple of `BANDS`, and any number of frames.

    Returns
    -------
    np.ndarray [shape=(BANDS * SEGMENTS,), dtype=int8]
        A vector of length about 1016 (the finest that int8 takes); all zeros where the sound never changes.
    """
    bands, frames = power.shape
    power = power.reshape(BANDS, bands // BANDS, frames).mean(axis=1)
    edges = np.linspace(0, frames, SEGMENTS + 1)
    starts = np.minimum(edges[:-1].astype(int), frames - 1)
    sizes = np.maximum(np.diff(np.append(starts, frames)), 1)
    picture = librosa.power_to_db(np.add.reduceat(power, starts, axis=1) / sizes, ref=np.max, top_db=60.0)
    picture = picture - picture.mean(axis=1, keepdims=True)
    if picture.std() < STATIONARY_DB:
        return np.zeros(BANDS * SEGMENTS, np.int8)
    return np.round(picture.ravel() / np.linalg.norm(picture) * 1016).clip(-127, 127).astype(np.int8)


def recordings(
    hashes: list[str], codes: list[str], durations_s: np.ndarray, fingerprints: np.ndarray, names: list[str]
) -> list[str]:
    """Name the recording that each track is: tracks with equal names are the same recording.

    Parameters
    ----------
    hashes : list of str
        SHA-256 of each file.
    codes : list of str
        ISRC of each track, empty where unknown.
    durations_s : np.ndarray [shape=(n,)]
        Seconds; fingerprints are compared only between tracks whose durations differ by less than a second.
    fingerprints : np.ndarray [shape=(n, BANDS * SEGMENTS), dtype=int8]
        See :func:`of_power`.
    names : list of str
        Of the tracks; a recording is named after its first track.
    """
    groups = Groups(len(names))
    groups.join_equal(hashes)
    groups.join_equal(codes)
    for first, second in _similar_pairs(fingerprints, durations_s):
        groups.join(first, second)
    return [names[root] for root in groups.roots()]


def _similar_pairs(fingerprints: np.ndarray, durations_s: np.ndarray) -> Iterable[tuple[int, int]]:
    """All pairs that `SAME_RECORDING` and the durations allow: exactly, though few are compared in full.

    A projection makes no distance larger, so what is far apart in the few directions in which these tracks differ most
    is far apart. With all pairs in full, 20,000 tracks would take half a minute each time a song is added.
    """
    vectors = fingerprints.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(norms == 0, 1, norms)
    farthest = 2 - 2 * SAME_RECORDING + _ROUNDING  # squared distance of unit vectors
    outline = vectors @ _main_directions(vectors)
    squares, ones = (outline**2).sum(axis=1, keepdims=True), np.ones((len(outline), 1), np.float32)
    # 2 ab - |a|^2 - |b|^2, the negative of a squared distance, as one product of matrices
    left, right = np.hstack([2 * outline, -squares, -ones]), np.hstack([outline, ones, squares])
    for start in range(0, len(vectors), _BLOCK):
        near = left[start : start + _BLOCK] @ right[start:].T >= -farthest
        firsts, seconds = (start + found for found in np.nonzero(near))
        close = (firsts < seconds) & (np.abs(durations_s[firsts] - durations_s[seconds]) < 1)
        for first, second in zip(firsts[close], seconds[close], strict=True):
            if vectors[first] @ vectors[second] >= SAME_RECORDING:
                yield int(first), int(second)


def _main_directions(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal directions in which vectors differ most: float32 [shape=(dimensions, directions)].

    The principal components of some of them, by way of the small matrix of their products.
    """
    sample = vectors[:: max(1, len(vectors) // (8 * _DIRECTIONS))].astype(np.float64)
    variances, weights = np.linalg.eigh(sample @ sample.T)
    chosen = np.flatnonzero(variances > 1e-6 * max(variances.max(initial=0.0), 1e-6))[-_DIRECTIONS:]
    return (sample.T @ (weights[:, chosen] / np.sqrt(variances[chosen]))).astype(np.float32)
