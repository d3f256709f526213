"""How much a split inflates: the same architectures under several protocols, as a table and a picture.

    python -m src.leak EXPERIMENT [EXPERIMENT ...] [--plot FILE]

Each argument is a DVC experiment (or a git revision) of one protocol; see the README for the three lines that make
them. Prints the rows of a Markdown table: accuracy over tracks with its 95 % interval, and over clips.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException

from src.compare import ENSEMBLE, LEADERBOARD
from src.console import UserError, command
from src.figures import comparison
from src.figures.style import save, whose


@command
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m src.leak", description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="names as `dvc exp list` shows them")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, too")
    arguments = parser.parse_args()
    rows = [row for experiment in arguments.experiments for row in scores_of(experiment)]
    check_comparable(rows)
    print(table(rows))
    if arguments.plot:
        protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
        title = "The same networks on the same music, split in several ways"
        save(comparison.leak(rows, title=title, note=whose(rows[0]["dataset"], protocols)), arguments.plot)


def scores_of(experiment: str) -> list[dict[str, Any]]:
    """The scores of each architecture of an experiment: arch, and what its metrics file says."""
    try:
        board = json.loads(dvc.api.read(str(LEADERBOARD), rev=experiment))
        names = sorted(row["arch"] for row in board if row["arch"] != ENSEMBLE)
        return [{"arch": name} | json.loads(dvc.api.read(f"metrics/{name}.json", rev=experiment)) for name in names]
    except (DvcException, OSError) as error:
        raise UserError(f"{experiment}: no experiment or revision with results ({error}); see: dvc exp list") from None


def check_comparable(rows: list[dict[str, Any]]) -> None:
    """Refuse two experiments of one protocol, or of different data sets: a table would show only one of them."""
    if len({row["dataset"] for row in rows}) > 1:
        raise UserError("the experiments are of different data sets: give those of one")
    for row in rows:
        if sum((other["arch"], other["protocol"]) == (row["arch"], row["protocol"]) for other in rows) > 1:
            raise UserError(f"two experiments are of protocol {row['protocol']}: give one for each")


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table, one row an architecture and one column a protocol."""
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    lines = ["| architecture | " + " | ".join(f"`{name}`{' (leaky)' * (name == 'clip')}" for name in protocols) + " |"]
    lines.append("| --- " * (1 + len(protocols)) + "|")
    for arch in dict.fromkeys(row["arch"] for row in rows):
        cells = []
        for protocol in protocols:
            found = next((row for row in rows if (row["arch"], row["protocol"]) == (arch, protocol)), None)
            cells.append(_cell(found) if found else "")
        lines.append(f"| {arch} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    low, high = row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]
    return (
        f"{row['track_accuracy']:.1%} [{low:.0%}, {high:.0%}] of {row['test_tracks']} tracks, "
        f"{row['clip_accuracy']:.1%} of clips"
    )


if __name__ == "__main__":
    main()
