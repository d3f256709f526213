"""Compare the same architectures under several protocols, to show how much a leaky split inflates accuracy.

    genres leak --run [--protocols clip,track,artist] [--seeds 1,2,3] [-S KEY=VALUE ...] [--plot FILE]
    genres leak EXPERIMENT [EXPERIMENT ...] [--plot FILE]

Each experiment is of one protocol. With --run, missing experiments are run; else experiments are named as
`dvc exp list` shows them (or git revisions). Prints a Markdown table: accuracy over tracks with its 95 % interval, and
over clips. Several seeds (or folds) of a protocol are averaged, with the interval of genres.experiments.aggregate.
"""

from collections.abc import Sequence
from typing import Any

from genres.core.console import command
from genres.core.text import dataset_note, markdown_table
from genres.experiments import aggregate, sweep
from genres.figures import comparison
from genres.figures.style import save

# The paper's split, the common one, and the one that does not leak.
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
        note = dataset_note(rows[0]["dataset"], protocols)
        repeated = sorted({row["n"] for row in rows if row["n"] > 1})
        if repeated:
            note += f"; means of {' or '.join(map(str, repeated))} experiments, {aggregate.INTERVAL}"
            note = "; ".join([note, *aggregate.what_is_shared(single)])
        save(comparison.leak(rows, title=title, note=note), arguments.plot)


def in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per architecture and protocol in the given order, averaged over repetitions."""
    order = list(dict.fromkeys((row["protocol"], row["arch"]) for row in rows))
    return sorted(aggregate.summarise(rows), key=lambda row: order.index((row["protocol"], row["arch"])))


def table(rows: list[dict[str, Any]]) -> str:
    """Format the rows as a Markdown table, with a row per architecture and a column per protocol."""
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    cells = {(row["arch"], row["protocol"]): _cell(row) for row in rows}
    header = ["architecture", *(f"`{name}`{' (leaky)' * (name == 'clip')}" for name in protocols)]
    lines = [
        [arch, *(cells.get((arch, name), "") for name in protocols)] for arch in dict.fromkeys(a for a, _ in cells)
    ]
    return markdown_table(header, lines)


def _cell(row: dict[str, Any]) -> str:
    low, high = row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]
    interval = f"{row['track_accuracy']:.1%} [{low:.0%}, {high:.0%}]"
    if row.get("n", 1) > 1:
        return f"{interval} over {row['n']} experiments, {row['clip_accuracy']:.1%} of clips"
    return f"{interval} of {row['test_tracks']:.0f} tracks, {row['clip_accuracy']:.1%} of clips"
