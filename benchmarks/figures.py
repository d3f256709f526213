"""What a benchmark measured: kept, compared with what was kept before, and written as a page.

A benchmark is a module of this package with

    def measure(music: Path, quick: bool = False) -> list[Figure]

`music` is a folder of songs (one that needs none ignores it), `quick` asks for a small sample and one or two rounds.
``python -m benchmarks`` finds each such module, runs it in a process of its own and makes it a section of
docs/benchmarks.md: the module's docstring is the section's heading (first line) and text (the rest, as Markdown), the
figures are its table. Run alone, a module's ``main()`` prints them with :func:`show`.

What is compared should take turns round by round, with the ratio taken within each round: see benchmarks/machine.py.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Spread, spread
from genres.core.console import print_table
from genres.core.files import atomic, read_json, write_json

PAGE, KEPT = Path("docs/benchmarks.md"), Path("docs/benchmarks.json")

# Two runs differ by as much, even where the rounds of each agree.
SLACK = 0.1

# Of what is kept: a ratio is not known better.
DIGITS = 4


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    name : str
        What it is, unique in its module: "mp3, cold cache: the stage against a plain loop of librosa".
    rounds : tuple of float
        What came out in each round; for a ratio, the ratios within the rounds.
    unit : str
        "times" for a ratio; seconds, MiB … else.
    goal : float or None
        What the median should be: at least, or at most where lower is better.
    higher_is_better : bool
        Which way is worse.
    comparable : bool
        Whether another run, on another machine and with another amount of music, should come to about the same: then a
        worse one is told. For ratios of work of the same kind only.
    """

    name: str
    rounds: tuple[float, ...]
    unit: str = "times"
    goal: float | None = None
    higher_is_better: bool = True
    comparable: bool = False

    def __post_init__(self) -> None:
        if not self.rounds:
            raise ValueError(f"{self.name}: no rounds")
        if self.comparable and self.unit != "times":
            raise ValueError(f"{self.name}: only ratios are comparable between machines, not {self.unit}")

    @property
    def spread(self) -> Spread:
        """The median, lowest and highest of the rounds."""
        return spread(list(self.rounds))

    def shown(self) -> str:
        """The spread, for people; of what was measured once, the number alone."""
        return str(self.spread) if len(self.rounds) > 1 else self.spread.shown(self.spread.median)

    def verdict(self) -> str:
        """Whether the median reaches the goal; empty where there is none."""
        if self.goal is None:
            return ""
        missing = self.goal - self.spread.median if self.higher_is_better else self.spread.median - self.goal
        bound = "at least" if self.higher_is_better else "at most"
        return f"{bound} {self.goal:g}: " + ("met" if missing <= 0 else f"missed by {missing:.2g}")

    def worse_than(self, kept: "Figure") -> bool:
        """Whether the median is outside of the rounds of an earlier run, on the wrong side and by more than `SLACK`."""
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
        What they were measured on, and when.
    figures : list of Figure
    """

    about: str
    machine: str
    figures: list[Figure] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The first line of the docstring, without its full stop."""
        return self.about.strip().partition("\n")[0].rstrip(".")


def show(title: str, figures: list[Figure]) -> None:
    """Print figures as a table."""
    rows = [[figure.name, figure.shown(), figure.unit, figure.verdict()] for figure in figures]
    print_table(f"{title}: median (lowest–highest) of the rounds", ["figure", "measured", "unit", "goal"], rows)


def keep(path: Path, sections: dict[str, Section]) -> None:
    """Write all that is known, in the order of the sections."""
    write_json(path, {name: _as_json(section) for name, section in sections.items()})


def _as_json(section: Section) -> dict[str, Any]:
    figures = []
    for figure in section.figures:
        entry = asdict(figure) | {"rounds": [float(f"{value:.{DIGITS}g}") for value in figure.rounds]}
        figures.append(entry)
    return {"about": section.about, "machine": section.machine, "figures": figures}


def kept(path: Path) -> dict[str, Section]:
    """Read what an earlier run has kept; nothing where there was none."""
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
    """A line for each comparable figure that is worse than the spread of an earlier run allows."""
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
    """The sections as Markdown; the machine is told where it changes."""
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`, which compares two ways of doing the same in turns, round by round: each figure is "
        "the median of the rounds, with the lowest and the highest, or what was measured once. `times` is a ratio "
        "within a round; ratios marked with ∘ should come out alike on other machines, and `python -m benchmarks` "
        'tells those that have become worse. Seconds are this machine\'s; "Measured on" holds until the next one.\n',
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
