"""Selection of songs: no duplicate recordings, one genre per song, at most `max_tracks`, genres of equal size.

Excluded songs keep the reason, for the report.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, pairwise, zip_longest

import pandas as pd

from genres.core.groups import groups
from genres.core.names import SAME_LENGTH_S, known_artists, normalised_artist, proven_codes
from genres.core.recipes import SpotifyRecipe
from genres.sources.spotify.matching import normalised_title, version_of
from genres.sources.spotify.song import Song


@dataclass(frozen=True)
class Entry:
    """A song of a genre's playlists or of a remix pair."""

    genre: str
    song: Song
    left_out: str = ""  # reason of the exclusion; empty if selected
    pair: str = ""  # name of the remix pair
    version: str = ""  # original or remix


def interleave(playlists: Iterable[list[Song]]) -> list[Song]:
    """Interleave the songs of several playlists, so that a cut keeps songs of all."""
    return [song for song in chain.from_iterable(zip_longest(*playlists)) if song is not None]


def select(entries: list[Entry], recipe: SpotifyRecipe, existing: Iterable[tuple[str, str, str]] = ()) -> list[Entry]:
    """Exclude duplicates, songs of two genres, songs of other sources, and songs beyond `max_tracks`.

    Parameters
    ----------
    entries : list of Entry
        Songs of remix pairs (with `pair`), then those of playlists.
    recipe : SpotifyRecipe
        Recipe with `conflicts` and `max_tracks`.
    existing : iterable of (genre, artist, title)
        Songs of other sources that are already in the data set.

    Returns
    -------
    list of Entry
        The same entries in the same order, with `left_out` set.
    """
    others = [(genre, Song("", title, known_artists(artist))) for genre, artist, title in existing]
    elsewhere = {key: genre for genre, song in others for key in keys_of(song)}
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
    """Return the index of each song's first equal recording: equal id, or two of ISRC, name and length equal."""
    titles = [normalised_title(song.title) for song in songs]
    codes = proven_codes([song.isrc for song in songs], titles, [song.duration_s for song in songs])
    of_name = defaultdict(list)
    for index, song in enumerate(songs):
        for key in keys_of(song)[:1]:
            of_name[key].append(index)
    pairs = [
        (first, second)
        for indices in of_name.values()
        for first, second in pairwise(sorted(indices, key=lambda index: songs[index].duration_s))
        if songs[second].duration_s - songs[first].duration_s < SAME_LENGTH_S
    ]
    return groups(len(songs), [song.spotify_id for song in songs], codes, pairs=pairs)


def keys_of(song: Song) -> list[tuple[str, str, str]]:
    """Return the comparison keys (artist, title, version) of a song, one per artist, the main one first."""
    title = normalised_title(song.title)
    version = version_of(song.title)
    return [(normalised_artist(artist), title, version) for artist in song.artists if artist and title]


def _conflicts(entries: list[Entry], policy: str) -> dict[int, str]:
    """Return the reasons for the exclusion of entries of one recording, by index."""
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
    """Return rejection reasons by track_id for recordings (column `recording`) that are there twice or in two genres.

    Fingerprints find duplicates that names do not: a song under two ids, titles and ISRCs. Remix pairs are kept.
    """
    order = {genre: number for number, genre in enumerate(dict.fromkeys(tracks["genre"]))}
    reasons: dict[str, str] = {}
    for _, same in tracks[tracks["recording"].duplicated(keep=False)].groupby("recording"):
        genres = sorted(set(same["genre"]), key=order.__getitem__)
        if (same["version"] != "").any():
            continue
        if len(genres) == 1:
            # GTZAN's own duplicates are its known faults; they are kept, in one fold.
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
    """Return rejection reasons by track_id for the tracks beyond the size of the smallest genre.

    The choice depends on hashes of the ids only, so that one more song changes one song. Remix pairs are not counted.
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
