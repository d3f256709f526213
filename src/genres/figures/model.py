"""Figures of one trained architecture: confusion matrix, calibration, learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from genres.core.text import display_name, percent
from genres.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SMALL,
    VERMILION,
    canvas,
    heat_map,
    on_heat,
    percent_tick,
    styled,
)


@styled
def confusion_matrix(counts: ArrayLike, genres: list[str], *, title: str, note: str) -> Figure:
    """Draw a confusion matrix: counts, and shares of the true genre in per cent and as shade.

    Parameters
    ----------
    counts : (genres, genres) int
        Counts; rows are true genres, columns predicted ones. A row of zeros is a genre without tracks.
    genres : list of str
        Names of rows and columns.
    title, note : str
        Heading; data set, split and caveats.
    """
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = float(np.clip(8.2 / len(genres), 0.58, 1.1))
    half = 0.5 - 0.018 / cell  # half side of the diagonal's frames, just inside the white lines
    figure = heat_map(shares, genres, [display_name(genre) for genre in genres], cell, title, note)
    axes = figure.axes[0]
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        colour = on_heat(share) if count else "#B5B5B5"
        weight = "bold" if row == column else "normal"
        place: dict[str, Any] = {"ha": "center", "color": colour, "weight": weight, "in_layout": False}
        if count:
            axes.text(column, row + 0.05, f"{count}", va="bottom", size=10, gid="count", **place)
            axes.text(column, row + 0.11, percent(share), va="top", size=SMALL, gid="share", **place)
        else:
            axes.text(column, row, "0", va="center", size=SMALL, gid="count", **place)
        if row == column:
            axes.add_patch(Rectangle((column - half, row - half), 2 * half, 2 * half, fill=False, ec=INK, lw=0.9))
    axes.set_xlabel("predicted genre")
    axes.set_ylabel("true genre (a row is 100 %)")
    return figure


@styled
def reliability_plot(
    confidence: ArrayLike, accuracy: ArrayLike, count: ArrayLike, *, ece: float, title: str, note: str
) -> Figure:
    """Draw accuracy against confidence with the gap to the diagonal, and below it a histogram of the confidence.

    Parameters
    ----------
    confidence, accuracy, count : (bins,) float, float, int
        Bins of equal width from `genres.stats.scores.reliability`; `count` is 0 where a bin is empty.
    ece : float
        Expected calibration error.
    title, note : str
        Heading; data set, split and caveats.
    """
    confidence, accuracy, count = map(np.asarray, (confidence, accuracy, count))
    width = 1 / count.size
    centres = (np.arange(count.size) + 0.5) * width
    figure = canvas(5.8, 6.3, title, note)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[3.6, 1])
    filled = count > 0
    gaps = confidence - accuracy
    too_sure: dict[str, Any] = {"facecolor": "#FBE3D4", "edgecolor": VERMILION, "hatch": "////", "linewidth": 0.8}
    too_cautious: dict[str, Any] = {"facecolor": "#D0EFE4", "edgecolor": GREEN, "hatch": "xxxx", "linewidth": 0.8}
    upper.bar(centres[filled], accuracy[filled], 0.94 * width, color=BLUE, gid="accuracy")
    for chosen, style in ((filled & (gaps > 0), too_sure), (filled & (gaps < 0), too_cautious)):
        upper.bar(centres[chosen], gaps[chosen], 0.94 * width, bottom=accuracy[chosen], gid="gap", **style)
    upper.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1.2, zorder=3)
    upper.plot(
        confidence[filled], accuracy[filled], "o", mfc="white", mec=INK, ms=6, zorder=4, clip_on=False, gid="points"
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.set_title(f"expected calibration error (ECE) {ece:.3f} over {count.sum()} tracks")
    lower.bar(centres, count, 0.94 * width, color=GREY, gid="count")
    lower.set(xlabel="confidence: probability of the predicted genre", ylabel="tracks")
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    upper.yaxis.set_major_formatter(percent_tick)
    lower.xaxis.set_major_formatter(percent_tick)
    upper.grid(axis="x", visible=False)
    lower.grid(axis="x", visible=False)
    handles = [
        Line2D([], [], linestyle="", marker="o", mfc="white", mec=INK, ms=6, label="accuracy of the bin's tracks"),
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="perfectly calibrated"),
        Patch(**too_sure, label="confidence is too high by this"),
        Patch(**too_cautious, label="confidence is too low by this"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


@styled
def learning_curves(history: Mapping[str, Sequence[float]], *, best_epoch: int, title: str, note: str) -> Figure:
    """Draw loss and accuracy of training and validation over the epochs, and the learning rate if known.

    Parameters
    ----------
    history : dict of lists, one value per epoch
        Values by Keras's names: loss; optionally val_loss, accuracy, val_accuracy, learning_rate.
    best_epoch : int
        Epoch whose weights were kept, counted from 1 as in Keras's progress lines.
    title, note : str
        Heading; data set, split and caveats.
    """
    if not 1 <= best_epoch <= len(history["loss"]):
        raise ValueError(f"best_epoch must be 1 to {len(history['loss'])}; received {best_epoch}")
    panels = [metric for metric in ("loss", "accuracy", "learning_rate") if metric in history]
    widths = [0.62 if metric == "learning_rate" else 1.0 for metric in panels]
    figure = canvas(3.7 * sum(widths), 3.4, title, note)
    all_axes = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
    for metric, axes in zip(panels, all_axes, strict=True):
        epochs = np.arange(1, len(history[metric]) + 1)
        style: dict[str, Any] = {"marker": "o" if epochs.size <= 40 else "", "ms": 3.5}  # a single epoch needs a marker
        heading = metric.replace("_", " ")
        axes.axvline(best_epoch, color=GREY, linestyle=":", linewidth=1.2, gid="best")
        if metric == "learning_rate":
            axes.step(epochs, history[metric], where="mid", color=GREY, linewidth=1.2, gid=metric, **style)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(lambda rate, _: f"{rate:.3g}")
        else:
            axes.plot(epochs, history[metric], color=ORANGE, label="training", gid=metric, **style)
        if (validation := history.get(f"val_{metric}")) is not None:
            axes.plot(epochs, validation, color=BLUE, label="validation", gid=f"val_{metric}", **style)
            kept = validation[best_epoch - 1]
            axes.plot(best_epoch, kept, "o", ms=10, mfc="none", mec=BLUE, mew=1.6, gid="kept")
            heading += f", {percent(kept) if metric == 'accuracy' else f'{kept:.3g}'} at epoch {best_epoch} (kept)"
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(percent_tick)
        axes.set_title(heading)
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, epochs.size + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    figure.axes[0].legend()
    return figure
