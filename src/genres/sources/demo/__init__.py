"""Demo data set of synthesised songs, so that a clone runs without an account or a download.

The input is a recipe, the output Ogg Vorbis files and their table. The songs test the pipeline; accuracies on them say
nothing about real music. styles.py defines the genres, composition.py writes the songs, and synthesis.py, percussion.py
and mixing.py render them.
"""

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from joblib import Parallel, delayed

from genres.core.console import UserError, progress, warn
from genres.core.files import atomic
from genres.core.recipes import DemoRecipe
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.demo.composition import Score, compose, compose_pair, random_numbers
from genres.sources.demo.mixing import render
from genres.sources.demo.styles import STYLES
from genres.sources.demo.synthesis import SAMPLE_RATE
from genres.sources.source import AudioFiles

HIGHEST_PEAK = 0.95  # maximum of the decoded files; full scale is 1
REMIX = {"original": "pop", "remix": "brazilian_funk"}  # version: genre


def _words(text: str) -> list[str]:
    return text.split()


# First words of artists' names are divided among these owners, so that names are unique and yet independent of which
# other genres are requested.
OWNERS = (*sorted(STYLES), *REMIX)
ARTIST_FIRST = _words(
    "Amber Arctic Ashen Bramble Candle Cinder Clover Cobalt Copper Coral Cotton Crimson Dapper Distant Dusty Ember "
    "Fabled Feather Fern Flint Gilded Ginger Granite Hazel Hollow Indigo Ivory Juniper Lantern Lilac Linen Lunar "
    "Marble Meadow Midnight Misty Mossy Nimble Nutmeg Ochre Opal Paper Pebble Pepper Plum Quartz Quiet Rusty Saffron "
    "Salted Scarlet Silver Sleepy Tangerine Teal Thistle Timber Topaz Velvet Walnut Wandering Willow Winter Woolen Zinc"
)
ARTIST_LAST = _words(
    "Acrobats Anchors Badgers Beacons Bicycles Buttons Cabinets Canaries Cartographers Comets Compass Cormorants "
    "Cousins Ferries Foxgloves Gardeners Gondolas Harbour Herons Janitors Kettles Kites Ladders Lighthouse Magpies "
    "Mailmen Mittens Neighbours Orchard Otters Parade Pelicans Pilots Pine Postcards Sparrows Suitcase Teacups "
    "Telescopes Tramway Umbrellas Weathervane Windows Zeppelins"
)
TITLE_FIRST = _words(
    "Another Backyard Borrowed Broken Burning Counting Crooked Early Electric Empty Faraway Final Folded Golden Half "
    "Hidden Last Little Lonesome Lost Narrow Northern Open Painted Passing Rainy Restless Second Seven Slow Southern "
    "Stolen Sunday Tender Thousand Tuesday Unsent Waiting Wild Yellow"
)
TITLE_LAST = _words(
    "Afternoon Avenue Balcony Bridges Carousel Chimney Corner Daylight Embers Engine Fences Fountain Gravel Highway "
    "Hours Island Kitchen Letters Mirrors Miles Morning Mountain Neon Notebook Pavement Platform Promise River Rooftop "
    "Shadows Signals Staircase Stations Streetlight Summer Thunder Tides Voices Weather Whisper"
)


@dataclass(frozen=True)
class Song:
    """Identity of a song; for a remix pair, `artist` is the pair's number and `song` the version."""

    track_id: str
    genre: str
    artist: int
    song: int | str

    @property
    def path(self) -> Path:
        """Path of the file, relative to the data set's folder."""
        return Path("audio") / ("remixes" if isinstance(self.song, str) else self.genre) / f"{self.track_id}.ogg"


