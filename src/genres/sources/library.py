"""The user's music library: ``<dir>`` in any layout, read in place, with the genres in the songs' tags.

A tree of genres (genres.yaml) says what the tags mean. Songs whose tags give no genre, or not one, are left for
prediction. ``tags.csv`` beside the songs' table says what became of each tag, ``left_out.csv`` lists the songs without
a genre. Nothing is written to `dir`.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from genres.audio.walk import NOT_UNICODE, find_music, kinds, readable
from genres.core.console import UserError, print_table, warn
from genres.core.files import write_table
from genres.core.groups import groups
from genres.core.names import artists_of
from genres.core.recipes import LibraryRecipe
from genres.sources import CANDIDATE_COLUMNS, genre_file
from genres.sources.albums import albums_of
from genres.sources.folder import genre_of
from genres.sources.genre_labels import Labels, Outcome, shortened
from genres.sources.genre_tree import Tree
from genres.sources.source import AudioFiles
from genres.sources.tag_index import read_all
from genres.sources.tags import SongTags

TAGS, LEFT_OUT = "tags.csv", "left_out.csv"

_SHOWN = 25  # most rows of the printed table of tags
_UNTAGGED = "has no genre tag"
_UNREADABLE = "empty or cannot be opened"
_LONGEST = 200  # characters of a tag in the tables
_LARGE = 1 / 3  # share of the songs from which a group for one fold is reported


class Source(AudioFiles[LibraryRecipe]):
    """Songs of a music library."""

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: see :func:`collect`."""
        return collect(self.recipe, self.folder)


def collect(recipe: LibraryRecipe, raw_dir: Path) -> pd.DataFrame:
    """List the songs of a library whose tags give a genre, and report what became of all tags.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS` and album, which is equal for songs of one album; the track_id is the path below `dir`.

    Raises
    ------
    UserError
        If there is no music, the tree or a genre of the recipe is wrong, or no genre has enough artists.
    """
    folder = recipe.dir.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"datasets.library.dir: {folder}: no such folder")
    labels = Labels(genre_file.load(recipe.tree.expanduser()), recipe)
    songs = _songs(folder, labels.tree)
    songs, became = _labelled(songs, labels)
    raw_dir.mkdir(parents=True, exist_ok=True)
    _report_genres(songs, became, folder, recipe.scan)
    _report_tags(songs, raw_dir)
    for genre in labels.wanted or []:
        if genre not in set(became["genre"]):
            raise UserError(f"datasets.library.genres: no song of genre '{genre}' in {folder}; remove it")
    used = songs[songs["genre"] != ""].reset_index(drop=True)
    if used.empty:
        raise UserError(
            f"{folder}: no genre has songs of {recipe.min_artists} artists; {raw_dir / TAGS} says what became of each "
            "tag; set datasets.library.min_artists, .genres or .tree"
        )
    _warn_of_a_large_group(used)
    return used.reindex(columns=[*CANDIDATE_COLUMNS, "album"], fill_value="")


def _songs(folder: Path, tree: Tree) -> pd.DataFrame:
    """Return all songs: track_id, path, artist, title, isrc, source, album, values (of the genre tag), rejected."""
    found = find_music(folder)
    if found.misnamed:
        example = readable(folder / found.misnamed[0])
        warn(f"{len(found.misnamed)} songs are left out, such as {example}: {NOT_UNICODE}")
    if found.others:
        warn(f"{folder}: left out: {kinds(found.others)}")
    if not found.songs:
        raise UserError(
            f"{folder}: no music found; set another folder: "
            "dvc exp run -S dataset=library -S datasets.library.dir=/path/to/music"
        )
    read = read_all([folder / path for path in found.songs])
    tags = [own or SongTags() for own in read]
    songs = pd.DataFrame({"track_id": [path.as_posix() for path in found.songs]})
    songs["path"] = [str(folder / path) for path in found.songs]
    for column in ("artist", "title", "isrc"):
        songs[column] = [getattr(own, column) for own in tags]
    songs["source"] = "library"
    songs["album"] = albums_of(list(songs["track_id"]), tags)
    songs["values"] = [own.genres for own in tags]
    songs["opened"] = [own is not None for own in read]
    _warn_of_two_tags(songs["track_id"], tags, tree)
    return songs


