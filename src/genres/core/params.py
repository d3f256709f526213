"""The typed parameters of params.yaml.

``load()`` reads the file once, in a stage's ``main()``; all other functions take values. An unknown key, a wrong type
or an impossible value raises a :class:`~genres.core.console.UserError` that names the key and the value received.
"""

import reprlib
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from genres.core.console import UserError
from genres.core.paths import DEFAULT_FRONT_END, raw_dir
from genres.core.recipes import AnyRecipe, Count, Positive, Strict

Fraction = Annotated[float, Field(gt=0, lt=1)]

Host = Literal["spotify", "deezer", "itunes", "downloads"]


class Services(Strict):
    """Limits for requests to web services. They change no result, so no stage depends on them."""

    requests_per_second: dict[Host, Positive]
    attempts: Count


class Compute(Strict):
    """Place of parallel work (src/genres/compute/pool.py). It changes no result, so no stage depends on it."""

    scheduler: Annotated[str, Field(pattern=r"^[a-z]+://\S+:\d+$")] | None
    data: Annotated[str, Field(min_length=1)] | None


class MelParams(Strict):
    """Parameters of the mel spectrograms, named as in librosa."""

    sample_rate: Count
    n_fft: Count
    hop_length: Count
    n_mels: Count
    fmin: float = Field(ge=0)
    fmax: float | None
    top_db: Positive
    reference: Literal["peak", "loudness"] = "peak"

    @model_validator(mode="after")
    def _band_is_possible(self) -> "MelParams":
        highest = self.sample_rate / 2
        if not self.fmin < (highest if self.fmax is None else self.fmax) <= highest:
            raise ValueError(f"needs fmin < fmax <= sample_rate / 2; received {self.fmin}, {self.fmax}, {highest}")
        return self


class ClipParams(Strict):
    """Length and overlap of the clips of a track, in seconds."""

    length_s: Positive
    overlap_s: float = Field(ge=0)
    short_tracks: Literal["pad", "drop"]

    @model_validator(mode="after")
    def _clips_move_forward(self) -> "ClipParams":
        if self.overlap_s >= self.length_s:
            raise ValueError(f"overlap_s must be smaller than length_s; received {self.overlap_s} and {self.length_s}")
        return self


class SplitParams(Strict):
    """Split of the tracks into training, validation and test folds."""

    protocol: Literal["artist", "track", "predefined", "clip"]
    val: Fraction
    test: Fraction
    folds: Annotated[int, Field(ge=2)] | None
    fold: int = Field(ge=0)
    train_share: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _shares_and_folds_fit(self) -> "SplitParams":
        if self.val + self.test >= 1:
            raise ValueError(f"val + test must be below 1, to leave training tracks; received {self.val} + {self.test}")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold must be below folds; received {self.fold} of {self.folds}")
        if self.train_share < 1 and self.protocol not in ("artist", "predefined"):
            raise ValueError(f"train_share below 1 keeps whole artists: it needs protocol artist, not {self.protocol}")
        return self


class Augment(Strict):
    """Ranges of the random augmentation of training clips; zero turns one off."""

    stretch: float = Field(ge=0, lt=1)
    shift_bands: int = Field(ge=0)
    equalizer_db: float = Field(ge=0)
    mask_bands: int = Field(ge=0)
    mask_s: float = Field(ge=0)
    mixup: float = Field(ge=0)


class TrainParams(Strict):
    """Training settings of a network."""

    epochs: Count
    batch_size: Count
    optimizer: Literal["adam", "adamw", "sgd_nesterov"]
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    learning_rate: Positive
    schedule: Literal["plateau", "cosine", "constant"]
    warmup_epochs: int = Field(ge=0)
    early_stopping_patience: Count | None
    monitor: Literal["val_loss", "val_accuracy", "last_epoch"]
    crops: Literal["fixed", "random"]
    crop_s: Positive | None
    augment: Augment
    label_smoothing: float = Field(ge=0, lt=1)
    class_weights: bool
    refit: bool
    distribute: bool

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainParams":
        if self.monitor == "last_epoch" and (self.schedule == "plateau" or self.early_stopping_patience is not None):
            raise ValueError(
                "monitor: last_epoch uses no validation score; set early_stopping_patience: null, no plateau schedule"
            )
        if self.refit and self.monitor != "last_epoch":
            raise ValueError(
                "refit: needs monitor: last_epoch, since validation tracks that are trained on cannot choose the epoch"
            )
        return self


