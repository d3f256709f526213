"""Stage `train@<architecture>`: clips → models/<architecture>.keras, plots/<architecture>/history.csv.

    python src/train.py baseline

The model file contains its card: input format, genres, cost of the training and MLflow run.
A killed training resumes after its last complete epoch.
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

    from genres.training.loop import Training  # imported here, since loading Keras takes seconds

    training = Training(architecture, settings)
    with training.locked():
        training.run()


if __name__ == "__main__":
    main()
