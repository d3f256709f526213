"""Style of all figures: colours, sizes, the canvas with title and note, number formats."""

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import TextPath

from genres.core.console import warn
from genres.core.files import atomic
from genres.core.text import display_name

P = ParamSpec("P")
Row = Mapping[str, Any]

# Okabe and Ito's colours, distinct for people with any common colour blindness (jfly.uni-koeln.de/color).
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
OTHER_FONTS = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei")
# Colour, marker and name of each protocol; the leaky one has the colour of warnings.
PROTOCOLS = {
    "clip": (VERMILION, "^", "clip split (leaky)"),
    "track": (ORANGE, "s", "track split"),
    "artist": (BLUE, "o", "artist split"),
    "predefined": (GREEN, "D", "predefined split"),
}


@contextmanager
def _style() -> Iterator[None]:
    """Apply Matplotlib's defaults and `STYLE` instead of the user's matplotlibrc; restore the settings at the end."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | {"font.family": _fonts()})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    for warning in caught:
        if missing := re.match(r"Glyph (\d+)", str(warning.message)):
            _say_once(
                f"no font for '{chr(int(missing[1]))}' in pictures: install Noto Sans (CJK for Chinese, Japanese)"
            )
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@functools.cache
def _fonts() -> list[str]:
    """Return Matplotlib's own font, and installed ones for letters that it lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in OTHER_FONTS if name in installed)]


@functools.cache
def _say_once(message: str) -> None:
    warn(message)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in this style; an error becomes a warning and a picture that says so, for no result may be lost by it."""

    @functools.wraps(draw)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> Figure:
        with _style():
            try:
                figure = draw(*arguments, **keywords)
                figure.draw_without_rendering()  # ticks are created at the first drawing and take the style then
            except Exception as error:
                warn(f"a picture cannot be drawn: {draw.__name__}: {type(error).__name__}: {error}")
                figure = canvas(6.0, 0.3, f"{draw.__name__}: cannot be drawn", f"{type(error).__name__}")
            return figure

    return wrapper


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically; equal figures give equal bytes."""
    with _style(), atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


def canvas(width: float, height: float, title: str, note: str) -> Figure:
    """Return a figure with title and note at the top left, and an area of width by height (inches) below them."""
    room = width - 0.2
    titles, notes = wrap(title, room, TITLE, "bold"), wrap(note, room, NOTE, "bold")
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


@styled
def sentence(text: str, *, title: str, note: str) -> Figure:
    """Draw a sentence in place of a figure that cannot be drawn."""
    figure = canvas(7.0, 1.0, title, note)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 0.5, "\n".join(wrap(text, 6.5, 10, "normal")), color=GREY, va="center", transform=axes.transAxes)
    return figure


def inches(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a text's longest line in inches."""
    font = FontProperties(size=size, weight=weight)
    # Matplotlib fails at a text without any outline, such as a blank.
    outlines = [TextPath((0, 0), line, prop=font).vertices for line in text.split("\n") if line.strip()]
    return max((float(outline[:, 0].max(initial=0)) for outline in outlines), default=0.0) / 72


def wrap(text: str, room: float, size: float, weight: str) -> list[str]:
    """Wrap a text at spaces into lines no wider than `room` (inches); a longer word gets its own line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and inches(longer, size, weight) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def percent_tick(share: float, _: float) -> str:
    return f"{100 * share:.4g} %"


def on_heat(share: float) -> str:
    """Return the text colour with more contrast on `HEAT`; at 0.65 both have 4:1."""
    return "white" if share > 0.65 else INK


def heat_map(shares: np.ndarray, columns: list[str], rows: list[str], cell: float, title: str, note: str) -> Figure:
    """Draw squares of size `cell` (inches) shaded by shares from 0 to 1; the caller writes the texts in the cells."""
    wrapped = [display_name(name).replace(" ", "\n") for name in columns]
    upright = max(inches(name, 9) for name in wrapped) < 0.94 * cell
    labels = wrapped if upright else [display_name(name) for name in columns]
    left = 0.65 + max(inches(name, 9) for name in rows)
    lines = max(name.count("\n") + 1 for name in labels)
    below = 0.5 + (0.16 * lines if upright else max(inches(name, 9) for name in labels))
    width = max(5.2, left + cell * len(columns) + 0.2)
    figure = canvas(width, below + cell * len(rows) + 0.15, title, note)
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
