"""The songs that the arguments of a command name."""

from collections.abc import Iterator
from pathlib import Path

from genres.audio.decode import EXTENSIONS
from genres.core.console import UserError


def found(name: str) -> Iterator[tuple[Path | None, str, str]]:
    """The songs that an argument names.

    Yields
    ------
    song : Path or None
        An audio file.
    title : str
        What to call it.
    problem : str
        Why there is none; else empty.
    """
    if "://" in name or name.startswith(("spotify:", "open.spotify.com/")):
        try:
            yield from_spotify(name), name, ""
        except UserError as error:
            yield None, name, str(error)
        return
    path = Path(name).expanduser()
    if not path.is_dir():
        yield path, name, "" if path.exists() else "no such file or folder"
        return
    songs = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS and file.is_file())
    for song in songs:
        yield song, str(song), ""
    if not songs:
        yield None, name, f"holds no audio ({', '.join(EXTENSIONS)})"


def from_spotify(link: str) -> Path:
    """The preview of a track on Spotify, from the sources that the recipes name.

    Raises
    ------
    UserError
        If it is no link to a track, there is no account or network, or no source has the song.
    """
    from genres.core import params
    from genres.sources.spotify.client import Client
    from genres.sources.spotify.commands import recipe_of
    from genres.sources.spotify.links import HOSTS, SHORT_HOSTS
    from genres.sources.spotify.previews import fetch_all

    if not link.startswith("spotify:") and not any(host in link for host in (*HOSTS, *SHORT_HOSTS)):
        raise UserError("an address; download the song and give the file (of addresses, only Spotify's are understood)")
    settings = params.load()
    recipe = recipe_of(settings, None)
    song = Client(settings.services).track(link)
    outcome = fetch_all([song], recipe.audio_from, recipe.market, settings.services)[song]
    if outcome.path is None:
        reasons = "; ".join(f"{source}: {reason}" for source, reason in outcome.refused.items())
        raise UserError(f"no source has '{song.title}' ({reasons})")
    return outcome.path
