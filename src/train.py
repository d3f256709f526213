"""Stage `train@<architecture>`: clips → models/<architecture>.keras, plots/<architecture>/history.csv.

    python src/train.py baseline

Inside the model file lies its card: what it takes, what it tells apart, what training it cost and its MLflow run.
A training that was killed goes on from its last whole epoch.
"""

import argparse

from genres.core import params
from genres.core.console import UserError, command


@command
def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="python src/train.py", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help="one of `models` in params.yaml")
    architecture = parser.parse_args().architecture
    settings = params.load()
    if architecture not in settings.models:
        raise UserError(f"architecture '{architecture}' is none of {', '.join(settings.models)}")

    from genres.training.loop import Training  # loads Keras: seconds, which --help and a misspelt name need not cost

    training = Training(architecture, settings)
    with training.locked():
        training.run()


if __name__ == "__main__":
    main()
