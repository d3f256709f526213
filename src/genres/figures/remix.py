"""Figures of original and remix: timelines and slopes of a pair, and all pairs against the null distributions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from genres.core.text import display_name, percent
from genres.figures.differences import forest
from genres.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, VERMILION, canvas, inches, percent_tick, styled
from genres.stats.pairs import NULLS, Pair, Song

# Further colours of Okabe and Ito.
SKY, PURPLE = "#56B4E9", "#CC79A7"
COLOURS = (VERMILION, BLUE, ORANGE, GREEN, PURPLE, SKY)
OTHERS = "all other genres"

# Slopes: width of their axes (inches), size of their labels (points), least distance of labels (probability), and least
# probability with which a genre is labelled.
SLOPES_WIDTH, SMALL_LABEL, LABEL_ROOM, LEAST_NAMED = 4.0, 8.5, 0.05, 0.05


def palette(rows: pd.DataFrame, genres: Sequence[str]) -> dict[str, str]:
    """Choose a colour for each of the most probable genres of some pairs, the same in all of their figures.

    Parameters
    ----------
    rows : pd.DataFrame
        Table from :func:`genres.stats.pairs.table`.
    genres : sequence of str

    Returns
    -------
    dict
        Colour by genre, in falling order of the mean probability over the pairs (the larger of original and remix).
    """
    weight = {genre: max(rows[f"original_{genre}"].mean(), rows[f"remix_{genre}"].mean()) for genre in genres}
    return dict(zip(sorted(genres, key=lambda genre: -weight[genre]), COLOURS, strict=False))


@styled
def versions(pair: Pair, genres: Sequence[str], colours: Mapping[str, str], *, title: str, note: str) -> Figure:
    """Draw the predictions for both versions: over time, one above the other, and for whole songs as slopes.

    Parameters
    ----------
    pair : Pair
    genres : sequence of str
        Columns of the songs' probabilities.
    colours : dict
        Colour by genre from :func:`palette`; all other genres share one grey.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(10.2, 4.6, title, note)
    parts = figure.subplot_mosaic(
        [["original", "slopes"], ["remix", "slopes"]], width_ratios=[5.8, 4.4], gridspec_kw={"wspace": 0.06}
    )
    end = max(pair.original.end_s[-1], pair.remix.end_s[-1])
    for name, song in (("original", pair.original), ("remix", pair.remix)):
        timeline(parts[name], song, genres, colours)
        parts[name].set_xlim(0, end)
        parts[name].set_title(f"{name} ({display_name(song.genre)})")
    parts["original"].tick_params(labelbottom=False)
    parts["remix"].set_xlabel("seconds")
    slopes(parts["slopes"], pair.original.whole, pair.remix.whole, genres, colours)
    parts["slopes"].set_title("whole song")
    handles = [Patch(color=colour, label=display_name(genre)) for genre, colour in colours.items()]
    if len(colours) < len(genres):
        handles.append(Patch(color=PALE, label=OTHERS))
    figure.legend(handles=handles, loc="outside lower left", ncols=7)
    return figure


def timeline(axes: Axes, song: Song, genres: Sequence[str], colours: Mapping[str, str]) -> None:
    """Stack each window's probabilities: genres with a colour at the bottom, the others on top."""
    edges = np.append(song.start_s, song.end_s[-1])
    floor = np.zeros(len(edges))
    for genre, colour in [*colours.items(), (OTHERS, PALE)]:
        chosen = [name == genre or (genre == OTHERS and name not in colours) for name in genres]
        share = song.windows[:, chosen].sum(axis=1)
        top = floor + np.append(share, share[-1])
        if any(chosen):
            axes.fill_between(edges, floor, top, step="post", color=colour, linewidth=0, gid=genre)
        floor = top
    for edge in edges[1:-1] if len(edges) <= 60 else ():
        axes.axvline(edge, color="white", linewidth=0.8)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_formatter(percent_tick)
    axes.grid(visible=False)


