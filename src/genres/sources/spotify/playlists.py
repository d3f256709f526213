"""Candidates of the stage `ingest` from playlists: list and select songs, download previews, link them to data/raw."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from genres.compute.pool import LOCAL
from genres.core.console import UserError, warn
from genres.core.files import atomic
from genres.core.names import known_artists, normalised_artist
from genres.core.params import Compute, Services
from genres.core.paths import project_root
from genres.core.recipes import SpotifyRecipe
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.folder import genre_of, list_songs
from genres.sources.spotify.client import Client, PlaylistError, TrackError
from genres.sources.spotify.manifest import read_manifests
from genres.sources.spotify.previews import Outcome, check_decoders, fetch_all
from genres.sources.spotify.selection import Entry, interleave, keys_of, select
from genres.sources.spotify.song import Song, name_of


def collect(
    recipe: SpotifyRecipe,
    raw_dir: Path,
    services: Services,
    options: Compute = LOCAL,
    existing: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the songs of all genres and download their audio to ``<raw_dir>/audio/``.

    Parameters
    ----------
    recipe : SpotifyRecipe
        Playlists, sources of audio, and rules of the selection.
    raw_dir : Path
        Folder data/raw/<dataset>.
    services : Services
        Rate limits and retries.
    options : Compute
        Options of the workers that download.
    existing : pd.DataFrame, optional
        `CANDIDATE_COLUMNS` of songs that are already in the data set.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS` of `existing`, the user's own songs and all requested songs; `rejected` is set for those
        that were excluded or have no audio.

    Raises
    ------
    UserError
        If the recipe or the account is wrong.
    UnavailableError
        If a service asks for a long pause; the next run continues from there.
    """
    check_decoders(recipe.audio_from)
    folder = songs_dir(recipe)
    entries = gather(recipe, folder, services)
    others = _own_songs(recipe, folder, set() if existing is None else set(existing["genre"]))
    if existing is not None:
        others = pd.concat([existing, others], ignore_index=True)
    entries = select(entries, recipe, zip(others["genre"], others["artist"], others["title"], strict=True))
    songs = list(dict.fromkeys(entry.song for entry in entries if not entry.left_out))
    outcomes = fetch_all(songs, recipe.audio_from, recipe.market, services, options)
    # Selected songs come first, so that their track_ids get no suffix.
    rows = [_row(entry, outcomes, raw_dir) for entry in sorted(entries, key=lambda entry: entry.left_out != "")]
    requested = pd.DataFrame(rows, columns=CANDIDATE_COLUMNS).fillna("")
    others["rejected"] = _reject_pairs(others, [entry.song for entry in entries if entry.pair])
    tracks = pd.concat([others, requested], ignore_index=True)
    return _unique(_with_one_name_an_artist(tracks, (entry.song for entry in entries)))


def songs_dir(recipe: SpotifyRecipe) -> Path:
    """Return the user's folder; a relative path is below the project, for temporary experiments have no copy of it.

    Raises
    ------
    UserError
        If the folder does not exist.
    """
    folder = project_root() / recipe.songs_dir.expanduser()
    if not folder.is_dir():
        raise UserError(f"songs_dir: {folder}: no such folder; create it or set another")
    return folder


def gather(recipe: SpotifyRecipe, folder: Path, services: Services) -> list[Entry]:
    """List the songs of remix pairs and genres, from a manifest if it has the genre, else from the playlists."""
    listed = read_manifests(folder)
    in_manifest = {genre for genre, _ in listed}
    _warn_unknown_genres("manifests", in_manifest - set(recipe.playlist_genres), recipe.playlist_genres)
    spotify = _LazyClient(services)
    entries = [
        Entry(genre, _track(spotify, link, pair.song), pair=pair.song, version=version)
        for pair in recipe.remixes
        for version, link, genre in (
            ("original", pair.original, pair.original_genre),
            ("remix", pair.remix, pair.remix_genre),
        )
    ]
    for genre in recipe.playlist_genres:
        if genre in in_manifest:
            entries += [Entry(genre, song) for other, song in listed if other == genre]
            continue
        playlists = []
        for link in recipe.playlists[genre]:
            try:
                playlist = spotify().playlist(link)
            except PlaylistError as error:  # other playlists may be readable
                warn(f"{genre}: {error}")
                blank = Song("", f"playlist {link}", ())
                entries.append(Entry(genre, blank, left_out=f"unreadable playlist: {error}"))
                continue
            playlists.append(playlist.songs)
            print(f"{genre}: {playlist.name}: {len(playlist.songs)} songs of {playlist.total} entries", flush=True)
            for reason, count in playlist.left_out.items():
                names = playlist.names.get(reason, [])
                names = [*names, *[f"an entry of {playlist.name}"] * (count - len(names))]
                entries += [Entry(genre, Song("", name, ()), left_out=reason) for name in names]
        entries += [Entry(genre, song) for song in interleave(playlists)]
    return entries


