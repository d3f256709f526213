"""Spotify commands: log in, check which playlists can be read, export playlists as a manifest.

genres spotify login
genres spotify check [--dataset NAME]
genres spotify export PLAYLIST ... --genre NAME
genres spotify export --dataset spotify14
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from genres.core import params
from genres.core.console import UserError, command, print_table, warn
from genres.core.params import Params
from genres.core.recipes import SpotifyRecipe
from genres.sources.spotify.links import playlist_id
from genres.sources.spotify.manifest import NAME, read_manifest, write_manifest
from genres.sources.spotify.song import Song, name_of


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="genres spotify", description=__doc__.splitlines()[0], epilog="See docs/spotify.md."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    login = commands.add_parser("login", help="log in as the user whose playlists are read")
    login.add_argument("--timeout", type=float, default=300.0, metavar="S", help="seconds to wait (default: 300)")
    check = commands.add_parser("check", help="list a recipe's playlists, with songs or the reason for an error")
    export = commands.add_parser("export", help="save playlists as a manifest, which `ingest` reads without an account")
    export.add_argument("playlists", nargs="*", metavar="PLAYLIST", help="URL, URI or id (default: all of the recipe)")
    export.add_argument("--genre", help="genre of all PLAYLISTs (default: that of the recipe)")
    export.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"manifest to write (default: <songs_dir>/{NAME} of the recipe); its existing songs stay",
    )
    for subparser in (check, export):
        subparser.add_argument(
            "--dataset", help="recipe (default: `dataset` of params.yaml if it has playlists, else spotify14)"
        )
    arguments = parser.parse_args(argv)
    settings = params.load()
    if arguments.command == "login":
        from genres.sources.spotify.login import login as log_in

        log_in(settings.services, timeout_s=arguments.timeout)
        return
    recipe = recipe_of(settings, arguments.dataset)
    if arguments.command == "check":
        show_playlists(recipe, settings)
    else:
        output = arguments.output or recipe.songs_dir.expanduser() / NAME
        save(list(exported(arguments.playlists, arguments.genre, recipe, settings)), output)


def recipe_of(settings: Params, name: str | None) -> SpotifyRecipe:
    """Return the recipe of that name; raise UserError if it has no playlists."""
    name = name or (settings.dataset if isinstance(settings.recipe, SpotifyRecipe) else "spotify14")
    recipe = settings.datasets.get(name)
    if not isinstance(recipe, SpotifyRecipe):
        able = [key for key, value in settings.datasets.items() if isinstance(value, SpotifyRecipe)]
        raise UserError(f"--dataset: '{name}' is not a recipe with playlists; choose one of {', '.join(able)}")
    return recipe


def show_playlists(recipe: SpotifyRecipe, settings: Params) -> None:
    """Print a row for each playlist: its name and number of songs, or the reason why it cannot be read."""
    from genres.sources.spotify.client import Client, PlaylistError

    client, rows, unreadable = Client(settings.services), [], 0
    for genre in recipe.playlist_genres:
        for link in recipe.playlists[genre]:
            try:
                playlist = client.playlist(link)
                rows.append([genre, playlist.name, len(playlist.songs), _counts(playlist.left_out)])
            except PlaylistError as error:
                unreadable += 1
                rows.append([genre, link, "", str(error)])
    print_table("Playlists", ["genre", "playlist", "songs", "not usable"], rows)
    if unreadable:
        raise UserError(f"{unreadable} of {len(rows)} playlists cannot be read; docs/spotify.md lists the remedies")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in counts.items())


def exported(
    links: list[str], genre: str | None, recipe: SpotifyRecipe, settings: Params
) -> Iterator[tuple[str, Song]]:
    """Yield the songs of playlists, each with its genre."""
    from genres.sources.spotify.client import Client, PlaylistError

    if genre is not None and not links:
        raise UserError("--genre needs PLAYLISTs; without any, the genres are those of the recipe")
    ours = [(label, link) for label in recipe.playlist_genres for link in recipe.playlists[label]]
    genre_of = {playlist_id(link): label for label, link in ours}
    requested = [(genre or genre_of.get(playlist_id(link), ""), link) for link in links] or ours
    for label, link in requested:
        if not label:
            raise UserError(f"{link}: not a playlist of the recipe; give its genre with --genre NAME")
    client = Client(settings.services)
    for label, link in requested:
        try:
            playlist = client.playlist(link)
        except PlaylistError as error:
            warn(str(error))
            continue
        print(f"{playlist.name}: {len(playlist.songs)} songs", flush=True)
        for song in playlist.songs:
            yield label, song


def save(songs: list[tuple[str, Song]], output: Path) -> None:
    """Add songs to a manifest; its existing rows stay as they are."""
    if not songs:
        raise UserError("no songs to save; see the warnings above, and docs/spotify.md for the remedies")
    kept = read_manifest(output) if output.exists() else []
    seen = {(genre, name_of(song)) for genre, song in kept}
    # A playlist may contain a song twice.
    new = {(genre, name_of(song)): (genre, song) for genre, song in songs if (genre, name_of(song)) not in seen}
    write_manifest(output, [*kept, *new.values()])
    print(f"{output}: {len(new)} songs added, {len(kept) + len(new)} in all")
