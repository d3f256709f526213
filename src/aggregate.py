"""Several experiments of the same kind, that is seeds or folds, as one: mean, deviation and interval.

    python -m src.aggregate EXPERIMENT EXPERIMENT ... [--plot FILE]

Each argument is a DVC experiment (or a git revision). Prints a Markdown table, one row an architecture and protocol,
best first by mean validation accuracy: mean test accuracy over tracks, standard deviation, Student's 95 % interval of
the mean, and against the first row the mean difference with its interval and the paired t-test's p after Holm's
correction. Under protocol artist a seed also deals other folds; under predefined the test tracks stay the same, and
the interval tells the chance in training alone.
"""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_rel

from src import scores
from src.compare import ENSEMBLE
from src.console import UserError, command, warn
from src.figures import repetitions
from src.figures.style import save, whose
from src.revisions import REPETITION, Revision

Row = dict[str, Any]


@command
def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m src.aggregate", description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="names as `dvc exp list` shows them")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, too")
    arguments = parser.parse_args()
    rows = read(arguments.experiments)
    found = against_first(summarise(rows), rows)
    print(table(found))
    if arguments.plot:
        protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
        title = f"Test accuracy over {len(arguments.experiments)} experiments"
        note = f"{whose(rows[0]['dataset'], protocols)}; a dot an experiment, the mean with its 95 % interval"
        if "clip" in protocols.split(", ") and "LEAKY" not in note:
            note += "; clip: LEAKY"
        save(repetitions.repetitions(found, title=title, note=note), arguments.plot)


def read(experiments: Sequence[str]) -> list[Row]:
    """The scores of all experiments, one row an experiment and architecture.

    Raises
    ------
    UserError
        If they are of different data sets, or two of them are the same repetition.
    """
    revisions = [Revision(name) for name in dict.fromkeys(experiments)]
    rows = []
    for revision in revisions:
        summary = revision.json(Path("metrics/summary.json"))
        about = {"dataset": summary["dataset"], "protocol": summary["protocol"]}
        rows += [row | about for row in revision.scores()]
    check(rows)
    params, architectures = [revision.params for revision in revisions], {row["arch"] for row in rows}
    for name in differing(params, rows[0]["dataset"], architectures):
        warn(f"the experiments differ in {name}, too: a mean over them may mix what is not alike")
    return rows


def check(rows: Sequence[Row]) -> None:
    """Refuse what no mean can be taken of."""
    if len({row["dataset"] for row in rows}) > 1:
        raise UserError("the experiments are of different data sets: give those of one")
    seen: dict[tuple[Any, ...], str] = {}
    for row in rows:
        which = (row["protocol"], row["seed"], row["fold"], row["arch"])
        if which in seen:
            fold = "" if row["fold"] is None else f" and fold {row['fold']}"
            raise UserError(
                f"{seen[which]} and {row['experiment']} are both of protocol {row['protocol']} with seed {row['seed']}"
                f"{fold}: a mean is over different seeds or folds"
            )
        seen[which] = row["experiment"]


def differing(params: Sequence[dict[str, Any]], dataset: str, architectures: Collection[str]) -> list[str]:
    """The parameters in use that differ, beside those that make a repetition, the protocol and the architectures."""
    passed_over = (*REPETITION, "split.protocol", "architectures")
    in_use = (f"datasets.{dataset}.", *(f"models.{name}." for name in architectures))
    return [
        name
        for name in dict.fromkeys(name for values in params for name in values)
        if name not in passed_over
        and (name.startswith(in_use) or not name.startswith(("tune.", "models.", "datasets.")))
        and len({str(values.get(name)) for values in params}) > 1
    ]


