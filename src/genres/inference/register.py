"""Register a trained model in MLflow's registry, from which it can be served.

    genres register [ARCHITECTURE] [--name NAME]

The default is the best model by validation, whose version gets the alias `champion`; versions of other architectures
get no alias.
"""

import argparse
import base64
import io
import shlex
import wave

import numpy as np

from genres.core.console import command
from genres.inference.classifier import choose_model
from genres.models.card import read_card

CHAMPION = "champion"


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres register", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", nargs="?", help="a trained one (default: the best by validation, the champion)")
    parser.add_argument("--name", help="name in the registry (default: genres-<data set>)")
    given = parser.parse_args(arguments)
    best = choose_model()
    model_file = choose_model(given.architecture) if given.architecture else best
    card = read_card(model_file)
    name = given.name or f"genres-{card['dataset']}"

    from genres.tracking import registry

    example = base64.b64encode(tone()).decode()
    version, address = registry.register(model_file, card, name, example, CHAMPION if model_file == best else None)
    which = f"{name}@{CHAMPION}" if model_file == best else f"{name}/{version}"
    print(f"{name}, version {version}: {card['architecture']}, trained on {card['dataset']}")
    serve = f"mlflow models serve -m {shlex.quote(f'models:/{which}')} --env-manager local --port 5001"
    print(f"serve it: MLFLOW_TRACKING_URI={shlex.quote(address)} {serve}")


def tone(seconds: float = 1.0, sample_rate: int = 8000) -> bytes:
    """Return a WAV file of a decaying tone, the input example of the model."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    samples = (20000 * np.sin(2 * np.pi * 440 * time) * np.exp(-3 * time)).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return content.getvalue()