class DiscriminantParams(Strict):
    """Settings of the linear discriminant: see src/genres/training/discriminant.py."""

    shrinkage: Fraction
    artist_power: float = Field(ge=0)
    block_power: float = Field(ge=0)
    clip: Positive


class Descriptors(DiscriminantParams):
    """Settings of the track-descriptor classifier that is combined with a trained network."""

    network_weight: float = Field(ge=0)


# Builders of networks with pretrained weights, and the data that these were trained on, as results name them.
PRETRAINED_ON = {"msd_musicnn": "MSD"}


class ModelParams(BaseModel):
    """An architecture: its builder, the builder's own arguments, and the settings that every builder shares.

    `front_end` names the spectrograms that it takes, `window_s` is the input length if it differs from a clip,
    `frame_rate` the input's frames a second, `descriptors` the classifier that the network is combined with,
    `discriminant` the one that a pretrained network is combined with, and `train` overrides training settings.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    builder: str
    front_end: str = DEFAULT_FRONT_END
    window_s: Positive | None = None
    frame_rate: Positive | None = None
    descriptors: Descriptors | None = None
    discriminant: DiscriminantParams | None = None
    train: dict[str, Any] = {}

    @property
    def pretrained_on(self) -> str | None:
        """The data that its weights were trained on beforehand; None for a network that is trained from scratch."""
        return PRETRAINED_ON.get(self.builder)

    @model_validator(mode="after")
    def _only_frozen_networks_need_a_discriminant(self) -> "ModelParams":
        if (self.pretrained_on is None) != (self.discriminant is None):
            raise ValueError(f"builder {self.builder} and discriminant: a pretrained network, and only it, needs one")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the builder."""
        return dict(self.model_extra or {})


class EvaluateParams(Strict):
    """Settings of the evaluation."""

    bootstrap: Count
    calibration_bins: Count


Dose = Annotated[float, Field(gt=0, le=1)]


class RemixParams(Strict):
    """Remixes of test songs in doses: see src/interventions.py."""

    style: str
    target: str | None
    songs: int = Field(ge=0)
    doses: list[Dose] = Field(min_length=1)

    @field_validator("doses")
    @classmethod
    def _rise_to_1(cls, doses: list[float]) -> list[float]:
        if doses != sorted(set(doses)) or doses[-1] != 1:
            raise ValueError("must rise and end with 1.0, the whole remix")
        return doses

    @property
    def genre(self) -> str:
        """The genre whose probability is watched."""
        return self.target or self.style


