"""Figures of remixes in doses: the probability of the target against the dose, and the ingredients' Shapley values."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genres.core.text import is_known, percent
from genres.figures.differences import forest
from genres.figures.remix import PURPLE
from genres.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILION, canvas, percent_tick, styled

# Look of each curve.
DOTS: dict[str, Any] = {"marker": "o", "ms": 3.5}
LINES: dict[str, dict[str, Any]] = {
    "all": {"color": INK, "linewidth": 2.8},
    "tempo": {"color": ORANGE, "linewidth": 1.6},
    "drums": {"color": VERMILION, "linewidth": 1.6},
    "bass": {"color": BLUE, "linewidth": 1.6},
    "filter": {"color": GREEN, "linewidth": 1.6},
    "noise": {"color": PURPLE, "linewidth": 1.4, "linestyle": (0, (5, 2)), "marker": "s"},
    "own_beats": {"color": GREY, "linewidth": 1.4, "linestyle": (0, (2, 2)), "marker": "D"},
}
NAMES = {"all": "all together", "noise": "control: noise as drums", "own_beats": "control: the song's own beats"}
COLUMNS = 3


@styled
def doses(curves: Mapping[str, pd.DataFrame], *, title: str, note: str, target: str) -> Figure:
    """Draw the mean probability of the target against the dose, a panel for each architecture.

    Parameters
    ----------
    curves : dict
        By name of the architecture: columns ingredient, dose, probability, ci95_low, ci95_high.
    title, note : str
        Heading; data set, split and caveats.
    target : str
        Name of the genre.
    """
    columns = min(COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = canvas(max(7.4, 3.5 * columns), 2.9 * rows + 0.7, title, note)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for axes, (name, table) in zip(panels, curves.items(), strict=False):
        for line, look in LINES.items():
            curve = table[table["ingredient"] == line]
            # The bands of the thin lines would cover each other: only that of the whole remix is drawn as an area.
            if line == "all":
                axes.fill_between(curve["dose"], curve["ci95_low"], curve["ci95_high"], color=INK, alpha=0.13, lw=0)
            axes.plot(curve["dose"], curve["probability"], gid=line, **DOTS | look)
        axes.set_title(name)
        axes.yaxis.set_major_formatter(percent_tick)
    for axes in panels[max(0, len(curves) - columns) : len(curves)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("dose (0: the song itself)")
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    panels[0].set(xlim=(-0.03, 1.03), ylim=(-0.02, 1.02))
    for axes in grid[:, 0]:
        axes.set_ylabel(f"mean probability of {target}", wrap=True)
    handles = [Line2D([], [], label=NAMES.get(line, line), **DOTS | look) for line, look in LINES.items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)
    return figure


@styled
def shapley(tables: Mapping[str, pd.DataFrame], *, title: str, note: str, target: str) -> Figure:
    """Draw each ingredient's Shapley value with its interval, a panel for each architecture.

    Parameters
    ----------
    tables : dict
        By name of the architecture: columns ingredient, shift, ci95_low, ci95_high, share.
    title, note : str
        Heading; data set, split and caveats.
    target : str
        Name of the genre.
    """
    columns = min(COLUMNS, len(tables))
    rows = math.ceil(len(tables) / columns)
    longest = max(len(table) for table in tables.values())
    figure = canvas(max(6.4, 3.9 * columns), (0.75 + 0.32 * longest) * rows + 0.3, title, note)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (name, table) in zip(panels, tables.items(), strict=False):
        # Without an interval (of a single song) the value may be any.
        bounded = table.fillna({"ci95_low": -1.0, "ci95_high": 1.0}).to_dict("records")
        forest(
            axes,
            [(row["ingredient"], row["shift"], row["ci95_low"], row["ci95_high"], _beside(row)) for row in bounded],
        )
        axes.set_title(name)
    reach = max(axes.get_xlim()[1] for axes in panels[: len(tables)])
    for axes in panels:
        axes.set_xlim(-reach, reach)
    for axes in panels[len(tables) :]:
        axes.set_axis_off()
    figure.supxlabel(
        f"shift to {target} in percentage points, 95 % interval; beside: share of the whole shift", size=9.5
    )
    return figure


def _beside(row: Mapping[Any, Any]) -> str:
    return percent(row["share"]) if is_known(row["share"]) else ""
