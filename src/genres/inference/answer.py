"""Predict the genre of songs, with a trained model.

    genres predict SONG... [--model ARCHITECTURE] [--json] [--plot FILE] [--top K]

A SONG is an audio file of any length and format, a folder of them, or a link to a track on Spotify (docs/spotify.md).
Its probabilities are the mean over its windows. A warning marks songs with a high out-of-distribution score, whose
genres mean little: the network can only choose among those it was trained on.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from genres.core.console import UserError, command, progress

if TYPE_CHECKING:
    from genres.inference.classifier import Classifier

BAR = 32  # characters of a bar of 100 %
PARTS = 24  # most parts of the timeline on the terminal


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    given = _parser().parse_args(arguments)
    if given.top < 1:
        raise UserError(f"--top: must be at least 1; received {given.top}")
    if given.plot and given.plot.suffix.lower() != ".png":
        raise UserError(f"--plot: {given.plot}: only PNG is supported; use {given.plot.with_suffix('.png').name}")

    from genres.audio.decode import AudioError  # imported here, so that --help and a wrong option are quick
    from genres.inference.classifier import Classifier, choose_model
    from genres.inference.songs import find_songs

    classifier = Classifier(choose_model(given.model))
    answers, failed = [], False
    for name in progress(given.songs, what="songs", unit="song"):
        for song, title, problem in find_songs(name):
            try:
                if problem or song is None:
                    raise UserError(problem)
                answer = predict(classifier, song) | {"file": title}
            except (UserError, AudioError) as error:
                print(f"error: {title}: {' '.join(str(error).split())}", file=sys.stderr)
                failed = True
                continue
            answers.append(answer)
            if not given.json:
                show(answer, given.top, classifier.candidates)
    if given.json:
        print(json.dumps(answers, indent=2, allow_nan=False))
    if given.plot and answers:
        from genres.core.text import dataset_note
        from genres.figures.style import save
        from genres.figures.timeline import timelines

        note = f"{classifier.card['architecture']}, trained on: " + dataset_note(
            classifier.card["dataset"], classifier.card["protocol"]
        )
        save(timelines(answers, title="Genres over time", note=note), given.plot)
    if failed:
        sys.exit(UserError.status)


def predict(classifier: "Classifier", song: Path) -> dict[str, Any]:
    """Predict the genre probabilities of a song and of its windows.

    Returns
    -------
    dict
        file, model, genre (the most probable), probabilities (by genre, their sum is 1), timeline (a list of start_s,
        end_s, probabilities), distance and threshold (the out-of-distribution score and its threshold; null for a model
        without one), warning (null, or a sentence), trained_on (data set, protocol, outside data). The probabilities of
        a tagger do not sum to 1.

    Raises
    ------
    genres.audio.decode.AudioError
        If the file cannot be used as music.
    """
    spectrogram = classifier.spectrogram(song)
    timeline = classifier.timeline(spectrogram)
    mean = by_genre(classifier, timeline.mean())
    distance, threshold = classifier.distance(spectrogram), classifier.threshold
    return {
        "file": str(song),
        "model": classifier.card["architecture"],
        "genre": max(classifier.candidates, key=lambda genre: mean[genre]),
        "probabilities": mean,
        "timeline": [
            {"start_s": float(start), "end_s": float(end), "probabilities": by_genre(classifier, row)}
            for start, end, row in zip(timeline.start_s, timeline.end_s, timeline.probabilities, strict=True)
        ],
        "distance": distance,
        "threshold": threshold,
        "warning": warning_of(distance, threshold),
        "trained_on": {key: classifier.card.get(key) for key in ("dataset", "protocol", "pretrained_on")},
    }


def by_genre(classifier: "Classifier", probabilities: Any) -> dict[str, float]:
    """Return a row of probabilities as a dict by genre."""
    return dict(zip(classifier.genres, map(float, probabilities), strict=True))


def warning_of(distance: float | None, threshold: float | None) -> str | None:
    """Return a warning if the out-of-distribution score exceeds the threshold, else None."""
    if distance is None or threshold is None or distance <= threshold:
        return None
    return (
        f"none of these? The out-of-distribution score is {distance:.2f}; "
        f"a song of a new artist exceeds {threshold:.2f} in 5 % of cases"
    )


def origin(model: str, dataset: str, protocol: str, pretrained_on: str | None = None) -> str:
    """Return what a model was trained on, and what a reader of its predictions must know of that."""
    notes = [f"{model}, trained on {dataset}"]
    if protocol == "tags":
        notes.append("pretrained: tags, not classes")
    elif pretrained_on:
        notes.append(f"pretrained ({pretrained_on})")
    notes += ["synthetic music"] * (dataset == "demo") + ["LEAKY split"] * (protocol == "clip")
    return ", ".join(notes)


def show(answer: dict[str, Any], top: int, candidates: Sequence[str] | None = None) -> None:
    """Print bars of the most probable genres, and the timeline."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # programs read lines
    about = origin(answer["model"], **answer["trained_on"])
    console.print(f"[bold]{escape(answer['file'])}[/bold]: {escape(answer['genre'])}  ({escape(about)})")
    if answer["warning"]:
        console.print(f"[bold red]{escape(answer['warning'])}[/bold red]")
    ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])[:top]
    width = max(len(genre) for genre, _ in ranked)
    for genre, share in ranked:
        console.print(f"  {escape(genre):<{width}} {share:7.1%} [cyan]{'█' * round(BAR * share)}[/cyan]")
    console.print(f"  {escape(' · '.join(passages(answer['timeline'], candidates)))}\n")


def passages(timeline: list[dict[str, Any]], genres: Sequence[str] | None = None) -> list[str]:
    """List start time and genre of each passage with one most probable genre, over at most `PARTS` equal parts.

    `genres` are those that a passage can be of; None: all.
    """
    size = -(-len(timeline) // PARTS)
    changes: list[tuple[str, str]] = []
    for first in range(0, len(timeline), size):
        part = timeline[first : first + size]
        total = {
            genre: sum(window["probabilities"][genre] for window in part)
            for genre in genres or part[0]["probabilities"]
        }
        genre = max(total, key=lambda name: total[name])
        if not changes or changes[-1][1] != genre:
            changes.append((clock(part[0]["start_s"]), genre))
    return [f"{start} {genre}" for start, genre in changes]


def clock(seconds: float) -> str:
    """Format seconds: 75 as 1:15, 3675 as 1:01:15."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genres predict", description=__doc__.splitlines()[0])
    parser.add_argument("songs", nargs="+", metavar="SONG", help="an audio file, a folder, or a Spotify track link")
    parser.add_argument(
        "--model",
        metavar="ARCHITECTURE",
        help="or a model file, or msd_musicnn: pretrained tags (default: see docs/predict.md)",
    )
    parser.add_argument("--json", action="store_true", help="print unrounded JSON instead of bars")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the timelines, to a PNG file")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="genres to show as bars (default: 5)")
    return parser
