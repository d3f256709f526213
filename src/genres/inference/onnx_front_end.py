"""From samples to windows and the out-of-distribution score as ONNX nodes: the steps of genres.audio and genres.data.

Long tracks are transformed some frames at a time. What depends on the whole track, the level of 0 dB, follows.
"""

from typing import Any

import numpy as np

from genres.audio.format import STEPS, Format, mel_edges
from genres.audio.mel import LEAST_POWER, MOST_GAIN, hann_window, zero_db_above_loudness
from genres.data.windows import Windowing
from genres.inference import onnx_loudness
from genres.inference.onnx_nodes import DOUBLE, FLOAT, INT64, UINT8, Nodes

_FRAMES = 64  # transformed at a time


def spectrogram(add: Nodes, samples: str, form: Format) -> str:
    """Add the steps of :func:`genres.audio.mel.of_samples`: float32 [n] → uint8 [frames, n_mels]."""
    power = _mel_power(add, samples, form)
    if form.reference == "peak":
        top = _decibels(add, add.ReduceMax(power, keepdims=0), LEAST_POWER)
    else:
        peak = add.Cast(add.ReduceMax(add.Abs(add.Concat(samples, [0.0], axis=0)), keepdims=0), to=DOUBLE)
        gain = add.Min(add.Reciprocal(add.Max(peak, np.float64(1 / MOST_GAIN))), np.float64(MOST_GAIN))
        squared = add.Mul(gain, gain)
        power = add.Mul(power, add.Cast(squared, to=FLOAT))
        loudness = onnx_loudness.integrated(add, samples, squared, form.sample_rate)
        top = add.Cast(add.Add(loudness, np.float64(zero_db_above_loudness(form))), to=FLOAT)
    levels = add.Sub(_decibels(add, power, LEAST_POWER), top)
    shares = add.Clip(add.Add(add.Div(levels, float(form.top_db)), 1.0), 0.0, 1.0)
    return add.Cast(add.Round(add.Mul(shares, float(STEPS))), to=UINT8)


def _mel_power(add: Nodes, samples: str, form: Format) -> str:
    half, hop = form.n_fft // 2, np.float64(form.sample_rate / form.frame_rate)
    padded = add.Pad(samples, [half, half])
    last = add.Cast(add.Sub(add.Size(padded), form.n_fft), to=DOUBLE)
    candidates = add.Add(add.Cast(add.Floor(add.Div(last, hop)), to=INT64), 2)
    complete = add.LessOrEqual(_multiples(add, candidates, hop), last)
    n_frames = add.ReduceSum(add.Cast(complete, to=INT64), keepdims=0)
    trips = add.Div(add.Add(n_frames, _FRAMES - 1), _FRAMES)
    starts = add.Cast(add.Min(_multiples(add, add.Mul(trips, _FRAMES), hop), last), to=INT64)
    filters = _mel_filters(add, form)

    body = Nodes(f"{add.prefix}f")
    first = body.Mul(body.Unsqueeze(body.trip, [0]), _FRAMES)
    some = body.Slice(starts, first, body.Add(first, _FRAMES))
    framed = body.Gather(padded, body.Add(body.Unsqueeze(some, [1]), body.Range(0, form.n_fft, 1)))
    windowed = body.Unsqueeze(body.Mul(framed, hann_window(form.n_fft)), [2])
    # In float32, onnxruntime's transform is five times less exact than SciPy's, and a thousand times where the size is
    # no power of two: more cells would be rounded to the next step.
    squares = body.ReduceSumSquare(body.DFT(body.Cast(windowed, to=DOUBLE), axis=1, onesided=1), [2], keepdims=0)
    power = body.MatMul(body.Cast(squares, to=FLOAT), filters)
    blocks = add.loop(trips, body, power, (FLOAT, [_FRAMES, form.n_mels]))
    return add.Slice(add.Reshape(blocks, [-1, form.n_mels]), [0], add.Unsqueeze(n_frames, [0]))


