"""What several tabs of the page share: songs, events, examples, predictions with their errors."""

from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.page import pictures
from genres.page.listening import Networks, Prediction, complaint

NO_MODEL = (
    "There is no trained model yet. Run `make repro` in the project's folder (some minutes), then reload this page."
)

# No event has an entry in a public API. Events that predict show progress in the place of their result and run one
# after the other: of two songs uploaded at once, the second event must see the first song in the visitor's session.
# Quick events skip the queue, where a result that joins just as another leaves may never reach the browser.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
BUSY: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "full",
    "concurrency_id": "listening",
    "concurrency_limit": 1,
}


class Song(NamedTuple):
    """Song that a visitor has chosen."""

    file: Path
    name: str


def examples_row(label: str, choices: list[tuple[str, Any]], name: str) -> list[tuple[gr.Button, Any]]:
    """Add a row of buttons; return each with its choice."""
    if not choices:
        return []
    gr.HTML(f'<p class="by">{label}</p>', js_on_load=None)
    with gr.Row(elem_id=name, elem_classes="examples"):
        return [(gr.Button(text, size="sm", min_width=80), choice) for text, choice in choices]


def uploaded(file: str | None, name: str | None = None) -> Song | None:
    """Return an uploaded song; None if the visitor took it away."""
    return None if file is None else Song(Path(file), name or Path(file).name)


def predicted(networks: Networks, song: Song, architecture: str | None) -> Prediction | str:
    """Return the prediction, or an error message as HTML."""
    # No architecture is set if the page has not loaded its list yet, or if the first model was trained since.
    architecture = architecture or next(iter(networks.names()), None)
    if architecture is None:
        return pictures.message(NO_MODEL, "hint")
    try:
        return networks.predict(song.file, architecture)
    except (AudioError, UserError) as error:
        return pictures.message(complaint(song.name, error))


def nothing_yet(text: str) -> str:
    """Return the HTML of a place where something will appear."""
    return f'<p class="nothing">{text}</p>'
