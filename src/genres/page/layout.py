"""Layout and events of the page. Uploads are visible only in the session of their visitor."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.core.text import display_name
from genres.page import examples, pictures, remixing, results
from genres.page.listening import MOST_MEGABYTES, MOST_MINUTES, Networks, Prediction, complaint
from genres.page.reviewing import Desk
from genres.remixing.remix import INGREDIENTS, STYLES

SONG_HINT = "The genres of the song over time appear here."
TITLE = "Which genre is it?"
NO_FIRST = "Upload a first version, or choose one of the examples; its remix becomes the second version."
NO_MODEL = (
    "There is no trained model yet. Run `make repro` in the project's folder (some minutes), then reload this page."
)
LIMITS = f"any common audio format; up to {MOST_MINUTES} minutes and {MOST_MEGABYTES} MB"


class Song(NamedTuple):
    """Song that a visitor has chosen."""

    file: Path
    name: str


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
                _versions_tab(networks, network, page)
            with gr.Tab("Results", id="results"):
                _results_tab(page)
        opened = page.load(partial(_welcome, networks, architecture), outputs=[notice, network], **QUIET)
        open_with_song(opened)
    page.queue(max_size=40)
    return page


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
            buttons = _examples(
                "Or try one of these (synthetic music)", [(e.label, e) for e in examples.songs()], "examples"
            )
        with gr.Column(scale=3, min_width=340):
            answer = gr.HTML(_nothing_yet(SONG_HINT), elem_id="answer", js_on_load=None)
            why = gr.Button("Show the saliency", variant="primary", visible=False, elem_id="why")
            saliency = gr.HTML(elem_id="evidence", js_on_load=None)

    def predict(chosen: Song | None, architecture: str | None) -> tuple[Song | None, str, Any, str]:
        hidden = gr.Button(visible=False)
        if chosen is None:
            return None, _nothing_yet(SONG_HINT), hidden, ""
        prediction = _predict(networks, chosen, architecture)
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
        lambda file, name: predict(_uploaded(file), name), [upload, network], outputs, show_progress_on=answer, **BUSY
    )
    upload.clear(lambda name: predict(None, name), network, outputs, **QUIET)
    record.stop_recording(
        lambda file, name: predict(_uploaded(file, "recording"), name),
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


def _versions_tab(networks: Networks, network: gr.Dropdown, page: gr.Blocks) -> None:
    songs = [gr.State(None), gr.State(None)]
    hint = "Upload two versions of a song to compare their genres."
    with gr.Row():
        uploads = [
            gr.File(label=label, type="filepath", height=120, min_width=260, elem_id=name)
            for label, name in (("First version", "before"), ("Second version", "after"))
        ]
    buttons = _examples(
        "Or try one of these (synthetic: a song and its remix)",
        [(pair.label, pair) for pair in examples.pairs()],
        "pairs",
    )
    with gr.Accordion("Or make a remix of the first version", open=False, elem_id="remix"):
        with gr.Row():
            named = [(display_name(name), name) for name in STYLES]
            style = gr.Dropdown(named, value=remixing.FIRST_STYLE, label="style", elem_id="style", min_width=140)
            amount = gr.Slider(0, 100, 100, step=5, label="amount in %", elem_id="amount", min_width=180)
            chosen = gr.CheckboxGroup(
                list(INGREDIENTS),
                value=list(INGREDIENTS),
                label="ingredients",
                elem_id="ingredients",
                min_width=260,
            )
        with gr.Row():
            make = gr.Button("Make the remix", variant="primary", elem_id="make", min_width=140)
            find = gr.Button("Find the tipping point", elem_id="find", min_width=140)
        curve = gr.HTML(elem_id="curve", js_on_load=None)
    answer = gr.HTML(_nothing_yet(hint), elem_id="comparison", js_on_load=None)

    def compare(
        before: Song | None, after: Song | None, architecture: str | None
    ) -> tuple[Song | None, Song | None, str]:
        if before is None and after is None:
            return None, None, _nothing_yet(hint)
        predictions = [_predict(networks, song, architecture) if song else None for song in (before, after)]
        errors = "".join(error for error in predictions if isinstance(error, str))
        first, second = predictions
        if before is None or after is None or not isinstance(first, Prediction) or not isinstance(second, Prediction):
            return before, after, errors or _nothing_yet("Now upload the other version.")
        return before, after, _comparison((before, first), (after, second))

    def remix(
        before: Song | None, after: Song | None, architecture: str | None, *wanted: Any
    ) -> tuple[Song | None, Song | None, str]:
        if before is None:
            return before, after, pictures.message(NO_FIRST, "hint")
        name, percents, ingredients = wanted
        try:
            file = remixing.make(before.file, name, percents / 100, ingredients)
        except (AudioError, UserError) as error:
            return before, after, pictures.message(complaint(before.name, error))
        page.upload_file_set.add(str(file))  # so that it is deleted as uploads are
        remixed = f"{before.name}, remix: {percents} % {display_name(name)} ({', '.join(ingredients) or 'nothing'})"
        return compare(before, Song(file, remixed), architecture)

    def tip(before: Song | None, architecture: str | None, name: str, ingredients: list[str]) -> str:
        architecture = architecture or next(iter(networks.names()), None)
        if before is None or architecture is None:
            return pictures.message(NO_FIRST if architecture else NO_MODEL, "hint")
        try:
            return pictures.dose_curve(remixing.tipping(networks, before.file, architecture, name, ingredients))
        except (AudioError, UserError) as error:
            return pictures.message(complaint(before.name, error))

    outputs = [*songs, answer]
    make.click(remix, [*songs, network, style, amount, chosen], outputs, show_progress_on=answer, **BUSY)
    find.click(tip, [songs[0], network, style, chosen], curve, **BUSY)
    for number, upload in enumerate(uploads):
        on_upload = partial(_with_upload, compare, number)
        upload.upload(on_upload, [upload, *songs, network], outputs, show_progress_on=answer, **BUSY)
        upload.clear(on_upload, [upload, *songs, network], outputs, **QUIET)
    network.input(compare, [*songs, network], outputs, show_progress_on=answer, **BUSY)
    for button, pair in buttons:
        before, after = (Song(example.file.resolve(), example.name) for example in (pair.before, pair.after))
        button.click(partial(compare, before, after), network, outputs, show_progress_on=answer, **BUSY)


def _with_upload(
    compare: Callable[..., Any],
    number: int,
    file: str | None,
    before: Song | None,
    after: Song | None,
    name: str | None,
) -> Any:
    """Compare the versions, one of them replaced by an upload."""
    both = [before, after]
    both[number] = _uploaded(file)
    return compare(*both, name)


def _comparison(*versions: tuple[Song, Prediction]) -> str:
    """Return the change of the probabilities, and both timelines one above the other on one time scale."""
    (_, first), (_, second) = versions
    most = {genre: max(first.mean[genre], second.mean[genre]) for genre in first.genres}
    rows = sorted(most, key=lambda genre: -most[genre])[:5]
    longest_s = max(first.seconds, second.seconds)
    players = "".join(
        pictures.song(prediction, song.name, pictures.address(str(song.file)), rows=rows, longest_s=longest_s)
        for song, prediction in versions
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


def _examples(label: str, choices: list[tuple[str, Any]], name: str) -> list[tuple[gr.Button, Any]]:
    """Add a row of buttons; return each with its choice."""
    if not choices:
        return []
    gr.HTML(f'<p class="by">{label}</p>', js_on_load=None)
    with gr.Row(elem_id=name, elem_classes="examples"):
        return [(gr.Button(text, size="sm", min_width=80), choice) for text, choice in choices]


def _uploaded(file: str | None, name: str | None = None) -> Song | None:
    return None if file is None else Song(Path(file), name or Path(file).name)


def _predict(networks: Networks, song: Song, architecture: str | None) -> Prediction | str:
    """Return the prediction, or an error message as HTML."""
    # No architecture is set if the page has not loaded its list yet, or if the first model was trained since.
    architecture = architecture or next(iter(networks.names()), None)
    if architecture is None:
        return pictures.message(NO_MODEL, "hint")
    try:
        return networks.predict(song.file, architecture)
    except (AudioError, UserError) as error:
        return pictures.message(complaint(song.name, error))


def _nothing_yet(text: str) -> str:
    return f'<p class="nothing">{text}</p>'