def _multiples(add: Nodes, number: str, step: np.float64) -> str:
    """Round the first multiples of a step, 0 among them: float64."""
    return add.Round(add.Mul(add.Cast(add.Range(0, number, 1), to=DOUBLE), step))


def _mel_filters(add: Nodes, form: Format) -> str:
    """Compute the filters from the edges of the bands, which take a hundredth of their space: [bins, n_mels]."""
    edges = mel_edges(form.n_mels, form.fmin, form.fmax or form.sample_rate / 2)
    widths = np.diff(edges)
    bins = np.fft.rfftfreq(form.n_fft, 1 / form.sample_rate)[:, np.newaxis]
    rising = add.Div(add.Sub(bins, edges[:-2]), widths[:-1])
    falling = add.Div(add.Sub(edges[2:], bins), widths[1:])
    triangles = add.Max(add.Min(rising, falling), np.float64(0))
    return add.Cast(add.Mul(triangles, 2 / (edges[2:] - edges[:-2])), to=FLOAT)


def _decibels(add: Nodes, power: str, least: float) -> str:
    return add.Mul(add.Log(add.Max(power, float(least))), float(10 / np.log(10)))


def windows(add: Nodes, spectrogram: str, windowing: Windowing, form: Format) -> str:
    """Add the steps of genres.data.windows.Windowing: uint8 [frames, n_mels] → uint8 [windows, frames, n_mels]."""
    length, frames = np.float64(windowing.length_s), windowing.frames(form)
    step = np.float64(windowing.length_s - windowing.overlap_s)
    n_frames = add.Squeeze(add.Shape(spectrogram, end=1), [0])
    seconds = add.Div(add.Cast(n_frames, to=DOUBLE), np.float64(form.frame_rate))
    rest = add.Sub(seconds, length)
    whole = add.Max(add.Cast(add.Floor(add.Add(add.Div(rest, step), np.float64(1e-6))), to=INT64), 0)
    starts = _microseconds(add, add.Mul(add.Cast(add.Range(0, add.Add(whole, 1), 1), to=DOUBLE), step))
    after_last = add.Sub(rest, add.Gather(starts, whole))
    one_more = add.Cast(add.Greater(after_last, step / 2), to=INT64)
    starts = add.Concat(starts, _microseconds(add, add.Unsqueeze(rest, [0])), axis=0)
    starts = add.Slice(starts, [0], add.Unsqueeze(add.Add(add.Add(whole, 1), one_more), [0]))
    first = add.Cast(add.Round(add.Mul(starts, np.float64(form.frame_rate))), to=INT64)
    first = add.Max(add.Min(first, add.Sub(n_frames, frames)), 0)
    chosen = add.Add(add.Unsqueeze(first, [1]), add.Range(0, frames, 1))
    if windowing.short == "repeat":
        return add.Gather(spectrogram, add.Mod(chosen, n_frames))
    missing = add.Unsqueeze(add.Max(add.Sub(frames, n_frames), 0), [0])
    padded = add.Pad(spectrogram, add.Concat([0, 0], missing, [0], axis=0))
    return add.Gather(padded, chosen)


def _microseconds(add: Nodes, seconds: str) -> str:
    return add.Div(add.Round(add.Mul(seconds, np.float64(1e6))), np.float64(1e6))


def distance(add: Nodes, spectrogram: str, reference: dict[str, Any], form: Format) -> str:
    """Add the steps of :func:`genres.models.out_of_distribution.distance`: uint8 [frames, n_mels] → float32 scalar."""
    values = add.Cast(spectrogram, to=FLOAT)
    mean = add.ReduceMean(values, [0], keepdims=1)
    centred = add.Sub(values, mean)
    deviation = add.Sqrt(add.ReduceMean(add.Mul(centred, centred), [0], keepdims=1))
    described = add.Mul(add.Concat(mean, deviation, axis=1), float(form.top_db / STEPS))
    known, spread = (np.array(reference[key], np.float32) for key in ("mean", "deviation"))
    z = add.Div(add.Sub(described, known), spread)
    return add.Sqrt(add.ReduceMean(add.Mul(z, z), keepdims=0))
