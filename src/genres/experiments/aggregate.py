"""Aggregate experiments that repeat each other with other seeds or folds: mean, deviation and interval.

    genres aggregate --run --seeds 1,2,3,4,5 [--folds K] [--protocols A,B] [-S KEY=VALUE ...] [--plot FILE]
    genres aggregate EXPERIMENT EXPERIMENT ... [--plot FILE]

With --run, missing experiments are run; else experiments are named as `dvc exp list` shows them (or git revisions).
Prints a Markdown table, one row per architecture and protocol, best first by mean validation accuracy: mean test
accuracy over tracks, standard deviation, 95 % interval of the mean, and against the first row the mean difference with
its interval and p with Holm's correction. Intervals and tests account for training data that repetitions share
(Nadeau and Bengio 2003). Under protocol predefined the test tracks are fixed, so that intervals reflect only the
randomness of training. Five or more repetitions of three or more architectures are also ranked (Friedman's test,
Nemenyi's critical difference) and drawn as FILE_ranks.png beside FILE.png.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genres.core.console import UserError, command, warn
from genres.core.paths import ENSEMBLE, SUMMARY
from genres.core.text import dataset_note, markdown_table, p_value, percent
from genres.experiments import sweep
from genres.experiments.revisions import REPETITION, Revision, in_use
from genres.figures import ranks as rank_figure
from genres.figures import repetitions
from genres.figures.style import save
from genres.stats import repeated, scores
from genres.stats.repeated import Folds

Row = dict[str, Any]
INTERVAL = "with the 95 % interval, corrected for shared training data (Nadeau and Bengio)"


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    arguments = sweep.parser("aggregate", __doc__.splitlines()[0]).parse_args(argv)
    if arguments.run and not (arguments.seeds or arguments.folds):
        raise UserError("--run: needs --seeds or --folds: a mean is over several experiments")
    rows = read(sweep.chosen(arguments))
    summaries = against_first(summarise(rows), rows)
    ranked = by_rank(rows)
    print(table(summaries))
    for line in (*what_is_shared(rows), *map(sentence, ranked)):
        print(f"\n{line}")
    if arguments.plot:
        draw(summaries, ranked, rows, arguments.plot)


def draw(summaries: Sequence[Row], ranked: Sequence[Row], rows: Sequence[Row], path: Path) -> None:
    """Write the picture of the repetitions, and beside it that of the ranks if there are any."""
    protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
    data = dataset_note(rows[0]["dataset"], protocols)
    if "clip" in protocols.split(", ") and "LEAKY" not in data:
        data += "; clip: LEAKY"
    note = "; ".join([data, f"a dot an experiment, the mean {INTERVAL}", *what_is_shared(rows)])
    title = f"Test accuracy over {len({row['experiment'] for row in rows})} experiments"
    save(repetitions.repetitions(summaries, title=title, note=note), path)
    if ranked:
        note = "; ".join([data, "Nemenyi's test at 5 %, as if repetitions were independent", *what_is_shared(rows)])
        note += "; *: worse than the first, whose bar ends at the dashed line"
        figure = rank_figure.ranks(ranked, title="Mean ranks over repetitions", note=note)
        save(figure, path.with_stem(f"{path.stem}_ranks"))


def read(experiments: Sequence[str]) -> list[Row]:
    """Read the scores, one row per experiment and architecture; `shared` is the overlap of the protocol's folds.

    Raises
    ------
    UserError
        If the experiments are of different data sets, or two of them are the same repetition.
    """
    revisions = [Revision(name) for name in dict.fromkeys(experiments)]
    rows: list[Row] = []
    folds: dict[str, list[Folds]] = defaultdict(list)
    for revision in revisions:
        summary = revision.json(SUMMARY)
        about = {"dataset": summary["dataset"], "protocol": summary["protocol"]}
        rows += [row | about for row in revision.scores()]
        folds[summary["protocol"]].append(revision.folds())
    check(rows)
    common = {protocol: repeated.overlap(members) for protocol, members in folds.items()}
    for row in rows:
        row["shared"] = common[row["protocol"]]
    params, architectures = [revision.params for revision in revisions], {row["arch"] for row in rows}
    for name in differing(params, rows[0]["dataset"], architectures):
        warn(f"the experiments differ in {name}, too: their mean may be meaningless; choose those with one value")
    return rows


def check(rows: Sequence[Row]) -> None:
    """Check that the rows can be averaged: one data set, no repetition twice."""
    if len({row["dataset"] for row in rows}) > 1:
        raise UserError("the experiments are of different data sets; name those of one data set")
    seen: dict[tuple[Any, ...], str] = {}
    for row in rows:
        repetition = (row["protocol"], row["seed"], row["fold"], row["arch"])
        if repetition in seen:
            fold = "" if row["fold"] is None else f" and fold {row['fold']}"
            raise UserError(
                f"{seen[repetition]} and {row['experiment']} are both of protocol {row['protocol']} with seed "
                f"{row['seed']}{fold}: a mean is over different seeds or folds"
            )
        seen[repetition] = row["experiment"]


def differing(params: Sequence[dict[str, Any]], dataset: str, architectures: Collection[str]) -> list[str]:
    """Return the parameters in use that differ, apart from seed, fold, protocol and architectures."""
    ignored = (*REPETITION, "split.protocol", "architectures")
    return [
        name
        for name in dict.fromkeys(name for values in params for name in values)
        if name not in ignored
        and in_use(name, dataset, architectures)
        and len({str(values.get(name)) for values in params}) > 1
    ]


def summarise(rows: Sequence[Row]) -> list[Row]:
    """Average the rows of each architecture and protocol; return them best first by mean validation accuracy.

    Each has arch, dataset, protocol, n, values (the test accuracies), track_accuracy (their mean), deviation,
    track_accuracy_ci95_low and _high, val_track_accuracy, clip_accuracy and test_tracks (means; None if unknown), and
    pooled: the accuracy over all tracks of all repetitions, which is that of the whole data set for the folds of a
    cross-validation. A single experiment keeps its own interval and has no deviation (None).
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["protocol"], row["arch"]), []).append(row)
    summaries = []
    for (protocol, arch), members in groups.items():
        values = [row["track_accuracy"] for row in members]
        mean, deviation = values[0], None
        low, high = members[0]["track_accuracy_ci95_low"], members[0]["track_accuracy_ci95_high"]
        if len(members) > 1:
            mean, deviation, low, high, _ = repeated.interval(values, _correction(members[0]))
        sizes = [row["test_tracks"] for row in members if row.get("test_tracks") is not None]
        summary = {"arch": arch, "dataset": members[0]["dataset"], "protocol": protocol, "n": len(members)}
        summary |= {"values": values, "track_accuracy": mean, "deviation": deviation}
        summary |= {"track_accuracy_ci95_low": max(low, 0.0), "track_accuracy_ci95_high": min(high, 1.0)}
        for key in ("val_track_accuracy", "clip_accuracy", "test_tracks"):
            present = [row[key] for row in members if row.get(key) is not None]
            summary[key] = float(np.mean(present)) if present else None
        complete = len(sizes) == len(values)
        summary["pooled"] = float(np.average(values, weights=sizes)) if complete else None
        summaries.append(summary)
    return sorted(summaries, key=lambda row: -row["val_track_accuracy"])


