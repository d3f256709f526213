"""Format numbers and names for the terminal, figures and the web page."""

import math
from typing import TypeGuard


def dataset_note(dataset: str, protocol: str) -> str:
    """Return the data set and the split as text, for the note of a figure or the title of a table."""
    music = " (synthetic music)" if dataset == "demo" else ""
    leak = ": LEAKY, clips of one song are in train and test" if protocol == "clip" else ""
    return f"data set {dataset}{music}, {protocol} split{leak}"


def display_name(genre: str) -> str:
    return genre.replace("_", " ")


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def p_value(p: float) -> str:
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


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
