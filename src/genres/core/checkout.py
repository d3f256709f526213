"""The git checkout of a folder, and whether a DVC experiment's results would come back to it."""

import os
import subprocess
from pathlib import Path


def git(*arguments: str, folder: Path | None = None) -> str | None:
    """Return the output of a git command; None if it fails or there is no git."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def shallow(folder: Path) -> str | None:
    """Return what is wrong with a clone without its whole history, and the cure; None for any other folder.

    DVC fetches an experiment from its temporary copy; from that of a shallow clone nothing comes, without an error.
    """
    if git("rev-parse", "--is-shallow-repository", folder=folder) != "true":
        return None
    return f"{folder}: a shallow clone, in which DVC loses what --temp and --queue compute: run `git fetch --unshallow`"


def lost_experiment() -> str | None:
    """Return why the results of the experiment that this process is a stage of would be lost; None if they are kept.

    DVC names the experiment in DVC_EXP_NAME and the user's checkout in DVC_ROOT. With `--temp` and `--queue` the
    working folder is a copy of it; in the checkout itself results are kept whatever the clone.
    """
    root = os.environ.get("DVC_ROOT")
    if not root or "DVC_EXP_NAME" not in os.environ or Path(root).resolve() == Path.cwd().resolve():
        return None
    return shallow(Path(root))
