"""Occlusion saliency: which parts of a song's spectrogram a prediction rests on, measured by covering them.

    genres saliency SONG --plot FILE.png [--genre GENRE] [--model ARCHITECTURE]
    genres saliency REMIX --original ORIGINAL --plot FILE.png

A patch of the spectrogram is covered; its saliency is the drop of the genre's log-odds (Zeiler and Fergus, "Visualizing
and Understanding Convolutional Networks", ECCV 2014). It needs forward passes only, so it works for every architecture
and backend. :func:`deletion` tests it.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from genres.audio.decode import AudioError
from genres.audio.format import Format
from genres.core.console import UserError, command, print_table
from genres.inference.classifier import Classifier, choose_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from genres.figures.evidence import Part

# Cells of a window in time and frequency; a patch covers 2 x 2 of them, and patches overlap by half. With 12 x 12 cells
# of a clip of 3 s each is 0.25 s by 11 bands: finer ones need more passes and mark less of what a network needs.
GRID = (12, 12)

# Limits of probabilities before the log-odds: float32 is exact near 0, but rounds near 1.
_LEAST, _MOST = 1e-12, 1e-6

# Frequency ranges of the table: name, from, to (Hz).
REGIONS = (("below 250 Hz", 0, 250), ("250 Hz to 2 kHz", 250, 2000), ("above 2 kHz", 2000, np.inf))

# Number of steps of the deletion test, each covering one part more.
STEPS = 24


class Predicts(Protocol):
    """The part of :class:`genres.inference.classifier.Classifier` that saliency needs."""

    genres: list[str]

    def probabilities(self, windows: Iterable[np.ndarray]) -> np.ndarray: ...


def occlusion_saliency(classifier: Predicts, window: np.ndarray, genre: str) -> np.ndarray:
    """Compute the occlusion saliency of a window for a genre.

    Parameters
    ----------
    classifier : Classifier
        Classifier, or any object with `genres` and `probabilities`.
    window : np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Window as the classifier takes it.
    genre : str
        Genre of the classifier.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float64]
        Drop of the genre's log-odds when a patch around the place is covered: above 0 the place supports the genre,
        below 0 it contradicts it.

    Raises
    ------
    ValueError
        If the classifier does not have the genre.
    """
    if genre not in classifier.genres:
        raise ValueError(f"genre must be one of {', '.join(classifier.genres)}; received {genre}")
    column = classifier.genres.index(genre)
    time, band = distances(window.shape)
    inside = (time < 1)[:, np.newaxis, :, np.newaxis] & (band < 1)[np.newaxis, :, np.newaxis, :]
    covered = np.where(inside.reshape(-1, *window.shape), filling(window), window)
    log_odds = _log_odds(classifier.probabilities(np.concatenate([window[np.newaxis], covered]))[:, column])
    drop = (log_odds[0] - log_odds[1:]).reshape(len(time), len(band))
    # Linear interpolation between the centres of the patches, in both directions.
    return (1 - time).clip(min=0).T @ drop @ (1 - band).clip(min=0)


def distances(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the distance of each place from the centre of each patch, in cells, along time and along the bands.

    A patch covers places less than a cell from its centre, so 2 x 2 cells. The first and the last patch of an axis are
    centred on the edge.

    Returns
    -------
    list of two np.ndarray [shape=(cells + 1, length)]
    """
    return [
        np.abs((np.arange(length) + 0.5) * cells / length - np.arange(cells + 1)[:, np.newaxis])
        for length, cells in zip(shape, GRID, strict=True)
    ]


def filling(window: np.ndarray) -> np.ndarray:
    """Return the filling of covered places, the window's mean level: uint8 [same shape].

    Of four fillings (silence, the mean of the window, the mean of each band, each band's tenth percentile) its saliency
    does best when the deletion test covers with the others: see docs/remix.md. Silence is worst: no training clip has
    a gap in the middle of a song, so predictions for one mean little.
    """
    return np.full_like(window, round(float(window.mean())))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    inside = probabilities.clip(_LEAST, 1 - _MOST)
    return np.log(inside) - np.log1p(-inside)


