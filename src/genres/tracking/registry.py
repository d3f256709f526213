"""Versions of models in MLflow's registry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from genres.core.paths import project_root
from genres.tracking.runs import run
from genres.tracking.store import address


def register(model_file: Path, card: Mapping[str, Any], name: str, example: str, alias: str | None) -> tuple[str, str]:
    """Log a model file as an MLflow pyfunc with the run of its training, and give it a registry version.

    The version carries this project's code and names its requirements; it is made to be served in the project's own
    environment (--env-manager local).

    Parameters
    ----------
    model_file : Path
    card : Mapping
        Its card.
    name : str
        In the registry.
    example : str
        A short audio file in base64, kept as the example of an input.
    alias : str or None
        Is taken from the version that has it and given to this one.

    Returns
    -------
    version, address : str
        Of the version, and of the tracking store that has it.
    """
    from mlflow.models import ModelSignature  # here: training does without
    from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

    package = Path(__file__).resolve().parents[1]
    text, number = DataType.string, DataType.double
    genres = Object([Property(genre, number) for genre in card["genres"]])
    window = Object([Property("start_s", number), Property("end_s", number), Property("probabilities", genres)])
    signature = ModelSignature(
        Schema([ColSpec(text, "audio", required=False), ColSpec(text, "path", required=False)]),
        Schema(
            [
                *(ColSpec(text, key, required=False) for key in ("genre", "warning", "model", "error")),
                *(ColSpec(number, key, required=False) for key in ("distance", "threshold")),
                ColSpec(genres, "probabilities", required=False),
                ColSpec(Array(window), "timeline", required=False),
            ]
        ),
    )
    with run(card["dataset"], card["architecture"], card.get("run_id")):
        logged = mlflow.pyfunc.log_model(
            name="genres",
            python_model=str(package / "inference" / "serving.py"),
            artifacts={"model": str(model_file.resolve())},
            code_paths=[str(package)],
            pip_requirements=str(project_root() / "requirements.txt"),
            signature=signature,
            input_example=pd.DataFrame({"audio": [example]}),
            registered_model_name=name,
        )
        version = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    for key in ("architecture", "dataset", "protocol"):
        client.set_model_version_tag(name, version, key, str(card[key]))
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return version, address()
