"""Make a data set of a folder of music, in the project's cache, and predict it with artists held out."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from genres.audio.walk import NOT_UNICODE, is_unicode, readable
from genres.core import params
from genres.core.console import UserError, warn
from genres.core.files import atomic, one_at_a_time, write_table
from genres.core.paths import WEIGHTS, cache_dir, project_root, raw_dir
from genres.core.recipes import LocalRecipe
from genres.data.folds import group
from genres.library.audited import ARCHITECTURE, Audited, catalogue, of_data_set

LEAST_ARTISTS = 3  # of a genre, so that two are left where one is held out

_STAGES = (("ingest",), ("clips",), ("mels", "musicnn"))


def of_folder(folder: Path, recipe: str) -> Audited:
    """Make a data set of a folder of music in the project's cache, and predict it, with artists held out.

    Raises
    ------
    UserError
        If there is no such folder or recipe, no project, no weights, or fewer than two genres can be compared.
    SystemExit
        If a stage fails for a reason that it has printed.
    """
    if not folder.is_dir():
        raise UserError(f"{readable(folder)}: no such folder; name the folder of the music")
    folder = folder.resolve()
    if not is_unicode(folder):
        raise UserError(f"{readable(folder)}: {NOT_UNICODE}")
    project = project_root().absolute()
    if not (project / "src/ingest.py").is_file():
        raise UserError("DIR: needs the project's stages; run the command in its folder, or give --predictions")
    if not (project / WEIGHTS).exists():
        raise UserError(f"{project / WEIGHTS}: no such file; run: dvc repro pretrained")
    key = hashlib.sha256(f"{recipe}\0{folder}".encode()).hexdigest()[:16]
    place = cache_dir("audit").absolute() / key
    place.mkdir(exist_ok=True)
    with one_at_a_time(place / ".lock", f"audit of {folder}"):
        _write_settings(project / "params.yaml", place / "params.yaml", folder, recipe)
        (place / WEIGHTS).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / WEIGHTS, place / WEIGHTS)
        with contextlib.chdir(place):
            settings = params.load()
            for number, (stage, *arguments) in enumerate(_STAGES, start=1):
                print(f"step {number} of {len(_STAGES) + 1}: {stage}", file=sys.stderr, flush=True)
                _run(project, stage, *arguments)
                if stage == "ingest":
                    songs = catalogue(settings)
                    write_table(raw_dir(settings.dataset) / "tracks.csv", _comparable(songs, folder))
            print(f"step {len(_STAGES) + 1} of {len(_STAGES) + 1}: predictions", file=sys.stderr, flush=True)
            found = of_data_set(settings)
    label = found.about.partition("; ")[2]
    return found._replace(catalogue=songs, about=f"{folder}; {label}")


def _write_settings(source: Path, target: Path, folder: Path, recipe: str) -> None:
    settings = params.load(source)
    usable = [name for name, each in settings.datasets.items() if isinstance(each, LocalRecipe) and each.has_audio]
    if recipe not in usable:
        raise UserError(f"--recipe: '{recipe}' is none of {', '.join(usable)}")
    values = YAML(typ="safe").load(source.read_text(encoding="utf-8"))
    chosen = values["datasets"][recipe]
    for name, value in settings.datasets[recipe]:
        if isinstance(value, Path):
            chosen[name] = str(source.parent / value.expanduser())
    chosen["dir"] = str(folder)
    values |= {"dataset": recipe, "architectures": [ARCHITECTURE]}
    # Artists are held out by the audit; by track all songs have a fold, also those of artists with several labels.
    values["split"] |= {"protocol": "track", "folds": None, "fold": 0, "train_share": 1.0}
    with atomic(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(values, file)


def _run(project: Path, stage: str, *arguments: str) -> None:
    """Run a stage; its warnings and its error are shown, its tables are not."""
    command = [sys.executable, str(project / f"src/{stage}.py"), *arguments]
    done = subprocess.run(command, env=os.environ | {"DVC_ROOT": str(project)}, stdout=subprocess.DEVNULL, check=False)
    if done.returncode == UserError.status:
        sys.exit(done.returncode)
    if done.returncode:
        raise UserError(f"src/{stage}.py: ended with status {done.returncode}; run the same command again")


def _comparable(songs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the songs of the genres that have enough artists."""
    artists = pd.Series(group(songs, by_artist=True), index=songs.index).groupby(songs["genre"]).nunique()
    few = sorted(artists.index[artists < LEAST_ARTISTS])
    for genre in few:
        warn(
            f"genre '{genre}': {(songs['genre'] == genre).sum()} songs of {artists[genre]} artists are not audited, "
            f"but for duplicates; it takes {LEAST_ARTISTS} artists"
        )
    if len(artists) - len(few) < 2:
        raise UserError(
            f"{folder}: {len(artists) - len(few)} genre has songs of {LEAST_ARTISTS} artists; it takes two to compare"
        )
    return songs[~songs["genre"].isin(few)].drop(columns="file").reset_index(drop=True)
