"""List the songs whose genre labels look wrong; nothing is changed in the music.

    genres audit [DIR] [--recipe NAME] [--predictions FILE …] [--csv FILE] [--m3u8 FILE] [--html FILE] [--most N]

Without DIR the data set of params.yaml is audited, after `dvc repro`; with DIR a folder of music, in genre folders or
as another recipe reads it. Each song is predicted by classifiers of other artists' songs on a frozen, pretrained
network, and confident learning says which labels are likely wrong: see docs/library.md.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.files import write_table
from genres.core.text import percent

if TYPE_CHECKING:
    import pandas as pd

    from genres.library.audited import Audited

MOST = 20
PAIRS = 10  # rows of the table of pairs


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    given = _parser().parse_args(argv)
    if given.most < 1:
        raise UserError(f"--most: must be at least 1; received {given.most}")
    for name in ("csv", "m3u8", "html"):
        if path := getattr(given, name):
            _check_can_be_written(path, f"--{name}")

    from genres.library import audited, review_queue, suspects
    from genres.library.audit_page import page
    from genres.library.report import write_playlist, write_text

    if given.predictions:
        music = audited.of_predictions(given.predictions, given.dir)
    elif given.dir:
        from genres.library.audit_folder import of_folder

        music = of_folder(given.dir, given.recipe)
    else:
        music = audited.of_data_set(params.load())
    found = suspects.find(music)
    facts = summary(music)
    show(music, found, facts, given.most)
    if not given.dir and (music.catalogue["file"] != "").any():
        review_queue.write(review_queue.path_of(params.load().dataset), music._replace(about=facts[0]), found)
        print("listen to them, and correct them, on the page: genres app --review")
    if given.csv:
        write_table(given.csv, found)
    if given.m3u8:
        write_playlist(given.m3u8, [file for file in found["file"] if os.path.isfile(file)])  # noqa: PTH113 (as in the page)
    if given.html:
        write_text(given.html, page(found, facts))


def summary(music: "Audited") -> list[str]:
    """Return what the audit is based on, and how many labels it estimates to be wrong, as lines."""
    wrong = wrong_by_pair(music).sum()
    songs, artists = len(music.tracks), music.tracks["artist"]
    by = f" of {artists.nunique()} artists, each predicted without its artist" if (artists >= 0).all() else ""
    lines = [
        f"{music.about}: {songs} songs{by}",
        f"estimated share of wrong labels: at most {percent(wrong / songs)} ({wrong:.0f} songs), since it holds the "
        "network's own confident errors, too",
    ]
    if music.columns is None:
        lines.append("outliers are not looked for: predictions have no embeddings")
    if not (music.catalogue["recording"] != "").any():
        lines.append("duplicates are not looked for: there is no table of recordings")
    return lines


def wrong_by_pair(music: "Audited") -> np.ndarray:
    """Return the estimated number of wrong labels by label and true genre."""
    from genres.stats.label_errors import confident, estimated

    counts = estimated(confident(music.probabilities, music.labels).joint, music.labels)
    np.fill_diagonal(counts, 0)
    return counts


def show(music: "Audited", found: "pd.DataFrame", facts: list[str], most: int) -> None:
    """Print the first suspects, and between which genres labels are wrong."""
    print("\n".join(facts))
    if found.empty:
        print("no label looks wrong")
        return
    from genres.library.report import printable

    table = found.head(most)[["track_id", "rank", "kind", "label", "likelier"]].copy()
    table["track_id"] = [printable(name) for name in table["track_id"]]
    for name, header in (("label", "p (label)"), ("likelier", "p (likelier)")):
        table[header] = [
            "" if np.isnan(share) else percent(share) for share in found[f"probability_of_{name}"].head(most)
        ]
    table["score"] = ["" if np.isnan(score) else f"{score:.2f}" for score in found["score"].head(most)]
    title = f"Labels that look wrong: {len(table)} of {len(found)} suspects"
    print_table(title, ["song", *map(str, table.columns[1:])], table.to_numpy().tolist())
    counts = wrong_by_pair(music)
    order = [divmod(int(place), len(counts)) for place in np.argsort(-counts, axis=None, kind="stable")[:PAIRS]]
    pairs = [[music.genres[a], music.genres[b], f"{counts[a, b]:.1f}"] for a, b in order if counts[a, b] > 0]
    if pairs:
        print_table("Estimated wrong labels by pair of genres", ["label", "likelier", "songs"], pairs)


def _check_can_be_written(path: Path, option: str) -> None:
    """Raise an error before the work, not after it, if a report could not be written."""
    if path.is_dir():
        raise UserError(f"{option}: {path} is a folder; name a file")
    folder = next(above for above in path.absolute().parents if above.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{option}: {folder} is no folder that can be written to; name another file")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="genres audit", description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path, nargs="?", metavar="DIR", help="folder of music (default: the data set)")
    parser.add_argument("--recipe", default="folder", metavar="NAME", help="how DIR is read, of params.yaml (folder)")
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="held-out predictions of any network, as of genres held-out; with DIR: the folder of these songs",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all suspects as a table")
    parser.add_argument("--m3u8", type=Path, metavar="FILE", help="write all suspects as a playlist")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write all suspects as a page to listen to")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help=f"suspects that are printed ({MOST})")
    return parser
