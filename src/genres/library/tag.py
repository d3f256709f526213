"""Predict genres for the songs of a library that have none, and write them into the songs' tags.

    genres tag DIR [--confidence P] [--error E] [--write] [--csv FILE] [--json] [--m3u8 DIR]
    genres tag --undo FILE [DIR]

Without --write nothing is changed. A song's file is replaced by a copy in which nothing but the genre and its source
(model, probability, version) is different; each former file can be restored by the undo file, which the command names.
With --error at most that share of the tags is wrong, with the confidence of --certainty: see docs/library.md.
"""

import argparse
import itertools
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from genres.core.console import UserError, command, progress, warn
from genres.core.text import architecture_label, dataset_note

if TYPE_CHECKING:
    from genres.library.plan import Song
    from genres.library.undo import Journal

CONFIDENCE = 0.5  # least probability if neither it nor an error is asked for


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    given = _parser().parse_args(argv)
    if given.undo:
        undo(given.undo, given.dir)
        return
    if given.plot and (not given.error or given.plot.suffix.lower() != ".png"):
        raise UserError(f"--plot: {given.plot}: draws the promise of --error to a .png file")
    if given.dir is None or not given.dir.is_dir():
        raise UserError(f"{given.dir or 'DIR'}: no such folder; name the folder of the music")

    from genres.audio.walk import NOT_UNICODE, is_unicode, readable  # imported here, so that --help is quick
    from genres.inference.answer import predict
    from genres.inference.classifier import Classifier, choose_model
    from genres.library import plan, report
    from genres.library.promise import draw, held_out, promised
    from genres.library.replace import remove_leftovers
    from genres.library.undo import Journal

    folder = given.dir.resolve()
    if not is_unicode(folder):
        raise UserError(f"{readable(folder)}: {NOT_UNICODE}")
    model_file = choose_model(given.model)
    classifier = Classifier(model_file)
    card = classifier.card
    label = architecture_label({"arch": card["architecture"], "pretrained_on": card.get("pretrained_on")})
    about = f"{label}: {dataset_note(card['dataset'], card['protocol'])}"
    threshold, promise = given.confidence or (0.0 if given.error else CONFIDENCE), ""
    if given.error:
        known = held_out(given.held_out, model_file, card)
        found = promised(known, given.error, given.certainty)
        if threshold > found.highest:
            raise UserError(
                f"--confidence: of held-out songs above {threshold:g} there are too few for the promise of --error; "
                f"it holds up to {found.highest:.3f}"
            )
        if given.plot:
            draw(known, found, given.error, given.certainty, about, given.plot)
        threshold = max(threshold, found.threshold)
        promise = (
            f"; at most {100 * given.error:g} % wrong ({100 * given.certainty:g} % confidence, "
            f"from {found.songs} held-out songs of {found.artists} artists)"
        )

    def say(line: str) -> None:
        print(line, file=sys.stderr if given.json else sys.stdout)

    say(about)
    songs = list(plan.find(folder))
    if given.write:
        remove_leftovers(song.path.parent for song in songs if song.seen)
    for song in progress(songs, what="songs", unit="song"):
        plan.decide(
            song, lambda path: predict(classifier, path), threshold, everything=given.all, replace=given.replace
        )
    chosen = [song for song in songs if song.fate == plan.TAG]
    open_ones = sum(song.fate not in (plan.HAS_GENRE, plan.SAME) for song in songs)
    say(f"tags {len(chosen)} of {open_ones} songs{promise}; least probability {threshold:.3f}")
    journal = Journal(given.undo_file or default_undo_file(), folder)
    if given.write:
        write_all(chosen, card["architecture"], journal, say)
    else:
        say("nothing is written without --write")
    if given.csv:
        report.write_csv(given.csv, songs)
    if given.m3u8:
        report.write_playlists(given.m3u8, songs)
    if given.json:
        rows = [song.as_row() for song in songs]
        undo_file = None if journal.is_empty else str(journal.path)
        settings = {"model": card["architecture"], "threshold": threshold, "undo_file": undo_file}
        print(json.dumps(settings | {"songs": rows}, indent=2, allow_nan=False))
    else:
        report.show(songs)


def default_undo_file() -> Path:
    """Return a new file in the user's folder for what programs must remember, never among the music."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "music-genres"
    stamp = f"undo-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    return next(path for number in itertools.count() if not (path := folder / f"{stamp}-{number}.jsonl").exists())


def source_of(model: str, probability: float) -> str:
    """Return the text that says where a genre comes from."""
    try:
        number = version("music-genres")
    except PackageNotFoundError:
        number = "?"
    return f"music-genres {number}: {model}, probability {probability:.2f}"


def write_all(songs: "Sequence[Song]", model: str, journal: "Journal", say: Callable[[str], None]) -> None:
    """Write the genres; of a song that cannot be changed note the reason. The undo file is named however it ends."""
    from genres.library import plan
    from genres.library.change import write
    from genres.library.error import LeftAloneError

    try:
        for song in progress(songs, what="tags", unit="song"):
            try:
                write(song.path, song.seen, song.genre, source_of(model, song.probability), journal)
            except LeftAloneError as error:
                song.fate, song.reason = plan.LEFT, str(error)
    finally:
        if not journal.is_empty:
            say(f"to restore the songs as they were: genres tag --undo {shlex.quote(str(journal.path))}")


def undo(file: Path, folder: Path | None) -> None:
    """Restore the files of an undo file; those that were changed since are named, and stay."""
    from genres.library.error import LeftAloneError
    from genres.library.replace import FULL
    from genres.library.undo import entries, restore

    restored, same, left = 0, 0, 0
    for entry in progress(list(entries(file)), what="songs", unit="song"):
        try:
            if restore(entry, folder):
                restored += 1
            else:
                same += 1
        except (LeftAloneError, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            warn(f"{entry['path']}: {error}")
            left += 1
    print(f"restored {restored} songs; {same} were as before already; {left} stay as they are")
    if left:
        sys.exit(UserError.status)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and below 1; received '{text}'")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genres tag", description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path, nargs="?", metavar="DIR", help="folder of the music")
    parser.add_argument(
        "--model", metavar="ARCHITECTURE", help="or a model file, or msd_musicnn (default: as of genres predict)"
    )
    parser.add_argument(
        "--confidence", type=_share, metavar="P", help=f"least probability of a genre (default: {CONFIDENCE})"
    )
    parser.add_argument("--error", type=_share, metavar="E", help="tag only as many songs as keep this share of errors")
    parser.add_argument(
        "--certainty", type=_share, default=0.95, metavar="C", help="of the promise of --error (default: 0.95)"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="predictions for the promise, as of genres held-out; repeatable (default: those of the test tracks)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw wrong tags against tagged songs, to a PNG file")
    parser.add_argument("--all", action="store_true", help="also predict songs that have a genre")
    parser.add_argument("--replace", action="store_true", help="also replace genres that are there")
    parser.add_argument("--write", action="store_true", help="write the tags")
    parser.add_argument("--undo-file", type=Path, metavar="FILE", help="what restores the songs (default: it is named)")
    parser.add_argument("--undo", type=Path, metavar="FILE", help="restore the songs; with DIR if they were moved")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write what becomes of each song")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--m3u8", type=Path, metavar="DIR", help="write a playlist for each genre")
    return parser
