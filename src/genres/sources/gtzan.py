"""GTZAN (Tzanetakis and Cook 2002): 10 genres of 100 tracks of 30 s, with the fault-filtered split and the artists.

Audio is read in place from ``datasets.gtzan.dir``, in any of the usual layouts. If the folder holds no audio, the
archive is downloaded to .cache/downloads and unpacked to .cache/gtzan. The split is the fault-filtered one of
Kereliuk, Sturm and Larsen (2015), in which no known artist is in two lists; tracks in no list have no split. Artists
and titles are from Sturm (2013).

Environment variables set mirrors: ``GTZAN_ARCHIVE_URL`` (with ``GTZAN_ARCHIVE_MD5`` if the archive differs) and
``GTZAN_METADATA_URL``, a folder with the four metadata files under their own names.
"""

import os
import re
from pathlib import Path

import pandas as pd

from genres.audio.walk import EXTENSIONS
from genres.core.console import UserError, warn
from genres.core.paths import cache_dir
from genres.core.recipes import GtzanRecipe
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.download import extract_tar, fetch
from genres.sources.source import AudioFiles

# Of a track in several formats, one of these is taken.
_PREFERRED = (".au", ".wav")

# The unpacked archive, Kaggle's archive without and with its Data folder, and bare genre folders.
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

# File name: base URL, SHA-256.
METADATA_FILES = {
    "train_filtered.txt": (_LISTS, "2b04966cef1486f1a7767b74271533fa23e220388db804a1937835e1fc4fa3fa"),
    "valid_filtered.txt": (_LISTS, "f8fbee7c52397a0e0f3a91dc54fedecb2e27f5bdc9a9daeab8cb10d077e26956"),
    "test_filtered.txt": (_LISTS, "09cafa6a89ce0a27f30ed250d56ecb4d03c22fffb5a693f96c7ae655ee02ac72"),
    INDEX_NAME: (_INDEX, "7bc7140f082cccd72046ec7c6e9b9c211a7491f6e7ede38fddafc63058559833"),
}

# blues.00029.wav, or blues.00029.au.wav after some conversions.
_FILE_NAME = re.compile(r"(?P<id>[^./]+\.\d{5})(\.\w+)?\.\w+")


class Source(AudioFiles[GtzanRecipe]):
    """Songs of GTZAN."""

    def collect(self) -> pd.DataFrame:
        """Return the requested songs: see :func:`collect`."""
        return collect(self.recipe, self.folder)


def collect(recipe: GtzanRecipe, raw_dir: Path, key: str = "datasets.gtzan") -> pd.DataFrame:
    """List GTZAN's tracks.

    Parameters
    ----------
    recipe : GtzanRecipe
        Folder and genres of the tracks.
    raw_dir : Path
        Unused: tracks are read in place.
    key : str
        Key of the recipe in params.yaml, for messages.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`; the track_id is such as "blues.00029", the path absolute.

    Raises
    ------
    UserError
        If the folder or a requested genre is missing, or a download fails.
    """
    folder = recipe.dir.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{key}.dir: {folder}: no such folder")
    tracks = find_tracks(folder)
    if tracks.empty:
        tracks = find_tracks(_downloaded_audio(key))
    available = ", ".join(tracks["genre"].unique()) or "nothing"
    for genre in recipe.genres or []:
        if genre in recipe.exclude_genres:
            raise UserError(f"{key}.genres: '{genre}' is also in exclude_genres; remove it from one of them")
        if genre not in set(tracks["genre"]):
            raise UserError(f"{key}.genres: no '{genre}' in {folder}; available: {available}")
    tracks = tracks[[recipe.includes(genre) for genre in tracks["genre"]]].reset_index(drop=True)
    if tracks.empty:
        raise UserError(f"{key}: genres and exclude_genres leave no track; available: {available}")
    return describe(tracks, recipe.metadata, f"{key}.metadata")


def find_tracks(folder: Path) -> pd.DataFrame:
    """List the tracks below a folder, in the first of `LAYOUTS` that has any.

    Returns
    -------
    pd.DataFrame
        Columns track_id, path (absolute) and genre, sorted; no rows if the folder holds no audio.

    Raises
    ------
    UserError
        If the folder holds audio with another layout or other names than GTZAN's.
    """
    for layout in LAYOUTS:
        root = folder / layout
        paths = [path for path in sorted(root.glob("*/*")) if _is_audio(path)] if root.is_dir() else []
        named = [(match["id"], path) for path in paths if (match := _FILE_NAME.fullmatch(path.name))]
        named = [(track_id, path) for track_id, path in named if track_id.split(".")[0] == path.parent.name]
        unique = dict(sorted(named, key=lambda item: (item[1].suffix.lower() in _PREFERRED, item[1])))
        if unique:
            if len(named) < len(paths):
                others = len(paths) - len(named)
                warn(f"{root}: skipped {others} files that are not named like blues/blues.00000.wav")
            rows = [(track_id, str(path.absolute()), path.parent.name) for track_id, path in sorted(unique.items())]
            return pd.DataFrame(rows, columns=["track_id", "path", "genre"])
    stray = next((path for path in sorted(folder.rglob("*")) if _is_audio(path)), None)
    if stray is not None:
        raise UserError(
            f"{stray}: does not match GTZAN's layout <genre>/<genre>.NNNNN.wav; set the folder that has GTZAN's genre "
            "folders, or use dataset=folder for your own music"
        )
    return pd.DataFrame(columns=["track_id", "path", "genre"], dtype=str)


