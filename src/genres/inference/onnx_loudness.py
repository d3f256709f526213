"""The loudness of a track as ONNX nodes: the steps of genres.audio.loudness, with the filters' pulse response."""

import numpy as np

from genres.audio import loudness
from genres.inference.onnx_nodes import DOUBLE, FLOAT, INT64, Nodes

_ROWS = 64  # samples filtered at a time, each by a row of weights


def integrated(add: Nodes, samples: str, squared_gain: str, sample_rate: int) -> str:
    """Add the steps of :meth:`genres.audio.loudness.Meter.integrated`.

    Parameters
    ----------
    samples : str
        float32 [n].
    squared_gain : str
        Square of the gain, float64 scalar.

    Returns
    -------
    str
        LUFS, float64 scalar.
    """
    squares = _weighted_squares(add, samples, sample_rate)
    n = add.Cast(add.Size(samples), to=DOUBLE)
    numbers = add.Cast(add.Range(0, add.Cast(add.Div(n, np.float64(sample_rate / 20)), to=INT64), 1), to=DOUBLE)
    numbers = add.Div(numbers, np.float64(loudness.STEPS_PER_BLOCK))
    starts, stops = (
        add.Floor(add.Mul(add.Mul(at, np.float64(loudness.BLOCK_SECONDS)), np.float64(sample_rate)))
        for at in (numbers, add.Add(numbers, np.float64(1)))
    )
    complete = add.ReduceSum(add.Cast(add.LessOrEqual(stops, n), to=INT64), keepdims=0)
    after_first = add.Sub(add.Div(n, np.float64(sample_rate)), np.float64(loudness.BLOCK_SECONDS))
    steps = add.Mul(after_first, np.float64(loudness.STEPS_PER_BLOCK))
    steps = add.Round(add.Div(steps, np.float64(loudness.BLOCK_SECONDS)))
    # The last block may lack less than half a step, if there is a whole one.
    blocks = add.Min(add.Add(add.Cast(steps, to=INT64), 1), add.Add(complete, add.Min(complete, 1)))
    blocks = add.Max(blocks, 0)

    body = Nodes(f"{add.prefix}l")
    ends = (body.Unsqueeze(body.Cast(body.Gather(at, body.trip), to=INT64), [0]) for at in (starts, stops))
    energies = add.loop(blocks, body, body.ReduceSum(body.Slice(squares, *ends), keepdims=0), (FLOAT, []))
    energies = add.Cast(energies, to=DOUBLE)
    energies = add.Mul(energies, add.Div(squared_gain, np.float64(loudness.BLOCK_SECONDS * sample_rate)))

    def mean_level(chosen: str) -> str:
        chosen = add.Cast(chosen, to=DOUBLE)
        total = add.ReduceSum(add.Mul(chosen, energies), keepdims=0)
        return _level(add, add.Div(total, add.ReduceSum(chosen, keepdims=0)))

    levels = _level(add, energies)
    loud = add.GreaterOrEqual(levels, np.float64(loudness.ABSOLUTE_GATE))
    gate = add.Add(mean_level(loud), np.float64(loudness.RELATIVE_GATE))
    gated = mean_level(add.And(loud, add.Greater(levels, gate)))
    mean_square = add.Cast(add.ReduceMean(add.Mul(samples, samples), keepdims=0), to=DOUBLE)
    rms = _decibels(add, add.Max(add.Mul(mean_square, squared_gain), np.float64(loudness.LEAST_POWER)))
    return str(add.Where(add.Greater(add.ReduceSum(add.Cast(loud, to=INT64), keepdims=0), 0), gated, rms))


def _weighted_squares(add: Nodes, samples: str, sample_rate: int) -> str:
    """Filter a track and square it: float32 [n] → float32 [at least n]."""
    response = loudness.impulse_response(sample_rate)
    # Row k of the weights is the reversed response, k samples later, so that a product with the samples before and
    # after a place gives `_ROWS` samples at once.
    later = np.arange(_ROWS)[:, np.newaxis] + len(response) - 1
    zeros = np.zeros(_ROWS, np.float32)
    padded = np.concatenate([zeros, response.astype(np.float32), zeros])
    chosen = add.Sub(later + _ROWS, np.arange(len(response) + _ROWS - 1))
    weights = add.Unsqueeze(add.Gather(padded, chosen), [1])
    around = add.Pad(samples, [len(response) - 1, _ROWS])
    filtered = add.Conv(add.Unsqueeze(around, [0, 1]), weights, strides=[_ROWS])
    in_order = add.Reshape(add.Transpose(filtered, perm=[0, 2, 1]), [-1])
    return str(add.Mul(in_order, in_order))


def _level(add: Nodes, energy: str) -> str:
    decibels = _decibels(add, add.Max(energy, np.float64(np.finfo(float).tiny)))
    return str(add.Add(decibels, np.float64(loudness.OFFSET)))


def _decibels(add: Nodes, power: str) -> str:
    return str(add.Mul(add.Log(power), np.float64(10 / np.log(10))))
