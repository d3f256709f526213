"""Stage `train@<architecture>`: clips → models/<architecture>.keras, plots/<architecture>/history.csv.

    python src/train.py baseline

The model file contains its card: input format, genres, cost of the training and MLflow run.
A killed training resumes after its last complete epoch.
"""

import argparse

import pandas as pd

from genres.core import params
from genres.core.console import UserError, command, warn
from genres.core.files import atomic, write_table
from genres.core.inputs import missing
from genres.core.paths import PLOTS, model_path


@command
def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="python src/train.py", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help="one of `models` in params.yaml")
    architecture = parser.parse_args().architecture
    settings = params.load()
    if architecture not in settings.models:
        raise UserError(f"architecture '{architecture}' is none of {', '.join(settings.models)}")

    if reason := missing(architecture, settings):
        warn(f"{architecture} is left out: it {reason}")
        write_table(PLOTS / architecture / "history.csv", pd.DataFrame(columns=["epoch", "val_loss"]))
        with atomic(model_path(architecture)) as temporary:
            temporary.touch()  # DVC wants each output
        return

    from genres.training.frozen import training_of  # imported here, since loading Keras takes seconds

    training = training_of(architecture, settings)
    with training.locked():
        training.run()


if __name__ == "__main__":
    main()
