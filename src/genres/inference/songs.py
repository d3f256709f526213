"""Audio files that the arguments of a command name."""

from collections.abc import Iterator
from pathlib import Path

from genres.audio.walk import EXTENSIONS, NOT_UNICODE, find_music, is_unicode, kinds, readable
from genres.core.console import UserError, warn


def find_songs(name: str) -> Iterator[tuple[Path | None, str, str]]:
    """Find the audio files that an argument names.

    Yields
    ------
    song : Path or None
        Audio file.
    title : str
        Name of the song, for output.
    problem : str
        Error message; empty if there is none.
    """
    if "://" in name or name.startswith(("spotify:", "open.spotify.com/")):
        try:
            yield spotify_preview(name), name, ""
        except UserError as error:
            yield None, name, str(error)
        return
    path = Path(name).expanduser()
    if not is_unicode(path):
        yield None, readable(path), NOT_UNICODE
        return
    if not path.is_dir():
        yield path, name, "" if path.exists() else "no such file or folder"
        return
    found = find_music(path)
    if found.others:
        warn(f"{name}: left out: {kinds(found.others)}")
    for song in found.songs:
        yield path / song, str(path / song), ""
    for song in found.misnamed:
        yield None, readable(path / song), NOT_UNICODE
    if not (found.songs or found.misnamed):
        yield None, name, f"holds no audio ({', '.join(EXTENSIONS[:6])}, …)"


def spotify_preview(link: str) -> Path:
    """Download the preview of a Spotify track, from the sources of the recipe.

    Raises
    ------
    UserError
        If the link is not one to a track, there is no account or network, or no source has the song.
    """
    from genres.core import params
    from genres.sources.spotify.client import Client
    from genres.sources.spotify.commands import recipe_of
    from genres.sources.spotify.links import HOSTS, SHORT_HOSTS
    from genres.sources.spotify.previews import fetch_all

    if not link.startswith("spotify:") and not any(host in link for host in (*HOSTS, *SHORT_HOSTS)):
        raise UserError("only links to Spotify are supported; download the song and give the file")
    settings = params.load()
    recipe = recipe_of(settings, None)
    song = Client(settings.services).track(link)
    outcome = fetch_all([song], recipe.audio_from, recipe.market, settings.services)[song]
    if outcome.path is None:
        reasons = "; ".join(f"{source}: {reason}" for source, reason in outcome.refused.items())
        raise UserError(f"no source has '{song.title}' ({reasons})")
    return outcome.path
