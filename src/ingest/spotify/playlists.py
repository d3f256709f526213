"""From playlists to candidates of the stage `ingest`: songs asked for, selected, found, and laid into data/raw."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from src.console import UserError, warn
from src.files import atomic
from src.ingest import CANDIDATE_COLUMNS
from src.ingest.folder import list_songs
from src.ingest.spotify.client import Client, PlaylistError, TrackError
from src.ingest.spotify.manifest import read_manifests
from src.ingest.spotify.matching import normalised_artist
from src.ingest.spotify.previews import Outcome, check_decoders, fetch_all
from src.ingest.spotify.selection import Entry, select, take_turns
from src.ingest.spotify.song import Song, name_of
from src.params import Services, SpotifyRecipe


def collect(
    recipe: SpotifyRecipe, raw_dir: Path, services: Services, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Ask for the songs of all genres and bring their audio to ``<raw_dir>/audio/``.

    Parameters
    ----------
    recipe : SpotifyRecipe
        Playlists, sources of audio, what to take.
    raw_dir : Path
        data/raw/<dataset>.
    services : Services
        Pace and patience.
    known : pd.DataFrame, optional
        `CANDIDATE_COLUMNS` of songs that stand in the data set already.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`: `known`, the user's own songs, and one row for each song asked for; what was not taken
        or not found has `rejected`.

    Raises
    ------
    UserError
        Where the recipe or the account has to be mended.
    ComeBackLaterError
        Where a service asks for a long pause; a second run goes on from there.
    """
    check_decoders(recipe.audio_from)
    entries = gather(recipe, services)
    others = _owned(recipe) if known is None else pd.concat([known, _owned(recipe)], ignore_index=True)
    entries = select(entries, recipe, zip(others["genre"], others["artist"], others["title"], strict=True))
    songs = list(dict.fromkeys(entry.song for entry in entries if not entry.left_out))
    outcomes = fetch_all(songs, recipe.audio_from, recipe.market, services)
    # What is taken comes first, so that it has the plain names.
    rows = [_row(entry, outcomes, raw_dir) for entry in sorted(entries, key=lambda entry: entry.left_out != "")]
    asked = pd.DataFrame(rows).reindex(columns=CANDIDATE_COLUMNS).fillna("")
    others = _with_ids_of_artists(others, (entry.song for entry in entries))
    return _unique(pd.concat([others, asked], ignore_index=True))


def gather(recipe: SpotifyRecipe, services: Services) -> list[Entry]:
    """Ask for the songs of remix pairs and genres: of a manifest where it has the genre, else of the playlists."""
    folder = recipe.songs_dir.expanduser()
    listed = read_manifests(folder) if folder.is_dir() else []
    in_manifest = {genre for genre, _ in listed}
    spotify = _LazyClient(services)
    entries = [
        Entry(genre, _track(spotify, link, pair.song), pair=pair.song, version=version)
        for pair in recipe.remixes
        for version, link, genre in (
            ("original", pair.original, pair.original_genre),
            ("remix", pair.remix, pair.remix_genre),
        )
    ]
    unread = 0
    for genre in recipe.playlist_genres:
        if genre in in_manifest:
            entries += [Entry(genre, song) for other, song in listed if other == genre]
            continue
        playlists = []
        for link in recipe.playlists[genre]:
            try:
                playlist = spotify().playlist(link)
            except PlaylistError as error:  # the others may be readable
                warn(f"{genre}: {error}")
                unread += 1
                continue
            playlists.append(playlist.songs)
            print(f"{genre}: {playlist.name}: {len(playlist.songs)} songs of {playlist.total} entries", flush=True)
            for reason, count in playlist.left_out.items():
                blank = Song("", f"an entry of {playlist.name}", ())
                entries += [Entry(genre, blank, left_out=reason)] * count
        entries += [Entry(genre, song) for song in take_turns(playlists)]
    if unread and not any(not entry.left_out for entry in entries):
        raise UserError("none of the playlists can be read, see the reasons above, and docs/spotify.md for the cures")
    return entries


def _track(spotify: "_LazyClient", link: str, pair: str) -> Song:
    try:
        return spotify().track(link)
    except TrackError as error:
        raise UserError(f"remixes: {pair}: {error}") from None


class _LazyClient:
    """Connects at the first call: a recipe whose genres all stand in manifests needs no account."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client: Client | None = None

    def __call__(self) -> Client:
        if self._client is None:
            self._client = Client(self._services)
        return self._client


def _owned(recipe: SpotifyRecipe) -> pd.DataFrame:
    """Whole songs that the user has: ``<songs_dir>/<genre>/…``."""
    folder = recipe.songs_dir.expanduser().absolute()
    table = list_songs(folder, set(recipe.playlist_genres).__contains__)
    table["path"] = [str(folder / name) for name in table["track_id"]]
    table["source"] = "folder"
    return table.reindex(columns=CANDIDATE_COLUMNS, fill_value="").fillna("")


def _row(entry: Entry, outcomes: dict[Song, Outcome], raw_dir: Path) -> dict[str, str]:
    song = entry.song
    row = {
        "track_id": name_of(song),
        "genre": entry.genre,
        "artist": (song.artist_ids or song.artists or ("",))[0],
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
        return row | {"rejected": "no audio found"}
    return row | {"path": str(_place(outcome.path, raw_dir).relative_to(raw_dir)), "source": outcome.source}


def _place(stored: Path, raw_dir: Path) -> Path:
    """Lay a downloaded file into the stage's output; the same bytes on disk where the file system can."""
    target = raw_dir / "audio" / stored.name
    if not target.exists():
        with atomic(target) as temporary:
            try:
                os.link(stored, temporary)
            except OSError:
                shutil.copyfile(stored, temporary)
    return target


def _with_ids_of_artists(tracks: pd.DataFrame, songs: Iterable[Song]) -> pd.DataFrame:
    """Name artists by their Spotify id also where another source knows them by name only, as GTZAN and tags do.

    Else the artist filter would take them for two.
    """
    ids: dict[str, str] = {}
    for song in songs:
        for name, identity in zip(song.artists, song.artist_ids, strict=False):
            ids.setdefault(normalised_artist(name), identity)
    return tracks.assign(artist=[ids.get(normalised_artist(name), name) for name in tracks["artist"]])


def _unique(tracks: pd.DataFrame) -> pd.DataFrame:
    """Let each row have a track_id of its own, also what was asked for twice and what has no name."""
    seen: Counter[str] = Counter()
    names = []
    for name in tracks["track_id"]:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tracks.assign(track_id=names)
