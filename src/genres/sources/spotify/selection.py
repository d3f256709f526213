"""Which songs are taken: one row a recording, one genre a song, as many as asked for, genres of one size.

What is left out keeps its reason, for the report.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, pairwise, zip_longest

import pandas as pd

from genres.core.groups import Groups
from genres.core.params import SpotifyRecipe
from genres.sources.spotify.matching import normalised_artist, normalised_title, version_of
from genres.sources.spotify.song import Song

# Two entries of equal title and artist whose lengths differ by less are one recording under two ids.
SAME_LENGTH_S = 2.0


@dataclass(frozen=True)
class Entry:
    """A song that a genre's playlists ask for."""

    genre: str
    song: Song
    left_out: str = ""  # why it is not taken; empty: it is
    pair: str = ""  # of a remix pair: its name
    version: str = ""  # original or remix


def take_turns(playlists: Iterable[list[Song]]) -> list[Song]:
    """Songs of several playlists in one order, the playlists taking turns, so that a cut takes from all of them."""
    return [song for song in chain.from_iterable(zip_longest(*playlists)) if song is not None]


def select(entries: list[Entry], recipe: SpotifyRecipe, known: Iterable[tuple[str, str, str]] = ()) -> list[Entry]:
    """Leave out what is asked for twice, under two genres, known already, or too much.

    Parameters
    ----------
    entries : list of Entry
        Remix pairs (with `pair`) go before the songs of playlists.
    recipe : SpotifyRecipe
        `conflicts` and `max_tracks`.
    known : iterable of (genre, artist, title)
        Songs of another source that stand in the data set already.

    Returns
    -------
    list of Entry
        The same entries in the same order, with `left_out` filled in.
    """
    elsewhere = {key: genre for genre, artist, title in known for key in keys_of(Song("", title, (artist,)))}
    entries = list(entries)
    of_recording = defaultdict(list)
    for index, root in enumerate(_recordings([entry.song for entry in entries])):
        if not entries[index].left_out:
            of_recording[root].append(index)
    for indices in of_recording.values():
        for index, reason in _conflicts([entries[i] for i in indices], recipe.conflicts).items():
            entries[indices[index]] = replace(entries[indices[index]], left_out=reason)
    taken: dict[str, int] = defaultdict(int)
    for index, entry in enumerate(entries):
        if entry.left_out or entry.pair:
            continue
        other = next((elsewhere[key] for key in keys_of(entry.song) if key in elsewhere), None)
        if other is not None:
            reason = "known already" if other == entry.genre else f"label conflict: also in {other}"
        elif recipe.max_tracks is not None and taken[entry.genre] >= recipe.max_tracks:
            reason = "more than max_tracks"
        else:
            taken[entry.genre] += 1
            continue
        entries[index] = replace(entry, left_out=reason)
    return entries


def _recordings(songs: list[Song]) -> list[int]:
    """For each song the index of the first that is the same recording: same id, same ISRC, or same name and length."""
    groups = Groups(len(songs))
    groups.join_equal(song.spotify_id for song in songs)
    groups.join_equal(song.isrc for song in songs)
    of_name = defaultdict(list)
    for index, song in enumerate(songs):
        for key in keys_of(song)[:1]:
            of_name[key].append(index)
    for indices in of_name.values():
        indices.sort(key=lambda index: songs[index].duration_s)
        for first, second in pairwise(indices):
            if songs[second].duration_s - songs[first].duration_s < SAME_LENGTH_S:
                groups.join(first, second)
    return groups.roots()


def keys_of(song: Song) -> list[tuple[str, str, str]]:
    """Artist, title and version as they are compared, once for each artist, the main one first; none where unknown."""
    title = normalised_title(song.title)
    version = version_of(song.title)
    return [(normalised_artist(artist), title, version) for artist in song.artists if artist and title]


def _conflicts(entries: list[Entry], policy: str) -> dict[int, str]:
    """Why the entries of one recording are left out, by their index."""
    pair = any(entry.pair for entry in entries)
    genres = list(dict.fromkeys(entry.genre for entry in entries if not entry.pair))
    reasons, kept = {}, False
    for index, entry in enumerate(entries):
        if entry.pair:
            continue
        if pair:
            reasons[index] = "one of a remix pair"
        elif len(genres) > 1 and (policy == "drop" or entry.genre != genres[0]):
            reasons[index] = f"label conflict: also in {', '.join(g for g in genres if g != entry.genre)}"
        elif kept:
            reasons[index] = "asked for twice"
        else:
            kept = True
    return reasons


def conflicts_by_sound(tracks: pd.DataFrame, policy: str) -> dict[str, str]:
    """Tracks whose recording (column `recording`) stands under two genres, or twice: track_id to reason.

    Sound finds what names do not: a song under two ids, titles and ISRCs. Versions of remix pairs are left alone.
    """
    order = {genre: number for number, genre in enumerate(dict.fromkeys(tracks["genre"]))}
    reasons: dict[str, str] = {}
    for _, same in tracks[tracks["recording"].duplicated(keep=False)].groupby("recording"):
        genres = sorted(set(same["genre"]), key=order.__getitem__)
        if (same["version"] != "").any():
            continue
        if len(genres) == 1:
            # GTZAN's own copies are known faults of it, and stay, in one fold.
            first, *more = same.sort_values("source", key=lambda source: source != "gtzan", kind="stable")["track_id"]
            copies = set(same["track_id"][same["source"] != "gtzan"])
            reasons |= {name: f"asked for twice: sounds like {first}" for name in more if name in copies}
            continue
        for track_id, genre in zip(same["track_id"], same["genre"], strict=True):
            if policy == "drop" or genre != genres[0]:
                others = ", ".join(other for other in genres if other != genre)
                reasons[track_id] = f"label conflict: sounds like a song of {others}"
    return reasons


def surplus(tracks: pd.DataFrame) -> dict[str, str]:
    """What is too much for all genres to be as large as the smallest: track_id to reason.

    Which ones go follows from their ids alone, so that a song more changes one song; remix pairs are not counted.
    """
    songs = tracks[tracks["version"] == ""]
    if songs.empty:
        return {}
    smallest = int(songs["genre"].value_counts().min())
    reasons = {}
    for _, ids in songs.groupby("genre")["track_id"]:
        for track_id in sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())[smallest:]:
            reasons[track_id] = f"balance: the smallest genre has {smallest}"
    return reasons
