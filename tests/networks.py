"""A model file for tests that need one and not what it learned: a small network with weights from a seed."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from genres.audio.format import Format, format_of
from genres.core.params import Params
from genres.data.windows import Windowing, windowing_of
from genres.models import builders, out_of_distribution, pretrained
from genres.models.backend import keras
from genres.models.card import write_card

GENRES = ["blues", "metal", "pop", "rap"]
FORMAT = Format(sample_rate=22050, n_fft=1024, n_mels=32, frame_rate=22050 / 512, top_db=80.0)
WINDOWING = Windowing(1.0)


def write_model(
    path: Path,
    *,
    form: Format = FORMAT,
    windowing: Windowing = WINDOWING,
    known: list[np.ndarray] | None = None,
    **card,
) -> Path:
    """Write an untrained network; with `known`, spectrograms by different artists, its card has a threshold."""
    frames = windowing.frames(form)
    keras.utils.set_random_seed(3)
    clips = keras.Input((frames, form.n_mels), dtype="uint8")
    x = keras.layers.Rescaling(1 / 60, -2)(clips)
    x = keras.layers.Conv1D(8, 5, activation="relu")(x)
    x = keras.layers.GlobalMaxPooling1D()(x)
    network = keras.Model(clips, keras.layers.Dense(len(GENRES), activation="softmax")(x))
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    written = {
        "architecture": path.stem,
        "dataset": "folder",
        "protocol": "artist",
        "genres": GENRES,
        "spectrogram": asdict(form),
        "windowing": asdict(windowing),
        "run_id": None,
    }
    if known is not None:
        artists = np.arange(len(known))
        written["out_of_distribution"] = out_of_distribution.reference(known, artists, form.top_db)
    write_card(path, written | card)
    return path


def write_exported(folder: Path) -> Path:
    """Write tiny.keras and return tiny.onnx, its export."""
    from genres.inference import export  # loads TensorFlow

    model_file, exported = write_model(folder / "tiny.keras"), folder / "tiny.onnx"
    export.write(model_file, exported, model_file)
    return exported


def write_architecture(path: Path, settings: Params, name: str, **front_end) -> Path:
    """Write a network of params.yaml as the stage `train` does, with random weights; `front_end` changes its format."""
    chosen = settings.models[name]
    form = format_of(settings.front_ends[chosen.front_end].model_copy(update=front_end))
    windowing = windowing_of(chosen, settings)
    frames = windowing.frames(form)
    keras.utils.set_random_seed(5)
    if chosen.pretrained_on:
        arguments = {"n_classes": len(GENRES), "patches": 3, "top_db": form.top_db}
        network = pretrained.classifier(random_weights(), frames=frames, **arguments)
    else:
        stride = form.frame_rate / (chosen.frame_rate or form.frame_rate)
        sizes = {"n_mels": form.n_mels, "frames": frames, "n_classes": len(GENRES), "frame_stride": stride}
        network = builders.classifier(chosen.builder, chosen.arguments, mean=100.0, deviation=60.0, **sizes)
    if chosen.descriptors:
        weight = chosen.descriptors.network_weight
        network = builders.join(network, top_db=form.top_db, frame_rate=form.frame_rate, network_weight=weight)
    for weight in network.weights:
        if "variance" in weight.name:
            weight.assign(np.random.default_rng(1).uniform(0.5, 1.5, weight.shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    rng = np.random.default_rng(0)
    known = [rng.integers(0, 256, (frames, form.n_mels), np.uint8) for _ in range(4)]
    card = {
        "architecture": name,
        "dataset": "folder",
        "protocol": "artist",
        "genres": GENRES,
        "spectrogram": asdict(form),
        "windowing": asdict(windowing),
        "pretrained_on": chosen.pretrained_on,
        "n_parameters": network.count_params(),
        "validation": {"track_id": ["t"], "start_s": [0.0], "probabilities": [[1.0, 0.0, 0.0, 0.0]]},
        "out_of_distribution": out_of_distribution.reference(known, np.arange(4), form.top_db),
    }
    write_card(path, card)
    return path


def random_weights() -> dict[str, np.ndarray]:
    """Draw weights of MSD_musicnn, with the names and shapes of its published checkpoint."""
    rng = np.random.default_rng(1)
    drawn = {}
    for layer in pretrained.network().layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if isinstance(layer, keras.layers.Conv1D) and weight.name == "kernel":
                shape = (*shape[:2], 1, shape[2])
            positive = weight.name in ("gamma", "moving_variance")
            values = rng.uniform(0.5, 1.5, shape) if positive else rng.normal(0, 1 / np.sqrt(shape[0] + 30), shape)
            drawn[f"{layer.name}/{weight.name}"] = values.astype(np.float32)
    return drawn
