"""Figures of several architectures side by side: leaderboard, cost, recall by genre, leak."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from genres.core.text import amount, duration, is_known, percent
from genres.figures.style import (
    BLUE,
    DPI,
    GREY,
    INK,
    ORANGE,
    PALE,
    PROTOCOLS,
    Row,
    canvas,
    heat_map,
    on_heat,
    percent_tick,
    styled,
)


def _interval(row: Row) -> tuple[float, float]:
    return row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]


def _accuracy_limits(values: list[float]) -> tuple[float, float]:
    """Return the limits of an axis of accuracies: the values and a margin, within 0 to 1 but for half a marker."""
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), 0.02)
    return max(low - margin, -0.015), min(high + margin, 1.015)


def _accuracy_axis(axes: Axes, which: str, values: list[float]) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlim if which == "x" else axes.set_ylim)(*_accuracy_limits(values))
    axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(percent_tick)
    axes.grid(axis="y" if which == "x" else "x", visible=False)


@styled
def leaderboard(rows: Sequence[Row], *, title: str, note: str, chance: float | None = None) -> Figure:
    """Draw each architecture's test accuracy with its 95 % interval, and the validation accuracy that ranks it.

    Parameters
    ----------
    rows : list of dict
        Rows of metrics/leaderboard.json, drawn from top to bottom in their order: arch, track_accuracy,
        track_accuracy_ci95_low, track_accuracy_ci95_high; and val_track_accuracy, n_parameters, seconds of training
        (None if unknown).
    title, note : str
        Heading; data set, split and caveats.
    chance : float, optional
        Accuracy of guessing, drawn as a line.
    """
    figure = canvas(9.0, 1.25 + 0.42 * len(rows), title, note)
    axes, table = figure.subplots(1, 2, sharey=True, width_ratios=[5.3, 3.7])
    table.set_axis_off()
    columns = ((0.0, "test, 95 % interval"), (0.47, "parameters"), (0.76, "training"))
    for x, heading in columns:
        table.text(x, -0.75, heading, color=GREY, size=9, va="center")
    seen = [] if chance is None else [chance]
    for y, row in enumerate(rows):
        low, high = _interval(row)
        colour = ORANGE if row["arch"] == "ensemble" else BLUE
        axes.hlines(y, low, high, color=colour, linewidth=2.6, alpha=0.75, gid="interval")
        axes.plot(row["track_accuracy"], y, "o", color=colour, ms=8, zorder=3, gid="test")
        seen += [low, high, row["track_accuracy"]]
        if is_known(validation := row.get("val_track_accuracy")):
            axes.plot(validation, y, "D", mfc="white", mec=INK, mew=1.2, ms=5.5, zorder=4, gid="validation")
            seen.append(validation)
        accuracy = f"{100 * row['track_accuracy']:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"
        texts = (accuracy, amount(row.get("n_parameters")), duration(row.get("seconds")))
        for (x, _), text in zip(columns, texts, strict=True):
            table.text(x, y, text, va="center", gid="beside")
    if chance is not None:
        axes.axvline(chance, color=GREY, linestyle="--", linewidth=1.2, gid="chance")
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=8, linewidth=2.6, label="test, with 95 % interval"),
        Line2D([], [], color=INK, marker="D", mfc="white", ms=5.5, linestyle="", label="validation (ranked by this)"),
    ]
    if chance is not None:
        handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1.2, label=f"chance, {percent(chance)}"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    axes.set_yticks(range(len(rows)), [row["arch"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("accuracy over tracks")
    _accuracy_axis(axes, "x", seen)
    return figure


@styled
def accuracy_against_cost(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """Draw test accuracy with its 95 % interval over training time and over multiply-adds per clip.

    Parameters
    ----------
    rows : list of dict
        Rows as for :func:`leaderboard`, with multiply_adds where known. A panel leaves out rows without its quantity
        (the ensemble). The area of a point is proportional to the number of parameters.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(11.6, 4.6, title, note)
    panels = figure.subplots(1, 2, sharey=True)
    ends = [end for row in rows for end in _interval(row)]
    _accuracy_axis(panels[0], "y", ends)
    panels[0].set_ylabel("test accuracy over tracks")
    _against(panels[0], rows, "seconds", "training time", duration, _round_times)
    _against(panels[1], rows, "multiply_adds", "multiply-adds a clip", amount, _round_numbers)
    return figure


