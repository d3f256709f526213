"""Integrated loudness after ITU-R BS.1770-4, of samples that come block by block."""

import numpy as np

# ITU-R BS.1770: energy is taken over blocks of 0.4 s, a new one each 0.1 s; those below -70 LUFS do not count, nor do
# those 10 LU below the mean of the rest.
_BLOCK_SECONDS, _STEPS_A_BLOCK = 0.4, 4
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_OFFSET = -0.691

# Below it a mean square is taken for silence: 1e-10 is -100 dB of full scale.
_LEAST_POWER = 1e-10


class Meter:
    """Hears a track and tells how loud it was; the memory it takes does not grow but for ten numbers a second.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        # Here: they take a moment to load, and reference `peak` does without.
        from pyloudnorm import IIRfilter
        from scipy.signal import lfilter

        # K-weighting: a shelf for the head, and a high-pass.
        shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
        high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
        self._filters = [(f.b, f.a, np.zeros(2)) for f in (shelf, high_pass)]
        self._filter, self._sample_rate = lfilter, sample_rate
        self._samples, self._squares, self.peak = 0, 0.0, 0.0
        self._weighted: list[np.ndarray] = []  # squares that a block still needs, from `_first` on
        self._first = 0
        self._energies: list[float] = []

    def hear(self, samples: np.ndarray) -> None:
        """Go on with these samples [shape=(n,)], not empty; full scale is 1."""
        weighted = samples.astype(np.float64)
        self._samples += len(weighted)
        self._squares += float(np.square(weighted).sum())
        self.peak = max(self.peak, float(np.abs(samples).max()))
        for number, (b, a, state) in enumerate(self._filters):
            weighted, state = self._filter(b, a, weighted, zi=state)
            self._filters[number] = (b, a, state)
        self._weighted.append(np.square(weighted))
        while self._bounds(len(self._energies))[1] <= self._samples:
            self._energies.append(self._energy(len(self._energies)))

    def _bounds(self, block: int) -> tuple[int, int]:
        # As in pyloudnorm, to the last bit: another rounding would move a block by a sample.
        start = block / _STEPS_A_BLOCK
        first, last = (int(_BLOCK_SECONDS * position * self._sample_rate) for position in (start, start + 1))
        return first, last

    def _energy(self, block: int) -> float:
        """The mean square of a block; one that ends behind the track's end is filled up with silence."""
        start, stop = self._bounds(block)
        joined = np.concatenate(self._weighted)[start - self._first :]
        self._weighted, self._first = [joined], start  # no later block begins earlier
        total = joined[: stop - start].sum()
        return float(total) / (_BLOCK_SECONDS * self._sample_rate)

    def integrated(self, gain: float = 1.0) -> float:
        """The loudness in LUFS of all that was heard, amplified by `gain`; finite, also for silence.

        Of what is too short or too quiet for the gates it is the RMS.
        """
        energies = np.array(self._energies)
        seconds = self._samples / self._sample_rate
        wanted = round((seconds - _BLOCK_SECONDS) * _STEPS_A_BLOCK / _BLOCK_SECONDS) + 1
        if wanted > len(energies) > 0:  # the last block may lack less than half a step
            energies = np.append(energies, self._energy(len(energies)))
        energies = energies[:wanted] * gain**2
        loud = energies[_level(energies) >= _ABSOLUTE_GATE]
        if len(loud):
            loud = loud[_level(loud) > _level(loud.mean()) + _RELATIVE_GATE]
            return float(_level(loud.mean()))
        mean_square = self._squares * gain**2 / max(1, self._samples)
        return 10 * float(np.log10(max(mean_square, _LEAST_POWER)))


def _level(energy: np.ndarray) -> np.ndarray:
    return _OFFSET + 10 * np.log10(np.maximum(energy, np.finfo(float).tiny))
