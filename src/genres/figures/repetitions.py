"""Figure of repeated experiments: each repetition and the mean."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genres.figures.style import BLUE, GREY, PROTOCOLS, Row, canvas, percent_tick, styled


@styled
def repetitions(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """Draw the test accuracy of each repetition as a dot, and the mean as a marker with its 95 % interval.

    Parameters
    ----------
    rows : list of dict
        Rows in their order from top to bottom: arch, protocol, n, values (test accuracy of each repetition),
        track_accuracy (the mean), track_accuracy_ci95_low, track_accuracy_ci95_high, deviation (None for one
        repetition).
    title, note : str
        Heading; data set, split and caveats.
    """
    several = len({row["protocol"] for row in rows}) > 1
    figure = canvas(8.2, 0.9 + 0.42 * len(rows), title, note)
    axes = figure.subplots()
    ends = []
    for y, row in enumerate(rows):
        colour, mark, _ = PROTOCOLS.get(row["protocol"], (BLUE, "o", ""))
        low, high = row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]
        axes.hlines(y, low, high, color=colour, linewidth=2.6, alpha=0.6, gid="interval")
        spread = np.linspace(-0.14, 0.14, row["n"]) if row["n"] > 1 else [0.0]
        axes.plot(row["values"], y + np.asarray(spread), ".", color=GREY, ms=6, zorder=3, gid="values")
        axes.plot(row["track_accuracy"], y, mark, color=colour, ms=8.5, mec="white", mew=0.8, zorder=4, gid="mean")
        beside = f"{100 * row['track_accuracy']:.1f} %"
        if row["deviation"] is not None:
            beside += f" ± {100 * row['deviation']:.1f}"
        axes.text(1.02, y, beside, va="center", transform=axes.get_yaxis_transform(), gid="beside")
        ends += [low, high, *row["values"]]
    names = [f"{row['arch']}, {row['protocol']}" if several else row["arch"] for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    margin = max(0.06 * (max(ends) - min(ends)), 0.02)
    axes.set_xlim(max(min(ends) - margin, -0.015), min(max(ends) + margin, 1.015))
    axes.set_xlabel("test accuracy over tracks; at the right the mean and the standard deviation of one experiment")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(percent_tick)
    axes.grid(axis="y", visible=False)
    return figure