def _against(
    axes: Axes,
    rows: Sequence[Row],
    cost: str,
    name: str,
    written: Callable[[float], str],
    ticks: Callable[[float], list[float]],
) -> None:
    """Draw accuracy over a cost on a logarithmic axis; `ticks` returns round numbers for the ratio of its ends."""
    counted = [row for row in rows if is_known(row.get(cost)) and row[cost] > 0]
    axes.set(xlabel=name, xscale="log")
    axes.xaxis.set_minor_locator(NullLocator())
    if not counted:
        axes.set(xticks=[])
        axes.text(0.5, 0.5, f"no {name} is known", transform=axes.transAxes, ha="center", color=GREY)
        return
    costs = np.array([float(row[cost]) for row in counted])
    accuracy = np.array([row["track_accuracy"] for row in counted])
    low, high = np.array([_interval(row) for row in counted]).T
    parameters = np.array([row["n_parameters"] if is_known(row.get("n_parameters")) else 0 for row in counted])
    areas = 45 + 355 * parameters / max(parameters.max(), 1)  # square points; the smallest stay visible
    axes.vlines(costs, low, high, color=BLUE, linewidth=1.8, alpha=0.45, gid="interval")
    axes.scatter(costs, accuracy, areas, color=BLUE, alpha=0.85, edgecolor="white", zorder=3, gid="test")
    # The points take the middle half of the logarithmic axis, since the labels need room, most of it at the right.
    span = max(costs.max() / costs.min(), 3.0)
    middle = math.sqrt(costs.max() * costs.min())
    first, last = middle / span**0.8, middle * span**1.05
    axes.set_xlim(first, last)
    axes.xaxis.set_major_locator(FixedLocator(ticks(last / first)))
    axes.xaxis.set_major_formatter(lambda value, _: written(value))
    labels = [f"{row['arch']}\n{amount(row.get('n_parameters'))} parameters" for row in counted]
    _label_points(axes, costs, accuracy, low, high, np.sqrt(areas / math.pi), labels)


def _round_times(ratio: float) -> list[float]:
    if ratio > 60:
        round_ones = [1.0, 3.0, 10.0, 30.0]
    else:
        round_ones = [1.0, 2, 5, 10, 20, 30] if ratio > 12 else [1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45]
    return [n * unit for unit in (0.1, 1, 60, 3600) for n in round_ones] + [86400 * n for n in (0.5, 1, 2, 5, 10)]


def _round_numbers(ratio: float) -> list[float]:
    if ratio > 60:
        round_ones = [1.0, 3.0] if ratio < 3000 else [1.0]
    else:
        round_ones = [1.0, 2, 5] if ratio > 12 else [1, 1.5, 2, 3, 5, 7]
    return [n * 10.0**power for power in range(13) for n in round_ones]


def _label_points(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    radii: np.ndarray,
    labels: list[str],
) -> None:
    """Place a label beside each point (radii in points) where it overlaps markers, intervals and labels least."""
    if figure := axes.get_figure(root=True):
        figure.draw_without_rendering()  # fixes the layout, so that positions in pixels stay valid
    pixels = DPI / 72
    frame = np.array(axes.get_window_extent().extents)
    centres, bottoms, tops = (axes.transData.transform(np.column_stack([x, height])) for height in (y, low, high))
    reach = radii[:, None] * pixels
    # Boxes to keep free (left, bottom, right, top): markers and intervals, later also the labels.
    aside = np.array([3, 0])
    taken = np.vstack([np.hstack([centres - reach, centres + reach]), np.hstack([bottoms - aside, tops + aside])])
    angles = np.arange(16) * math.pi / 8  # the first is to the right
    beside: dict[str, Any] = {"ha": "center", "va": "center", "multialignment": "left", "linespacing": 1.1}
    for centre, radius, place, label in zip(centres, reach, zip(x, y, strict=True), labels, strict=True):
        text = axes.annotate(label, place, (0, 0), textcoords="offset points", size=8, gid="label", zorder=5, **beside)
        text.set_in_layout(False)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        choices = []
        for distance in (4.0, 9.0, 15.0, 22.0):
            for direction in np.column_stack([np.cos(angles), np.sin(angles)]):
                middle = centre + direction * (radius + distance * pixels + half)
                box = np.concatenate([middle - half, middle + half])
                cut_off = np.prod(2 * half) - _shared_area(box, frame)
                cost = 3 * cut_off + _shared_area(box, taken).sum() + 10 * distance
                choices.append((float(cost), tuple((middle - centre) / pixels), box))
        _, offset, box = min(choices, key=lambda choice: choice[0])
        text.set_position(offset)
        taken = np.vstack([taken, box])


