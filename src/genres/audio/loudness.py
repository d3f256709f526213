"""Integrated loudness after ITU-R BS.1770-4, measured block by block."""

import numpy as np

# ITU-R BS.1770: energy is measured over blocks of 0.4 s, one every 0.1 s. Blocks below -70 LUFS are ignored, then
# those 10 LU or more below the mean of the rest.
BLOCK_SECONDS, STEPS_PER_BLOCK = 0.4, 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
OFFSET = -0.691

# A smaller mean square counts as silence: 1e-10 is -100 dB of full scale.
LEAST_POWER = 1e-10


class Filter:
    """K-weighting of samples that arrive in blocks: a high shelf that models the head, and a high-pass.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        # Imported here, since they load slowly and reference `peak` does not need them.
        from pyloudnorm import IIRfilter
        from scipy.signal import lfilter

        shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
        high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
        self._parts = [(f.b, f.a, np.zeros(2)) for f in (shelf, high_pass)]
        self._filter = lfilter

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Filter the next samples, float64 [shape=(n,)]."""
        for number, (b, a, state) in enumerate(self._parts):
            samples, state = self._filter(b, a, samples, zi=state)
            self._parts[number] = (b, a, state)
        return samples


def impulse_response(sample_rate: int) -> np.ndarray:
    """Return the response of the K-weighting to a pulse, until all that follows is below -100 dB of it."""
    response = Filter(sample_rate)(np.eye(1, sample_rate)[0])
    rest = np.cumsum(np.square(response)[::-1])[::-1]
    return response[rest > rest[0] * 1e-10]


class Meter:
    """Measure the loudness of a track block by block; memory grows by only ten numbers a second of audio.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._filter, self._sample_rate = Filter(sample_rate), sample_rate
        self._samples, self._squares, self.peak = 0, 0.0, 0.0
        self._weighted: list[np.ndarray] = []  # squared samples, from `_first` on, that a later block needs
        self._first = 0
        self._energies: list[float] = []

    def update(self, samples: np.ndarray) -> None:
        """Add samples [shape=(n,)], not empty; full scale is 1."""
        samples = samples.astype(np.float64)
        self._samples += len(samples)
        self._squares += float(np.square(samples).sum())
        self.peak = max(self.peak, float(np.abs(samples).max()))
        self._weighted.append(np.square(self._filter(samples)))
        while self._bounds(len(self._energies))[1] <= self._samples:
            self._energies.append(self._energy(len(self._energies)))

    def _bounds(self, block: int) -> tuple[int, int]:
        # Rounded exactly as in pyloudnorm: any other rounding would move a block by a sample.
        start = block / STEPS_PER_BLOCK
        first, last = (int(BLOCK_SECONDS * position * self._sample_rate) for position in (start, start + 1))
        return first, last

    def _energy(self, block: int) -> float:
        """Return the mean square of a block; a block that exceeds the track is padded with silence."""
        start, stop = self._bounds(block)
        joined = np.concatenate(self._weighted)[start - self._first :]
        self._weighted, self._first = [joined], start  # no later block starts earlier
        total = joined[: stop - start].sum()
        return float(total) / (BLOCK_SECONDS * self._sample_rate)

    def integrated(self, gain: float = 1.0) -> float:
        """Return the loudness in LUFS of all samples, amplified by `gain`; finite even for silence.

        If the track is too short or too quiet for the gates, return its RMS level instead.
        """
        energies = np.array(self._energies)
        seconds = self._samples / self._sample_rate
        n_blocks = round((seconds - BLOCK_SECONDS) * STEPS_PER_BLOCK / BLOCK_SECONDS) + 1
        if n_blocks > len(energies) > 0:  # the last block may lack less than half a step
            energies = np.append(energies, self._energy(len(energies)))
        level = gated(energies[:n_blocks] * gain**2)
        if level > -np.inf:
            return level
        mean_square = self._squares * gain**2 / max(1, self._samples)
        return 10 * float(np.log10(max(mean_square, LEAST_POWER)))


def gated(energies: np.ndarray) -> float:
    """Return the loudness in LUFS of blocks by their weighted mean squares; -inf if none passes the absolute gate."""
    loud = energies[_level(energies) >= ABSOLUTE_GATE]
    if not len(loud):
        return -np.inf
    return float(_level(loud[_level(loud) > _level(loud.mean()) + RELATIVE_GATE].mean()))


def _level(energy: np.ndarray) -> np.ndarray:
    return OFFSET + 10 * np.log10(np.maximum(energy, np.finfo(float).tiny))
