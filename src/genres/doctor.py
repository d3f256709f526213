"""Check this machine and this checkout for what spoils results in silence or ends commands late.

    genres doctor [--quiet]

Prints a line for each check: "ok", or "!!" with the cure; --quiet prints the warnings only. The one thing that it
changes are the paths in mlflow.db after the project's folder was copied or renamed. Loads neither Keras nor MLflow.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from genres.core import params
from genres.core.checkout import git, shallow
from genres.core.console import UserError, command
from genres.core.paths import project_root
from genres.models import keras_settings
from genres.sources.check import check
from genres.tracking import moved

PYTHONS = ((3, 11), (3, 13))
LEAST_FREE = 5e9  # bytes; the environment takes 3 GB, GTZAN with its spectrograms 2 GB

# What a check says: its subject, what it found, and the cure, empty if all is well.
Finding = tuple[str, str, str]


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres doctor", description=__doc__.splitlines()[0])
    parser.add_argument("--quiet", action="store_true", help="print the warnings only")
    quiet = parser.parse_args(arguments).quiet
    for subject, found, cure in findings(project_root()):
        if cure or not quiet:
            print(f"{'!!' if cure else 'ok'} {subject}: {found}{f'; {cure}' if cure else ''}")


def findings(root: Path) -> Iterator[Finding]:
    """Yield what each check found in the project `root` and on this machine."""
    yield _python()
    if not (root / "dvc.yaml").exists():
        yield "project", f"none in {root}: fine for predictions; the pipeline needs a clone", ""
        yield _encoding()
        return
    yield _packages(root)
    yield _environment(root)
    yield _history(root)
    yield _identity(root)
    yield _parameters(root)
    yield _songs(root)
    yield _keras()
    yield _database(root)
    yield _mlflow_variables()
    yield _disk(root)
    yield _encoding()


def _python() -> Finding:
    version, (first, last) = sys.version_info[:2], PYTHONS
    found = ".".join(map(str, sys.version_info[:3]))
    fits = first <= version <= last
    return "Python", found, "" if fits else "needs 3.11 to 3.13: rm -rf .venv && make repro PYTHON=/path/to/python3.12"


def _packages(root: Path) -> Finding:
    try:
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "packages", f"{root} has no requirements.txt", "run this in a clone of the project"
    pinned = [match for line in lines if (match := re.match(r"([\w.-]+)==([\w.]+)", line))]
    differ = []
    for name, version in (match.groups() for match in pinned):
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            differ.append(f"{name} {version} is {installed}")
    if differ:
        return "packages", f"not as in requirements.txt: {', '.join(differ)}", "pip install -r requirements.txt"
    return "packages", f"the {len(pinned)} of requirements.txt", ""


def _environment(root: Path) -> Finding:
    """Check that the command `genres` is of this checkout: a copied environment runs the code of the old folder."""
    code = Path(__file__).resolve().parents[1]
    if code != (root / "src").resolve():
        return "environment", f"`genres` runs the code in {code}", "rm -rf .venv && make .venv/.installed"
    return "environment", sys.prefix, ""


def _history(root: Path) -> Finding:
    if git("rev-parse", "HEAD", folder=root) is None:
        return "git", f"{root} has no history, which DVC's experiments need", "clone the repository"
    if reason := shallow(root):
        found, _, cure = reason.rpartition(": ")
        return "git", found, cure
    return "git", "the whole history", ""


def _identity(root: Path) -> Finding:
    missing = {}
    for name, example in (("name", "YOU"), ("email", "YOU@EXAMPLE.ORG")):
        given = all(os.environ.get(f"GIT_{who}_{name.upper()}") for who in ("AUTHOR", "COMMITTER"))
        if not given and not git("config", f"user.{name}", folder=root):
            missing[f"user.{name}"] = example
    if missing:
        cure = " && ".join(f"git config --global {name} {example}" for name, example in missing.items())
        return "git identity", f"no {' and '.join(missing)}, without which `dvc exp run` fails", cure
    return "git identity", "known", ""


def _parameters(root: Path) -> Finding:
    try:
        settings = params.load(root / "params.yaml")
    except UserError as error:
        return "params.yaml", str(error).removeprefix(f"{root / 'params.yaml'}: "), "correct it"
    for key in ("dir", "songs_dir"):
        folder = getattr(settings.recipe, key, None)
        found = f"datasets.{settings.dataset}.{key}: {folder}"
        if folder is not None and not (root / folder).exists():  # DVC does not replace ~
            return "params.yaml", f"{found}: no such folder", "write the absolute path of one"
        if folder is not None and not (root / folder).resolve().is_relative_to(root) and not folder.is_absolute():
            return "params.yaml", f"{found}: is elsewhere with --temp and --queue", "write its absolute path"
    return "params.yaml", f"data set {settings.dataset}", ""


def _songs(root: Path) -> Finding:
    try:
        recipes = params.load(root / "params.yaml").datasets.values()
        hashed = [recipe for recipe in recipes if recipe.source != "library"]
        for folder in (getattr(recipe, key, None) for recipe in hashed for key in ("dir", "songs_dir")):
            if folder is not None:
                check(root / folder.expanduser())
    except UserError as error:
        return "songs", *str(error).rsplit(": ", 1)  # type: ignore[return-value]
    return "songs", "DVC can read their folders", ""


def _keras() -> Finding:
    name, setting = keras_settings.backend()
    if name not in keras_settings.installed():
        return "Keras", f"{setting} is not installed", keras_settings.cure()
    return "Keras", f"backend {name}", ""


def _database(root: Path) -> Finding:
    old = moved.mend(root)
    return "mlflow.db", f"its paths led to {old}; they lead here now" if old else "its paths lead here", ""


def _mlflow_variables() -> Finding:
    ignored = [
        name for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME") if name in os.environ
    ]
    if ignored:
        return "MLflow", f"{' and '.join(ignored)} set, and ignored", f"unset {' '.join(ignored)}"
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return "MLflow", "runs go to MLFLOW_TRACKING_URI" if uri else "runs go to mlflow.db", ""


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    return "disk", f"{free / 1e9:.0f} GB free at {root}", "" if free >= LEAST_FREE else "free some space"


def _encoding() -> Finding:
    terminal, files = sys.stdout.encoding, sys.getfilesystemencoding()
    if "utf" not in files.lower():
        return "encoding", f"names of files are read as {files}", "export PYTHONUTF8=1"
    if "utf" not in terminal.lower():
        return "encoding", f"the terminal shows {terminal}, other letters as ?", "export PYTHONIOENCODING=utf-8"
    return "encoding", terminal, ""
