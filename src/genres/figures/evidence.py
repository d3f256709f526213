"""Figures of occlusion saliency: parts of a spectrogram that raise or lower a genre's probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator

from genres.audio.format import Format
from genres.core.text import display_name
from genres.figures.style import BLUE, GREY, VERMILION, canvas, styled

# Ticks of the frequency axis in Hz; those outside of the format's bands are left out.
TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)

# Opacity of the strongest saliency; the spectrogram must stay visible below it.
OPACITY = 0.72


@dataclass(frozen=True)
class Part:
    """Window of a song with its saliency."""

    name: str
    window: np.ndarray  # uint8 [shape=(frames, n_mels)]
    saliency: np.ndarray  # [shape=(frames, n_mels)]
    start_s: float = 0.0


@styled
def saliency_maps(parts: Sequence[Part], form: Format, genre: str, *, title: str, note: str) -> Figure:
    """Draw spectrograms in grey with the saliency for a genre in red and against it in blue, on one scale.

    Beside each spectrogram stands the mean saliency of each band.

    Parameters
    ----------
    parts : sequence of Part
        Windows, drawn one below the other.
    form : Format
        Format of the spectrograms.
    genre : str
        Genre that the saliency is for.
    title, note : str
        Heading; data set, split and caveats.
    """
    figure = canvas(9.2, 0.75 + 2.75 * len(parts), title, note)
    rows = figure.subplots(len(parts), 2, width_ratios=[6.6, 1.5], squeeze=False)
    strongest = max(float(np.abs(part.saliency).max()) for part in parts) or 1.0
    widest = max(float(np.abs(part.saliency.mean(axis=0)).max()) for part in parts) or 1.0
    for part, (axes, beside) in zip(parts, rows, strict=True):
        _over_spectrogram(axes, part, form, strongest)
        _by_frequency(beside, part.saliency, widest)
        axes.set_title(part.name)
    rows[0, 1].set_title("by frequency")
    rows[-1, 0].set_xlabel("seconds")
    rows[-1, 1].set_xlabel("log-odds")
    for axes in rows[:-1, 1]:
        axes.tick_params(labelbottom=False)
    handles = [
        Patch(color=VERMILION, label=f"speaks for {display_name(genre)}: it gets less likely where this is covered"),
        Patch(color=BLUE, label="against it"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _over_spectrogram(axes: Axes, part: Part, form: Format, strongest: float) -> None:
    frames, n_mels = part.window.shape
    extent = (part.start_s, part.start_s + frames / form.frame_rate, -0.5, n_mels - 0.5)
    place: dict[str, Any] = {"origin": "lower", "aspect": "auto", "extent": extent}
    axes.imshow(part.window.T, cmap="Greys", vmin=0, vmax=400, gid="spectrogram", **place)
    colours = np.empty((n_mels, frames, 4))
    colours[..., :3] = np.where(part.saliency.T[..., np.newaxis] > 0, to_rgb(VERMILION), to_rgb(BLUE))
    colours[..., 3] = OPACITY * (np.abs(part.saliency.T) / strongest) ** 0.8
    axes.imshow(colours, interpolation="bilinear", gid="evidence", **place)
    centres = form.band_centres()
    ticks = [hz for hz in TICKS if centres[0] <= hz <= centres[-1]]
    axes.set_yticks(np.interp(ticks, centres, np.arange(n_mels)), [_hertz(hz) for hz in ticks])
    axes.grid(visible=False)


def _hertz(hz: int) -> str:
    return f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz"


def _by_frequency(axes: Axes, saliency: np.ndarray, widest: float) -> None:
    """Draw the mean saliency of each band over the window."""
    bands, mean = np.arange(saliency.shape[1]), saliency.mean(axis=0)
    for chosen, colour in ((mean > 0, VERMILION), (mean <= 0, BLUE)):
        axes.fill_betweenx(bands, 0, np.where(chosen, mean, 0), step="mid", color=colour, alpha=OPACITY, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-1.05 * widest, 1.05 * widest)
    axes.set_ylim(-0.5, len(bands) - 0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(_three_ticks(widest))
    axes.grid(visible=False)


def _three_ticks(widest: float) -> FixedLocator:
    digit = 10 ** np.floor(np.log10(0.9 * widest))
    round_number = float(np.floor(0.9 * widest / digit) * digit)
    return FixedLocator([-round_number, 0, round_number])
