"""Find recordings that occur more than once: the same file, the same ISRC, or the same sound in another encoding.

Exact duplicates are real: GTZAN has fifty. A fingerprint is a coarse picture of the level of a track's bands over its
whole length. The same recording in another format gives nearly the same picture; another song never does. Excerpts
from different positions of one recording are not recognised.
"""

from collections.abc import Iterable

import librosa
import numpy as np

from genres.core.groups import groups

SAMPLE_RATE = 11025  # Hz; every codec keeps this bandwidth
BANDS = 32
SEGMENTS = 64

# Cosine similarity from which two tracks are one recording. Measured on the 296 excerpts of the Emotify set: mp3 copies
# at 64 kbit/s reach 0.992 and more, different recordings stay below 0.84; and three pairs of the set itself, at 0.985
# to 0.997, are one song (same artist and title) under two numbers.
SAME_RECORDING = 0.95

# Standard deviation in dB below which a sound (a test tone) is too stationary to be compared.
STATIONARY_DB = 0.5

_BLOCK = 512  # tracks compared at a time, to bound memory
_DIRECTIONS = 64  # number of principal components of the first comparison
_ROUNDING = 1e-4  # upper bound of the rounding error of a squared distance in float32


def of_audio(samples: np.ndarray) -> np.ndarray:
    """Return the fingerprint of mono samples at `SAMPLE_RATE`: int8 [shape=(BANDS * SEGMENTS,)]."""
    power = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=1024, hop_length=1024, n_mels=BANDS)
    return of_power(power)


def of_power(power: np.ndarray) -> np.ndarray:
    """Return the fingerprint of a mel power spectrogram.

    Parameters
    ----------
    power : np.ndarray [shape=(bands, frames)]
        Any number of bands that is a multiple of `BANDS`, and any number of frames.

    Returns
    -------
    np.ndarray [shape=(BANDS * SEGMENTS,), dtype=int8]
        A vector of norm about 1016 (the largest that int8 allows); all zeros for a stationary sound.
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
    """Return the name of each track's recording: tracks with equal names are the same recording.

    Parameters
    ----------
    hashes : list of str
        SHA-256 of each file.
    codes : list of str
        ISRC of each track, empty if unknown.
    durations_s : np.ndarray [shape=(n,)]
        Durations in seconds; only tracks whose durations differ by less than a second are compared by fingerprint.
    fingerprints : np.ndarray [shape=(n, BANDS * SEGMENTS), dtype=int8]
        See :func:`of_power`.
    names : list of str
        Names of the tracks; a recording is named after its first track.
    """
    pairs = _similar_pairs(fingerprints, durations_s)
    return [names[first] for first in groups(len(names), hashes, codes, pairs=pairs)]


def _similar_pairs(fingerprints: np.ndarray, durations_s: np.ndarray) -> Iterable[tuple[int, int]]:
    """Yield all pairs that meet `SAME_RECORDING` and the limit on durations.

    The result is exact, though few pairs are compared in full: tracks are compared in the order of their durations, up
    to the first that is a second longer; and a projection never increases a distance, so tracks that are far apart in
    their main directions are far apart. Comparing all pairs of 20,000 tracks in full would take half a minute each time
    a song is added.
    """
    if not len(fingerprints):
        return
    order = np.argsort(durations_s, kind="stable")
    lengths, ordered = durations_s[order], fingerprints[order]
    directions = _main_directions(_units(ordered[:: max(1, len(ordered) // (8 * _DIRECTIONS))]))
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(ordered), _BLOCK)]
    projected = np.concatenate([_units(ordered[block]) @ directions for block in blocks])
    farthest = 2 - 2 * SAME_RECORDING + _ROUNDING  # squared distance of unit vectors
    squares, ones = (projected**2).sum(axis=1, keepdims=True), np.ones((len(projected), 1), np.float32)
    # 2 ab - |a|^2 - |b|^2, the negative of a squared distance, as one product of matrices
    left, right = np.hstack([2 * projected, -squares, -ones]), np.hstack([projected, ones, squares])
    for block in blocks:
        behind = np.searchsorted(lengths, lengths[block][-1] + 1, side="right")
        near = left[block] @ right[block.start : behind].T >= -farthest
        # Flat, since np.nonzero of two axes takes as long as the product.
        firsts, seconds = (block.start + index for index in np.divmod(np.flatnonzero(near), near.shape[1]))
        close = (firsts < seconds) & (np.abs(lengths[firsts] - lengths[seconds]) < 1)
        pairs = np.stack([firsts[close], seconds[close]])
        for start in range(0, pairs.shape[1], _BLOCK):
            some = pairs[:, start : start + _BLOCK]
            similarity = np.einsum("ij,ij->i", *(_units(ordered[rows]) for rows in some))
            alike = np.sort(order[some[:, similarity >= SAME_RECORDING]], axis=0)
            yield from zip(*alike.tolist(), strict=True)


def _units(fingerprints: np.ndarray) -> np.ndarray:
    """Return fingerprints as vectors of length one, zeros as they are: float32."""
    vectors = fingerprints.astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return vectors / np.where(norms == 0, 1, norms)[:, None]


def _main_directions(sample: np.ndarray) -> np.ndarray:
    """Return orthonormal directions of the largest variance of some vectors: float32 [shape=(dimensions, directions)].

    They are the principal components, computed from the small Gram matrix.
    """
    sample = sample.astype(np.float64)
    variances, weights = np.linalg.eigh(sample @ sample.T)
    chosen = np.flatnonzero(variances > 1e-6 * max(variances.max(initial=0.0), 1e-6))[-_DIRECTIONS:]
    return (sample.T @ (weights[:, chosen] / np.sqrt(variances[chosen]))).astype(np.float32)