class Space(Strict):
    """Search space of one hyperparameter: an interval or a list of choices."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: list[Any] | None = None

    @model_validator(mode="after")
    def _holds_more_than_one_value(self) -> "Space":
        if self.choices is not None:
            if len(self.choices) < 2 or self.low is not None or self.high is not None:
                raise ValueError("needs at least two choices, without low and high")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"needs low < high, or choices; received {self.low} and {self.high}")
        elif self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0; received {self.low}")
        return self


class TuneParams(Strict):
    """The hyperparameter search: see src/genres/tuning/search.py."""

    architecture: str
    trials: Count
    epochs: Count
    startup_trials: Count
    warmup_epochs: int = Field(ge=0)
    model: dict[str, Space]
    train: dict[str, Space]
    discriminant: dict[str, Space]

    @model_validator(mode="after")
    def _spaces_are_of_known_keys(self) -> "TuneParams":
        if not self.model and not self.train:
            raise ValueError("needs at least one search space under model or train")
        for name in self.train:
            if name not in TrainParams.model_fields or name == "epochs":
                raise ValueError(f"train.{name}: no key of train that can be searched")
        for name in self.discriminant:
            if name not in DiscriminantParams.model_fields:
                raise ValueError(f"discriminant.{name}: no key of a discriminant")
        return self


class Params(Strict):
    """The whole of params.yaml."""

    dataset: str
    architectures: list[str] = Field(min_length=1)
    seed: int = Field(ge=0)
    datasets: dict[str, Annotated[AnyRecipe, Field(discriminator="source")]]
    services: Services
    compute: Compute
    front_ends: dict[str, MelParams]
    clips: ClipParams
    split: SplitParams
    train: TrainParams
    models: dict[str, ModelParams]
    evaluate: EvaluateParams
    remix: RemixParams
    tune: TuneParams

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        if self.dataset not in self.datasets:
            raise ValueError(f"dataset: '{self.dataset}' is none of {', '.join(self.datasets)}")
        unknown = [name for name in self.architectures if name not in self.models]
        if unknown:
            raise ValueError(f"architectures: '{unknown[0]}' is none of {', '.join(self.models)}")
        if len(set(self.architectures)) < len(self.architectures):
            raise ValueError(f"architectures: list each one only once; received {', '.join(self.architectures)}")
        if self.tune.architecture not in self.models:
            raise ValueError(f"tune.architecture: '{self.tune.architecture}' is none of {', '.join(self.models)}")
        if DEFAULT_FRONT_END not in self.front_ends:
            raise ValueError(f"front_ends.{DEFAULT_FRONT_END}: is missing")
        for name, model in self.models.items():
            if model.front_end not in self.front_ends:
                raise ValueError(
                    f"models.{name}.front_end: '{model.front_end}' is none of {', '.join(self.front_ends)}"
                )
        for name in self.architectures:
            self.training_of(name)
        self.mels_of_dataset()
        return self

    @property
    def front_ends_in_use(self) -> list[str]:
        """The front ends that the chosen architectures name and the data set can have, in the order of `front_ends`."""
        named = {self.models[name].front_end for name in self.architectures}
        return [name for name in self.front_ends if name in named and self.can_have(name)]

    def can_have(self, front_end: str) -> bool:
        """Return True if the selected data set has spectrograms of this front end, or audio to compute them from."""
        return self.recipe.has_audio or front_end == DEFAULT_FRONT_END

    @property
    def recipe(self) -> AnyRecipe:
        """The recipe of the selected data set."""
        return self.datasets[self.dataset]

    @property
    def songs_dir(self) -> Path:
        """The folder of the selected data set's songs; `compute.data` is its copy on a cluster."""
        return self.recipe.own_songs or raw_dir(self.dataset).absolute()

    def mels_of_dataset(self, front_end: str = DEFAULT_FRONT_END) -> MelParams:
        """Return the spectrogram parameters of a front end; the default one's with the recipe's overrides."""
        if front_end != DEFAULT_FRONT_END:
            return self.front_ends[front_end]
        try:
            return MelParams(**self.front_ends[front_end].model_dump() | self.recipe.mels)
        except ValidationError as error:
            raise ValueError(_first_problem(error, f"datasets.{self.dataset}.mels")) from None

    def training_of(self, architecture: str) -> TrainParams:
        """Return the training settings of an architecture on the selected data set, with all overrides."""
        settings = self.train.model_dump()
        for where, overrides in (
            (f"models.{architecture}.train", self.models[architecture].train),
            (f"datasets.{self.dataset}.train", self.recipe.train),
        ):
            augment = settings["augment"] | overrides.get("augment", {})
            settings |= overrides | {"augment": augment}
            try:
                trained = TrainParams(**settings)
            except ValidationError as error:
                raise ValueError(_first_problem(error, where)) from None
        return trained


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameters file.

    Raises
    ------
    UserError
        If the file is missing or invalid; the message names the file, the key and the value received.
    """
    try:
        # Not the parser in C, which names the wrong line of a fault at the end.
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Params.model_validate(values)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the command from the top folder of the project") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}: not valid YAML{where}: {getattr(error, 'problem', None) or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not text in UTF-8 ({error.reason})") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError, where: str = "") -> str:
    """Return pydantic's first error as one line, with the key (below `where`) as it is written for `-S`."""
    problem = error.errors()[0]
    # The location of a recipe's key also holds the union's discriminator (datasets.demo.demo.genres).
    location = [str(part) for part in problem["loc"]]
    if len(location) > 2 and location[0] == "datasets":
        del location[2]
    key = ".".join([*filter(None, [where]), *location])
    others = len(error.errors()) - 1
    tail = f" (and {others} more)" if others else ""
    shown = f"; received {reprlib.repr(problem['input'])}"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{shown}{tail}"
    if problem["type"] == "missing":
        return f"{key}: is missing{tail}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "list_type" and isinstance(problem["input"], str):
        listed = f"{key}=[{problem['input']}]"
        message = f"with -S {shlex.quote(listed)} it is a list"
    if problem["type"] in ("value_error", "union_tag_invalid"):
        shown = ""  # the message contains it
    return f"{key}: {message}{shown}{tail}" if key else f"{message}{shown}{tail}"
