"""Format numbers and names for the terminal, figures and the web page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

LONGEST_NAME = 32  # characters


def dataset_note(dataset: str, protocol: str) -> str:
    """Return the data set and the split as text, for the note of a figure or the title of a table."""
    if protocol == "tags":
        return f"tags of the {dataset}, not classes of yours"
    music = " (synthetic music)" if dataset == "demo" else ""
    leak = ": LEAKY, clips of one song are in train and test" if protocol == "clip" else ""
    return f"data set {dataset}{music}, {protocol} split{leak}"


def architecture_label(row: Mapping[str, Any]) -> str:
    """Return the name of a leaderboard's row, marked if outside data were used."""
    outside = row.get("pretrained_on")
    return f"{row['arch']}, pretrained ({outside})" if outside else str(row["arch"])


def display_name(genre: str) -> str:
    """Return a genre for a figure or page: underscores as blanks, and long names cut."""
    name = " ".join(genre.replace("_", " ").split()) or genre
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def p_value(p: float) -> str:
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def is_known(value: float | None) -> TypeGuard[float]:
    """Return True if an optional value is neither None nor NaN, which pandas turns None into."""
    return value is not None and not math.isnan(value)


def amount(number: float | None) -> str:
    """Format a number with a unit prefix: 1234567 as 1.23 M."""
    if not is_known(number):
        return "n/a"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}" if number < 999.5 * size else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def duration(seconds: float | None) -> str:
    """Format seconds: 4000 as 1.1 h; whole values (axis ticks) without decimals."""
    if not is_known(seconds):
        return "n/a"
    for size, unit in ((86400, " d"), (3600, " h"), (60, " min")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + unit
    return (f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}".removesuffix(".0")) + " s"
