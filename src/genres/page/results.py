"""Third tab of the page: leaderboard and pictures of the pipeline."""

from html import escape
from pathlib import Path
from typing import Any

from genres.core.console import UserError
from genres.core.files import read_json
from genres.core.paths import LEADERBOARD, PLOTS
from genres.core.text import amount, architecture_label, dataset_note, duration, is_known
from genres.page.pictures import message, picture

PICTURES = {
    "confusion": "Confusion matrix of the test tracks",
    "learning_curves": "Learning curves of training and validation",
    "reliability": "Calibration: accuracy by predicted probability",
}


def leaderboard() -> str:
    """Return the leaderboard as a table."""
    rows = _read(LEADERBOARD)
    if not rows:
        return message("There are no results yet. Run `make repro`, then reload this page.", "hint")
    header = ("", "architecture", "validation", "test, tracks", "95 % interval", "macro F1", "parameters", "training")
    body = "".join(_row(rank, row) for rank, row in enumerate(rows, start=1))
    head = "".join(f'<th scope="col">{name}</th>' for name in header)
    return (
        f'<section class="board"><h3>Leaderboard, best first by validation</h3><p class="by">{_of_what(rows)}</p>'
        f"{_of_reviews(rows[0])}"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )


def _row(rank: int, row: dict[str, Any]) -> str:
    low, high = row["track_accuracy_ci95_low"], row["track_accuracy_ci95_high"]
    cells = (
        str(rank),
        architecture_label(row),
        _share(row["val_track_accuracy"]),
        _share(row["track_accuracy"]),
        f"{100 * low:.0f} to {100 * high:.0f}",
        f"{row['macro_f1']:.2f}",
        amount(row["n_parameters"]) if is_known(row["n_parameters"]) else "",
        duration(row["seconds"]) if is_known(row["seconds"]) else "",
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _of_what(rows: list[dict[str, Any]]) -> str:
    """Return data set and protocol from the first architecture with a metrics file."""
    for row in rows:
        metrics = _read(LEADERBOARD.with_name(f"{row['arch']}.json"))
        if isinstance(metrics, dict):
            return escape(dataset_note(metrics["dataset"], metrics["protocol"]))
    return ""


def _of_reviews(row: dict[str, Any]) -> str:
    """Return how many labels of test tracks were reviewed; empty if none was."""
    number = row.get("reviewed_test_labels", 0)
    corrected = row.get("corrected_test_labels", 0)
    return f'<p class="by">{number} test labels reviewed, {corrected} corrected: held apart</p>' if number else ""


def _read(file: Path) -> Any:
    try:
        return read_json(file)
    except (OSError, UserError, ValueError):
        return None


def with_pictures() -> list[str]:
    """Return the architectures that have pictures, in the order of the leaderboard."""
    ranks = {row["arch"]: rank for rank, row in enumerate(_read(LEADERBOARD) or [])}
    names = [file.parent.name for file in PLOTS.glob("*/confusion.png")]
    return sorted(names, key=lambda name: (ranks.get(name, 999), name))


def pictures(architecture: str | None) -> str:
    """Return the pictures of an architecture, the confusion matrix first."""
    if architecture not in with_pictures():  # prevents reading of other folders
        return ""
    figures = []
    for name, caption in PICTURES.items():
        file = PLOTS / architecture / f"{name}.png"
        if file.is_file():
            described = f"{caption} ({architecture})"
            figures.append(
                f'<figure class="{name}"><figcaption>{escape(caption)}</figcaption>'
                f'<div class="wide">{picture(file.read_bytes(), described)}</div></figure>'
            )
    return f'<section class="figures">{"".join(figures)}</section>'
