"""Format of stored spectrograms: the frequency of each column and the level of each byte value."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from genres.core.params import MelParams  # loads pydantic, which a prediction does not need

STEPS = 255


@dataclass(frozen=True)
class Format:
    """Meaning of the rows, columns and values of stored spectrograms; saved with each model trained on them."""

    sample_rate: int  # Hz
    n_fft: int  # samples
    n_mels: int
    frame_rate: float  # frames a second
    top_db: float
    fmin: float = 0.0  # Hz
    fmax: float | None = None  # Hz; None: half the sample rate, or unknown (published spectrograms)
    reference: Literal["peak", "loudness"] = "peak"

    def frames(self, seconds: float) -> int:
        """Return the number of frames nearest to a duration, at least one."""
        return max(1, round(seconds * self.frame_rate))

    def band_centres(self) -> np.ndarray:
        """Return the peak frequency of each band in Hz [shape=(n_mels,)], ascending."""
        return mel_edges(self.n_mels, self.fmin, self.fmax or self.sample_rate / 2)[1:-1]


def format_of(settings: "MelParams") -> Format:
    """Return the format of spectrograms computed with these parameters."""
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
    """Return the edges of the mel bands: band k is 0 at edges k and k + 2 and peaks at edge k + 1.

    The scale is that of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.

    Returns
    -------
    np.ndarray [shape=(n_mels + 2,)]
        Hz, ascending; equal to ``librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax)``.
    """
    hz_per_mel, knee_hz, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    knee = knee_hz / hz_per_mel

    def to_mel(hz: float) -> float:
        return hz / hz_per_mel if hz < knee_hz else knee + np.log(hz / knee_hz) / log_step

    mels = np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)
    return np.where(mels < knee, mels * hz_per_mel, knee_hz * np.exp(log_step * (mels - knee)))


def to_bytes(decibels: np.ndarray, top_db: float) -> np.ndarray:
    """Convert levels in dB relative to the reference to uint8 [same shape]; levels below -top_db become 0."""
    levels = decibels / top_db
    levels += 1
    np.clip(levels, 0, 1, out=levels)
    levels *= STEPS
    return np.round(levels, out=levels).astype(np.uint8)


def to_decibels(stored: np.ndarray, top_db: float) -> np.ndarray:
    """Convert stored values to levels in dB relative to the reference: float32 [same shape]."""
    return (stored.astype(np.float32) / STEPS - 1) * top_db
