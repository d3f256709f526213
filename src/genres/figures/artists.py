"""Figure of the accuracy against the number of artists to learn from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from genres.figures.style import BLUE, GREEN, GREY, ORANGE, VERMILION, canvas, percent_tick, styled

COLOURS, MARKS = (BLUE, ORANGE, GREEN, VERMILION, GREY), "osD^v"


@styled
def by_artists(artists: Sequence[float], curves: Sequence[Any], *, title: str, note: str) -> Figure:
    """Draw accuracies with their 95 % intervals, and fitted curves with the band of their intervals.

    Parameters
    ----------
    artists : list of float
        Number of artists of each size, ascending.
    curves : list of Curve
        As genres.experiments.learning_curve computes them; `name` is the label. Beyond the last size the curve is an
        extrapolation, and dashed.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(8.2, 4.2, title, note)
    axes = figure.subplots()
    for index, curve in enumerate(curves):
        colour, mark = COLOURS[index % len(COLOURS)], MARKS[index % len(MARKS)]
        # Side by side, so that intervals of one size do not hide each other.
        places = [number * 1.02 ** (index - (len(curves) - 1) / 2) for number in artists]
        axes.vlines(places, curve.low, curve.high, color=colour, linewidth=2.2, alpha=0.6, gid="interval")
        axes.plot(places, curve.accuracy, mark, color=colour, ms=7, mec="white", mew=0.8, zorder=4, label=curve.name)
        if curve.grid:
            grid, (middle, low, high) = np.array(curve.grid), np.array(curve.fitted).T
            inside = grid <= artists[-1]
            axes.plot(grid, middle, "--", color=colour, linewidth=1.4, gid="curve")
            axes.plot(grid[inside], middle[inside], color=colour, linewidth=1.4)
            beyond = grid >= artists[-1]
            axes.fill_between(grid, low, high, where=beyond, color=colour, alpha=0.16, linewidth=0, gid="band")
    if any(curve.grid for curve in curves):
        axes.axvline(artists[-1], color=GREY, linewidth=0.8, zorder=1)
        axes.text(artists[-1] * 1.03, 0.01, "extrapolated", color=GREY, transform=axes.get_xaxis_transform())
    axes.set_xscale("log")
    ends = sorted({*artists, *(curve.grid[-1] for curve in curves if curve.grid)})
    axes.set_xticks(ends, [f"{number:.0f}" for number in ends])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("artists in training and validation")
    axes.set_ylabel("test accuracy over tracks")
    axes.yaxis.set_major_formatter(percent_tick)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(curves))  # above: bars reach everywhere
    return figure
