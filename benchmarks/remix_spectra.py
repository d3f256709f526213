"""Measure the mean spectrum of each style that a song can be remixed to, on songs of the demo's synthesis.

    python -m benchmarks.remix_spectra

It prints the table SPECTRA of src/genres/remixing/styles.py, whose numbers are those of 24 songs.
"""

import argparse
from unittest import mock

import numpy as np

from genres.core.console import command
from genres.remixing.equaliser import spectrum
from genres.remixing.styles import REMIX_STYLES
from genres.sources.demo.composition import compose
from genres.sources.demo.mixing import render
from genres.sources.demo.styles import STYLES

SECONDS = 12.0


@command
def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remix_spectra", description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=24, help="songs of each style, each by another artist")
    arguments = parser.parse_args()
    with mock.patch.dict(STYLES, REMIX_STYLES):  # house is no style of the demo
        for style in REMIX_STYLES:
            songs = (render(compose(0, style, artist, 0, SECONDS), SECONDS) for artist in range(arguments.songs))
            levels = np.mean([spectrum(song) for song in songs], axis=0)
            print(f'    "{style}": ({", ".join(f"{level:.1f}" for level in levels)}),')


if __name__ == "__main__":
    main()
