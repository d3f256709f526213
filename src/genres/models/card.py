"""The card of a trained model: what it takes, what it tells apart, how it was trained; it lies in the model file.

``models/<architecture>.keras`` is Keras' own zip archive with one more member, card.json, so that a model that is sent
to somebody else is whole. Reading it takes no Keras. Where a network was trained once more on the validation tracks,
`validation` is what it had said of their windows before [shape=(windows, genres)].
"""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from genres.core.console import UserError

MEMBER = "card.json"

# Without these nobody could use the model; a file that lacks one is none of this project, or an older one.
NEEDED = ("architecture", "dataset", "protocol", "genres", "spectrogram", "clip_length_s", "frames")


class ModelCard(TypedDict):
    """What a model takes, what it tells apart, how it was trained."""

    architecture: str
    dataset: str
    protocol: str
    genres: list[str]  # in the order of the probabilities
    spectrogram: dict[str, Any]  # of genres.audio.format.Format
    clip_length_s: float
    frames: int  # of a window
    window_s: NotRequired[float | None]  # None: the windows are the clips of params.yaml
    clip_overlap_s: NotRequired[float]
    out_of_distribution: NotRequired[dict[str, Any]]  # see genres.models.out_of_distribution.reference
    validation: NotRequired[dict[str, list[Any]]]  # predictions before the refit: track_id, start_s, probabilities
    n_parameters: NotRequired[int]
    multiply_adds: NotRequired[int]
    epochs: NotRequired[int]
    best_epoch: NotRequired[int]
    seconds: NotRequired[float]
    clips_per_second: NotRequired[float]
    run_id: NotRequired[str]  # of MLflow


def read_card(model_file: Path) -> ModelCard:
    """Read the card of a model file.

    Raises
    ------
    UserError
        If there is no such file, it is cut off, or it has no card.
    """
    again = f"train it again: dvc repro --force train@{model_file.stem}"
    if not model_file.is_file():
        raise UserError(f"{model_file}: no such model; `make repro` trains those of params.yaml")
    try:
        with zipfile.ZipFile(model_file) as archive:
            if MEMBER not in archive.namelist():
                raise UserError(f"{model_file}: has no card inside, as older versions of this project left it; {again}")
            card = json.loads(archive.read(MEMBER))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
        raise UserError(f"{model_file}: damaged, cut off, or no Keras model; {again}") from None
    missing = [key for key in NEEDED if key not in card] if isinstance(card, dict) else [*NEEDED]
    if missing:
        raise UserError(f"{model_file}: its card lacks '{missing[0]}'; {again}")
    return cast(ModelCard, card)


def is_whole(model_file: Path) -> bool:
    """Whether a file that Keras has written is all there: every member has the checksum that it was written with."""
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
        If the file has a card already, or the card holds what is no JSON (a NaN, say).
    """
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    with zipfile.ZipFile(model_file, "a", zipfile.ZIP_DEFLATED) as archive:
        if MEMBER in archive.namelist():
            raise ValueError(f"{model_file} has a card already")
        # A fixed date: two cards that say the same are the same bytes.
        archive.writestr(zipfile.ZipInfo(MEMBER), text, zipfile.ZIP_DEFLATED)
