"""Write a trained model as one ONNX file, from samples to probabilities, that runs without this project.

Inputs: `samples`, mono at the model's sample rate; or `windows` of a spectrogram, for programs that have one, with an
empty array of samples. `windows` may be left out; `samples` may not, since onnxruntime for JavaScript takes no input
that may. Outputs: `probabilities` of each window, those of the `song`, and its out-of-distribution `score`, which is
NaN for windows and for a model without a reference. The card is in the metadata, each value in JSON.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from genres.audio.format import Format
from genres.audio.mel import of_blocks
from genres.core.console import UserError
from genres.core.files import atomic, sha256_of
from genres.inference import onnx_front_end
from genres.inference.classifier import Classifier
from genres.inference.onnx_network import OPSET, convert
from genres.inference.onnx_nodes import FLOAT, UINT8, Kind, Nodes
from genres.models import builders, onnx_file
from genres.models.card import ModelCard

# Windows that the network takes at a time, so that its memory does not grow with the song.
BATCH = 8

# Largest accepted difference of a probability from Keras', and of the score, relative to it.
MOST_DIFFERENCE, MOST_SCORE_DIFFERENCE = 1e-3, 0.01

_IR_VERSION = 8  # of ONNX 1.12, the first with opset 17's Fourier transform


def write(model_file: Path, target: Path, source: Path) -> float:
    """Write the ONNX file of a trained model, if it predicts as Keras does.

    Parameters
    ----------
    model_file : Path
        A .keras file with a card.
    target : Path
        The .onnx file.
    source : Path
        File that the model was made from; once it is another, the ONNX file is outdated.

    Returns
    -------
    float
        Largest difference of a probability from Keras', over synthetic sounds.

    Raises
    ------
    UserError
        If the predictions differ.
    """
    classifier = Classifier(model_file)
    network = convert(builders.load(model_file))
    about = properties(classifier.card, sha256_of(source))
    with atomic(target) as temporary:
        temporary.write_bytes(model_of(network, classifier, about))
        difference, of_score = differences(temporary, classifier)
        if not (difference <= MOST_DIFFERENCE and of_score <= MOST_SCORE_DIFFERENCE):
            raise UserError(
                f"{target}: not written: its probabilities differ by {difference:.1g} from those of {model_file}, its "
                f"out-of-distribution score by {of_score:.1%}; please report this"
            )
    return difference


def properties(card: ModelCard, source_sha256: str) -> dict[str, Any]:
    """Return the metadata of the ONNX file: the card without the predictions before a refit, licence and version."""
    package = importlib.metadata.metadata("music-genres")
    licence = package["License-Expression"]
    if card.get("pretrained_on"):
        licence += ", with weights of musicnn 0.1.0 under ISC"
    about = {key: value for key, value in card.items() if key != "validation"}
    return about | {"license": licence, "version": package["Version"], "source_sha256": source_sha256}


def model_of(network: onnx.GraphProto, classifier: Classifier, about: dict[str, Any]) -> bytes:
    """Return the file: front end, windows and network in one graph, with its metadata."""
    form, windowing = classifier.format, classifier.windowing
    window = (windowing.frames(form), form.n_mels)
    batch_kind: Kind = (UINT8, ["windows", *window])
    numbers: Kind = (FLOAT, ["windows", len(classifier.genres)])

    given, computed = Nodes("g"), Nodes("s")
    outputs: dict[str, tuple[str, Kind]] = {
        "g.windows": ("windows", batch_kind),
        "g.score": (given.constant(np.float32(np.nan)), (FLOAT, [])),
    }
    then_branch = given.graph({}, outputs)
    spectrogram = onnx_front_end.spectrogram(computed, "samples", form)
    cut = onnx_front_end.windows(computed, spectrogram, windowing, form)
    reference = classifier.card.get("out_of_distribution")
    if reference is None:
        score = computed.constant(np.float32(np.nan))
    else:
        score = onnx_front_end.distance(computed, spectrogram, reference, form)
    else_branch = computed.graph({}, {"s.windows": (cut, batch_kind), "s.score": (score, (FLOAT, []))})

    add, body = Nodes("m"), Nodes("b")
    is_given = add.Greater(add.Size("windows"), 0)
    chosen, score = add.If(is_given, outputs=2, then_branch=then_branch, else_branch=else_branch)
    first = body.Mul(body.Unsqueeze(body.trip, [0]), BATCH)
    some = body.Slice(chosen, first, body.Add(first, BATCH))
    output = body.inline(network, some)
    joined = body.Concat("b.before", output, axis=0)
    trips = add.Squeeze(add.Div(add.Add(add.Shape(chosen, end=1), BATCH - 1), BATCH), [0])
    nothing = np.zeros((0, len(classifier.genres)), np.float32)
    probabilities = add.loop(trips, body, joined, numbers, {"b.before": nothing})
    graph = add.graph(
        {"samples": (FLOAT, ["samples"]), "windows": batch_kind},
        {
            "probabilities": (probabilities, numbers),
            "song": (add.ReduceMean(probabilities, [0], keepdims=0), (FLOAT, [len(classifier.genres)])),
            "score": (score, (FLOAT, [])),
        },
        {"windows": np.zeros((0, *window), np.uint8)},
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="music-genres")
    digest = hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest()
    about = about | {onnx_file.VERSION_KEY: onnx_file.VERSION, onnx_file.DIGEST_KEY: digest}
    helper.set_model_props(model, {key: json.dumps(value, allow_nan=False) for key, value in about.items()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def differences(onnx_model: Path, classifier: Classifier) -> tuple[float, float]:
    """Return the largest difference of a probability, and that of the score, relative to it, over synthetic sounds."""
    exported = Classifier(onnx_model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that may be left out
    session = onnxruntime.InferenceSession(onnx_model, options, providers=["CPUExecutionProvider"])
    found = []
    for samples in sounds(classifier.format, classifier.window_s):
        probabilities, song, score = session.run(None, {"samples": samples})
        spectrogram = of_blocks([samples], classifier.format)
        expected, distance = classifier.timeline(spectrogram), classifier.distance(spectrogram)
        of_windows = exported.timeline(spectrogram).probabilities - expected.probabilities
        parts = (of_windows, probabilities - expected.probabilities, song - expected.mean())
        found.append(
            (
                max(float(np.abs(part).max()) for part in parts),
                0.0 if distance is None else abs(float(score) - distance) / distance,
            )
        )
    return max(difference for difference, _ in found), max(difference for _, difference in found)


def sounds(form: Format, window_s: float) -> Iterator[np.ndarray]:
    """Yield sounds shorter and longer than a window: chords of decaying notes, noise, near silence."""
    rng = np.random.default_rng(0)
    for windows, notes, noise in ((0.4, 3, 0.01), (1.0, 0, 0.3), (2.6, 2, 1e-4), (1.7, 4, 0.05)):
        time = np.arange(round(windows * window_s * form.sample_rate)) / form.sample_rate
        samples = noise * rng.standard_normal(len(time))
        for hz in rng.uniform(50, form.sample_rate / 4, 8 * notes):
            samples += (
                0.1 * np.sin(2 * np.pi * hz * time) * np.exp(-(time % rng.uniform(0.2, 0.8)) * rng.uniform(1, 12))
            )
        yield samples.astype(np.float32)
