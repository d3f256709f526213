"""Figure of predictions over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from genres.core.text import display_name, percent
from genres.figures.style import GREY, HEAT, VERMILION, canvas, styled

MOST_SONGS = 20
_SHOWN_GENRES = 6


@styled
def timelines(answers: Sequence[dict[str, Any]], *, title: str, note: str) -> Figure:
    """Draw a panel for each of at most 20 songs: its most probable genres as rows, shaded by probability over time.

    Parameters
    ----------
    answers : list of dict
        Predictions from genres.inference.answer.predict.
    title, note : str
        Heading; model.
    """
    answers = answers[:MOST_SONGS]
    rows = min(_SHOWN_GENRES, len(answers[0]["probabilities"]))
    figure = canvas(8.0, (0.75 + 0.24 * rows) * len(answers), title, note)
    for axes, answer in zip(figure.subplots(len(answers), squeeze=False)[:, 0], answers, strict=True):
        mean, windows = answer["probabilities"], answer["timeline"]
        genres = sorted(mean, key=lambda genre: -mean[genre])[:rows]
        edges = np.array([window["start_s"] for window in windows] + [windows[-1]["end_s"]])
        shares = np.array([[window["probabilities"][genre] for window in windows] for genre in genres])
        axes.pcolormesh(edges, np.arange(rows + 1), shares, cmap=HEAT, vmin=0, vmax=1)
        axes.set_yticks(np.arange(rows) + 0.5, [f"{display_name(genre)}, {percent(mean[genre])}" for genre in genres])
        axes.invert_yaxis()
        axes.grid(False)
        name = answer["file"].replace("\\", "/").rsplit("/", 1)[-1]
        colour = VERMILION if answer["warning"] else GREY
        warning = ": unlike training, none of these?" if answer["warning"] else ""
        axes.set_title(f"{name}{warning}", color=colour, gid="song")
        axes.set_xlabel("seconds")
    return figure
