"""Where a network looks: what in a song speaks for a genre, found by covering parts of its spectrogram.

    genres saliency SONG --plot FILE.png [--genre GENRE] [--model ARCHITECTURE]
    genres saliency REMIX --original ORIGINAL --plot FILE.png

Only forward passes are needed, so that it works for every architecture and backend: a patch of the spectrogram is
covered, and what the genre's log-odds lose is the patch's evidence for the genre (Zeiler and Fergus, "Visualizing and
Understanding Convolutional Networks", ECCV 2014). What is marked is tested by taking it away: see :func:`deletion`.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from genres.audio.decode import AudioError
from genres.audio.format import Format
from genres.core.console import UserError, command, print_table
from genres.data import windows
from genres.inference.classifier import Classifier, choose_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from genres.figures.evidence import Part

# Cells of a window in time and in frequency; a patch covers 2 x 2 of them, and patches overlap by half. 12 x 12 cells
# of a clip of 3 s are 0.25 s by 11 bands each: finer ones take more passes and mark less of what a network needs.
GRID = (12, 12)

# Probabilities nearer to 0, or to 1, are equal: float32 keeps small ones exactly, but rounds those near 1.
_LEAST, _MOST = 1e-12, 1e-6

# Ranges that are told apart in words: name, from, to (Hz).
REGIONS = (("below 250 Hz", 0, 250), ("250 Hz to 2 kHz", 250, 2000), ("above 2 kHz", 2000, np.inf))

# Of the deletion test: parts that are taken away one after the other.
STEPS = 24


class Predicts(Protocol):
    """What is needed of a :class:`genres.inference.classifier.Classifier`."""

    genres: list[str]

    def probabilities(self, windows: np.ndarray) -> np.ndarray: ...


def evidence(classifier: Predicts, window: np.ndarray, genre: str) -> np.ndarray:
    """What in a window speaks for a genre, and what against it.

    Parameters
    ----------
    classifier : Classifier
        Anything with `genres` and `probabilities`.
    window : np.ndarray [shape=(frames, n_mels), dtype=uint8]
        As the classifier takes it.
    genre : str
        One of the classifier's.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float64]
        How much the log-odds of the genre fall when a patch around this place is covered: above 0 speaks for the
        genre, below 0 against it.

    Raises
    ------
    ValueError
        If the classifier does not know the genre.
    """
    if genre not in classifier.genres:
        raise ValueError(f"genre must be one of {', '.join(classifier.genres)}; received {genre}")
    column = classifier.genres.index(genre)
    time, band = distances(window.shape)
    inside = (time < 1)[:, np.newaxis, :, np.newaxis] & (band < 1)[np.newaxis, :, np.newaxis, :]
    covered = np.where(inside.reshape(-1, *window.shape), filling(window), window)
    log_odds = _log_odds(classifier.probabilities(np.concatenate([window[np.newaxis], covered]))[:, column])
    lost = (log_odds[0] - log_odds[1:]).reshape(len(time), len(band))
    # Between the middles of the patches it is interpolated, linearly in both directions.
    return (1 - time).clip(min=0).T @ lost @ (1 - band).clip(min=0)


def distances(shape: tuple[int, ...]) -> list[np.ndarray]:
    """How far each place is from the middle of each patch, in cells: along time and along the bands.

    A patch covers what is less than a cell from its middle, so 2 x 2 cells; the first and the last along an axis have
    their middle on the edge.

    Returns
    -------
    list of two np.ndarray [shape=(cells + 1, length)]
    """
    return [
        np.abs((np.arange(length) + 0.5) * cells / length - np.arange(cells + 1)[:, np.newaxis])
        for length, cells in zip(shape, GRID, strict=True)
    ]


def filling(window: np.ndarray) -> np.ndarray:
    """What a covered place is filled with, the window's mean level: uint8 [same shape].

    Of four fillings (silence, the mean of the window, the mean of each band, each band's tenth percentile) its evidence
    holds best when the deletion test covers with the others: see docs/remix.md. Silence is worst: a hole in the
    middle of a song is nothing that a network has heard, and its answer to one says little.
    """
    return np.full_like(window, round(float(window.mean())))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    inside = probabilities.clip(_LEAST, 1 - _MOST)
    return np.log(inside) - np.log1p(-inside)


class Deletion(NamedTuple):
    """The probability of a genre while its evidence is taken away, part by part."""

    share: np.ndarray  # [shape=(STEPS + 1,)] of the window that is covered, 0 to 1
    marked: np.ndarray  # the same shape: what speaks most for the genre is covered first
    random: np.ndarray  # cells of the same size in random order; the mean of several orders

    @property
    def gain(self) -> float:
        """By how much the probability is lower than with random cells, on the mean over the shares."""
        return float(np.mean(self.random - self.marked))


def deletion(
    classifier: Predicts,
    window: np.ndarray,
    genre: str,
    found: np.ndarray,
    seed: int = 0,
    orders: int = 5,
    fill: Callable[[np.ndarray], np.ndarray] = filling,
) -> Deletion:
    """Test evidence by taking away what it marks: the genre's probability must fall faster than with random cells.

    After the deletion metric of Petsiuk, Das and Saenko, "RISE", BMVC 2018. Random cells are of the grid that the
    evidence was found on: scattered single places would be easier to bear, and beating them would be no proof.

    Parameters
    ----------
    classifier, window, genre
        As in :func:`evidence`.
    found : np.ndarray [shape=(frames, n_mels)]
        The evidence.
    seed : int
        Of the random orders.
    orders : int
        How many of them.
    fill : callable
        What covers: a window in, the same shape out.
    """
    rng = np.random.default_rng(seed)
    time, band = (np.arange(n) * cells // n for n, cells in zip(window.shape, GRID, strict=True))
    fields = [found, *(rng.random(GRID)[np.ix_(time, band)] for _ in range(orders))]
    covered = np.concatenate([_taken_away(window, field, fill(window)) for field in fields])
    column = classifier.genres.index(genre)
    curves = classifier.probabilities(covered)[:, column].reshape(len(fields), STEPS + 1)
    return Deletion(np.linspace(0, 1, STEPS + 1), curves[0], curves[1:].mean(axis=0))


def _taken_away(window: np.ndarray, field: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """The window with more and more covered, highest `field` first: uint8 [shape=(STEPS + 1, frames, n_mels)]."""
    rank = np.empty(window.size, dtype=int)
    rank[np.argsort(-field.ravel(), kind="stable")] = np.arange(window.size)
    shares = np.linspace(0, 1, STEPS + 1)[:, np.newaxis]
    return np.where(rank < shares * window.size, cover.ravel(), window.ravel()).reshape(-1, *window.shape)


def by_region(found: np.ndarray, form: Format) -> dict[str, float]:
    """How much of what speaks for the genre lies in which range of frequencies: shares that sum to 1 (or are 0)."""
    centres, positive = form.band_centres(), found.clip(min=0).sum(axis=0)
    regions = {name: float(positive[(centres >= low) & (centres < high)].sum()) for name, low, high in REGIONS}
    return {name: amount / (sum(regions.values()) or 1.0) for name, amount in regions.items()}


def telling(classifier: Classifier, spectrogram: np.ndarray, genre: str, name: str) -> "Part":
    """The window of a song that sounds most like a genre, with its evidence, ready to be drawn.

    Parameters
    ----------
    classifier : Classifier
    spectrogram : np.ndarray [shape=(frames, n_mels), dtype=uint8]
        Of the whole song.
    genre : str
    name : str
        What is written above it; place and probability are added.
    """
    from genres.figures.evidence import Part  # loads matplotlib

    timeline = classifier.timeline(spectrogram)
    of_genre = timeline.probabilities[:, classifier.genres.index(genre)]
    chosen = int(of_genre.argmax())
    start_s = float(timeline.start_s[chosen])
    window = window_at(classifier, spectrogram, start_s)
    place = f"{start_s:.0f} to {start_s + classifier.window_s:.0f} s"
    name = f"{name}, {place}: {100 * of_genre[chosen]:.0f} % {genre.replace('_', ' ')}"
    return Part(name, window, evidence(classifier, window, genre), start_s)


def window_at(classifier: Classifier, spectrogram: np.ndarray, start_s: float) -> np.ndarray:
    """The window that starts there, as the network sees it: uint8 [shape=(frames, n_mels)]; within the song."""
    last = max(0, len(spectrogram) - classifier.frames)
    start = max(0, min(round(start_s * classifier.format.frame_rate), last))
    repeat = classifier.card.get("window_s") is not None
    return windows.cut(spectrogram, start, classifier.frames, repeat_short=repeat)


def draw_evidence(
    window: np.ndarray, found: np.ndarray, form: Format, genre: str, *, title: str, note: str, start_s: float = 0.0
) -> "Figure":
    """Evidence over its spectrogram, as a figure; for several windows see src/genres/figures/evidence.py.

    Parameters
    ----------
    window : np.ndarray [shape=(frames, n_mels), dtype=uint8]
    found : np.ndarray [shape=(frames, n_mels)]
        What :func:`evidence` gave.
    form : Format
        The classifier's.
    genre : str
    title, note : str
        What is shown; of which data set, split and caveats.
    start_s : float
        Where in the song the window starts.
    """
    from genres.figures.evidence import Part  # loads matplotlib

    end_s = start_s + len(window) / form.frame_rate
    part = Part(f"{start_s:.0f} to {end_s:.0f} s", window, found, start_s)
    return draw_parts([part], form, genre, title=title, note=note)


def draw_parts(parts: Sequence["Part"], form: Format, genre: str, *, title: str, note: str) -> "Figure":
    """Several windows with their evidence below each other, on one scale: see :func:`draw_evidence`."""
    from genres.figures import evidence as figures

    return figures.evidence(parts, form, genre, title=title, note=note)


@command
def main(argv: list[str] | None = None) -> None:
    """Draw where a network looks."""
    parser = argparse.ArgumentParser(prog="genres saliency", description=__doc__.splitlines()[0])
    parser.add_argument("song", type=Path, help="an audio file")
    parser.add_argument(
        "--genre",
        help="what the evidence is for (default: the likeliest; with --original the one "
        "that the song is shifted most towards)",
    )
    parser.add_argument("--original", type=Path, metavar="SONG", help="another version, to be drawn above")
    parser.add_argument("--model", metavar="ARCHITECTURE", help="or a model file (default: the best by validation)")
    parser.add_argument("--plot", type=Path, required=True, metavar="FILE", help="the picture, a .png")
    arguments = parser.parse_args(argv)
    from genres.core.text import whose
    from genres.figures.style import save

    if arguments.plot.suffix.lower() != ".png":
        raise UserError(
            f"--plot: {arguments.plot}: pictures are PNG: call it {arguments.plot.with_suffix('.png').name}"
        )
    classifier = Classifier(choose_model(arguments.model))
    if arguments.genre not in (None, *classifier.genres):
        raise UserError(f"--genre: '{arguments.genre}' is none of {', '.join(classifier.genres)}")
    files = [path for path in (arguments.original, arguments.song) if path]
    spectrograms = [listen(classifier, path) for path in files]
    genre = arguments.genre or default_genre(classifier, spectrograms)
    parts = [telling(classifier, each, genre, path.name) for path, each in zip(files, spectrograms, strict=True)]
    name = genre.replace("_", " ")
    card = classifier.card
    figure = draw_parts(
        parts,
        classifier.format,
        genre,
        title=f"What sounds like {name} to {card['architecture']}",
        note=f"trained on {whose(card['dataset'], card['protocol'])}; the window of the song that is most like {name}",
    )
    save(figure, arguments.plot)
    show(classifier, parts, genre)


def listen(classifier: Classifier, song: Path) -> np.ndarray:
    """The song's spectrogram; a file that cannot be used is the user's to mend."""
    try:
        return classifier.spectrogram(song)
    except AudioError as error:
        raise UserError(f"{song}: {error}") from None


def default_genre(classifier: Classifier, spectrograms: Sequence[np.ndarray]) -> str:
    """The likeliest genre of a song, or the one that the last of two is further towards than the first."""
    wholes = [classifier.timeline(each).probabilities.mean(axis=0) for each in spectrograms]
    before = wholes[0] if len(wholes) > 1 else 0
    return classifier.genres[int((wholes[-1] - before).argmax())]


def show(classifier: Classifier, parts: Sequence["Part"], genre: str) -> None:
    """Print where the evidence lies, and what the deletion test says of it."""
    rows = []
    for part in parts:
        tested = deletion(classifier, part.window, genre, part.evidence)
        shares = by_region(part.evidence, classifier.format)
        rows.append([part.name, *(f"{share:.0%}" for share in shares.values()), f"{100 * tested.gain:.1f}"])
    print_table(
        f"What speaks for {genre}: its share by frequency; and how much lower the genre's probability is, in "
        "percentage points, on the mean over what is covered, when this is covered first and not random cells",
        ["window", *(name for name, *_ in REGIONS), "lower by"],
        rows,
    )