class Source(AudioFiles[DemoRecipe]):
    """Synthetic songs."""

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: see :func:`collect`."""
        return collect(self.recipe, self.folder)


def collect(recipe: DemoRecipe, raw_dir: Path) -> pd.DataFrame:
    """Generate the songs of the demo data set.

    The same recipe gives the same bytes, and a song does not depend on the other genres, artists or songs. Files of an
    earlier run are removed and generated again, which takes about a minute.

    Parameters
    ----------
    recipe : DemoRecipe
        Genres, numbers of artists and songs, and length. Remix pairs are added, with their own artists, if both pop and
        brazilian_funk are requested; else there are none, with a warning.
    raw_dir : Path
        Folder for audio/: Ogg Vorbis, mono, 22,050 Hz.

    Returns
    -------
    pd.DataFrame
        One row per song with the columns of :data:`genres.sources.CANDIDATE_COLUMNS`, all strings.

    Raises
    ------
    UserError
        If there is no style for a genre, or a genre is given twice.
    """
    _check(recipe.genres)
    songs = list_songs(recipe)
    shutil.rmtree(raw_dir / "audio", ignore_errors=True)
    jobs = (delayed(_make)(recipe.seed, recipe.song_seconds, song, raw_dir) for song in songs)
    # One process per core and one thread per song, to avoid oversubscription.
    made = Parallel(n_jobs=-1, return_as="generator_unordered")(jobs)
    for _ in progress(made, total=len(songs), what="making music", unit="song"):
        pass
    return pd.DataFrame([_row(recipe.seed, song) for song in songs], columns=CANDIDATE_COLUMNS)


def _check(genres: list[str]) -> None:
    available = ", ".join(STYLES)
    for genre in genres:
        if genre not in STYLES:
            raise UserError(f"datasets.demo.genres: no style '{genre}'; choose among {available}")
        if genres.count(genre) > 1:
            raise UserError(f"datasets.demo.genres: '{genre}' is listed twice; list each genre once")


def list_songs(recipe: DemoRecipe) -> list[Song]:
    """List all songs of a recipe: the genres in its order, then the remix pairs."""
    songs = [
        Song(f"{genre}.{artist * recipe.songs_per_artist + song:05d}", genre, artist, song)
        for genre in recipe.genres
        for artist in range(recipe.artists_per_genre)
        for song in range(recipe.songs_per_artist)
    ]
    if recipe.remixes and not set(REMIX.values()) <= set(recipe.genres):
        warn("datasets.demo: no remix pairs, for they need both pop and brazilian_funk in genres")
        return songs
    pairs = range(recipe.remixes)
    return songs + [
        Song(f"remix.{pair:05d}.{version}", genre, pair, version) for pair in pairs for version, genre in REMIX.items()
    ]


def score_of(seed: int, song: Song, seconds: float) -> Score:
    """Compose a song and return its score."""
    if isinstance(song.song, str):
        return dict(zip(REMIX, compose_pair(seed, song.artist, seconds), strict=True))[song.song]
    return compose(seed, song.genre, song.artist, song.song, seconds)


def _make(seed: int, seconds: float, song: Song, raw_dir: Path) -> None:
    samples = render(score_of(seed, song, seconds), seconds)
    with atomic(raw_dir / song.path) as temporary:
        while True:
            _write_ogg(temporary, samples, serial=zlib.crc32(song.track_id.encode()))
            # Vorbis does not preserve peaks: a file with a too high peak is encoded again at a lower level.
            peak = np.abs(soundfile.read(temporary)[0]).max()
            if peak <= HIGHEST_PEAK:
                break
            samples = samples * min(0.97, 0.95 * HIGHEST_PEAK / peak)


def _row(seed: int, song: Song) -> dict[str, str]:
    if isinstance(song.song, str):
        owner = song.song
        pair = _name(random_numbers(seed, "titles of pairs"), song.artist, TITLE_FIRST, TITLE_LAST)
        title, version = pair, song.song
    else:
        owner = song.genre
        own = random_numbers(seed, "titles", song.genre, song.artist)
        title, pair, version = _name(own, song.song, TITLE_FIRST, TITLE_LAST), "", ""
    return dict.fromkeys(CANDIDATE_COLUMNS, "") | {
        "track_id": song.track_id,
        "path": song.path.as_posix(),
        "genre": song.genre,
        "artist": artist_name(seed, owner, song.artist),
        "title": title,
        "source": "demo",
        "song": pair,
        "version": version,
    }


def artist_name(seed: int, owner: str, number: int) -> str:
    """Return an invented artist's name, unique in the data set; `owner` is a genre, original or remix."""
    first = ARTIST_FIRST[OWNERS.index(owner) :: len(OWNERS)]
    return _name(random_numbers(seed, "names", owner), number, first, ARTIST_LAST)


def _name(rng: np.random.Generator, number: int, first: Sequence[str], last: Sequence[str]) -> str:
    """Return name `number` of a shuffled list of all pairs of words; repetitions of a pair get a number."""
    rounds, place = divmod(number, len(first) * len(last))
    index = int(rng.permutation(len(first) * len(last))[place])
    name = f"{first[index // len(last)]} {last[index % len(last)]}"
    return f"{name} {rounds + 1}" if rounds else name


# ── Ogg Vorbis with reproducible bytes ───────────────────────────────────────────────────────────────────────────

_BLOCK = 1 << 16  # samples; libsndfile's Vorbis encoder puts a whole write on the stack
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _write_ogg(path: Path, samples: np.ndarray, serial: int) -> None:
    """Write Ogg Vorbis; `serial` replaces the stream's serial number, which libsndfile draws at random."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    path.write_bytes(_with_serial(path.read_bytes(), serial))


def _with_serial(stream: bytes, serial: int) -> bytes:
    """Set the serial of all pages of an Ogg stream (RFC 3533, section 6: serial in bytes 14-17, checksum in 22-25)."""
    pages = []
    start = 0
    while start < len(stream):
        segments = stream[start + 26]
        end = start + 27 + segments + sum(stream[start + 27 : start + 27 + segments])
        page = stream[start : start + 14] + serial.to_bytes(4, "little") + stream[start + 18 : start + 22] + bytes(4)
        page += stream[start + 26 : end]
        pages.append(page[:22] + _ogg_checksum(page).to_bytes(4, "little") + page[26:])
        start = end
    return b"".join(pages)


def _ogg_checksum(page: bytes) -> int:
    """Compute Ogg's CRC-32: zlib's polynomial with reversed bit order and without inversion at start and end."""
    mirrored = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
