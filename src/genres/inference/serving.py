"""The classifier as an MLflow model: audio in, genres out. `genres register` logs this file as code.

An input row has one of the columns `audio` (an audio file of any format in base64) and `path` (a file on the server).
Opening any path would reveal the server's files to strangers. So paths are refused unless the environment variable
GENRES_AUDIO_DIR names a folder when the server starts; then only files in it are allowed. A row that fails has its
reason in `error`; the other rows are predicted.
"""

import base64
import binascii
import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import set_model

from genres.audio.decode import AudioError
from genres.core.console import UserError
from genres.inference.answer import predict
from genres.inference.classifier import Classifier

FOLDER_VARIABLE = "GENRES_AUDIO_DIR"

# Size limit of an uploaded file: an hour of MP3.
MOST_BYTES = 100 << 20

ANSWER = ("genre", "probabilities", "timeline", "distance", "threshold", "warning", "model")


class GenreModel(mlflow.pyfunc.PythonModel):
    """One trained network and its card."""

    def load_context(self, context: Any) -> None:
        """Load the network, once per server."""
        self._classifier = Classifier(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[dict[str, Any]]:
        """Return for each row the keys `ANSWER` of a prediction, and `error`, null if all went well."""
        return [self._answer(row.get("audio"), row.get("path")) for row in model_input.to_dict("records")]

    def _answer(self, audio: Any, path: Any) -> dict[str, Any]:
        try:
            if _given(audio) == _given(path):
                raise UserError("a row needs either audio, a file in base64, or path")
            if _given(path):
                prediction = predict(self._classifier, allowed(path, os.environ.get(FOLDER_VARIABLE)))
            else:
                with tempfile.NamedTemporaryFile(prefix="song-") as file:
                    file.write(decoded(audio))
                    file.flush()
                    prediction = predict(self._classifier, Path(file.name))
        except (UserError, AudioError) as error:
            return dict.fromkeys(ANSWER) | {"error": str(error)}
        return {key: prediction[key] for key in ANSWER} | {"error": None}


def _given(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def decoded(audio: str) -> bytes:
    """Decode a file from base64.

    Raises
    ------
    UserError
        If the text is not base64, or the file is too large.
    """
    if len(audio) > MOST_BYTES * 4 / 3 + 4:
        raise UserError(f"audio: more than {MOST_BYTES >> 20} MB; send a shorter file")
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise UserError("audio: not base64; encode the file's bytes") from None


def allowed(path: str, folder: str | None) -> Path:
    """Return the file that a request names, if it lies in the allowed folder.

    Raises
    ------
    UserError
        If it does not, or no folder is allowed. The message does not reveal whether the file exists.
    """
    if not folder:
        raise UserError(f"path: paths are off here; send audio, or start the server with {FOLDER_VARIABLE}=<folder>")
    root = Path(folder).resolve()
    try:
        file = (root / path).resolve()  # links are followed
        inside = file.is_relative_to(root) and file.is_file()
    except (OSError, ValueError):  # an invalid name, such as one with NUL
        inside = False
    if not inside:
        raise UserError(f"path: no such file in the folder that {FOLDER_VARIABLE} opens")
    return file


set_model(GenreModel())
