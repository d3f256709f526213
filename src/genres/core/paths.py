"""Paths and names that stages share; relative ones start from the project that a command is run in."""

import os
from pathlib import Path

TRACKS, CLIPS = Path("data/tracks.csv"), Path("data/clips.csv")
RAW, INPUTS = Path("data/raw"), Path("data/inputs")
DEFAULT_FRONT_END = "default"
TAGGER = "msd_musicnn"  # the pretrained network's own tags as a model
WEIGHTS = Path("data/pretrained/msd_musicnn.npz")
MODELS, PREDICTIONS, METRICS, PLOTS = Path("models"), Path("predictions"), Path("metrics"), Path("plots")
LEADERBOARD, SUMMARY = METRICS / "leaderboard.json", METRICS / "summary.json"

# Format of published spectrograms, beside the tracks.csv of their data set.
PUBLISHED_FORMAT = "spectrogram.json"

# The leaderboard's row of the mean of all architectures' probabilities.
ENSEMBLE = "ensemble"


def project_root() -> Path:
    """Return the user's own checkout, also from inside DVC's temporary experiments, which run in a copy of it.

    DVC sets DVC_ROOT to the main project in every kind of run. Without DVC it is the nearest folder with a dvc.yaml,
    upwards from the working folder, then from this file; where there is none, the working folder.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    above = [here, *here.parents, *Path(__file__).resolve().parents]
    return next((folder for folder in above if (folder / "dvc.yaml").is_file()), here)


def cache_dir(name: str) -> Path:
    """Make and return a folder for what a second run can use again; outside all DVC outputs, shared by experiments."""
    folder = project_root() / ".cache" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def raw_dir(dataset: str) -> Path:
    """Return the folder of a data set's songs and of their table, tracks.csv."""
    return RAW / dataset


def mels_dir(front_end: str = DEFAULT_FRONT_END) -> Path:
    """Return the folder of the spectrograms of a front end."""
    return Path("data/mels") / front_end


def inputs_path(architecture: str) -> Path:
    """Return the path of the digest of what an architecture reads."""
    return INPUTS / f"{architecture}.json"


def model_path(architecture: str) -> Path:
    """Return the path of a trained model."""
    return MODELS / f"{architecture}.keras"


def onnx_path(architecture: str) -> Path:
    """Return the path of a trained model that is exported."""
    return MODELS / f"{architecture}.onnx"


def export_stage(architecture: str) -> str:
    """Return DVC's name of the stage that exports a model."""
    return "tagger" if architecture == TAGGER else f"export@{architecture}"


def predictions_path(architecture: str) -> Path:
    """Return the path of the predictions of an architecture for validation and test tracks."""
    return PREDICTIONS / f"{architecture}.csv"


def metrics_path(architecture: str) -> Path:
    """Return the path of the scores of an architecture."""
    return METRICS / f"{architecture}.json"
