"""Which code a stage's results depend on: what dvc.yaml says, which a test compares with the imports."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from genres.core.files import sha256_of

# The checkout that holds this code; a temporary DVC experiment has its own.
ROOT = Path(__file__).resolve().parents[3]


def declared(root: Path, stages: Iterable[str] | None = None) -> list[Path]:
    """List the code files that stages depend on.

    Parameters
    ----------
    root : Path
        The folder that holds dvc.yaml.
    stages : iterable of str or None
        Names of stages; None: all.

    Returns
    -------
    list of Path
        Below `root`, sorted.
    """
    written = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    pipeline = {name: stage.get("do", stage) for name, stage in written.items()}
    names = {dep for stage in stages or pipeline for dep in pipeline[stage]["deps"] if dep.startswith("src/")}
    files: set[Path] = set()
    for path in (root / name for name in names):
        inside = (file for file in path.rglob("*") if file.suffix in (".py", ".yaml"))
        files.update(inside if path.is_dir() else [path] if path.is_file() else [])
    return sorted(files)


@functools.cache
def digest_of_stage(stage: str) -> str:
    """Return a hexadecimal SHA-256 of the code that a stage depends on."""
    parts = [f"{path.relative_to(ROOT).as_posix()} {sha256_of(path)}" for path in declared(ROOT, [stage])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
