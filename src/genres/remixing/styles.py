"""Styles that a song can be remixed to: those of the demo that have drums, and house."""

from dataclasses import replace

from genres.sources.demo.styles import MACHINE_FILLS, STYLES, Layer, Style

# Four on the floor, open hi-hats and bass between the kicks. It is no style of the demo, whose songs stay as they are.
HOUSE = replace(
    STYLES["disco"],
    tempo=(120, 128),
    kits=("club", "machine"),
    grooves=(
        {
            "kick": "X...X...X...X...",
            "clap": "....X.......X...",
            "open hat": "..X...X...X...X.",
            "shaker": "x.xxx.xxx.xxx.xx",
        },
        {
            "kick": "X...X...X...X...",
            "snare": "....x.......x..o",
            "hat": "x.x.x.x.x.x.x.x.",
            "open hat": "..x...x...x...x.",
        },
    ),
    fills=MACHINE_FILLS,
    bass=Layer(
        ("synth bass", "square bass", "sub bass"), ("..1...1...1...1.", "..11..11..11..11", "..1-..1-..1-..5-"), 38
    ),
    pumping=0.7,
    looseness_s=0.002,
)

REMIX_STYLES: dict[str, Style] = {
    **{name: style for name, style in STYLES.items() if any(style.grooves)},
    "house": HOUSE,
    "electronic": HOUSE,
}


def middle_tempo(style: Style) -> float:
    """Return the tempo that a remix is stretched towards: the geometric mean of the style's slowest and fastest."""
    slow, fast = style.tempo
    return float((slow * fast) ** 0.5)


# Mean spectrum of 24 songs of each style (:func:`genres.remixing.equaliser.spectrum`), by
# `python -m benchmarks.remix_spectra`.
SPECTRA = {
    "blues": (-7.1, 4.1, 5.0, 4.3, 2.3, -0.3, -2.2, -2.4, -3.7),
    "brazilian_funk": (6.1, 8.5, 4.8, 4.6, -0.1, -5.1, -5.0, -6.2, -7.6),
    "country": (-14.2, 1.0, 3.8, 5.0, 3.1, 1.2, 0.8, -0.4, -0.3),
    "disco": (-11.0, 3.9, 4.1, 4.2, 3.5, 1.4, 0.9, -2.7, -4.4),
    "hiphop": (5.4, 8.8, 5.1, 5.2, 0.4, -4.3, -8.1, -6.2, -6.2),
    "metal": (-5.7, 4.1, 3.0, 2.3, 1.2, 1.6, 1.0, -2.1, -5.3),
    "pop": (-0.2, 4.6, 0.8, 2.3, 4.7, 0.4, -0.4, -3.9, -8.3),
    "rap": (4.8, 6.1, 2.3, 3.8, 3.1, -3.2, -4.6, -6.0, -6.4),
    "reggae": (-2.7, 5.0, 3.4, 4.0, 2.8, 1.5, -1.1, -4.3, -8.6),
    "rock": (-11.1, 2.8, 3.3, 4.7, 4.7, 1.9, 0.8, -2.8, -4.2),
    "house": (5.9, 8.4, 2.9, 0.5, 2.1, -2.1, -4.2, -6.1, -7.4),
}
SPECTRA["electronic"] = SPECTRA["house"]