def _warn_of_two_tags(names: Iterable[str], tags: list[SongTags], tree: Tree) -> None:
    differ = [
        name
        for name, own in zip(names, tags, strict=True)
        if own.ape_genres and set(tree.resolve(own.ape_genres).genres) ^ set(tree.resolve(own.genres).genres)
    ]
    if differ:
        warn(f"{len(differ)} songs have another genre in their APE tag, such as {differ[0]}: the ID3 tag counts")


def _labelled(songs: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the songs with genre (empty: none) and why, and what became of the genres before artists were counted.

    Returns
    -------
    songs, became : pd.DataFrame
        The latter has genre, songs, artists and became, empty for a genre that is left out.
    """
    outcomes = {values: labels.of_tag(labels.tree.resolve(values)) for values in set(songs["values"])}
    outcomes[()] = Outcome("", _UNTAGGED)
    first = songs["values"].map(lambda values: outcomes[values].genre)
    tagged = (first != "").to_numpy()
    songs["group"] = -1
    songs.loc[tagged, "group"] = groups(int(tagged.sum()), artists_of(songs["artist"][tagged]), songs["album"][tagged])
    artists: dict[str, set[int]] = {}
    for genre, group in zip(first[tagged], songs["group"][tagged], strict=True):
        artists.setdefault(genre, set()).add(group)
    sizes = {genre: len(members) for genre, members in artists.items()}
    final = labels.settled(artists)
    for values, outcome in outcomes.items():
        new = final.get(outcome.genre)
        if new != outcome.genre and outcome.genre:
            fate = f"counts as {new}" if new else "left out"
            number = sizes[outcome.genre]
            why = f"{outcome.why}: {number} artist{'s' * (number != 1)}, fewer than min_artists: {fate}"
            outcomes[values] = Outcome(new or "", why)
    chosen = [outcomes[values] for values in songs["values"]]
    songs["genre"] = [genre_of(outcome.genre) if outcome.genre else "" for outcome in chosen]
    songs["why"] = np.where(songs["opened"], [outcome.why for outcome in chosen], _UNREADABLE)
    counts = first[tagged].value_counts()
    rows = [(genre, counts[genre], sizes[genre], final[genre] or "") for genre in map(str, counts.index)]
    return songs, pd.DataFrame(rows, columns=["genre", "songs", "artists", "became"])


def _report_genres(songs: pd.DataFrame, became: pd.DataFrame, folder: Path, scan: int) -> None:
    rows = became.to_numpy().tolist()
    print_table(
        f"Genres in the tags of {folder}",
        ["genre", "songs", "artists", "counts as"],
        [[genre, *counts, "left out" if not new else "" if new == genre else new] for genre, *counts, new in rows],
        ["all", int(became["songs"].sum()), "", ""],
    )
    used, opened = int((songs["genre"] != "").sum()), int(songs["opened"].sum())
    untagged = int((songs["why"] == _UNTAGGED).sum())
    print(
        f"{len(songs)} songs: {used} have a genre; {opened - used} are left for prediction ({untagged} have no genre "
        f"tag); {len(songs) - opened} are empty or cannot be opened. After changes: -S datasets.library.scan={scan + 1}"
    )


def _report_tags(songs: pd.DataFrame, raw_dir: Path) -> None:
    texts = {values: shortened("; ".join(values), _LONGEST) for values in set(songs["values"])}
    songs["tag"] = songs["values"].map(texts)
    table = songs[songs["opened"]].groupby(["tag", "genre", "why"], sort=True).size().reset_index(name="songs")
    table = table.sort_values("songs", ascending=False, kind="stable").rename(columns={"genre": "became"})
    write_table(raw_dir / TAGS, table[["tag", "songs", "became", "why"]])
    write_table(raw_dir / LEFT_OUT, songs[songs["genre"] == ""][["track_id", "path", "tag", "why"]])
    rows = table.head(_SHOWN)[["tag", "songs", "became", "why"]].to_numpy()
    print_table(
        f"What became of the tags: {min(len(table), _SHOWN)} of {len(table)}, all in {raw_dir / TAGS}",
        ["tag", "songs", "became", "why"],
        [[shortened(tag, 40), number, genre or "–", shortened(why, 70)] for tag, number, genre, why in rows],
    )


def _warn_of_a_large_group(songs: pd.DataFrame) -> None:
    largest = int(songs["group"].value_counts().iloc[0])
    if largest > _LARGE * len(songs) and songs["group"].nunique() > 1:
        warn(
            f"{largest} of {len(songs)} songs hang together by their artists and albums, so one fold has all of them; "
            "compilations without the songs' artists do this, or one artist on many albums"
        )
