"""Figure of the control for the songs' source: how much of the accuracy it explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genres.core.text import is_known, percent
from genres.figures.style import BLUE, GREY, INK, ORANGE, VERMILION, canvas, percent_tick, styled


@dataclass(frozen=True)
class Shown:
    """Row of the figure and of the printed table; shares from 0 to 1."""

    part: str  # heading of a group of rows
    label: str
    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    within: float | None = None  # accuracy when only the genres of the track's own source compete


RECOGNISED = "Which source is it? (light classifier, balanced accuracy)"
GENRE = "Which genre is it? (test tracks)"
TRANSFER = "Does a genre hold on another source? (light classifier, balanced accuracy)"
COLOURS = {RECOGNISED: VERMILION, GENRE: BLUE, TRANSFER: ORANGE}


def rows_of(result: Mapping[str, Any], architectures: Sequence[str]) -> list[Shown]:
    """Return the rows for the numbers of metrics/confounding.json; those that are None are left out."""
    shared = result["genres_of_several_sources"]
    balanced = [
        (RECOGNISED, "all tracks", "source"),
        (RECOGNISED, f"within a genre ({shared} in several sources)", "source_within_genre"),
        (TRANSFER, "tested on the source it is learned from", "genre_same_source"),
        (TRANSFER, "tested on another source", "genre_other_source"),
    ]
    rows = [
        Shown(
            part, label, *(result[f"{key}_{name}"] for name in ("balanced_accuracy", "ci95_low", "ci95_high", "chance"))
        )
        for part, label, key in balanced
        if is_known(result[f"{key}_balanced_accuracy"])
    ]
    genre = [
        Shown(GENRE, "the most common genre, always", result["majority_accuracy"]),
        Shown(GENRE, "the most common genre of its source", result["source_alone_accuracy"]),
    ]
    for name in architectures:
        within = result[f"{name}_accuracy_within_source"]
        genre.append(Shown(GENRE, name, result[f"{name}_accuracy"], within=within))
    position = sum(row.part == RECOGNISED for row in rows)
    return rows[:position] + genre + rows[position:]


@styled
def source(result: Mapping[str, Any], architectures: Sequence[str], *, title: str, note: str) -> Figure:
    """Draw how well the source is recognised, how far it predicts the genre, and how genres transfer to other sources.

    Parameters
    ----------
    result : dict
        Contents of metrics/confounding.json; with one family, the figure says that there is nothing to control.
    architectures : list of str
        Architectures that have accuracies in `result`.
    title, note : str
        Heading; data set, split and caveats.
    """
    if result["families"] < 2:
        figure = canvas(6.0, 0.6, title, note)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "one source: nothing to control", ha="center", va="center", color=GREY, size=11, gid="none")
        return figure
    rows = rows_of(result, architectures)
    parts = list(dict.fromkeys(row.part for row in rows))
    figure = canvas(8.4, 0.95 + 0.31 * len(rows) + 0.42 * len(parts), title, note)
    axes = figure.subplots()
    y, ticks = 0.0, []
    for part in parts:
        axes.text(0, y, part, va="center", weight="bold", size=9.5, gid="part")
        y += 0.9
        for row in (row for row in rows if row.part == part):
            colour = GREY if part == GENRE and row.within is None else COLOURS[part]
            if row.low is not None and row.high is not None:
                axes.hlines(y, row.low, row.high, color=colour, linewidth=2.6, alpha=0.75, gid="interval")
            if row.chance is not None:
                axes.plot(row.chance, y, "|", color=INK, ms=15, mew=1.6, zorder=4, gid="chance")
            if row.within is not None:
                axes.plot(row.within, y, "D", mfc="white", mec=INK, mew=1.2, ms=6, zorder=3, gid="within")
            axes.plot(row.value, y, "o", color=colour, ms=8, zorder=5, gid="value")
            shown = percent(row.value) if row.within is None else f"{percent(row.value)} → {percent(row.within)}"
            axes.text(1.03, y, shown, va="center", transform=axes.get_yaxis_transform(), gid="beside")
            ticks.append((y, row.label))
            y += 1
        y += 0.45
    axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
    axes.set(xlim=(-0.02, 1.02), ylim=(y - 0.7, -0.6), xlabel="accuracy")
    axes.xaxis.set_major_formatter(percent_tick)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    handles = [
        Line2D([], [], color=GREY, marker="o", ms=8, linewidth=2.6, label="accuracy, 95 % interval where known"),
        Line2D([], [], color=INK, marker="|", ms=12, mew=1.6, linestyle="", label="chance"),
        Line2D(
            [],
            [],
            color=INK,
            marker="D",
            mfc="white",
            mew=1.2,
            ms=6,
            linestyle="",
            label="only its source's genres compete",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure
