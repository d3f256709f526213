"""Every plot of the project.

In: values (arrays, lists, rows of the leaderboard), a title, and a note that says whose numbers these are: data set,
protocol, caveats. Out: a matplotlib ``Figure``; :func:`save` writes it as PNG. No pyplot, so that nothing global
changes for who imports this, and nothing stays in memory.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeGuard

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from src.files import atomic

P = ParamSpec("P")
Row = Mapping[str, Any]

# ── Style ────────────────────────────────────────────────────────────────────────────────────────────────────────

# Okabe and Ito's colours, which people with any common colour blindness tell apart (jfly.uni-koeln.de/color).
BLUE, ORANGE, VERMILION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
INK, GREY, PALE = "#222222", "#666666", "#D9D9D9"
TITLE, NOTE, TEXT, SMALL = 13.0, 9.0, 9.5, 7.5  # points
HEAT = "Blues"
DPI = 120
STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "text.parse_math": False,  # a genre may be called "a$$ap"
    "hatch.linewidth": 0.6,
}
# The protocols' colours, marks and names; the leaky one is in the colour of warnings.
PROTOCOLS = {
    "clip": (VERMILION, "^", "clip split (leaky)"),
    "track": (ORANGE, "s", "track split"),
    "artist": (BLUE, "o", "artist split"),
    "predefined": (GREEN, "D", "predefined split"),
}


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user's matplotlibrc says; undone at the end."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    @functools.wraps(draw)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> Figure:
        with _style():
            figure = draw(*arguments, **keywords)
            figure.draw_without_rendering()  # ticks are made at the first drawing: let them take our style
            return figure

    return wrapper


def whose(dataset: str, protocol: str) -> str:
    """Whose numbers these are, for the note of a figure and the title of a table."""
    music = " (synthetic music)" if dataset == "demo" else ""
    leak = ": LEAKY, clips of one song are in train and test" if protocol == "clip" else ""
    return f"data set {dataset}{music}, {protocol} split{leak}"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically; equal figures give equal bytes."""
    with _style(), atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def _canvas(width: float, height: float, title: str, note: str) -> Figure:
    """A figure with its title and note at the top left; width and height (inches) are those of what stands below."""
    room = width - 0.2
    titles, notes = _wrap(title, room, TITLE, "bold"), _wrap(note, room, NOTE, "bold")
    title_height, note_height = len(titles) * 1.3 * TITLE / 72, len(notes) * 1.4 * NOTE / 72
    header = 0.12 + title_height + note_height + 0.08
    total = height + header
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, height / total), w_pad=0.08, h_pad=0.06)
    heading: dict[str, Any] = {"x": 0.1 / width, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.12 / total, s="\n".join(titles), size=TITLE, weight="bold", gid="title", **heading)
    warning = "LEAKY" in note
    figure.text(
        y=1 - (0.12 + title_height) / total,
        s="\n".join(notes),
        size=NOTE,
        color=VERMILION if warning else GREY,
        weight="bold" if warning else "normal",
        gid="note",
        **heading,
    )
    return figure


def _inches(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text, of its longest line."""
    font = FontProperties(size=size, weight=weight)
    outlines = [TextPath((0, 0), line, prop=font).vertices for line in text.split("\n")]
    return max(float(outline[:, 0].max(initial=0)) for outline in outlines) / 72


def _wrap(text: str, room: float, size: float, weight: str) -> list[str]:
    """Lines that are no wider than `room` (inches), as far as words allow."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _inches(longer, size, weight) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _shown(genre: str) -> str:
    return genre.replace("_", " ")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _percent_tick(share: float, _: float) -> str:
    return f"{100 * share:.4g} %"


def _on_heat(share: float) -> str:
    """The text colour of more contrast on `HEAT`: at 0.65 both have 4:1."""
    return "white" if share > 0.65 else INK


def _known(value: float | None) -> TypeGuard[float]:
    """Whether a row's optional value is there: neither None nor NaN, which is what pandas makes of it."""
    return value is not None and not math.isnan(value)


def _amount(number: float | None) -> str:
    """1234567 as 1.23 M."""
    if not _known(number):
        return "n/a"
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}" if number < 999.5 * size else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def _duration(seconds: float | None) -> str:
    """4000 as 1.1 h; exact values of an axis come without decimals."""
    if not _known(seconds):
        return "n/a"
    for size, unit in ((86400, " d"), (3600, " h"), (60, " min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + unit
    return (f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}".removesuffix(".0")) + " s"


# ── One architecture ─────────────────────────────────────────────────────────────────────────────────────────────


def _heat_map(shares: np.ndarray, columns: list[str], rows: list[str], cell: float, title: str, note: str) -> Figure:
    """Squares shaded by 0 to 1, sized (inches) so that labels fit; what stands in the cells comes from the caller."""
    wrapped = [_shown(name).replace(" ", "\n") for name in columns]
    upright = max(_inches(name, 9) for name in wrapped) < 0.94 * cell
    labels = wrapped if upright else [_shown(name) for name in columns]
    left = 0.65 + max(_inches(name, 9) for name in rows)
    lines = max(name.count("\n") + 1 for name in labels)
    below = 0.5 + (0.16 * lines if upright else max(_inches(name, 9) for name in labels))
    width = max(5.2, left + cell * len(columns) + 0.2)
    figure = _canvas(width, below + cell * len(rows) + 0.15, title, note)
    axes = figure.subplots()
    axes.imshow(shares, cmap=HEAT, vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), labels, rotation=0 if upright else 90)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, len(columns) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(rows) - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    return figure


@_styled
def confusion_matrix(counts: ArrayLike, genres: list[str], *, title: str, note: str) -> Figure:
    """How many tracks of each genre were taken for which: counts, and shares of the true genre as per cent and shade.

    Parameters
    ----------
    counts : (genres, genres) int
        Rows are true, columns predicted; a row of zeros is a genre without tracks.
    genres : list of str
        Names of rows and columns.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = float(np.clip(8.2 / len(genres), 0.58, 1.1))
    half = 0.5 - 0.018 / cell  # of the diagonal's frames, which stand just inside the white lines
    figure = _heat_map(shares, genres, [_shown(genre) for genre in genres], cell, title, note)
    axes = figure.axes[0]
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        colour = _on_heat(share) if count else "#B5B5B5"
        weight = "bold" if row == column else "normal"
        place: dict[str, Any] = {"ha": "center", "color": colour, "weight": weight, "in_layout": False}
        if count:
            axes.text(column, row + 0.05, f"{count}", va="bottom", size=10, gid="count", **place)
            axes.text(column, row + 0.11, _percent(share), va="top", size=SMALL, gid="share", **place)
        else:
            axes.text(column, row, "0", va="center", size=SMALL, gid="count", **place)
        if row == column:
            axes.add_patch(Rectangle((column - half, row - half), 2 * half, 2 * half, fill=False, ec=INK, lw=0.9))
    axes.set_xlabel("predicted genre")
    axes.set_ylabel("true genre (a row is 100 %)")
    return figure


@_styled
def reliability_plot(
    confidence: ArrayLike, accuracy: ArrayLike, count: ArrayLike, *, ece: float, title: str, note: str
) -> Figure:
    """Accuracy against confidence, with the gap to the diagonal, and below it how many tracks have which confidence.

    Parameters
    ----------
    confidence, accuracy, count : (bins,) float, float, int
        As `src.scores.reliability` gives them: bins of equal width, `count` 0 where a bin is empty.
    ece : float
        Expected calibration error.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    confidence, accuracy, count = map(np.asarray, (confidence, accuracy, count))
    width = 1 / count.size
    centres = (np.arange(count.size) + 0.5) * width
    figure = _canvas(5.8, 6.3, title, note)
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
    upper.yaxis.set_major_formatter(_percent_tick)
    lower.xaxis.set_major_formatter(_percent_tick)
    upper.grid(axis="x", visible=False)
    lower.grid(axis="x", visible=False)
    handles = [
        Patch(facecolor=BLUE, label="accuracy of the bin's tracks"),
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="perfectly calibrated"),
        Patch(**too_sure, label="confidence is too high by this"),
        Patch(**too_cautious, label="confidence is too low by this"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


@_styled
def learning_curves(history: Mapping[str, Sequence[float]], *, best_epoch: int, title: str, note: str) -> Figure:
    """Loss and accuracy of training and validation over the epochs, and the learning rate where it is known.

    Parameters
    ----------
    history : dict of lists, one value an epoch
        With Keras's names: loss; and if there, val_loss, accuracy, val_accuracy, learning_rate.
    best_epoch : int
        The epoch whose weights were kept, counted from 1 as in Keras's progress lines.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    if not 1 <= best_epoch <= len(history["loss"]):
        raise ValueError(f"best_epoch must be 1 to {len(history['loss'])}; received {best_epoch}")
    panels = [metric for metric in ("loss", "accuracy", "learning_rate") if metric in history]
    widths = [0.62 if metric == "learning_rate" else 1.0 for metric in panels]
    figure = _canvas(3.7 * sum(widths), 3.4, title, note)
    all_axes = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
    for metric, axes in zip(panels, all_axes, strict=True):
        epochs = np.arange(1, len(history[metric]) + 1)
        style: dict[str, Any] = {"marker": "o" if epochs.size <= 40 else "", "ms": 3.5}  # one epoch alone is a dot
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
            heading += f", {_percent(kept) if metric == 'accuracy' else f'{kept:.3g}'} at epoch {best_epoch} (kept)"
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(_percent_tick)
        axes.set_title(heading)
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, epochs.size + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    figure.axes[0].legend()
    return figure


# ── Architectures side by side ───────────────────────────────────────────────────────────────────────────────────


def _interval(row: Row) -> tuple[float, float]:
    return row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]


def _accuracy_limits(values: list[float]) -> tuple[float, float]:
    """Limits of an axis of accuracies: what is to be seen and a margin, within 0 to 1 but for half a mark."""
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), 0.02)
    return max(low - margin, -0.015), min(high + margin, 1.015)


def _accuracy_axis(axes: Axes, which: str, values: list[float]) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlim if which == "x" else axes.set_ylim)(*_accuracy_limits(values))
    axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(_percent_tick)
    axes.grid(axis="y" if which == "x" else "x", visible=False)


@_styled
def leaderboard(rows: Sequence[Row], *, title: str, note: str, chance: float | None = None) -> Figure:
    """Test accuracy of each architecture with its 95 % interval, and the validation accuracy it was ranked by.

    Parameters
    ----------
    rows : list of dict
        As in metrics/leaderboard.json, drawn from top to bottom as they come: arch, track_accuracy,
        track_accuracy_ci95_low, track_accuracy_ci95_high; and where known (None if not) val_track_accuracy,
        n_parameters, seconds of training.
    title, note : str
        What is shown; of which data set, split and caveats.
    chance : float, optional
        Accuracy of guessing, for a line.
    """
    figure = _canvas(9.0, 1.25 + 0.42 * len(rows), title, note)
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
        if _known(validation := row.get("val_track_accuracy")):
            axes.plot(validation, y, "D", mfc="white", mec=INK, mew=1.2, ms=5.5, zorder=4, gid="validation")
            seen.append(validation)
        accuracy = f"{100 * row['track_accuracy']:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"
        texts = (accuracy, _amount(row.get("n_parameters")), _duration(row.get("seconds")))
        for (x, _), text in zip(columns, texts, strict=True):
            table.text(x, y, text, va="center", gid="beside")
    if chance is not None:
        axes.axvline(chance, color=GREY, linestyle="--", linewidth=1.2, gid="chance")
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=8, linewidth=2.6, label="test, with 95 % interval"),
        Line2D([], [], color=INK, marker="D", mfc="white", ms=5.5, linestyle="", label="validation (ranked by this)"),
    ]
    if chance is not None:
        handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1.2, label=f"chance, {_percent(chance)}"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    axes.set_yticks(range(len(rows)), [row["arch"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("accuracy over tracks")
    _accuracy_axis(axes, "x", seen)
    return figure


@_styled
def accuracy_against_cost(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """What the training time bought: test accuracy with its 95 % interval over seconds, area by parameters.

    Parameters
    ----------
    rows : list of dict
        As for :func:`leaderboard`; those without seconds (the ensemble) are left out.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    timed = [row for row in rows if _known(row.get("seconds")) and row["seconds"] > 0]
    figure = _canvas(7.4, 4.6, title, note)
    axes = figure.subplots()
    axes.set(xlabel="training time", ylabel="test accuracy over tracks", xscale="log")
    axes.xaxis.set_minor_locator(NullLocator())
    if not timed:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no training times are known", transform=axes.transAxes, ha="center", color=GREY)
        return figure
    seconds = np.array([row["seconds"] for row in timed])
    accuracy = np.array([row["track_accuracy"] for row in timed])
    low, high = np.array([_interval(row) for row in timed]).T
    parameters = np.array([row["n_parameters"] if _known(row.get("n_parameters")) else 0 for row in timed])
    areas = 45 + 355 * parameters / max(parameters.max(), 1)  # square points; the smallest stay visible
    axes.vlines(seconds, low, high, color=BLUE, linewidth=1.8, alpha=0.45, gid="interval")
    axes.scatter(seconds, accuracy, areas, color=BLUE, alpha=0.85, edgecolor="white", zorder=3, gid="test")
    # On the logarithmic axis the points take the middle half: the labels beside them need room, most at the right.
    span = max(seconds.max() / seconds.min(), 3.0)
    middle = math.sqrt(seconds.max() * seconds.min())
    first, last = middle / span**0.8, middle * span**1.05
    axes.set_xlim(first, last)
    ratio = last / first
    if ratio > 60:
        round_ones = [1.0, 3.0, 10.0, 30.0]
    else:
        round_ones = [1.0, 2, 5, 10, 20, 30] if ratio > 12 else [1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45]
    days = [86400 * n for n in (0.5, 1, 2, 5, 10)]
    axes.xaxis.set_major_locator(FixedLocator([n * unit for unit in (0.1, 1, 60, 3600) for n in round_ones] + days))
    axes.xaxis.set_major_formatter(lambda value, _: _duration(value))
    _accuracy_axis(axes, "y", [*low, *high, *accuracy])
    labels = [f"{row['arch']}\n{_amount(row.get('n_parameters'))} parameters" for row in timed]
    _label_points(figure, seconds, accuracy, low, high, np.sqrt(areas / math.pi), labels)
    return figure


def _label_points(
    figure: Figure,
    x: np.ndarray,
    y: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    radii: np.ndarray,
    labels: list[str],
) -> None:
    """Write a label beside each point (radii in points), where it covers least of marks, intervals and labels."""
    figure.draw_without_rendering()  # fixes the layout, so that places in pixels hold
    axes, pixels = figure.axes[0], DPI / 72
    frame = np.array(axes.get_window_extent().extents)
    centres, bottoms, tops = (axes.transData.transform(np.column_stack([x, height])) for height in (y, low, high))
    reach = radii[:, None] * pixels
    # What is to stay free, as boxes (left, bottom, right, top): marks and intervals, then also the labels.
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
    """What a box (left, bottom, right, top) shares with each of others."""
    sides = np.minimum(box[2:], boxes[..., 2:]) - np.maximum(box[:2], boxes[..., :2])
    return np.clip(sides, 0, None).prod(axis=-1)


@_styled
def per_genre_recall(
    genres: list[str], by_architecture: Mapping[str, Sequence[float]], *, title: str, note: str
) -> Figure:
    """Which genres each architecture finds: recall as a table of shades, one row an architecture.

    Parameters
    ----------
    genres : list of str
        Names of the columns.
    by_architecture : dict of lists
        One recall, 0 to 1, a genre; NaN where there is none.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    recall = np.array(list(by_architecture.values()), dtype=float)
    figure = _heat_map(np.nan_to_num(recall), genres, list(by_architecture), 0.66, title, note)
    axes = figure.axes[0]
    for (row, column), share in np.ndenumerate(recall):
        shown = f"{100 * share:.0f}" if _known(share) else "n/a"
        axes.text(column, row, shown, ha="center", va="center", color=_on_heat(share), gid="share", in_layout=False)
    axes.set_xlabel("recall in %: share of the genre's test tracks that were found")
    return figure


@_styled
def leak(rows: Sequence[Row], *, title: str, note: str) -> Figure:
    """What a split that leaks adds: the same architectures under several protocols.

    Parameters
    ----------
    rows : list of dict
        One an architecture and protocol: arch, protocol (clip, track, artist or predefined), track_accuracy,
        track_accuracy_ci95_low, track_accuracy_ci95_high, clip_accuracy. Combinations may be missing.
    title, note : str
        What is shown; of which data set, split and caveats.
    """
    architectures = list(dict.fromkeys(row["arch"] for row in rows))
    protocols = [protocol for protocol in PROTOCOLS if any(row["protocol"] == protocol for row in rows)]
    step = 0.72 / len(protocols)
    figure = _canvas(7.8, 1.3 + len(architectures) * (0.25 + 0.24 * len(protocols)), title, note)
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
        axes.text(1.02, y, _percent(row["track_accuracy"]), va="center", transform=axes.get_yaxis_transform())
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