def _warn_unknown_genres(where: str, genres: set[str], expected: Iterable[str]) -> None:
    if genres:
        warn(f"songs_dir: skipped {where} of {', '.join(sorted(genres))}; the recipe has {', '.join(expected)}")


def _track(spotify: "_LazyClient", link: str, pair: str) -> Song:
    try:
        return spotify().track(link)
    except UserError as error:
        if not isinstance(error, TrackError) and type(error) is not UserError:  # TrackError, or UserError of a bad link
            raise
        raise UserError(f"remixes: {pair}: {error}") from None


class _LazyClient:
    """Client that connects at the first call: a recipe with manifests for all genres needs no account."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client: Client | None = None

    def __call__(self) -> Client:
        if self._client is None:
            self._client = Client(self._services)
        return self._client


def _own_songs(recipe: SpotifyRecipe, folder: Path, other_genres: set[str]) -> pd.DataFrame:
    """List the user's own songs, ``<songs_dir>/<genre>/…``, of all genres of the data set."""
    genres = {*recipe.playlist_genres, *other_genres}
    folders = {genre_of(path.name) for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    _warn_unknown_genres("folders", folders - genres, sorted(genres))
    table = list_songs(folder, genres.__contains__)
    table["path"] = [str(folder / name) for name in table["track_id"]]
    table["source"] = "folder"
    return table.reindex(columns=CANDIDATE_COLUMNS, fill_value="").fillna("")


def _reject_pairs(tracks: pd.DataFrame, songs: list[Song]) -> list[str]:
    """Return the `rejected` column of other sources' songs: songs of remix pairs must not be trained on."""
    pairs = {key for song in songs for key in keys_of(song)}
    return [
        "one of a remix pair" if pairs & set(keys_of(Song("", title, known_artists(artist)))) else rejected
        for artist, title, rejected in zip(tracks["artist"], tracks["title"], tracks["rejected"], strict=True)
    ]


def _row(entry: Entry, outcomes: dict[Song, Outcome], raw_dir: Path) -> dict[str, str]:
    song = entry.song
    row = {
        "track_id": name_of(song),
        "genre": entry.genre,
        "artist": "; ".join(filter(None, song.artist_ids)) or "; ".join(song.artists),
        "title": song.title,
        "isrc": song.isrc,
        "source": "spotify",
        "song": entry.pair,
        "version": entry.version,
        "rejected": entry.left_out,
    }
    if entry.left_out:
        return row
    outcome = outcomes[song]
    if outcome.path is None:
        reasons = "; ".join(f"{source}: {reason}" for source, reason in outcome.refused.items())
        return row | {"rejected": f"no audio found: {reasons}"}
    return row | {"path": str(_link_file(outcome.path, raw_dir).relative_to(raw_dir)), "source": outcome.source}


def _link_file(stored: Path, raw_dir: Path) -> Path:
    """Link a downloaded file into the stage's output; copy it if the file system has no hard links."""
    target = raw_dir / "audio" / stored.name
    with atomic(target) as temporary:
        try:
            os.link(stored, temporary)
        except OSError:
            shutil.copyfile(stored, temporary)
    return target


def _with_one_name_an_artist(tracks: pd.DataFrame, songs: Iterable[Song]) -> pd.DataFrame:
    """Replace artists' names, as in GTZAN, tags and manifests, by their Spotify ids.

    Otherwise the artist filter would treat the name and the id as two artists.
    """
    ids: dict[str, str] = {}
    for song in songs:
        # A manifest's names may include the unsplit text as one extra name.
        if len(song.artists) - len(song.artist_ids) in (0, 1):
            for name, identity in zip(song.artists, song.artist_ids, strict=False):
                if identity:
                    ids.setdefault(normalised_artist(name), identity)
    known = [
        [ids.setdefault(normalised_artist(name), name) for name in known_artists(text)] for text in tracks["artist"]
    ]
    return tracks.assign(artist=["; ".join(names) for names in known])


def _unique(tracks: pd.DataFrame) -> pd.DataFrame:
    """Make track_ids unique with a suffix, for duplicates and for songs without a name."""
    seen: Counter[str] = Counter()
    names = []
    for name in tracks["track_id"]:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tracks.assign(track_id=names)