def against_first(summaries: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Add the paired differences to the best architecture of the same protocol, over the repetitions that have both."""
    by_key = {(row["protocol"], row["arch"], row["experiment"]): row["track_accuracy"] for row in rows}
    result = [dict(row) for row in summaries]
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
                correction = _correction(next(r for r in rows if r["protocol"] == protocol))
                row["difference"], _, row["difference_low"], row["difference_high"], p = repeated.interval(
                    mine - best, correction
                )
                tested.append((row, p))
        for (row, p), corrected in zip(tested, scores.holm([p for _, p in tested]), strict=True):
            row |= {"p": p, "p_holm": float(corrected)}
    return result


def _correction(row: Row) -> float:
    return row["shared"].correction if row.get("shared") else 0.0


def by_rank(rows: Sequence[Row]) -> list[Row]:
    """Compute the ranks of each protocol with enough repetitions, as :func:`genres.figures.ranks.ranks` draws them.

    Architectures that are missing in a repetition are left out.
    """
    panels = []
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        mine = [row for row in rows if row["protocol"] == protocol]
        experiments = list(dict.fromkeys(row["experiment"] for row in mine))
        accuracy = {(row["experiment"], row["arch"]): row["track_accuracy"] for row in mine}
        names = [
            arch
            for arch in dict.fromkeys(row["arch"] for row in mine)
            if all((name, arch) in accuracy for name in experiments)
        ]
        if len(experiments) >= repeated.MIN_REPETITIONS and len(names) >= 3:
            ranks = repeated.ranks([[accuracy[name, arch] for arch in names] for name in experiments])
            about = {"protocol": protocol, "names": names, "repetitions": len(experiments)}
            panels.append(about | ranks._asdict())
    return panels


def sentence(ranked: Row) -> str:
    """Return the ranks as a sentence."""
    order = sorted(zip(ranked["means"], ranked["names"], strict=True))
    return (
        f"`{ranked['protocol']}`, mean ranks: {', '.join(f'{name} {mean:.2f}' for mean, name in order)}; Nemenyi's "
        f"critical difference {ranked['critical_difference']:.2f}, all equal: {p_value(ranked['p'])} (Friedman)"
    )


def what_is_shared(rows: Sequence[Row]) -> list[str]:
    """Return a sentence on the clips that repetitions of each protocol share; none without repetitions."""
    parts = []
    for protocol, common in {row["protocol"]: row.get("shared") for row in rows}.items():
        if common is not None:
            fixed = " (chance in training alone)" if common.correction == 0 else ""
            parts.append(f"{protocol} {percent(common.test)} and {percent(common.train)}{fixed}")
    return [f"shared by two repetitions, of their test and training clips: {', '.join(parts)}"] if parts else []


def table(summaries: Sequence[Row]) -> str:
    """Format the summaries as a Markdown table."""
    header = ["protocol", "architecture", "experiments", "test accuracy, mean", "deviation", "95 % interval", "pooled"]
    header += ["clips", "validation", "against the first", "p (Holm)"]
    lines = []
    for row in summaries:
        difference = ""
        if "difference" in row:
            low, high = 100 * row["difference_low"], 100 * row["difference_high"]
            difference = f"{100 * row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
        lines.append(
            [
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
        )
    return markdown_table(header, lines)


def without_ensemble(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of single architectures."""
    return [row for row in rows if row["arch"] != ENSEMBLE]