class Deletion(NamedTuple):
    """Result of the deletion test: probability of a genre while more and more of the window is covered."""

    share: np.ndarray  # [shape=(STEPS + 1,)] covered share of the window, 0 to 1
    marked: np.ndarray  # same shape: highest saliency covered first
    random: np.ndarray  # same shape: cells covered in random order, mean of several orders

    @property
    def gain(self) -> float:
        """Mean over the shares of the probability with random cells minus that with the marked ones."""
        return float(np.mean(self.random - self.marked))


def deletion(
    classifier: Predicts,
    window: np.ndarray,
    genre: str,
    saliency: np.ndarray,
    seed: int = 0,
    orders: int = 5,
    fill: Callable[[np.ndarray], np.ndarray] = filling,
) -> Deletion:
    """Test saliency by covering what it marks: the genre's probability must fall faster than with random cells.

    After the deletion metric of Petsiuk, Das and Saenko, "RISE", BMVC 2018. Random cells are those of the saliency's
    grid: scattered single places would lower the probability less, and make the test too easy.

    Parameters
    ----------
    classifier, window, genre
        As in :func:`occlusion_saliency`.
    saliency : np.ndarray [shape=(frames, n_mels)]
        Saliency to test.
    seed : int
        Seed of the random orders.
    orders : int
        Number of random orders.
    fill : callable
        Function from a window to the values that cover it, of the same shape.
    """
    rng = np.random.default_rng(seed)
    time, band = (np.arange(n) * cells // n for n, cells in zip(window.shape, GRID, strict=True))
    fields = [saliency, *(rng.random(GRID)[np.ix_(time, band)] for _ in range(orders))]
    covered = np.concatenate([_deleted(window, field, fill(window)) for field in fields])
    column = classifier.genres.index(genre)
    curves = classifier.probabilities(covered)[:, column].reshape(len(fields), STEPS + 1)
    return Deletion(np.linspace(0, 1, STEPS + 1), curves[0], curves[1:].mean(axis=0))


def _deleted(window: np.ndarray, field: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Cover more and more of the window, highest `field` first: uint8 [shape=(STEPS + 1, frames, n_mels)]."""
    rank = np.empty(window.size, dtype=int)
    rank[np.argsort(-field.ravel(), kind="stable")] = np.arange(window.size)
    shares = np.linspace(0, 1, STEPS + 1)[:, np.newaxis]
    return np.where(rank < shares * window.size, cover.ravel(), window.ravel()).reshape(-1, *window.shape)


def by_region(saliency: np.ndarray, form: Format) -> dict[str, float]:
    """Return the share of the positive saliency in each frequency range; they sum to 1, or all are 0."""
    centres, positive = form.band_centres(), saliency.clip(min=0).sum(axis=0)
    regions = {name: float(positive[(centres >= low) & (centres < high)].sum()) for name, low, high in REGIONS}
    return {name: amount / (sum(regions.values()) or 1.0) for name, amount in regions.items()}


def most_probable_window(classifier: Classifier, spectrogram: np.ndarray, genre: str, name: str) -> "Part":
    """Return the window of a song with the genre's highest probability, with its saliency, for a figure.

    Parameters
    ----------
    classifier : Classifier
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Spectrogram of the whole song.
    genre : str
    name : str
        Start of the title; time and probability are added.
    """
    from genres.figures.evidence import Part  # loads matplotlib

    timeline = classifier.timeline(spectrogram)
    of_genre = timeline.probabilities[:, classifier.genres.index(genre)]
    chosen = int(of_genre.argmax())
    start_s = float(timeline.start_s[chosen])
    window = window_at(classifier, spectrogram, start_s)
    place = f"{start_s:.0f} to {start_s + classifier.window_s:.0f} s"
    name = f"{name}, {place}: {100 * of_genre[chosen]:.0f} % {genre.replace('_', ' ')}"
    return Part(name, window, occlusion_saliency(classifier, window, genre), start_s)


def window_at(classifier: Classifier, spectrogram: np.ndarray, start_s: float) -> np.ndarray:
    """Cut the window that starts at `start_s`, or at the latest possible start: uint8 [shape=(frames, n_mels)]."""
    rule, form = classifier.windowing, classifier.format
    return rule.cut(spectrogram, rule.start(spectrogram, start_s, form), form)


def draw_parts(parts: Sequence["Part"], form: Format, genre: str, *, title: str, note: str) -> "Figure":
    """Draw windows with their saliency below each other, on one scale.

    Parameters
    ----------
    parts : sequence of Part
        Windows with their saliency: see :func:`most_probable_window`.
    form : Format
        Format of the classifier's spectrograms.
    genre : str
    title, note : str
        Title, and note on data set, split and caveats.
    """
    from genres.figures import evidence as figures

    return figures.saliency_maps(parts, form, genre, title=title, note=note)


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres saliency", description=__doc__.splitlines()[0])
    parser.add_argument("song", type=Path, help="an audio file")
    parser.add_argument(
        "--genre",
        help="genre to explain (default: the most probable; with --original the one whose probability rises most)",
    )
    parser.add_argument("--original", type=Path, metavar="SONG", help="another version, drawn above")
    parser.add_argument("--model", metavar="ARCHITECTURE", help="or a model file (default: that of `genres predict`)")
    parser.add_argument("--plot", type=Path, required=True, metavar="FILE", help="figure to write, a .png")
    arguments = parser.parse_args(argv)
    from genres.core.text import dataset_note
    from genres.figures.style import save

    if arguments.plot.suffix.lower() != ".png":
        raise UserError(
            f"--plot: {arguments.plot}: only PNG is supported; use {arguments.plot.with_suffix('.png').name}"
        )
    classifier = Classifier(choose_model(arguments.model))
    if arguments.genre not in (None, *classifier.genres):
        raise UserError(f"--genre: '{arguments.genre}' is none of {', '.join(classifier.genres)}")
    files = [path for path in (arguments.original, arguments.song) if path]
    spectrograms = [load_spectrogram(classifier, path) for path in files]
    genre = arguments.genre or default_genre(classifier, spectrograms)
    parts = [
        most_probable_window(classifier, each, genre, path.name) for path, each in zip(files, spectrograms, strict=True)
    ]
    name = genre.replace("_", " ")
    card = classifier.card
    figure = draw_parts(
        parts,
        classifier.format,
        genre,
        title=f"Occlusion saliency of {card['architecture']} for {name}",
        note=f"trained on {dataset_note(card['dataset'], card['protocol'])}; the window most probably {name}",
    )
    save(figure, arguments.plot)
    show(classifier, parts, genre)


def load_spectrogram(classifier: Classifier, song: Path) -> np.ndarray:
    """Compute the song's spectrogram; raise UserError if the file cannot be used."""
    try:
        return classifier.spectrogram(song)
    except AudioError as error:
        raise UserError(f"{song}: {error}") from None


def default_genre(classifier: Classifier, spectrograms: Sequence[np.ndarray]) -> str:
    """Return the most probable genre of a song; of two songs, the one whose probability rises most from the first."""
    wholes = [classifier.timeline(each).mean() for each in spectrograms]
    before = wholes[0] if len(wholes) > 1 else 0
    risen = dict(zip(classifier.genres, wholes[-1] - before, strict=True))
    return max(classifier.candidates, key=lambda genre: risen[genre])


def show(classifier: Classifier, parts: Sequence["Part"], genre: str) -> None:
    """Print the saliency by frequency range, and the result of the deletion test."""
    rows = []
    for part in parts:
        tested = deletion(classifier, part.window, genre, part.saliency)
        shares = by_region(part.saliency, classifier.format)
        rows.append([part.name, *(f"{share:.0%}" for share in shares.values()), f"{100 * tested.gain:.1f}"])
    print_table(
        f"Saliency for {genre}: its share by frequency; and how much lower the genre's probability is, in percentage "
        "points, on average over the covered shares, when it is covered first instead of random cells",
        ["window", *(name for name, *_ in REGIONS), "lower by"],
        rows,
    )
