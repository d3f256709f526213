"""Measured figures of benchmarks: storage, comparison with earlier runs, and the page docs/benchmarks.md.

A benchmark is a module of this package with

    def measure(music: Path, quick: bool = False) -> list[Figure]

`music` is a folder of songs (ignored by benchmarks without songs), `quick` asks for a small sample and one or two
rounds. ``python -m benchmarks`` runs each such module in a process of its own and writes a section of
docs/benchmarks.md: the module's docstring gives heading (first line) and text (the rest, as Markdown), the figures its
table. Run alone, a module's ``main()`` prints them with :func:`show`.

Contenders should take turns round by round, with the ratio taken within each round: see benchmarks/machine.py.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Spread, spread
from genres.core.console import print_table
from genres.core.files import atomic, read_json, write_json

PAGE, KEPT = Path("docs/benchmarks.md"), Path("docs/benchmarks.json")

# Relative difference between two runs that is noise, even if the rounds of each agree.
SLACK = 0.1

# Significant digits that are kept, the precision of a ratio.
DIGITS = 4


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    name : str
        Name, unique in its module: "mp3, cold cache: the stage against a plain loop of librosa".
    rounds : tuple of float
        Value of each round; for a ratio, the ratio within the round.
    unit : str
        "times" for a ratio; else seconds, MiB, …
    goal : float or None
        Least median, or the largest one if lower is better.
    higher_is_better : bool
    comparable : bool
        True if other machines and amounts of music should give about the same value, so that a worse one is reported.
        Only for ratios of work of the same kind.
    """

    name: str
    rounds: tuple[float, ...]
    unit: str = "times"
    goal: float | None = None
    higher_is_better: bool = True
    comparable: bool = False

    def __post_init__(self) -> None:
        if not self.rounds:
            raise ValueError(f"{self.name}: no rounds; give at least one value")
        if self.comparable and self.unit != "times":
            raise ValueError(f"{self.name}: only ratios are comparable between machines, not {self.unit}")

    @property
    def spread(self) -> Spread:
        """Median, lowest and highest of the rounds."""
        return spread(list(self.rounds))

    def shown(self) -> str:
        """Format the spread, or the number alone if it was measured once."""
        return str(self.spread) if len(self.rounds) > 1 else self.spread.shown(self.spread.median)

    def verdict(self) -> str:
        """Return a text on whether the median reaches the goal; empty without a goal."""
        if self.goal is None:
            return ""
        missing = self.goal - self.spread.median if self.higher_is_better else self.spread.median - self.goal
        bound = "at least" if self.higher_is_better else "at most"
        return f"{bound} {self.goal:g}: " + ("met" if missing <= 0 else f"missed by {missing:.2g}")

    def worse_than(self, kept: "Figure") -> bool:
        """Return True if the median is worse than all rounds of an earlier run by more than `SLACK`."""
        if not (self.comparable and kept.comparable):
            return False
        if self.higher_is_better:
            return self.spread.median < kept.spread.low * (1 - SLACK)
        return self.spread.median > kept.spread.high * (1 + SLACK)


@dataclass(frozen=True)
class Section:
    """The figures of one benchmark.

    Attributes
    ----------
    about : str
        The module's docstring.
    machine : str
        Machine and date of the measurement.
    figures : list of Figure
    """

    about: str
    machine: str
    figures: list[Figure] = field(default_factory=list)

    @property
    def title(self) -> str:
        """First line of the docstring, without its full stop."""
        return self.about.strip().partition("\n")[0].rstrip(".")


def show(title: str, figures: list[Figure]) -> None:
    """Print figures as a table."""
    rows = [[figure.name, figure.shown(), figure.unit, figure.verdict()] for figure in figures]
    print_table(f"{title}: median (lowest–highest) of the rounds", ["figure", "measured", "unit", "goal"], rows)


def keep(path: Path, sections: dict[str, Section]) -> None:
    """Write the sections as JSON, in their order."""
    write_json(path, {name: _as_json(section) for name, section in sections.items()})


def _as_json(section: Section) -> dict[str, Any]:
    figures = []
    for figure in section.figures:
        entry = asdict(figure) | {"rounds": [float(f"{value:.{DIGITS}g}") for value in figure.rounds]}
        figures.append(entry)
    return {"about": section.about, "machine": section.machine, "figures": figures}


def kept(path: Path) -> dict[str, Section]:
    """Read the sections of earlier runs; empty if there are none."""
    if not path.exists():
        return {}
    return {
        name: Section(
            entry["about"],
            entry["machine"],
            [Figure(**figure | {"rounds": tuple(figure["rounds"])}) for figure in entry["figures"]],
        )
        for name, entry in read_json(path).items()
    }


def worse(now: dict[str, Section], before: dict[str, Section]) -> list[str]:
    """Return a line for each comparable figure that is worse than the spread of an earlier run allows."""
    lines = []
    for name, section in now.items():
        earlier = {figure.name: figure for figure in before[name].figures} if name in before else {}
        for figure in section.figures:
            if figure.name in earlier and figure.worse_than(earlier[figure.name]):
                lines.append(f"worse: {name}: {figure.name}: {figure.spread}, was {earlier[figure.name].spread}")
    return lines


def write_page(path: Path, sections: dict[str, Section]) -> None:
    """Write the sections as Markdown."""
    with atomic(path) as temporary:
        temporary.write_text(page(sections.values()), encoding="utf-8")


def page(sections: Iterable[Section]) -> str:
    """Format the sections as Markdown; the machine is named where it changes."""
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`, which compares two ways of doing the same in turns, round by round: each figure is "
        "the median of the rounds, with the lowest and the highest, or what was measured once. `times` is a ratio "
        "within a round; ratios marked with ∘ should come out alike on other machines, and `python -m benchmarks` "
        'lists those that have become worse. Seconds are this machine\'s; "Measured on" holds until the next one.\n',
    ]
    machine = ""
    for section in sections:
        parts.append(f"## {section.title}\n")
        text = section.about.strip().partition("\n")[2].strip()
        if text:
            parts.append(text + "\n")
        if section.machine != machine:
            machine = section.machine
            parts.append("Measured on: " + "; ".join(machine.splitlines()) + "\n")
        parts.append(_table(section.figures))
    return "\n".join(parts)


def _table(figures: list[Figure]) -> str:
    rows = ["| | median (lowest to highest) | unit | goal |", "| --- | ---: | --- | --- |"]
    for figure in figures:
        mark = " ∘" if figure.comparable else ""
        rows.append(f"| {figure.name}{mark} | {figure.shown()} | {figure.unit} | {figure.verdict()} |")
    return "\n".join(rows) + "\n"
