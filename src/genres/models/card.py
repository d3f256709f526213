"""Read and write the model card: the input, the genres and the training of a model, stored in its file.

``models/<architecture>.keras`` is Keras' own zip archive with one more member, card.json, so that a shared model is
self-contained. An exported model, ``models/<architecture>.onnx``, has the card in its metadata. Reading a card needs
neither Keras nor onnxruntime. If a network was refitted on the validation tracks, `validation`
holds its earlier predictions for their windows [shape=(windows, genres)].
"""

import json
import shlex
import zipfile
import zlib
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from genres.core.console import UserError
from genres.core.paths import MODELS, export_stage
from genres.models import onnx_file

MEMBER = "card.json"

# Keys that are needed to use the model; a file that lacks one is older or not of this project.
NEEDED = ("architecture", "dataset", "protocol", "genres", "spectrogram", "windowing")


class ModelCard(TypedDict):
    """Input, genres and training of a model."""

    architecture: str
    dataset: str
    protocol: str
    genres: list[str]  # in the order of the probabilities
    spectrogram: dict[str, Any]  # fields of genres.audio.format.Format
    windowing: dict[str, Any]  # fields of genres.data.windows.Windowing
    front_end: NotRequired[str]  # name of the spectrogram's format in params.yaml
    pretrained_on: NotRequired[str | None]  # data that the weights were trained on beforehand; None: from scratch
    genre_tags: NotRequired[list[str]]  # of a tagger, whose probabilities do not sum to 1: those of `genres` that are
    out_of_distribution: NotRequired[dict[str, Any]]  # see genres.models.out_of_distribution.reference
    validation: NotRequired[dict[str, list[Any]]]  # predictions before the refit: track_id, start_s, probabilities
    n_parameters: NotRequired[int]
    multiply_adds: NotRequired[int]
    epochs: NotRequired[int]
    best_epoch: NotRequired[int]
    seconds: NotRequired[float]
    clips_per_second: NotRequired[float]
    run_id: NotRequired[str]  # of MLflow
    source_sha256: NotRequired[str]  # of an exported model: digest of the file that it was made from


def read_card(model_file: Path) -> ModelCard:
    """Read the card of a model file.

    Raises
    ------
    UserError
        If the file is missing, truncated, or has no card.
    """
    if not model_file.is_file():
        raise UserError(f"{model_file}: no such model; `make repro` trains those of params.yaml")
    exported = model_file.suffix == ".onnx"
    verb, stage = ("export", export_stage(model_file.stem)) if exported else ("train", f"train@{model_file.stem}")
    again = f"{verb} it again: dvc repro --force {shlex.quote(stage)}"
    if model_file.absolute().parent != MODELS.absolute():
        again = "get it again from where it came from"
    card = _exported(model_file, again) if exported else _zipped(model_file, again)
    missing = [key for key in NEEDED if key not in card] if isinstance(card, dict) else [*NEEDED]
    if missing:
        raise UserError(f"{model_file}: its card lacks '{missing[0]}'; {again}")
    return cast(ModelCard, card)


def _exported(model_file: Path, again: str) -> Any:
    try:
        return onnx_file.read(model_file)
    except onnx_file.NotExportedError as error:
        raise UserError(f"{model_file}: {error}; {again}") from None


def _zipped(model_file: Path, again: str) -> Any:
    try:
        with zipfile.ZipFile(model_file) as archive:
            if MEMBER not in archive.namelist():
                raise UserError(f"{model_file}: has no card inside, as in older versions of this project; {again}")
            return json.loads(archive.read(MEMBER))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
        raise UserError(f"{model_file}: damaged, truncated, or not a Keras model; {again}") from None


def is_whole(model_file: Path) -> bool:
    """Return True if a file that Keras wrote is complete: every member matches its checksum."""
    try:
        with zipfile.ZipFile(model_file) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
        return False


def write_card(model_file: Path, card: ModelCard) -> None:
    """Add the card to the archive that Keras wrote.

    Raises
    ------
    ValueError
        If the file already has a card, or the card is not valid JSON (contains NaN, for example).
    """
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    with zipfile.ZipFile(model_file, "a", zipfile.ZIP_DEFLATED) as archive:
        if MEMBER in archive.namelist():
            raise ValueError(f"{model_file} has a card already")
        # ZipInfo has a fixed date, so that equal cards are equal bytes.
        archive.writestr(zipfile.ZipInfo(MEMBER), text, zipfile.ZIP_DEFLATED)
