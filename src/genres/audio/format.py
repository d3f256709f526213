"""What a stored spectrogram means: which band a column is, which level a byte."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from genres.core.params import MelParams

STEPS = 255


@dataclass(frozen=True)
class Format:
    """What the rows and columns of stored spectrograms mean; travels with the models that learn from them."""

    sample_rate: int  # Hz
    n_fft: int  # samples
    n_mels: int
    frame_rate: float  # frames a second
    top_db: float
    fmin: float = 0.0  # Hz
    fmax: float | None = None  # Hz; None: half the sample rate, or unknown (published spectrograms)
    reference: Literal["peak", "loudness"] = "peak"

    def frames(self, seconds: float) -> int:
        """The number of frames nearest to a duration, at least one."""
        return max(1, round(seconds * self.frame_rate))

    def band_centres(self) -> np.ndarray:
        """The frequency at which each band peaks, in Hz [shape=(n_mels,)]; rising."""
        return mel_edges(self.n_mels, self.fmin, self.fmax or self.sample_rate / 2)[1:-1]


def format_of(settings: MelParams) -> Format:
    """The format of spectrograms that are computed with these parameters."""
    return Format(
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        n_mels=settings.n_mels,
        frame_rate=settings.sample_rate / settings.hop_length,
        top_db=settings.top_db,
        fmin=settings.fmin,
        fmax=settings.fmax,
        reference=settings.reference,
    )


def mel_edges(n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Where the bands' triangles begin, peak and end: band k is 0 at edges k and k + 2, highest at edge k + 1.

    The scale is that of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.

    Returns
    -------
    np.ndarray [shape=(n_mels + 2,)]
        Hz, rising; equal to ``librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax)``.
    """
    hz_a_mel, knee_hz, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    knee = knee_hz / hz_a_mel

    def to_mel(hz: float) -> float:
        return hz / hz_a_mel if hz < knee_hz else knee + np.log(hz / knee_hz) / log_step

    mels = np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)
    return np.where(mels < knee, mels * hz_a_mel, knee_hz * np.exp(log_step * (mels - knee)))


def to_bytes(decibels: np.ndarray, top_db: float) -> np.ndarray:
    """Store levels in dB relative to the reference as uint8 [same shape]; lower than -top_db becomes 0."""
    levels = decibels / top_db
    levels += 1
    np.clip(levels, 0, 1, out=levels)
    levels *= STEPS
    return np.round(levels, out=levels).astype(np.uint8)


def to_decibels(stored: np.ndarray, top_db: float) -> np.ndarray:
    """Levels in dB relative to the reference: float32 [same shape]."""
    return (stored.astype(np.float32) / STEPS - 1) * top_db
