"""Layout and events of the page. Uploads are visible only in the session of their visitor."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.core.text import display_name
from genres.page import examples, pictures, results, versions
from genres.page.listening import MOST_MEGABYTES, MOST_MINUTES, Networks, complaint
from genres.page.parts import BUSY, NO_MODEL, QUIET, Song, examples_row, nothing_yet, predicted, uploaded
from genres.page.reviewing import Desk

SONG_HINT = "The genres of the song over time appear here."
TITLE = "Which genre is it?"
LIMITS = f"any common audio format; up to {MOST_MINUTES} minutes and {MOST_MEGABYTES} MB"


def build(networks: Networks, architecture: str | None, delete_after_s: int, desk: Desk | None = None) -> gr.Blocks:
    """Build the page.

    Parameters
    ----------
    networks : Networks
        Loaded networks, shared by all visitors.
    architecture : str or None
        Architecture that is selected first; None for the best.
    delete_after_s : int
        Age in seconds at which uploads are deleted.
    desk : Desk or None
        Adds the tab that reviews labels, in front.
    """
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(min(60, delete_after_s), delete_after_s)
    ) as page:
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML(
                f"<h1>{TITLE}</h1><p>Songs are processed on the server of this page and sent nowhere else.</p>",
                js_on_load=None,
            )
            network = gr.Dropdown(label="network", choices=[], interactive=True, elem_id="network", min_width=220)
        notice = gr.HTML(elem_id="notice", visible=False, js_on_load=None)
        with gr.Tabs(elem_id="tabs"):
            if desk:
                with gr.Tab("Review", id="review"):
                    _review_tab(page, desk)
            with gr.Tab("A song", id="song"):
                open_with_song = _song_tab(networks, network)
            with gr.Tab("Two versions", id="versions"):
                versions.tab(networks, network, page)
            with gr.Tab("Results", id="results"):
                _results_tab(page)
        opened = page.load(partial(_welcome, networks, architecture), outputs=[notice, network], **QUIET)
        open_with_song(opened)
    page.queue(max_size=40)
    return page


def _welcome(networks: Networks, architecture: str | None) -> tuple[Any, Any]:
    """Return the notice and the list of trained architectures, at each opening of the page."""
    names = networks.names()
    chosen = architecture if architecture in names else next(iter(names), None)
    notice = gr.HTML(pictures.message(NO_MODEL, "hint"), visible=not names)
    return notice, gr.Dropdown(choices=names, value=chosen)


def _song_tab(networks: Networks, network: gr.Dropdown) -> Callable[[Any], None]:
    """Add the tab; return a function that shows the first example after an event, unless there is a song by then."""
    song = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            upload = gr.File(label="Upload a song", type="filepath", height=132, elem_id="upload")
            gr.HTML(f'<p class="by">{LIMITS}</p>', js_on_load=None)
            with gr.Accordion("Or record one", open=False, elem_id="recorder"):
                record = gr.Audio(show_label=False, sources=["microphone"], type="filepath", elem_id="record")
            buttons = examples_row(
                "Or try one of these (synthetic music)", [(e.label, e) for e in examples.songs()], "examples"
            )
        with gr.Column(scale=3, min_width=340):
            answer = gr.HTML(nothing_yet(SONG_HINT), elem_id="answer", js_on_load=None)
            why = gr.Button("Show the saliency", variant="primary", visible=False, elem_id="why")
            saliency = gr.HTML(elem_id="evidence", js_on_load=None)

    def predict(chosen: Song | None, architecture: str | None) -> tuple[Song | None, str, Any, str]:
        hidden = gr.Button(visible=False)
        if chosen is None:
            return None, nothing_yet(SONG_HINT), hidden, ""
        prediction = predicted(networks, chosen, architecture)
        if isinstance(prediction, str):
            return None, prediction, hidden, ""
        shown_song = pictures.song(prediction, chosen.name, pictures.address(str(chosen.file)))
        question = gr.Button(f"Why {display_name(prediction.genre)}? Show the saliency", visible=True)
        return chosen, shown_song + pictures.bars(prediction), question, ""

    def explain(chosen: Song | None, architecture: str | None) -> str:
        architecture = architecture or next(iter(networks.names()), None)
        if chosen is None or architecture is None:
            return ""
        try:
            genre, png = networks.saliency(chosen.file, chosen.name, architecture)
        except (AudioError, UserError) as error:
            return pictures.message(complaint(chosen.name, error))
        return f'<div class="wide paper">{pictures.picture(png, f"occlusion saliency for {display_name(genre)}")}</div>'

    outputs = [song, answer, why, saliency]
    upload.upload(
        lambda file, name: predict(uploaded(file), name), [upload, network], outputs, show_progress_on=answer, **BUSY
    )
    upload.clear(lambda name: predict(None, name), network, outputs, **QUIET)
    record.stop_recording(
        lambda file, name: predict(uploaded(file, "recording"), name),
        [record, network],
        outputs,
        show_progress_on=answer,
        **BUSY,
    )
    network.input(predict, [song, network], outputs, show_progress_on=answer, **BUSY)
    for button, example in buttons:
        chosen = Song(example.file.resolve(), example.name)
        button.click(partial(predict, chosen), network, outputs, show_progress_on=answer, **BUSY)
    why.click(explain, [song, network], saliency, **BUSY)

    def first(present: Song | None, architecture: str | None) -> Any:
        if present is not None or not buttons or not networks.names():
            return [gr.skip()] * len(outputs)
        example = buttons[0][1]
        return predict(Song(example.file.resolve(), example.name), architecture)

    return lambda event: event.then(first, [song, network], outputs, show_progress_on=answer, **BUSY)


def _results_tab(page: gr.Blocks) -> None:
    board = gr.HTML(elem_id="board", js_on_load=None)
    which = gr.Radio(label="pictures of", choices=[], interactive=True, elem_id="which")
    drawn = gr.HTML(elem_id="pictures", js_on_load=None)

    def refresh() -> tuple[str, Any, str]:
        names = results.with_pictures()
        first = next(iter(names), None)
        choice = gr.Radio(choices=names, value=first, visible=bool(names))
        return results.leaderboard(), choice, results.pictures(first)

    page.load(refresh, outputs=[board, which, drawn], **QUIET)
    which.input(results.pictures, which, drawn, **QUIET)


# What a click says; the song is the one that the visitor saw.
_ON_REVIEW = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (!button) return;
  const track_id = button.closest('.review').dataset.track ?? '';
  trigger('click', { action: button.dataset.action, genre: button.dataset.genre, track_id });
});"""


def _review_tab(page: gr.Blocks, desk: Desk) -> None:
    shown = gr.HTML(elem_id="review", js_on_load=_ON_REVIEW)

    def act(said: gr.EventData) -> str:
        return desk.act(str(said.action), str(said.track_id), str(said.genre))

    page.load(desk.show, outputs=shown, **QUIET)
    shown.click(act, outputs=shown, **QUIET)
