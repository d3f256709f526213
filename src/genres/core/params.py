"""The typed parameters of params.yaml.

``load()`` reads the file once, in a stage's ``main()``; all other functions take values. An unknown key, a wrong type
or an impossible value raises a :class:`~genres.core.console.UserError` that names the key and the value received.
"""

import reprlib
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from genres.core.console import UserError
from genres.core.names import same_text
from genres.core.paths import DEFAULT_FRONT_END, project_root, raw_dir

Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """Immutable model; refuses unknown keys and converts only whole numbers to floats."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Recipe(Strict):
    """Base of all recipes."""

    mels: dict[str, Any] = {}
    train: dict[str, Any]

    @property
    def own_songs(self) -> Path | None:
        """The folder of the user's own songs; None if there is none."""
        return None


class DemoRecipe(Recipe):
    """Synthetic music: see src/genres/sources/demo/."""

    source: Literal["demo"]
    genres: list[str] = Field(min_length=2)
    artists_per_genre: Count
    songs_per_artist: Count
    song_seconds: Positive
    remixes: int = Field(ge=0)
    seed: int = Field(ge=0)


class SelectiveRecipe(Recipe):
    """Base of the recipes that can select genres."""

    genres: list[str] | None
    exclude_genres: list[str]

    def includes(self, genre: str) -> bool:
        """Return True if the recipe selects this genre."""
        name = same_text(genre)
        excluded = map(same_text, self.exclude_genres)
        return name not in excluded and (self.genres is None or name in map(same_text, self.genres))


class LocalRecipe(SelectiveRecipe):
    """Base of the recipes that read a local folder."""

    dir: Annotated[Path, Field(strict=False)]

    @property
    def own_songs(self) -> Path:
        """The folder of the user's own songs."""
        return self.dir.expanduser().absolute()


class FolderRecipe(LocalRecipe):
    """A folder of genre folders: see src/genres/sources/folder.py."""

    source: Literal["folder"]


class MelsRecipe(LocalRecipe):
    """A data set published as spectrograms: see src/genres/sources/mels.py."""

    source: Literal["mels"]
    sample_rate: Count
    n_fft: Count
    n_mels: Count
    frame_rate: Positive

    @model_validator(mode="after")
    def _is_as_published(self) -> "MelsRecipe":
        if self.mels:
            raise ValueError("mels: published spectrograms cannot be recomputed; leave it empty: {}")
        return self


class GtzanRecipe(LocalRecipe):
    """GTZAN: see src/genres/sources/gtzan.py."""

    source: Literal["gtzan"]
    metadata: str


# The names of its folders.
GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


class RemixPair(Strict):
    """Two versions of one song on Spotify."""

    song: str
    original: str
    original_genre: str
    remix: str
    remix_genre: str


AudioSource = Literal["spotify", "deezer_isrc", "deezer_search", "itunes_isrc", "itunes_search"]


class SpotifyRecipe(SelectiveRecipe):
    """Spotify playlists, grouped by genre: see src/genres/sources/spotify/."""

    source: Literal["spotify"]
    playlists: dict[str, list[str]]
    songs_dir: Annotated[Path, Field(strict=False)]
    remixes: list[RemixPair]
    audio_from: list[AudioSource] = Field(min_length=1)
    market: str = Field(pattern="^[A-Z]{2}$")
    max_tracks: Count | None
    min_tracks: Count
    balance: Literal["smallest", "none"]
    conflicts: Literal["drop", "first"]

    @property
    def own_songs(self) -> Path:
        """The folder of the user's own songs."""
        return project_root() / self.songs_dir.expanduser()

    @property
    def playlist_genres(self) -> list[str]:
        """The selected genres that have playlists."""
        wanted = self.playlists if self.genres is None else self.genres
        return [genre for genre in wanted if genre in self.playlists and genre not in self.exclude_genres]

    @property
    def all_genres(self) -> list[str]:
        """The genres of the whole data set."""
        return self.playlist_genres

    @model_validator(mode="after")
    def _has_playlists(self) -> "SpotifyRecipe":
        unknown = [genre for genre in self.genres or [] if genre not in self.playlists]
        if unknown and self.source == "spotify":
            raise ValueError(f"genres: '{unknown[0]}' has no playlists; add it (an empty list for own songs only)")
        if not self.playlist_genres:
            raise ValueError("playlists: no genre is left; for GTZAN alone: dataset=gtzan")
        for pair in self.remixes:
            for genre in (pair.original_genre, pair.remix_genre):
                if genre not in self.all_genres:
                    raise ValueError(f"remixes: {pair.song}: '{genre}' is none of {', '.join(self.all_genres)}")
            if pair.original == pair.remix:
                raise ValueError(f"remixes: {pair.song}: original and remix are the same link")
        return self


class GtzanPlusRecipe(SpotifyRecipe):
    """GTZAN and playlists: see src/genres/sources/gtzan_plus.py."""

    source: Literal["gtzan_plus"]  # type: ignore[assignment]
    dir: Annotated[Path, Field(strict=False)]
    metadata: str

    @property
    def own_songs(self) -> Path:
        """The folder of GTZAN, whose songs are read in place."""
        return self.dir.expanduser().absolute()

    @property
    def gtzan_genres(self) -> list[str]:
        """The selected genres of GTZAN."""
        return [g for g in GTZAN_GENRES if g not in self.exclude_genres and (self.genres is None or g in self.genres)]

    @property
    def all_genres(self) -> list[str]:
        """The genres of the whole data set."""
        return [*self.gtzan_genres, *(genre for genre in self.playlist_genres if genre not in self.gtzan_genres)]


AnyRecipe = DemoRecipe | FolderRecipe | MelsRecipe | GtzanRecipe | SpotifyRecipe | GtzanPlusRecipe


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

    @model_validator(mode="after")
    def _shares_and_folds_fit(self) -> "SplitParams":
        if self.val + self.test >= 1:
            raise ValueError(f"val + test must be below 1, to leave training tracks; received {self.val} + {self.test}")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold must be below folds; received {self.fold} of {self.folds}")
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

    @model_validator(mode="after")
    def _spaces_are_of_known_keys(self) -> "TuneParams":
        if not self.model and not self.train:
            raise ValueError("needs at least one search space under model or train")
        for name in self.train:
            if name not in TrainParams.model_fields or name == "epochs":
                raise ValueError(f"train.{name}: no key of train that can be searched")
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
        """The front ends that the chosen architectures name, the default one first."""
        named = {self.models[name].front_end for name in self.architectures}
        return [name for name in self.front_ends if name in named]

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
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
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
