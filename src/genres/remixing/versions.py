"""The versions of a song that an experiment on doses asks about, and their spectrograms."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from genres.audio.decode import AudioError, load
from genres.audio.format import Format
from genres.audio.mel import of_blocks
from genres.core.console import UserError
from genres.remixing.remix import CONTROLS, INGREDIENTS, Remixer


class Version(NamedTuple):
    """Doses of a remix, in the order of `INGREDIENTS`, and the control in place of its drums, if any."""

    doses: tuple[float, ...]
    control: str = ""


ORIGINAL = Version((0.0,) * len(INGREDIENTS))


def alone(ingredient: str, dose: float, control: str = "") -> Version:
    """Return the version with a single ingredient."""
    return Version(tuple(dose if name == ingredient else 0.0 for name in INGREDIENTS), control)


def together(dose: float) -> Version:
    """Return the version with the same dose of all ingredients."""
    return Version((dose,) * len(INGREDIENTS))


def full_sets() -> list[Version]:
    """Return all sets of ingredients at dose 1; bit i of the place in the list tells whether ingredient i is in it."""
    return [Version(doses[::-1]) for doses in product((0.0, 1.0), repeat=len(INGREDIENTS))]


def lines(doses: Sequence[float]) -> dict[str, list[Version]]:
    """Return the versions of each curve over the dose: each ingredient alone, all of them, and the controls.

    The first version of a curve is the song itself. The controls have but one dose more, 1.
    """
    curves = {name: [ORIGINAL, *(alone(name, dose) for dose in doses)] for name in INGREDIENTS}
    curves["all"] = [ORIGINAL, *map(together, doses)]
    return curves | {control: [ORIGINAL, alone("drums", 1.0, control)] for control in CONTROLS}


def plan(doses: Sequence[float]) -> list[Version]:
    """Return all versions, each once, the song itself first."""
    return list(dict.fromkeys([*(version for line in lines(doses).values() for version in line), *full_sets()]))


def spectrograms(
    song: Path, style: str, seed: int, versions: Sequence[Version], forms: Sequence[Format]
) -> list[list[np.ndarray]] | str:
    """Render the versions of a song and compute their spectrograms.

    Parameters
    ----------
    song : Path
    style : str
        One of `STYLES`.
    seed : int
        Seed of the rendering.
    versions : sequence of Version
    forms : sequence of Format
        Formats of the spectrograms. The song is decoded and rendered at their highest sample rate.

    Returns
    -------
    list or str
        Of each version the spectrograms of all formats, uint8 [shape=(frames, n_mels)]; or why the song cannot be
        remixed.
    """
    rate = max(form.sample_rate for form in forms)
    try:
        remixer = Remixer(load(song, rate), rate, style, seed)
        rendered = (
            remixer.render(dict(zip(INGREDIENTS, version.doses, strict=True)), version.control or None)
            for version in versions
        )
        return [[spectrogram_at(samples, rate, form) for form in forms] for samples in rendered]
    except (AudioError, UserError) as error:
        return str(error)


def spectrogram_at(samples: np.ndarray, rate: int, form: Format) -> np.ndarray:
    """Compute the spectrogram of mono samples at another rate than the format's: uint8 [shape=(frames, n_mels)]."""
    if rate != form.sample_rate:
        samples = soxr.resample(samples, rate, form.sample_rate, "HQ")
    return of_blocks([samples], form)
