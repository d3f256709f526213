"""The tab of two versions of a song: their genres compared; the second one may be a remix that the page makes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.core.text import display_name
from genres.page import examples, pictures, remixing
from genres.page.listening import Networks, Prediction, complaint
from genres.page.parts import BUSY, NO_MODEL, QUIET, Song, examples_row, nothing_yet, predicted, uploaded
from genres.remixing.remix import INGREDIENTS, STYLES

NO_FIRST = "Upload a first version, or choose one of the examples; its remix becomes the second version."


def tab(networks: Networks, network: gr.Dropdown, page: gr.Blocks) -> None:
    """Add the tab to the page."""
    songs = [gr.State(None), gr.State(None)]
    hint = "Upload two versions of a song to compare their genres."
    with gr.Row():
        uploads = [
            gr.File(label=label, type="filepath", height=120, min_width=260, elem_id=name)
            for label, name in (("First version", "before"), ("Second version", "after"))
        ]
    buttons = examples_row(
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
    answer = gr.HTML(nothing_yet(hint), elem_id="comparison", js_on_load=None)

    def compare(
        before: Song | None, after: Song | None, architecture: str | None
    ) -> tuple[Song | None, Song | None, str]:
        if before is None and after is None:
            return None, None, nothing_yet(hint)
        predictions = [predicted(networks, song, architecture) if song else None for song in (before, after)]
        errors = "".join(error for error in predictions if isinstance(error, str))
        first, second = predictions
        if before is None or after is None or not isinstance(first, Prediction) or not isinstance(second, Prediction):
            return before, after, errors or nothing_yet("Now upload the other version.")
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
    both[number] = uploaded(file)
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
