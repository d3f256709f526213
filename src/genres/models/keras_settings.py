"""The user's settings that decide which of Keras' backends is loaded, read without loading Keras."""

import importlib.util
import json
import os
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def file() -> Path:
    """Return the path of the user's keras.json, which need not exist."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path("~/.keras")).expanduser() / "keras.json"


def backend() -> tuple[str, str]:
    """Return the backend that Keras would load, and the setting that names it, as it is shown in messages."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name, f"KERAS_BACKEND={name}"
    try:
        name = json.loads(file().read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, TypeError, KeyError):
        return "tensorflow", "the default backend of Keras, tensorflow"
    return str(name), f"{file()} (backend: {name})"


def installed() -> list[str]:
    """List the backends that are installed here."""
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def cure() -> str:
    """Return how to get a backend that works."""
    if names := installed():
        return f"installed here: {', '.join(names)}; set KERAS_BACKEND={names[0]}"
    return 'no backend is installed here: pip install "music-genres[train]"'