def summarise(rows: Sequence[Row]) -> list[Row]:
    """One row an architecture and protocol, best first by mean validation accuracy.

    Each has arch, dataset, protocol, n, values (the test accuracies), track_accuracy (their mean), deviation,
    track_accuracy_ci95_low and _high, val_track_accuracy, clip_accuracy and test_tracks (means; None where not known),
    and pooled: the accuracy over all tracks of all repetitions, which for the folds of a cross-validation is that of
    the whole data set. Of a single experiment the interval is its own, and the deviation None.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["protocol"], row["arch"]), []).append(row)
    found = []
    for (protocol, arch), members in groups.items():
        values = [row["track_accuracy"] for row in members]
        mean, deviation = values[0], None
        low, high = members[0]["track_accuracy_ci95_low"], members[0]["track_accuracy_ci95_high"]
        if len(members) > 1:
            mean, deviation, low, high = scores.mean_interval(values)
        sizes = [row["test_tracks"] for row in members if row.get("test_tracks") is not None]
        summary = {"arch": arch, "dataset": members[0]["dataset"], "protocol": protocol, "n": len(members)}
        summary |= {"values": values, "track_accuracy": mean, "deviation": deviation}
        summary |= {"track_accuracy_ci95_low": max(low, 0.0), "track_accuracy_ci95_high": min(high, 1.0)}
        for key in ("val_track_accuracy", "clip_accuracy", "test_tracks"):
            known = [row[key] for row in members if row.get(key) is not None]
            summary[key] = float(np.mean(known)) if known else None
        complete = len(sizes) == len(values)
        summary["pooled"] = float(np.average(values, weights=sizes)) if complete else None
        found.append(summary)
    return sorted(found, key=lambda row: -row["val_track_accuracy"])


def against_first(found: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Add the paired differences to the best architecture of the same protocol, over the repetitions that have both."""
    by_key = {(row["protocol"], row["arch"], row["experiment"]): row["track_accuracy"] for row in rows}
    result = [dict(row) for row in found]
    for protocol in dict.fromkeys(row["protocol"] for row in result):
        first, *others = (row for row in result if row["protocol"] == protocol)
        tested = []
        for row in others:
            pairs = [
                (by_key[protocol, row["arch"], name], by_key[protocol, first["arch"], name])
                for name in dict.fromkeys(r["experiment"] for r in rows)
                if (protocol, row["arch"], name) in by_key and (protocol, first["arch"], name) in by_key
            ]
            if len(pairs) > 1:
                mine, best = np.array(pairs).T
                row["difference"], _, row["difference_low"], row["difference_high"] = scores.mean_interval(mine - best)
                # Without any spread the test has nothing to divide by: alike is 1, else the same difference each time.
                p = float(ttest_rel(mine, best).pvalue) if np.ptp(mine - best) > 0 else float((mine == best).all())
                tested.append((row, p))
        for (row, p), corrected in zip(tested, scores.holm([p for _, p in tested]), strict=True):
            row |= {"p": p, "p_holm": float(corrected)}
    return result


def table(found: Sequence[Row]) -> str:
    """A Markdown table."""
    header = ["protocol", "architecture", "experiments", "test accuracy, mean", "deviation", "95 % interval", "pooled"]
    header += ["clips", "validation", "against the first", "p (Holm)"]
    lines = ["| " + " | ".join(header) + " |", "| --- " * len(header) + "|"]
    for row in found:
        difference = ""
        if "difference" in row:
            low, high = 100 * row["difference_low"], 100 * row["difference_high"]
            difference = f"{100 * row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
        cells = [
            f"`{row['protocol']}`{' (leaky)' * (row['protocol'] == 'clip')}",
            row["arch"],
            str(row["n"]),
            f"{row['track_accuracy']:.1%}",
            "" if row["deviation"] is None else f"{row['deviation']:.1%}",
            f"{row['track_accuracy_ci95_low']:.1%} to {row['track_accuracy_ci95_high']:.1%}",
            *(
                "" if row[key] is None else f"{row[key]:.1%}"
                for key in ("pooled", "clip_accuracy", "val_track_accuracy")
            ),
            difference,
            f"{row['p_holm']:.2g}" if "p_holm" in row else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def without_ensemble(rows: Sequence[Row]) -> list[Row]:
    """The rows of single architectures."""
    return [row for row in rows if row["arch"] != ENSEMBLE]


if __name__ == "__main__":
    main()
