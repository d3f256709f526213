"""Figure of added genres: recall of the old genres, and earlier predictions for songs of the new genres."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from genres.core.text import display_name, is_known, percent
from genres.figures.differences import forest
from genres.figures.style import HEAT, Row, canvas, on_heat, styled


@styled
def added_genres(
    rows: Sequence[Row], went: pd.DataFrame, recall: Mapping[str, float], *, title: str, note: str
) -> Figure:
    """Draw the change of each old genre's recall, and below it the old genres predicted for songs of the new ones.

    Parameters
    ----------
    rows : list of dict
        Rows from `genres.experiments.added_genres.changes`.
    went : pd.DataFrame
        Shares of each new genre's tracks by the old genre predicted for them: new genres by old genres.
    recall : dict
        Recall of the new genres in the experiment that has them.
    title, note : str
        Heading; data set, split and caveats.
    """
    upper_height, lower_height = 0.9 + 0.34 * len(rows), 1.5 + 0.42 * len(went)
    figure = canvas(8.8, upper_height + lower_height, title, note)
    upper, lower = figure.subplots(2, 1, height_ratios=[upper_height, lower_height])
    changes = [
        (
            f"{display_name(row['genre'])} ({row['tracks']})",
            row["change"],
            row["change_ci95_low"],
            row["change_ci95_high"],
            f"{100 * row['before']:.0f} → {percent(row['after'])}, {percent(row['to_new'])} to new",
        )
        for row in rows
    ]
    forest(upper, changes)
    upper.set_title("Old genres (test tracks): change of the recall, 95 % interval")
    upper.set_xlabel("percentage points")
    shares = went.to_numpy()
    lower.imshow(shares, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        lower.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=on_heat(share), gid="share")
    lower.set_xticks(range(went.shape[1]), [display_name(name) for name in went.columns], rotation=30, ha="right")
    now = [f", recall now {percent(recall[name])}" if is_known(recall.get(name)) else "" for name in went.index]
    lower.set_yticks(
        range(len(went)), [f"{display_name(name)}{text}" for name, text in zip(went.index, now, strict=True)]
    )
    lower.tick_params(length=0)
    lower.grid(False)
    lower.spines[:].set_visible(False)
    lower.set_title("New genres: what their songs were taken for before, in %")
    return figure
