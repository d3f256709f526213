"""Figures of differences: intervals around zero."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genres.figures.style import BLUE, GREY, INK, VERMILION, canvas, styled

Difference = tuple[str, float, float, float, str]  # name, difference, low, high, text in the right margin


@styled
def differences(rows: Sequence[Difference], *, title: str, note: str) -> Figure:
    """Draw differences of accuracies with their 95 % intervals, from top to bottom in their order.

    Parameters
    ----------
    rows : list of (name, difference, low, high, beside)
        Differences as shares, -1 to 1, and a text for the right margin; may be empty.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(7.8, 1.0 + 0.38 * max(len(rows), 1), title, note)
    axes = figure.subplots()
    if not rows:
        axes.set_axis_off()
        axes.text(0, 0.5, "one alone: nothing to compare", transform=axes.transAxes, color=GREY)
        return figure
    forest(axes, rows)
    axes.set_xlabel("difference in percentage points, 95 % interval")
    return figure


def forest(axes: Axes, rows: Sequence[Difference]) -> None:
    """Draw intervals one below the other: blue above zero, red below, grey where they include zero."""
    axes.axvline(0, color=INK, linewidth=1.2, zorder=1)
    for y, (_, difference, low, high, beside) in enumerate(rows):
        colour = BLUE if low > 0 else VERMILION if high < 0 else GREY
        axes.hlines(y, low, high, color=colour, linewidth=2.6, alpha=0.75, gid="interval")
        axes.plot(difference, y, "o", color=colour, ms=8, mec="white", mew=0.6, zorder=3, gid="difference")
        axes.text(1.02, y, beside, va="center", transform=axes.get_yaxis_transform(), gid="beside")
    reach = max(0.02, *(abs(end) for _, _, low, high, _ in rows for end in (low, high)))
    axes.set_xlim(-1.06 * reach, 1.06 * reach)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda share, _: "0" if share == 0 else f"{100 * share:+.4g}")
    axes.grid(axis="y", visible=False)
