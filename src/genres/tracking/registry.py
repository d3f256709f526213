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
    """Log a model file as an MLflow pyfunc in the run of its training, and register it as a new version.

    The version contains this project's code and its requirements. It is to be served in the project's own environment
    (--env-manager local).

    Parameters
    ----------
    model_file : Path
    card : Mapping
        Card of the model.
    name : str
        Name in the registry.
    example : str
        Short audio file in base64, stored as the input example.
    alias : str or None
        Alias to move to the new version.

    Returns
    -------
    version, address : str
        Number of the version, and URI of the tracking store.
    """
    from mlflow.models import ModelSignature  # here, since training does not need it
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
