"""Remixes on the page: a song with ingredients of another style, and the dose at which its genre tips over."""

import math
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from genres.audio.decode import load_channels
from genres.core.text import display_name
from genres.page.listening import Networks
from genres.remixing.remix import STYLES, Remixer
from genres.stats.interventions import first_dose, margins

SEED = 1
MOST_SECONDS = 360  # the song is held in memory in several forms
STEPS = 5  # doses of the curve
_BISECTIONS = 3  # between two of its doses: to 1/40

FIRST_STYLE = "brazilian_funk" if "brazilian_funk" in STYLES else STYLES[0]


class Curve(NamedTuple):
    """The probabilities of two genres over the dose, and the dose at which one takes over."""

    doses: list[float]  # rising
    before: str  # the likeliest genre of the song itself
    target: str
    shares: list[tuple[float, float]]  # of both at each dose
    tips_at: float  # infinity: at no dose

    @property
    def headline(self) -> str:
        """The finding as a sentence."""
        if self.before == self.target:
            return f"{display_name(self.target)} without a remix already"
        if math.isinf(self.tips_at):
            return f"Does not tip over to {display_name(self.target)} at any amount"
        return f"Tips over to {display_name(self.target)} at {100 * self.tips_at:.0f} %"


@lru_cache(maxsize=1)  # of the song that is tried at several doses
def _remixer(song: Path, style: str) -> Remixer:
    samples, rate = load_channels(song, MOST_SECONDS)
    return Remixer(samples.T, rate, style, SEED)


def make(song: Path, style: str, amount: float, ingredients: Sequence[str]) -> Path:
    """Write the remix of a song as a file of its own, in a folder that nobody can guess.

    Parameters
    ----------
    song : Path
    style : str
    amount : float
        Dose of the ingredients, 0 to 1.
    ingredients : sequence of str

    Raises
    ------
    AudioError, UserError
        If the song cannot be used, or is too long or has no steady beat to remix.
    """
    remixer = _remixer(song, style)
    samples = remixer.render(dict.fromkeys(ingredients, amount))
    file = Path(tempfile.mkdtemp(dir=os.environ.get("GRADIO_TEMP_DIR"))) / "remix.wav"
    soundfile.write(file, samples, remixer.rate, subtype="PCM_16")
    return file


def tipping(networks: Networks, song: Path, architecture: str, style: str, ingredients: Sequence[str]) -> Curve:
    """Find the dose at which a song tips over to the genre of the style.

    For a network that does not know the style as a genre it is the likeliest genre of the whole remix.

    Raises
    ------
    AudioError, UserError
        As :func:`make`.
    """
    remixer = _remixer(song, style)

    def ask(dose: float) -> np.ndarray:
        samples = remixer.render(dict.fromkeys(ingredients, dose)).mean(axis=1)
        return networks.shares(samples, remixer.rate, architecture)

    names = networks.genres(architecture)
    doses = [step / STEPS for step in range(STEPS + 1)]
    found = {dose: ask(dose) for dose in doses}
    before = int(found[0.0].argmax())
    target = names.index(style) if style in names else int(found[1.0].argmax())
    effects = [float(margins(found[dose], target)) for dose in doses]
    tips_at = first_dose(doses, effects, 0.0)
    if 0 < tips_at < math.inf:
        high = next(dose for dose, effect in zip(doses, effects, strict=True) if effect >= 0)
        low = high - 1 / STEPS
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            found[middle] = ask(middle)
            low, high = (low, middle) if margins(found[middle], target) >= 0 else (middle, high)
        tips_at = high
    asked = sorted(found)
    shares = [(float(found[dose][before]), float(found[dose][target])) for dose in asked]
    return Curve(asked, names[before], names[target], shares, tips_at)
