"""The DVC experiments side by side: what was changed, and what came of it.

    genres experiments

`dvc exp show` has all of it, in a table of a hundred columns.
"""

import argparse
from typing import Any

import dvc.api

from genres.core.console import command, print_table

RESULTS = {
    "metrics/summary.json:dataset": "data set",
    "best": "best by validation",
    "best_val_track_accuracy": "val",
    "best_track_accuracy": "test",
    "ensemble_track_accuracy": "ensemble",
}
# The sections of params.yaml, without the recipes: which one was used stands in the results.
PARAMS = ("architectures", "seed", "mels.", "clips.", "split.", "train.", "models.", "evaluate.")


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    argparse.ArgumentParser(prog="genres experiments", description=__doc__.splitlines()[0]).parse_args(argv)
    # The commit that they start from is a row, too, under its branch's name; the workspace is one of them again.
    rows = [row for row in dvc.api.exp_show() if row.get("rev") != "workspace" and row.get("best")]
    changed = differing(rows)
    print_table(
        "Experiments: accuracy over tracks, and the parameters that differ",
        ["experiment", *RESULTS.values(), *changed],
        [[row.get("Experiment") or row["rev"], *(_cell(row.get(key)) for key in (*RESULTS, *changed))] for row in rows],
    )
    print("take one into the workspace: dvc exp apply <experiment>; why one failed: dvc queue logs <experiment>")


def differing(rows: list[dict[str, Any]]) -> list[str]:
    """The parameters that are not the same in all rows."""
    names = [key for key in (rows[0] if rows else {}) if key.startswith(PARAMS)]
    return [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