def slopes(
    axes: Axes, original: np.ndarray, remix: np.ndarray, genres: Sequence[str], colours: Mapping[str, str]
) -> None:
    """Draw a line per genre from its probability in the original to that in the remix, with labels."""
    ends = {}
    for genre, before, after in zip(genres, original, remix, strict=True):
        main = genre in colours
        style: dict[str, Any] = {"color": colours.get(genre, PALE), "linewidth": 2.4 if main else 1.2}
        axes.plot(
            [0, 1], [before, after], marker="o", ms=6 if main else 3, zorder=3 if main else 2, gid="slope", **style
        )
        ends[genre] = (before, after)
    beside = max(inches(f"{display_name(genre)}  100 %", SMALL_LABEL) for genre in genres) + 0.15
    margin = beside / max(0.8, SLOPES_WIDTH - 2 * beside)
    for side, (x, align) in enumerate(((0, "right"), (1, "left"))):
        named = sorted((g for g in genres if ends[g][side] >= LEAST_NAMED), key=lambda g: -ends[g][side])
        for genre, y in zip(named, spread([ends[g][side] for g in named], LABEL_ROOM), strict=True):
            value = percent(ends[genre][side])
            name = f"{display_name(genre)}  {value}" if side == 0 else f"{value}  {display_name(genre)}"
            axes.annotate(
                name,
                (x, y),
                xytext=(8 * (2 * side - 1), 0),
                textcoords="offset points",
                ha=align,
                va="center",
                size=SMALL_LABEL,
                gid="label",
            )
    axes.set_xlim(-margin, 1 + margin)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks([0, 1], ["original", "remix"])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)


def spread(values: Sequence[float], room: float) -> list[float]:
    """Return positions of labels near falling values, at least `room` apart and not below zero."""
    blocks: list[list[float]] = []  # values of labels that touch; a block is centred at their mean

    def top(block: list[float]) -> float:
        height = room * (len(block) - 1)
        return max(float(np.mean(block)) + height / 2, height)

    for value in values:
        blocks.append([value])
        while len(blocks) > 1 and top(blocks[-2]) - room * len(blocks[-2]) < top(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    return [top(block) - room * number for block in blocks for number in range(len(block))]


@styled
def overview(rows: pd.DataFrame, tested: pd.DataFrame, *, title: str, note: str) -> Figure:
    """Draw the mean shift towards each genre, and the pairs' distances beside those of the null distributions.

    Parameters
    ----------
    rows : pd.DataFrame
        Table from :func:`genres.stats.pairs.table`; may be empty.
    tested : pd.DataFrame
        Table from :func:`genres.stats.pairs.shifts`.
    title, note : str
        Heading; data set, split and caveats.
    """
    if rows.empty:
        figure = canvas(7.8, 1.2, title, note)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0, 0.5, "no pairs in this data set: nothing to compare", transform=axes.transAxes, color=GREY)
        return figure
    figure = canvas(10.6, max(3.2, 1.2 + 0.3 * len(tested)), title, note)
    left, right = figure.subplots(1, 2, width_ratios=[5.4, 4.6])
    forest(
        left,
        [
            (display_name(row["genre"]), row["shift"], row["ci95_low"], row["ci95_high"], f"p = {row['p_holm']:.2g}")
            for row in tested.to_dict("records")
        ],
    )
    left.set_xlabel("percentage points, 95 % interval")
    left.set_title("shift of the mean probability, original → remix")
    _distances(right, rows)
    return figure


def _distances(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw strips of the distances of the pairs and of each null distribution, with lines for the means."""
    strips = [("original and remix", "distance", VERMILION)]
    strips += [(name, f"distance_{null}", GREY) for null, name in reversed(NULLS.items())]
    for y, (_, column, colour) in enumerate(strips):
        values = rows[column].dropna().to_numpy()
        if not len(values):
            axes.text(0.02, y, "none", va="center", color=GREY)
            continue
        # Deterministic jitter: up and down in turn, in the order of the values.
        height = 0.13 * (np.argsort(np.argsort(values, kind="stable"), kind="stable") % 3 - 1)
        axes.plot(values, y + height, "o", color=colour, ms=6, alpha=0.7, mec="white", mew=0.5, gid="pair")
        axes.vlines(values.mean(), y - 0.3, y + 0.3, color=INK, linewidth=1.6, gid="mean")
        axes.text(values.mean(), y - 0.33, f"{values.mean():.2f}", ha="center", va="bottom", size=8.5, gid="mean value")
    axes.set_yticks(range(len(strips)), [name for name, *_ in strips])
    axes.set_ylim(len(strips) - 0.5, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Jensen–Shannon distance (0: equal)")
    axes.set_title(f"distances of {len(rows)} pairs, and their means" if len(rows) > 1 else "distances")
