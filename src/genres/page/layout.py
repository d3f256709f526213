"""How the page is laid out, and what happens where.

What a visitor has sent is in that visitor's session alone; see :func:`build`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.core.text import shown
from genres.page import examples, pictures, results
from genres.page.listening import MOST_MEGABYTES, MOST_MINUTES, Heard, Networks, complaint

TITLE = "Which genre is it?"
NO_MODEL = (
    "There is no trained model yet. Run make repro in the project's folder (some minutes), then reload this page."
)
LIMITS = f"wav, au, flac, ogg, mp3 or m4a; up to {MOST_MINUTES} minutes and {MOST_MEGABYTES} MB"


class Song(NamedTuple):
    """A song that a visitor has chosen."""

    file: Path
    name: str


def build(networks: Networks, architecture: str | None, delete_after_s: int) -> gr.Blocks:
    """Make the page.

    Parameters
    ----------
    networks : Networks
        What all visitors share.
    architecture : str or None
        The one that is chosen at first; by default the best.
    delete_after_s : int
        What visitors have sent is deleted when it is that old.
    """
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(min(60, delete_after_s), delete_after_s)
    ) as page:
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML(f"<h1>{TITLE}</h1><p>All is computed on this machine; nothing leaves it.</p>", js_on_load=None)
            network = gr.Dropdown(label="network", choices=[], interactive=True, elem_id="network", min_width=220)
        notice = gr.HTML(elem_id="notice", visible=False, js_on_load=None)
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("A song", id="song"):
                _song_tab(networks, network)
            with gr.Tab("Two versions", id="versions"):
                _versions_tab(networks, network)
            with gr.Tab("Results", id="results"):
                _results_tab(page)
        page.load(partial(_welcome, networks, architecture), outputs=[notice, network], **QUIET)
    page.queue(max_size=40)
    return page


# Of all events: no entry in a public interface. Those that listen say so where the answer will be, and come one after
# the other: of two songs that are sent at once, the second must find the first in its visitor's session.
# The quick ones stay out of the queue: an answer that joins it just when another leaves may be lost to the browser.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
BUSY: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "full",
    "concurrency_id": "listening",
    "concurrency_limit": 1,
}


def _welcome(networks: Networks, architecture: str | None) -> tuple[Any, Any]:
    """What is trained now, at each opening of the page."""
    names = networks.names()
    chosen = architecture if architecture in names else next(iter(names), None)
    notice = gr.HTML(pictures.message(NO_MODEL, "hint"), visible=not names)
    return notice, gr.Dropdown(choices=names, value=chosen)


def _song_tab(networks: Networks, network: gr.Dropdown) -> None:
    song = gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            upload = gr.File(label="Drop a song", type="filepath", height=132, elem_id="upload")
            gr.HTML(f'<p class="by">{LIMITS}</p>', js_on_load=None)
            with gr.Accordion("Or record one", open=False, elem_id="recorder"):
                record = gr.Audio(show_label=False, sources=["microphone"], type="filepath", elem_id="record")
            buttons = _examples(
                "Or try one of these (synthetic music)", [(e.label, e) for e in examples.songs()], "examples"
            )
        with gr.Column(scale=3, min_width=340):
            answer = gr.HTML(_nothing_yet("A song's genres over time will be here."), elem_id="answer", js_on_load=None)
            why = gr.Button("What speaks for it?", variant="primary", visible=False, elem_id="why")
            evidence = gr.HTML(elem_id="evidence", js_on_load=None)

    def hear(chosen: Song | None, architecture: str | None) -> tuple[Song | None, str, Any, str]:
        hidden = gr.Button(visible=False)
        if chosen is None:
            return None, _nothing_yet("A song's genres over time will be here."), hidden, ""
        heard = _heard(networks, chosen, architecture)
        if isinstance(heard, str):
            return None, heard, hidden, ""
        shown_song = pictures.song(heard, chosen.name, pictures.address(str(chosen.file)))
        question = gr.Button(f"What speaks for {shown(heard.genre)}?", visible=True)
        return chosen, shown_song + pictures.bars(heard), question, ""

    def explain(chosen: Song | None, architecture: str | None) -> str:
        architecture = architecture or next(iter(networks.names()), None)
        if chosen is None or architecture is None:
            return ""
        try:
            genre, png = networks.evidence(chosen.file, chosen.name, architecture)
        except (AudioError, UserError) as error:
            return pictures.message(complaint(chosen.name, error))
        return f'<div class="wide paper">{pictures.picture(png, f"what speaks for {shown(genre)}")}</div>'

    shows = [song, answer, why, evidence]
    upload.upload(
        lambda file, name: hear(_uploaded(file), name), [upload, network], shows, show_progress_on=answer, **BUSY
    )
    upload.clear(lambda name: hear(None, name), network, shows, **QUIET)
    record.stop_recording(
        lambda file, name: hear(_uploaded(file, "recording"), name),
        [record, network],
        shows,
        show_progress_on=answer,
        **BUSY,
    )
    network.input(hear, [song, network], shows, show_progress_on=answer, **BUSY)
    for button, example in buttons:
        button.click(
            partial(hear, Song(example.file.resolve(), example.name)), network, shows, show_progress_on=answer, **BUSY
        )
    why.click(explain, [song, network], evidence, **BUSY)


def _versions_tab(networks: Networks, network: gr.Dropdown) -> None:
    songs = [gr.State(None), gr.State(None)]
    hint = "What changed from one version to the other will be here."
    with gr.Row():
        uploads = [
            gr.File(label=label, type="filepath", height=120, min_width=260, elem_id=name)
            for label, name in (("One version", "before"), ("Another one", "after"))
        ]
    buttons = _examples(
        "Or try one of these (synthetic: a song and its remix)",
        [(pair.label, pair) for pair in examples.pairs()],
        "pairs",
    )
    answer = gr.HTML(_nothing_yet(hint), elem_id="comparison", js_on_load=None)

    def compare(
        before: Song | None, after: Song | None, architecture: str | None
    ) -> tuple[Song | None, Song | None, str]:
        if before is None and after is None:
            return None, None, _nothing_yet(hint)
        heard = [_heard(networks, song, architecture) if song else None for song in (before, after)]
        troubles = "".join(found for found in heard if isinstance(found, str))
        first, second = heard
        if before is None or after is None or not isinstance(first, Heard) or not isinstance(second, Heard):
            return before, after, troubles or _nothing_yet("Now the other version.")
        return before, after, _comparison((before, first), (after, second))

    shows = [*songs, answer]
    for number, upload in enumerate(uploads):
        sent = partial(_with_upload, compare, number)
        upload.upload(sent, [upload, *songs, network], shows, show_progress_on=answer, **BUSY)
        upload.clear(sent, [upload, *songs, network], shows, **QUIET)
    network.input(compare, [*songs, network], shows, show_progress_on=answer, **BUSY)
    for button, pair in buttons:
        before, after = (Song(example.file.resolve(), example.name) for example in (pair.before, pair.after))
        button.click(partial(compare, before, after), network, shows, show_progress_on=answer, **BUSY)


def _with_upload(
    compare: Callable[..., Any],
    number: int,
    file: str | None,
    before: Song | None,
    after: Song | None,
    name: str | None,
) -> Any:
    """Compare with one of the versions replaced by what was sent."""
    both = [before, after]
    both[number] = _uploaded(file)
    return compare(*both, name)


def _comparison(*versions: tuple[Song, Heard]) -> str:
    """Both timelines, one above the other and on one scale of time, and what changed."""
    (_, first), (_, second) = versions
    most = {genre: max(first.mean[genre], second.mean[genre]) for genre in first.genres}
    rows = sorted(most, key=lambda genre: -most[genre])[:5]
    longest_s = max(first.seconds, second.seconds)
    players = "".join(
        pictures.song(heard, song.name, pictures.address(str(song.file)), rows=rows, longest_s=longest_s)
        for song, heard in versions
    )
    return f'{pictures.difference(first, second)}<div class="versions">{players}</div>'


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


def _examples(label: str, choices: list[tuple[str, Any]], name: str) -> list[tuple[gr.Button, Any]]:
    """A row of buttons, each with what it stands for."""
    if not choices:
        return []
    gr.HTML(f'<p class="by">{label}</p>', js_on_load=None)
    with gr.Row(elem_id=name, elem_classes="examples"):
        return [(gr.Button(text, size="sm", min_width=80), choice) for text, choice in choices]


def _uploaded(file: str | None, name: str | None = None) -> Song | None:
    return None if file is None else Song(Path(file), name or Path(file).name)


def _heard(networks: Networks, song: Song, architecture: str | None) -> Heard | str:
    """What is heard, or a line on why nothing is."""
    architecture = architecture or next(iter(networks.names()), None)  # a quick visitor, or the first model came since
    if architecture is None:
        return pictures.message(NO_MODEL, "hint")
    try:
        return networks.hear(song.file, architecture)
    except (AudioError, UserError) as error:
        return pictures.message(complaint(song.name, error))


def _nothing_yet(text: str) -> str:
    return f'<p class="nothing">{text}</p>'
