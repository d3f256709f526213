"""Figure of the ingested songs of each genre, by source, and of the missing ones, by reason."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from genres.core.text import display_name
from genres.figures.style import BLUE, GREEN, INK, ORANGE, VERMILION, canvas, inches, styled

# Colours of sources; they repeat if there are more sources.
COLOURS = (BLUE, GREEN, ORANGE, "#56B4E9", "#CC79A7", "#F0E442", VERMILION)

# Greys of reasons, most frequent first; the rarest reasons share the last.
GREYS = ("#8C8C8C", "#B3B3B3", "#CFCFCF", "#E3E3E3")
OTHER = "other reasons"


@styled
def coverage(genres: Mapping[str, Mapping[str, Any]], *, title: str, note: str) -> Figure:
    """Draw a bar per genre: songs that were found in colours by source, missing ones in greys by reason.

    Parameters
    ----------
    genres : dict
        From genre to asked, got, sources (source to songs) and rejected (reason to songs), as in metrics/ingest.json.
    title, note : str
        Heading; data set.
    """
    sources = [name for name, _ in _total(genres, "sources").most_common()]
    reasons = [name for name, _ in _total(genres, "rejected").most_common()]
    own = reasons if len(reasons) <= len(GREYS) else reasons[: len(GREYS) - 1]
    colour_of = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(sources)}
    grey_of = dict(zip(own, GREYS, strict=False)) | ({OTHER: GREYS[-1]} if len(own) < len(reasons) else {})
    legend = [*colour_of, *grey_of]
    columns = min(3, max(1, len(legend)))
    figure = canvas(8.0, 0.9 + 0.34 * len(genres) + 0.22 * -(-len(legend) // columns), title, note)
    axes = figure.subplots()
    longest = max((counts["asked"] for counts in genres.values()), default=0) or 1
    for row, counts in enumerate(genres.values()):
        parts = [(counts["sources"].get(name, 0), colour, "found") for name, colour in colour_of.items()]
        parts += [(counts["rejected"].get(name, 0), grey_of[name], "missing") for name in own]
        rest = sum(number for name, number in counts["rejected"].items() if name not in own)
        parts.append((rest, GREYS[-1], "missing"))
        left = 0
        for number, colour, kind in parts:
            if number:
                axes.barh(row, number, left=left, height=0.68, color=colour, gid=kind)
            left += number
        axes.text(left + 0.01 * longest, row, _beside(counts), va="center", size=9, color=INK, gid="beside")
    room = max((inches(_beside(counts), 9) for counts in genres.values()), default=0)
    axes.set_xlim(0, longest * (1.02 + room / 5.5))
    axes.set_ylim(len(genres) - 0.5, -0.5)
    axes.set_yticks(range(len(genres)), [display_name(name) for name in genres])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("songs")
    handles = [Patch(color=colour, label=display_name(name)) for name, colour in (colour_of | grey_of).items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=columns)
    return figure


def _total(genres: Mapping[str, Mapping[str, Any]], part: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in genres.values():
        total.update(counts[part])
    return total


def _beside(counts: Mapping[str, Any]) -> str:
    if counts["got"] == counts["asked"]:
        return str(counts["got"])
    return f"{counts['got']} of {counts['asked']}"
