"""Figures of a hyperparameter search: accuracy by trial, and by each parameter."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from genres.core.text import percent
from genres.figures.style import BLUE, GREY, ORANGE, Row, canvas, percent_tick, styled

_COMPLETE: dict[str, Any] = {"marker": "o", "color": BLUE, "ms": 6, "linestyle": "", "mec": "white", "mew": 0.6}
_PRUNED: dict[str, Any] = {"marker": "o", "mfc": "white", "mec": GREY, "ms": 5, "linestyle": ""}
_BEST: dict[str, Any] = {"marker": "o", "mfc": "none", "mec": ORANGE, "mew": 2, "ms": 12, "linestyle": ""}
_HANDLES = {"complete": _COMPLETE, "cut short": _PRUNED, "best": _BEST}


def _best(rows: Sequence[Row]) -> Row | None:
    """Return the complete trial with the highest accuracy, the first of several."""
    return max((row for row in rows if not row["pruned"]), key=lambda row: row["val_accuracy"], default=None)


def _scatter(axes: Axes, x: Sequence[float], rows: Sequence[Row]) -> None:
    accuracy = np.array([row["val_accuracy"] for row in rows])
    pruned = np.array([row["pruned"] for row in rows], dtype=bool)
    places = np.asarray(x, dtype=float)
    axes.plot(places[pruned], accuracy[pruned], gid="pruned", zorder=2, **_PRUNED)
    axes.plot(places[~pruned], accuracy[~pruned], gid="complete", zorder=3, **_COMPLETE)
    best = _best(rows)
    if best is not None:
        place = places[list(rows).index(best)]
        axes.plot(place, best["val_accuracy"], gid="best", zorder=4, clip_on=False, **_BEST)
    axes.yaxis.set_major_formatter(percent_tick)


def _legend(figure: Figure, *further: Line2D) -> None:
    handles = [Line2D([], [], label=name, **style) for name, style in _HANDLES.items()]
    figure.legend(handles=[*handles, *further], loc="outside lower left", ncols=len(handles) + len(further))


@styled
def history(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """Draw the validation accuracy of each trial in order, and the running best.

    Parameters
    ----------
    rows : list of dict
        Trials from src/genres/tuning/search.py: trial (a number), val_accuracy, pruned.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(7.4, 4.0, title, note)
    axes = figure.subplots()
    _scatter(axes, [row["trial"] for row in rows], rows)
    complete = [row for row in rows if not row["pruned"]]
    record = np.maximum.accumulate([row["val_accuracy"] for row in complete])
    line: dict[str, Any] = {"color": ORANGE, "linewidth": 1.6}
    axes.step([row["trial"] for row in complete], record, where="post", gid="record", zorder=1, **line)
    axes.set(xlabel="trial", ylabel="validation accuracy of its best epoch")
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    _legend(figure, Line2D([], [], label="best until then", **line))
    return figure


@styled
def slices(
    rows: Sequence[Row],
    names: Sequence[str],
    logarithmic: Collection[str],
    importance: Mapping[str, float],
    *,
    title: str,
    note: str,
) -> Figure:
    """Draw the validation accuracy of the trials over each parameter.

    Parameters
    ----------
    rows : list of dict
        Rows as for :func:`history`, with a value for each of `names`.
    names : list of str
        Parameters, one panel each. Numbers get a numeric axis; other values, and up to four different numbers, equal
        steps.
    logarithmic : set of str
        Parameters that were searched on a logarithmic scale.
    importance : dict
        Share of the variance that each parameter explains; may lack some or all.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(1.0 + 3.1 * len(names), 3.6, title, note)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        values = [row[name] for row in rows]
        choices = sorted(set(map(str, values)), key=lambda text: (len(text), text))
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values) and len(choices) > 4:
            _scatter(axes, values, rows)
            if name in logarithmic:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
                axes.xaxis.set_minor_locator(NullLocator())
        else:
            _scatter(axes, [choices.index(str(value)) for value in values], rows)
            axes.set_xticks(range(len(choices)), choices)
            axes.set_xlim(-0.5, len(choices) - 0.5)
            axes.xaxis.set_minor_locator(NullLocator())
        share = f"\n{percent(importance[name])} of the variance" if name in importance else ""
        axes.set_title(name.removeprefix("train.").replace("_", " ") + share)
    panels[0].set_ylabel("validation accuracy of its best epoch")
    _legend(figure)
    return figure