def _shared_area(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the area that a box (left, bottom, right, top) shares with each of others."""
    sides = np.minimum(box[2:], boxes[..., 2:]) - np.maximum(box[:2], boxes[..., :2])
    return np.clip(sides, 0, None).prod(axis=-1)


@styled
def per_genre_recall(
    genres: list[str], by_architecture: Mapping[str, Sequence[float]], *, title: str, note: str
) -> Figure:
    """Draw the recall of each genre as a heat map, one row per architecture.

    Parameters
    ----------
    genres : list of str
        Names of the columns.
    by_architecture : dict of lists
        Recall of each genre, 0 to 1; NaN where there is none.
    title, note : str
        Heading; data set, split and caveats.
    """
    recall = np.array(list(by_architecture.values()), dtype=float)
    figure = heat_map(np.nan_to_num(recall), genres, list(by_architecture), 0.66, title, note)
    axes = figure.axes[0]
    for (row, column), share in np.ndenumerate(recall):
        shown = f"{100 * share:.0f}" if is_known(share) else "n/a"
        axes.text(column, row, shown, ha="center", va="center", color=on_heat(share), gid="share", in_layout=False)
    axes.set_xlabel("recall in %: share of the genre's test tracks that were found")
    return figure


@styled
def leak(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """Draw the test accuracy of the same architectures under several protocols, to show what a leaky split adds.

    Parameters
    ----------
    rows : list of dict
        One row per architecture and protocol: arch, protocol (clip, track, artist or predefined), track_accuracy,
        track_accuracy_ci95_low, track_accuracy_ci95_high, clip_accuracy. Combinations may be missing.
    title, note : str
        Heading; data set, split and caveats.
    """
    architectures = list(dict.fromkeys(row["arch"] for row in rows))
    protocols = [protocol for protocol in PROTOCOLS if any(row["protocol"] == protocol for row in rows)]
    step = 0.72 / len(protocols)
    figure = canvas(7.8, 1.3 + len(architectures) * (0.25 + 0.24 * len(protocols)), title, note)
    axes = figure.subplots()
    seen = []
    for row in rows:
        place = protocols.index(row["protocol"]) - (len(protocols) - 1) / 2
        y = architectures.index(row["arch"]) + step * place
        colour, mark, _ = PROTOCOLS[row["protocol"]]
        low, high = _interval(row)
        axes.hlines(y, low, high, color=colour, linewidth=2.4, alpha=0.7, gid="interval")
        axes.plot(row["track_accuracy"], y, mark, color=colour, ms=8, mec="white", mew=0.6, zorder=4, gid="track")
        axes.plot(row["clip_accuracy"], y, mark, mfc="white", mec=colour, mew=1.4, ms=7, zorder=3, gid="clip")
        seen += [low, high, row["track_accuracy"], row["clip_accuracy"]]
        axes.text(1.02, y, percent(row["track_accuracy"]), va="center", transform=axes.get_yaxis_transform())
    for between in range(1, len(architectures)):
        axes.axhline(between - 0.5, color=PALE, linewidth=0.8)
    handles = [
        Line2D([], [], color=colour, marker=mark, ms=8, linewidth=2.4, label=name)
        for colour, mark, name in (PROTOCOLS[protocol] for protocol in protocols)
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    kinds = [
        Line2D([], [], color=GREY, marker="o", ms=8, linewidth=2.4, label="whole tracks, 95 % interval"),
        Line2D([], [], color=GREY, marker="o", ms=7, mfc="white", mew=1.4, linestyle="", label="single clips"),
    ]
    axes.legend(handles=kinds, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    axes.set_yticks(range(len(architectures)), architectures)
    axes.set_ylim(len(architectures) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("test accuracy")
    _accuracy_axis(axes, "x", seen)
    axes.grid(axis="y", visible=False)
    return figure
