"""GTZAN (Tzanetakis and Cook 2002): 10 genres of 100 tracks of 30 s, with the fault-filtered split and the artists.

Audio is read in place from ``datasets.gtzan.dir``, whichever of the usual layouts it has; where that holds none, the
archive is downloaded to .cache/downloads and unpacked to .cache/gtzan. The split is the fault-filtered one of
Kereliuk, Sturm and Larsen (2015), no known artist of which is in two of its lists; tracks in no list have no split.
The artists and titles are Sturm's (2013).

Mirrors are named in the environment: ``GTZAN_ARCHIVE_URL`` (with ``GTZAN_ARCHIVE_MD5`` where it is another archive)
and ``GTZAN_METADATA_URL``, below which the four metadata files lie side by side under their own names.
"""

import os
import re
from pathlib import Path

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.params import GtzanRecipe
from genres.core.paths import cache_dir
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.download import extract_tar, fetch

EXTENSIONS = (".au", ".wav")

# As unpacked, as on Kaggle inside and outside of its Data folder, and the genres directly.
LAYOUTS = ("genres", "genres_original", "Data/genres_original", ".")

ARCHIVE_URL = "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz"
ARCHIVE_MD5 = "5b3d6dddb579ab49814ab86dba69e7c7"

_LISTS = "https://raw.githubusercontent.com/coreyker/dnn-mgr/bdad579ea6cb37b665ea6019fe1026a6ce20cbc7/gtzan"
_INDEX = (
    "https://raw.githubusercontent.com/seungheondoh/gtzan-bind/ba33dc7309afa49ef6b5176300531a9bbde2ad1f"
    "/dataset/metadata/sturm2013faults"
)
INDEX_NAME = "GTZANindex.txt"
SPLIT_NAMES = {"train_filtered.txt": "train", "valid_filtered.txt": "val", "test_filtered.txt": "test"}

# File name: folder on the net, SHA-256.
METADATA_FILES = {
    "train_filtered.txt": (_LISTS, "2b04966cef1486f1a7767b74271533fa23e220388db804a1937835e1fc4fa3fa"),
    "valid_filtered.txt": (_LISTS, "f8fbee7c52397a0e0f3a91dc54fedecb2e27f5bdc9a9daeab8cb10d077e26956"),
    "test_filtered.txt": (_LISTS, "09cafa6a89ce0a27f30ed250d56ecb4d03c22fffb5a693f96c7ae655ee02ac72"),
    INDEX_NAME: (_INDEX, "7bc7140f082cccd72046ec7c6e9b9c211a7491f6e7ede38fddafc63058559833"),
}

# blues.00029.wav, also blues.00029.au.wav as some conversions name it.
_FILE_NAME = re.compile(r"(?P<id>[^./]+\.\d{5})(\.\w+)?\.\w+")


def collect(recipe: GtzanRecipe, raw_dir: Path, key: str = "datasets.gtzan") -> pd.DataFrame:
    """List GTZAN's tracks.

    Parameters
    ----------
    recipe : GtzanRecipe
        Where they are and which are wanted.
    raw_dir : Path
        Not used: they are read in place.
    key : str
        What the recipe is called in params.yaml, for messages.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`; the track_id is such as "blues.00029", the path absolute.

    Raises
    ------
    UserError
        Where the folder or an asked genre is missing, or something cannot be downloaded.
    """
    folder = recipe.dir.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{key}.dir: {folder}: no such folder")
    tracks = find_tracks(folder)
    if tracks.empty:
        tracks = find_tracks(_downloaded_audio(key))
    found = ", ".join(tracks["genre"].unique()) or "nothing"
    for genre in recipe.genres or []:
        if genre in recipe.exclude_genres:
            raise UserError(f"{key}.genres: asks for '{genre}', which exclude_genres leaves out")
        if genre not in set(tracks["genre"]):
            raise UserError(f"{key}.genres: no '{genre}' in {folder}; there is {found}")
    tracks = tracks[[recipe.includes(genre) for genre in tracks["genre"]]].reset_index(drop=True)
    if tracks.empty:
        raise UserError(f"{key}: genres and exclude_genres leave no track; there is {found}")
    return describe(tracks, recipe.metadata, f"{key}.metadata")


def find_tracks(folder: Path) -> pd.DataFrame:
    """The tracks below a folder in the first of `LAYOUTS` that has any.

    Returns
    -------
    pd.DataFrame
        Columns track_id, path (absolute) and genre, sorted; without rows where the folder holds no audio at all.

    Raises
    ------
    UserError
        Where it holds audio that is not laid out or not named as GTZAN's.
    """
    for layout in LAYOUTS:
        root = folder / layout
        paths = [path for path in sorted(root.glob("*/*")) if _is_audio(path)] if root.is_dir() else []
        named = [(match["id"], path) for path in paths if (match := _FILE_NAME.fullmatch(path.name))]
        named = [(track_id, path) for track_id, path in named if track_id.split(".")[0] == path.parent.name]
        # The same track may lie there as .au and as .wav: one of them will do.
        unique = dict(named)
        if unique:
            if len(named) < len(paths):
                others = len(paths) - len(named)
                warn(f"{root}: {others} files are left out, not being named as blues/blues.00000.wav is")
            rows = [(track_id, str(path.absolute()), path.parent.name) for track_id, path in sorted(unique.items())]
            return pd.DataFrame(rows, columns=["track_id", "path", "genre"])
    stray = next((path for path in sorted(folder.rglob("*")) if _is_audio(path)), None)
    if stray is not None:
        raise UserError(
            f"{stray}: not laid out as GTZAN's <genre>/<genre>.NNNNN.wav; name the folder that has GTZAN's genre "
            "folders, or use dataset=folder for music of your own"
        )
    return pd.DataFrame(columns=["track_id", "path", "genre"], dtype=str)