def _is_audio(path: Path) -> bool:
    """Return True for audio files, but not for macOS's "._blues.00000.wav"."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()


def _downloaded_audio(key: str) -> Path:
    """Return the folder of the unpacked archive; download it first if needed."""
    unpacked = cache_dir("gtzan") / "audio"
    if unpacked.is_dir():
        return unpacked
    archive = fetch(
        os.environ.get("GTZAN_ARCHIVE_URL") or ARCHIVE_URL,
        cache_dir("downloads") / "genres.tar.gz",
        md5=os.environ.get("GTZAN_ARCHIVE_MD5") or ARCHIVE_MD5,
        what="GTZAN's audio (1.2 GB)",
        remedy=f"set {key}.dir to a local copy",
    )
    return extract_tar(archive, unpacked)


def describe(tracks: pd.DataFrame, metadata: str, setting: str) -> pd.DataFrame:
    """Add artist, title and split to the tracks.

    Parameters
    ----------
    tracks : pd.DataFrame
        Table from `find_tracks`.
    metadata : str
        "download", "none", or a folder with the files of `METADATA_FILES`.
    setting : str
        Key of params.yaml or option that sets `metadata`, for messages.

    Returns
    -------
    pd.DataFrame
        `CANDIDATE_COLUMNS`.

    Raises
    ------
    UserError
        If a metadata file is missing, unreadable or cannot be downloaded.
    """
    artists: dict[str, tuple[str, str]] = {}
    splits: dict[str, str] = {}
    if metadata != "none":
        files = _metadata_files(metadata, setting)
        splits = read_splits(files)
        artists = read_index(files[INDEX_NAME])
        missing = [track_id for track_id in tracks["track_id"] if track_id not in artists]
        if missing:
            warn(f"{len(missing)} tracks are not in {INDEX_NAME}, so their artists are unknown: {missing[0]}, ...")
    names = [artists.get(track_id, ("", "")) for track_id in tracks["track_id"]]
    tracks = tracks.assign(
        artist=[artist for artist, _ in names],
        title=[title for _, title in names],
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
                remedy=f"offline? put the four files {', '.join(METADATA_FILES)} into a folder and set "
                f"{setting} to it, or to `none` to do without (each track then counts as its own "
                "artist, so the artist filter has no effect)",
            )
            for name, (base, sha256) in METADATA_FILES.items()
        }
    folder = Path(metadata).expanduser().absolute()
    missing = [name for name in METADATA_FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{setting}: {folder} has no {', '.join(missing)}; set it to a folder with "
            f"{', '.join(METADATA_FILES)}, to `download` or to `none`"
        )
    return {name: folder / name for name in METADATA_FILES}


def read_splits(files: dict[str, Path]) -> dict[str, str]:
    """Read the three split lists, whose lines are like "blues/blues.00029.wav".

    Returns
    -------
    dict
        Split (train, val or test) by track_id.
    """
    splits: dict[str, str] = {}
    for name, split in SPLIT_NAMES.items():
        for number, line in _lines(files[name]):
            match = _FILE_NAME.fullmatch(re.split(r"[/\\]", line)[-1])
            if match is None:
                raise UserError(f"{files[name]}: line {number} must be like blues/blues.00029.wav; received '{line}'")
            if splits.setdefault(match["id"], split) != split:
                raise UserError(f"{files[name]}: {match['id']} is also in the {splits[match['id']]} list; keep one")
    return splits


def read_index(path: Path) -> dict[str, tuple[str, str]]:
    """Read Sturm's index, whose lines are "blues.00029.wav ::: artist ::: title"; unknown fields are empty.

    Returns
    -------
    dict
        Artist and title by track_id. Spellings of one artist ("Earth Wind and Fire", "Earth, Wind & Fire") become the
        first of them, so that the artist filter sees one artist.
    """
    index: dict[str, tuple[str, str]] = {}
    spelling: dict[str, str] = {}
    for number, line in _lines(path):
        # An unknown artist leaves "::: :::", so spaces are not part of the separator.
        name, *rest = (" ".join(field.split()) for field in line.split(":::", 2))
        match = _FILE_NAME.fullmatch(name)
        if match is None or len(rest) != 2:
            wanted = "blues.00029.wav ::: artist ::: title"
            raise UserError(f"{path}: line {number} must be like '{wanted}'; received '{line}'")
        artist, title = rest
        letters = re.sub(r"[\W_]+", "", artist.casefold().replace("&", "and"))
        index[match["id"]] = (spelling.setdefault(letters or artist, artist), title)
    return index


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return number and text of the lines that are neither blank nor comments, in any line ending, UTF-8 or Latin-1."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    return [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
