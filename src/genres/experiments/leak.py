"""How much a split inflates: the same architectures under several protocols, as a table and a picture.

    genres leak --run [--protocols clip,track,artist] [--seeds 1,2,3] [-S KEY=VALUE ...] [--plot FILE]
    genres leak EXPERIMENT [EXPERIMENT ...] [--plot FILE]

Each experiment is of one protocol: those that --run asks for are run as far as they are not there yet; the names of
others are as `dvc exp list` shows them (or git revisions). Prints the rows of a Markdown table: accuracy over tracks
with its 95 % interval, and over clips. Of several seeds (or folds) of a protocol it is the mean, with the interval that
genres.experiments.aggregate gives.
"""

from collections.abc import Sequence
from typing import Any

from genres.core.console import command
from genres.core.text import whose
from genres.experiments import aggregate, sweep
from genres.figures import comparison
from genres.figures.style import save

# The paper's way of splitting, the common one, and the honest one.
PROTOCOLS = ("clip", "track", "artist")


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    arguments = sweep.parser("leak", __doc__.splitlines()[0]).parse_args(argv)
    experiments = sweep.chosen(arguments, PROTOCOLS)
    single = aggregate.without_ensemble(aggregate.read(experiments))
    rows = in_order(single)
    print(table(rows))
    if arguments.plot:
        protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
        title = "The same networks on the same music, split in several ways"
        note = whose(rows[0]["dataset"], protocols)
        repeated = sorted({row["n"] for row in rows if row["n"] > 1})
        if repeated:
            note += f"; means of {' or '.join(map(str, repeated))} experiments, {aggregate.INTERVAL}"
            note = "; ".join([note, *aggregate.what_is_shared(single)])
        save(comparison.leak(rows, title=title, note=note), arguments.plot)


def in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an architecture and protocol, in the order in which they were given: means, where there are several."""
    order = list(dict.fromkeys((row["protocol"], row["arch"]) for row in rows))
    return sorted(aggregate.summarise(rows), key=lambda row: order.index((row["protocol"], row["arch"])))


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
    interval = f"{row['track_accuracy']:.1%} [{low:.0%}, {high:.0%}]"
    if row.get("n", 1) > 1:
        return f"{interval} over {row['n']} experiments, {row['clip_accuracy']:.1%} of clips"
    return f"{interval} of {row['test_tracks']:.0f} tracks, {row['clip_accuracy']:.1%} of clips"
