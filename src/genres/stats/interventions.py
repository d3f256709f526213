"""Dose and effect of interventions on songs: curves over the dose, tipping doses, shares of the ingredients.

Input: numbers of songs, one song a row, at rising doses or for sets of ingredients. Output: plain numbers and small
arrays. Intervals are percentile bootstraps over songs; below two songs there is none (NaN).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from genres.stats.scores import CI95, SMALLEST_PROBABILITY, Floats


class Estimate(NamedTuple):
    """A value with its 95 % interval over songs; NaN where it is unknown, infinity for a dose that is not reached."""

    value: float
    low: float
    high: float


def margins(probabilities: ArrayLike, target: int) -> Floats:
    """Return the log-odds of a genre against the likeliest other one: positive where it is the likeliest.

    Parameters
    ----------
    probabilities : (..., genres) float
        At least two genres.
    target : int
        Column of the genre.

    Returns
    -------
    (...) float
        Finite: probabilities are clipped from below.
    """
    logs = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, 1))
    return logs[..., target] - np.delete(logs, target, axis=-1).max(axis=-1)


def first_dose(doses: Sequence[float], effects: Sequence[float], level: float) -> float:
    """Return the first dose at which an effect reaches a level, linear between the measured doses; else infinity.

    Parameters
    ----------
    doses : (n,) float
        Rising.
    effects : (n,) float
        Effect at each dose; it need not rise.
    level : float
    """
    if effects[0] >= level:
        return float(doses[0])
    for (start, before), (end, after) in pairwise(zip(doses, effects, strict=True)):
        if after >= level:
            return float(start + (end - start) * (level - before) / (after - before))
    return math.inf


def half_tip(tipping: ArrayLike, resamples: int, seed: int) -> Estimate:
    """Return the dose at which half of the songs have tipped over.

    Parameters
    ----------
    tipping : (songs,) float
        Dose at which each song tips; infinity for one that never does, so that no song is left out.
    resamples, seed : int
        Bootstrap samples and their seed.
    """

    def median(values: np.ndarray, axis: int) -> np.ndarray:
        # Not interpolated: between a number and infinity there is none.
        return np.quantile(values, 0.5, axis=axis, method="inverted_cdf")

    return _estimates(tipping, median, resamples, seed)[0]


def means(values: ArrayLike, resamples: int, seed: int) -> list[Estimate]:
    """Return the mean over songs of each column.

    Parameters
    ----------
    values : (songs, columns) float
    resamples, seed : int
        Bootstrap samples and their seed.
    """
    return _estimates(values, np.mean, resamples, seed)


def shapley(worth: ArrayLike) -> Floats:
    """Compute Shapley values exactly: the mean gain by an ingredient over all orders of adding them (Shapley 1953).

    Parameters
    ----------
    worth : (2 ** n, songs) float
        Worth of each set of n ingredients; bit i of the row's number tells whether ingredient i is in the set.

    Returns
    -------
    (n, songs) float
        They sum to the worth of the full set less that of the empty one.
    """
    rows = np.asarray(worth, dtype=np.float64)
    n = len(rows).bit_length() - 1
    if len(rows) != 2**n:
        raise ValueError(f"needs the worth of all 2 ** n sets; received {len(rows)} rows")
    sets = np.arange(len(rows))
    sizes = (sets[:, np.newaxis] >> np.arange(max(n, 1)) & 1).sum(axis=1)
    # Share of the orders in which exactly a set's ingredients come before a given other one.
    orders = np.array([1 / (n * math.comb(n - 1, size)) for size in range(n)])
    values = []
    for ingredient in range(n):
        without = sets[(sets >> ingredient & 1) == 0]
        values.append(orders[sizes[without]] @ (rows[without | 1 << ingredient] - rows[without]))
    return np.array(values)


def shares(values: ArrayLike, resamples: int, seed: int) -> list[Estimate]:
    """Return each ingredient's share of the whole effect; NaN where the interval of the whole effect includes 0.

    Parameters
    ----------
    values : (n, songs) float
        Shapley values.
    resamples, seed : int
        Bootstrap samples and their seed.
    """
    by_song = np.asarray(values, dtype=np.float64).T

    def share(drawn: np.ndarray, axis: int) -> np.ndarray:
        mean = drawn.mean(axis=axis)
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean / mean.sum(axis=-1, keepdims=True)

    (whole,) = means(by_song.sum(axis=1, keepdims=True), resamples, seed)
    if not (whole.low > 0 or whole.high < 0):
        return [Estimate(math.nan, math.nan, math.nan)] * by_song.shape[1]
    return _estimates(by_song, share, resamples, seed)


def _estimates(values: ArrayLike, statistic: Callable[..., np.ndarray], resamples: int, seed: int) -> list[Estimate]:
    """Return a statistic over songs, by column, with its percentile bootstrap interval."""
    rows = np.asarray(values, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    found = statistic(rows, axis=0)
    if len(rows) < 2:
        return [Estimate(float(value), math.nan, math.nan) for value in found]
    drawn = rows[np.random.default_rng(seed).integers(len(rows), size=(resamples, len(rows)))]
    # Not interpolated, as there may be infinities.
    low, high = np.quantile(statistic(drawn, axis=1), CI95, axis=0, method="inverted_cdf")
    return [Estimate(*map(float, triple)) for triple in zip(found, low, high, strict=True)]
