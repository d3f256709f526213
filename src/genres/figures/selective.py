"""Figure of the share of wrong predictions against the share of songs that are tagged."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from genres.core.text import percent
from genres.figures.style import BLUE, GREY, INK, VERMILION, canvas, percent_tick, styled


@styled
def risk_coverage(
    kept: Sequence[float],
    wrong: Sequence[float],
    bound: Sequence[float],
    promises: Sequence[tuple[float, float]],
    *,
    title: str,
    note: str,
) -> Figure:
    """Draw the share of wrong predictions among the most confident held-out songs, its upper bound, and promises.

    Parameters
    ----------
    kept, wrong, bound : sequence of float
        At each threshold: share of the songs above it, share of these that is wrong, and the upper bound of that.
    promises : sequence of (float, float)
        Errors that are promised, and the share of the songs that is tagged with each.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(7.0, 3.8, title, note)
    axes = figure.subplots()
    axes.plot(kept, wrong, color=BLUE, linewidth=2, label="wrong, of the held-out songs", gid="wrong")
    axes.plot(kept, bound, color=GREY, linestyle="--", label="upper bound", gid="bound")
    for number, (error, share) in enumerate(promises):
        label = "promise, and the songs that it tags" if number == 0 else None
        axes.plot(share, error, "o", color=VERMILION, ms=7, mec="white", zorder=3, gid="promise", label=label)
        place: dict[str, Any] = {"xy": (share, error), "xytext": (-5, 5), "textcoords": "offset points"}
        axes.annotate(percent(share), ha="right", size=9, color=INK, gid="label", **place)
    axes.set_xlim(0, 1)
    highest = max([*wrong, *(error for error, _ in promises)])
    axes.set_ylim(0, min(1.0, 1.5 * highest + 0.05))
    axes.xaxis.set_major_formatter(FuncFormatter(percent_tick))
    axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
    axes.set_xlabel("songs that are tagged, the most confident first")
    axes.set_ylabel("wrong tags")
    axes.legend(loc="upper left")
    return figure