def _is_audio(path: Path) -> bool:
    """Whether it is an audio file; macOS leaves "._blues.00000.wav" beside the real one."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()


def _downloaded_audio(key: str) -> Path:
    """The folder of the unpacked archive, downloaded where it is not there yet."""
    unpacked = cache_dir("gtzan") / "audio"
    if unpacked.is_dir():
        return unpacked
    archive = fetch(
        os.environ.get("GTZAN_ARCHIVE_URL") or ARCHIVE_URL,
        cache_dir("downloads") / "genres.tar.gz",
        md5=os.environ.get("GTZAN_ARCHIVE_MD5") or ARCHIVE_MD5,
        what="GTZAN's audio (1.2 GB)",
        way_out=f"set {key}.dir to a local copy",
    )
    return extract_tar(archive, unpacked)


def describe(tracks: pd.DataFrame, metadata: str, setting: str) -> pd.DataFrame:
    """Add what is known of the tracks.

    Parameters
    ----------
    tracks : pd.DataFrame
        As `find_tracks` returns it.
    metadata : str
        "download", "none", or a folder that has the files of `METADATA_FILES`.
    setting : str
        What the user sets `metadata` by, for messages: a key of params.yaml or an option.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`.

    Raises
    ------
    UserError
        Where a metadata file is missing, cannot be downloaded or cannot be read.
    """
    artists: dict[str, tuple[str, str]] = {}
    splits: dict[str, str] = {}
    if metadata != "none":
        files = _metadata_files(metadata, setting)
        splits = read_splits(files)
        artists = read_index(files[INDEX_NAME])
        strangers = [track_id for track_id in tracks["track_id"] if track_id not in artists]
        if strangers:
            warn(f"{len(strangers)} tracks are not in {INDEX_NAME}, their artists are unknown: {strangers[0]}, ...")
    known = [artists.get(track_id, ("", "")) for track_id in tracks["track_id"]]
    tracks = tracks.assign(
        artist=[artist for artist, _ in known],
        title=[title for _, title in known],
        split=[splits.get(track_id, "") for track_id in tracks["track_id"]],
        source="gtzan",
    )
    return tracks.reindex(columns=CANDIDATE_COLUMNS, fill_value="")


def _metadata_files(metadata: str, setting: str) -> dict[str, Path]:
    if metadata == "download":
        mirror = os.environ.get("GTZAN_METADATA_URL")
        return {
            name: fetch(
                f"{(mirror or base).rstrip('/')}/{name}",
                cache_dir("downloads") / "gtzan_metadata" / name,
                sha256=sha256,
                what=f"GTZAN's {name}",
                way_out=f"offline? put the four files {', '.join(METADATA_FILES)} into a folder and set "
                f"{setting} to it, or to `none` to go without (each track then counts as its own "
                "artist, and the artist protocol cannot keep artists apart)",
            )
            for name, (base, sha256) in METADATA_FILES.items()
        }
    folder = Path(metadata).expanduser().absolute()
    missing = [name for name in METADATA_FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{setting}: {folder} has no {', '.join(missing)}; it is to be a folder with "
            f"{', '.join(METADATA_FILES)}, or `download`, or `none`"
        )
    return {name: folder / name for name in METADATA_FILES}


def read_splits(files: dict[str, Path]) -> dict[str, str]:
    """Read the three lists, whose lines are such as "blues/blues.00029.wav".

    Returns
    -------
    dict
        From track_id to train, val or test.
    """
    splits: dict[str, str] = {}
    for name, split in SPLIT_NAMES.items():
        for number, line in _lines(files[name]):
            match = _FILE_NAME.fullmatch(re.split(r"[/\\]", line)[-1])
            if match is None:
                raise UserError(f"{files[name]}: line {number} is not such as blues/blues.00029.wav: '{line}'")
            if splits.setdefault(match["id"], split) != split:
                raise UserError(f"{files[name]}: {match['id']} is also in the list for {splits[match['id']]}")
    return splits


def read_index(path: Path) -> dict[str, tuple[str, str]]:
    """Read Sturm's index, whose lines are "blues.00029.wav ::: artist ::: title"; what is unknown is empty there.

    Returns
    -------
    dict
        From track_id to artist and title. Different spellings of one artist ("Earth Wind and Fire",
        "Earth, Wind & Fire") become the first of them, so that the artist filter sees one artist.
    """
    index: dict[str, tuple[str, str]] = {}
    spelling: dict[str, str] = {}
    for number, line in _lines(path):
        # An unknown artist leaves "::: :::", so blanks cannot be taken for part of the separator.
        name, *rest = (" ".join(field.split()) for field in line.split(":::", 2))
        match = _FILE_NAME.fullmatch(name)
        if match is None or len(rest) != 2:
            raise UserError(f"{path}: line {number} is not such as 'blues.00029.wav ::: artist ::: title': '{line}'")
        artist, title = rest
        letters = re.sub(r"[\W_]+", "", artist.casefold().replace("&", "and"))
        index[match["id"]] = (spelling.setdefault(letters or artist, artist), title)
    return index


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return number and text of the lines that say something, whatever system and encoding they were written with."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    return [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
