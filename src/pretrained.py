"""Stage `pretrained`: the package registry → data/pretrained/msd_musicnn.npz, weights of a network trained elsewhere.

    python src/pretrained.py

Nothing is fetched unless an architecture of params.yaml uses it. Without a network connection the stage says so, and
the pipeline goes on without those architectures.
"""

import argparse

from genres.core import params
from genres.core.console import UserError, command, warn
from genres.core.paths import WEIGHTS
from genres.models import weights


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/pretrained.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    users = [name for name in settings.architectures if settings.models[name].pretrained_on]
    if not users:
        return
    try:
        if WEIGHTS.exists():
            weights.read(WEIGHTS)
        else:
            weights.fetch(WEIGHTS)
    except UserError as error:
        WEIGHTS.unlink(missing_ok=True)
        warn(f"{error}; the pipeline goes on without {', '.join(users)}")


if __name__ == "__main__":
    main()
