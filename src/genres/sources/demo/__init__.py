"""The demo data set: songs made by the program, so that a clone runs without an account or a download.

A recipe in, Ogg Vorbis files and a table of them out. The songs prove the machinery; accuracies on them say nothing
about music. How a genre sounds stands in styles.py, how a song is written in composition.py, how it is played in
synthesis.py, percussion.py and mixing.py, all beside this file.
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
from genres.core.params import DemoRecipe
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.demo.composition import Score, compose, compose_pair, random_numbers
from genres.sources.demo.mixing import render
from genres.sources.demo.styles import STYLES
from genres.sources.demo.synthesis import SAMPLE_RATE

HIGHEST_PEAK = 0.95  # of the decoded files, full scale is 1
REMIX = {"original": "pop", "remix": "brazilian_funk"}  # version: genre


def _words(text: str) -> list[str]:
    return text.split()


# Who may use which first words, so that names are unique and yet do not depend on which other genres are asked for.
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
    """What is known of a song before it is made; of a pair, `artist` is its number and `song` its version."""

    track_id: str
    genre: str
    artist: int
    song: int | str

    @property
    def path(self) -> Path:
        """Where its file lies, relative to the data set's folder."""
        return Path("audio") / ("remixes" if isinstance(self.song, str) else self.genre) / f"{self.track_id}.ogg"


def collect(recipe: DemoRecipe, raw_dir: Path) -> pd.DataFrame:
    """Make the songs of the demo data set.

    The same recipe gives the same bytes, and a song does not depend on which other genres, artists or songs there are.
    What an earlier run left is removed and made again: a minute is cheaper than trusting it.

    Parameters
    ----------
    recipe : DemoRecipe
        Which genres, how many artists and songs, how long. Remix pairs come on top, from artists of their own, where
        both pop and brazilian_funk are asked for; else there are none, and a warning says so.
    raw_dir : Path
        The audio goes to audio/ in it: Ogg Vorbis, mono, 22,050 Hz.

    Returns
    -------
    pd.DataFrame
        One row a song with the columns of :data:`genres.sources.CANDIDATE_COLUMNS`, all strings.

    Raises
    ------
    UserError
        If there is no style for a genre, or a genre is given twice.
    """
    _check(recipe.genres)
    songs = list_songs(recipe)
    shutil.rmtree(raw_dir / "audio", ignore_errors=True)
    jobs = (delayed(_make)(recipe.seed, recipe.song_seconds, song, raw_dir) for song in songs)
    # One process a core; each song is made by one thread, so that the cores are not asked for twice.
    made = Parallel(n_jobs=-1, return_as="generator_unordered")(jobs)
    for _ in progress(made, total=len(songs), what="making music", unit="song"):
        pass
    return pd.DataFrame([_row(recipe.seed, song) for song in songs], columns=CANDIDATE_COLUMNS)


def _check(genres: list[str]) -> None:
    known = ", ".join(STYLES)
    for genre in genres:
        if genre not in STYLES:
            raise UserError(f"datasets.demo.genres: no style '{genre}'; known are {known}")
        if genres.count(genre) > 1:
            raise UserError(f"datasets.demo.genres: '{genre}' is there twice; give each genre once")


def list_songs(recipe: DemoRecipe) -> list[Song]:
    """All songs of a recipe: the genres in its order, then the remix pairs."""
    songs = [
        Song(f"{genre}.{artist * recipe.songs_per_artist + song:05d}", genre, artist, song)
        for genre in recipe.genres
        for artist in range(recipe.artists_per_genre)
        for song in range(recipe.songs_per_artist)
    ]
    if recipe.remixes and not set(REMIX.values()) <= set(recipe.genres):
        warn("datasets.demo: remixes need both pop and brazilian_funk in genres; none are made")
        return songs
    pairs = range(recipe.remixes)
    return songs + [
        Song(f"remix.{pair:05d}.{version}", genre, pair, version) for pair in pairs for version, genre in REMIX.items()
    ]


def score_of(seed: int, song: Song, seconds: float) -> Score:
    """What is played: notes, tempo, instruments."""
    if isinstance(song.song, str):
        return dict(zip(REMIX, compose_pair(seed, song.artist, seconds), strict=True))[song.song]
    return compose(seed, song.genre, song.artist, song.song, seconds)


def _make(seed: int, seconds: float, song: Song, raw_dir: Path) -> None:
    samples = render(score_of(seed, song, seconds), seconds)
    with atomic(raw_dir / song.path) as temporary:
        while True:
            _write_ogg(temporary, samples, serial=zlib.crc32(song.track_id.encode()))
            # Vorbis keeps the spectrum, not the peaks: what comes out higher is encoded again, softer.
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
    """Invented name of an artist, unique in the data set; `owner` is a genre, original or remix."""
    first = ARTIST_FIRST[OWNERS.index(owner) :: len(OWNERS)]
    return _name(random_numbers(seed, "names", owner), number, first, ARTIST_LAST)


def _name(rng: np.random.Generator, number: int, first: Sequence[str], last: Sequence[str]) -> str:
    """Name `number` of a shuffled list of all pairs of words; when they are used up, the pairs are counted."""
    rounds, place = divmod(number, len(first) * len(last))
    index = int(rng.permutation(len(first) * len(last))[place])
    name = f"{first[index // len(last)]} {last[index % len(last)]}"
    return f"{name} {rounds + 1}" if rounds else name


# ── Ogg Vorbis with reproducible bytes ───────────────────────────────────────────────────────────────────────────

_BLOCK = 1 << 16  # samples; libsndfile's Vorbis encoder keeps a whole write on the stack
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _write_ogg(path: Path, samples: np.ndarray, serial: int) -> None:
    """Write Ogg Vorbis; `serial` replaces the stream's number, which libsndfile draws at random."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    path.write_bytes(_with_serial(path.read_bytes(), serial))


def _with_serial(stream: bytes, serial: int) -> bytes:
    """Number all pages of an Ogg stream anew (RFC 3533, section 6: serial in bytes 14 to 17, checksum in 22 to 25)."""
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
    """Ogg's CRC-32: zlib's polynomial, but bits in the other order and neither start nor end value inverted."""
    mirrored = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
