"""List the DVC experiments with their results and the parameters that differ.

    genres experiments

`dvc exp show` shows all parameters and metrics, in a table of a hundred columns.
"""

import argparse
from typing import Any

import dvc.api

from genres.core.console import UserError, command, print_table
from genres.core.paths import SUMMARY
from genres.experiments.revisions import Revision

RESULTS = {
    "dataset": "data set",
    "best": "best by validation",
    "best_val_track_accuracy": "val",
    "best_track_accuracy": "test",
    "ensemble_track_accuracy": "ensemble",
}
# Sections of params.yaml that are compared; the recipe is named in the results.
PARAMS = ("architectures", "seed", "mels.", "clips.", "split.", "train.", "models.", "evaluate.")


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    argparse.ArgumentParser(prog="genres experiments", description=__doc__.splitlines()[0]).parse_args(argv)
    # The base commit is a row too, under its branch's name; the workspace would repeat one of the rows.
    rows = [row for row in dvc.api.exp_show() if row.get("rev") != "workspace"]
    results = [(row, summary) for row in rows if (summary := summary_of(row))]
    changed = differing([row for row, _ in results])
    print_table(
        "Experiments: accuracy over tracks, and the parameters that differ",
        ["experiment", *RESULTS.values(), *changed],
        [
            [_name(row), *(_cell(summary[key]) for key in RESULTS), *(_cell(row.get(key)) for key in changed)]
            for row, summary in results
        ],
    )
    print(
        "apply one to the workspace: dvc exp apply <experiment>; read a failed one's log: dvc queue logs <experiment>"
    )


def _name(row: dict[str, Any]) -> str:
    return str(row.get("Experiment") or row["rev"])


def summary_of(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the summary of an experiment's results; None if it has no results (yet)."""
    try:
        summary: dict[str, Any] = Revision(_name(row)).json(SUMMARY)
    except UserError:
        return None
    return summary


def differing(rows: list[dict[str, Any]]) -> list[str]:
    """Return the parameters that differ between the rows."""
    names = [key for key in (rows[0] if rows else {}) if key.startswith(PARAMS)]
    return [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
