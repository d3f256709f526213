"""Figure of mean ranks over repetitions, with their critical difference."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genres.core.text import p_value
from genres.figures.style import BLUE, GREY, INK, PROTOCOLS, Row, canvas, styled


@styled
def ranks(panels: Sequence[Row], *, title: str, note: str) -> Figure:
    """Draw mean ranks, best first, each with half a critical difference to both sides, one panel per protocol.

    Parameters
    ----------
    panels : list of dict
        One dict per protocol: protocol, names and means (in the same order), critical_difference, p (of Friedman's
        test), and repetitions (their number).
    title, note : str
        Heading; data set, split and caveats.
    """
    heights = [1.05 + 0.36 * len(panel["names"]) for panel in panels]
    figure = canvas(8.2, sum(heights), title, note)
    rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        _panel(axes, panel)
    return figure


def _panel(axes: Axes, panel: Row) -> None:
    names, means, critical = panel["names"], panel["means"], panel["critical_difference"]
    colour, mark, about = PROTOCOLS.get(panel["protocol"], (BLUE, "o", panel["protocol"]))
    order = sorted(range(len(names)), key=lambda index: means[index])
    best = means[order[0]]
    for y, index in enumerate(order):
        mean = means[index]
        # Bars overlap if their ranks differ by less than the critical difference.
        axes.hlines(y, mean - critical / 2, mean + critical / 2, color=colour, linewidth=2.6, alpha=0.6, gid="reach")
        axes.plot(mean, y, mark, color=colour, ms=8, mec="white", mew=0.6, zorder=3, gid="rank")
        beside = f"{mean:.2f}" + (" *" if mean - best > critical else "")
        axes.text(1.02, y, beside, va="center", transform=axes.get_yaxis_transform(), gid="beside")
    axes.axvline(best + critical / 2, color=GREY, linestyle="--", linewidth=1.0, zorder=1)
    axes.set_yticks(range(len(order)), [names[index] for index in order])
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(min(1.0, best - critical / 2) - 0.1, max(len(names), means[order[-1]] + critical / 2) + 0.1)
    axes.set_xticks(range(1, len(names) + 1))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    test = (
        f"critical difference {critical:.2f} over {panel['repetitions']} repetitions; all equal: {p_value(panel['p'])}"
    )
    axes.set_title(f"{about}: {test}", size=9, color=INK, gid="test")
    axes.set_xlabel("mean rank by test accuracy (1: best), ± half a critical difference")
