"""Reports on a library: tables on the terminal, CSV, JSON, and a playlist for each genre."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from genres.core.console import UserError, print_table
from genres.core.files import atomic
from genres.library.plan import LEFT, TAG, UNREADABLE, Song

EXAMPLES = 5  # songs that are named for a reason


def show(songs: Sequence[Song]) -> None:
    """Print the songs of each genre that is to be written, and the others by reason."""
    of_genre: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[Song]] = defaultdict(list)
    for song in songs:
        if song.fate == TAG:
            of_genre[song.genre].append(song.probability)
        else:
            others[song.fate].append(song)
    rows = [
        [genre, len(found), f"{min(found):.0%}", f"{sum(found) / len(found):.0%}"]
        for genre, found in sorted(of_genre.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    if rows:
        print_table("Genres for songs", ["genre", "songs", "least probability", "mean"], rows)
    if others:
        print_table("Songs that stay as they are", ["because", "songs"], [[why, len(n)] for why, n in others.items()])
    for why in (UNREADABLE, LEFT):
        for song in others[why][:EXAMPLES]:
            print(f"{why}: {printable(song.name)}: {song.reason}")
        if len(others[why]) > EXAMPLES:
            print(f"{why}: {len(others[why]) - EXAMPLES} more; --csv FILE lists all")


def printable(name: str) -> str:
    """Return a name without what terminals take for commands."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def write_csv(path: Path, songs: Sequence[Song]) -> None:
    """Write a row for each song."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(Song("", Path()).as_row()))
        writer.writeheader()
        writer.writerows(song.as_row() for song in songs)


def write_playlists(folder: Path, songs: Sequence[Song]) -> list[Path]:
    """Write a playlist for each genre that songs are to have; songs are named by their whole path.

    Raises
    ------
    UserError
        If the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--m3u8: {folder} is a file; name a folder")
    of_genre: dict[str, list[str]] = defaultdict(list)
    for song in songs:
        if song.fate == TAG:
            of_genre[song.genre].append(str(song.path))
    written = []
    for genre, paths in sorted(of_genre.items()):
        target = folder / (re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", genre).strip(". ") + ".m3u8")
        write_playlist(target, paths)
        written.append(target)
    return written


def write_playlist(path: Path, songs: Sequence[str]) -> None:
    """Write a playlist of whole paths; those with line breaks are left out, as a playlist has a line for each song."""
    lines = [song for song in songs if not re.search(r"[\r\n]", song)]
    write_text(path, "\n".join(["#EXTM3U", *lines]) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
