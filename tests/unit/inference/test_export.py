"""Exported models: they predict as Keras does, from samples and from windows, for every architecture."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from checkout import ROOT
from networks import FORMAT, GENRES, random_weights, write_architecture, write_exported, write_model

from genres.audio import decode
from genres.audio.mel import of_blocks
from genres.core import params
from genres.core.console import UserError
from genres.core.files import write_json
from genres.core.paths import cache_dir
from genres.data.windows import Windowing
from genres.inference import export, tagger
from genres.inference.answer import predict
from genres.inference.classifier import Classifier, choose_model, for_stages
from genres.inference.saliency import occlusion_saliency
from genres.models.backend import keras
from genres.models.card import read_card

SETTINGS = params.load(ROOT / "params.yaml")
RATES = (22050, 8000, 48000, 44100, 16000)


def run(model: Path, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Run a file as another program would."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    probabilities, song, score = session.run(None, {"samples": samples})
    return probabilities, song, float(score)


def exported_with_classifier(folder: Path, name: str) -> tuple[Path, Classifier]:
    """Write an architecture of params.yaml, exported; return that file, and Keras' classifier to compare with."""
    model_file = write_architecture(folder / f"{name}.keras", SETTINGS, name)
    exported = folder / f"{name}.onnx"
    export.write(model_file, exported, model_file)
    classifier = Classifier(model_file)
    return exported, classifier


def assert_equal_predictions(exported: Path, by_keras: Classifier, samples: np.ndarray) -> None:
    spectrogram = of_blocks([samples], by_keras.format)
    expected, distance = by_keras.timeline(spectrogram), by_keras.distance(spectrogram)
    probabilities, song, score = run(exported, samples)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-3)
    np.testing.assert_allclose(song, expected.mean(), atol=1e-3)
    first, second = np.sort(expected.mean())[::-1][:2]
    assert song.argmax() == expected.mean().argmax() or first - second < 2e-3
    assert np.isnan(score) if distance is None else score == pytest.approx(distance, rel=0.01)
    again = Classifier(exported)
    np.testing.assert_allclose(again.timeline(spectrogram).probabilities, expected.probabilities, atol=1e-3)
    assert again.distance(spectrogram) == distance


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "baseline" else pytest.mark.soak) for name in SETTINGS.models],
)
def test_every_architecture_predicts_as_before(
    name: str, tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    exported, classifier = exported_with_classifier(tmp_path, name)
    for number, length in enumerate((0.3, 1.0, 2.7)):
        rate = RATES[number % len(RATES)]
        song = write_audio(tmp_path / f"{number}.wav", compose(number, length * classifier.window_s, rate), rate)
        samples = decode.load(song, classifier.format.sample_rate)
        assert_equal_predictions(exported, classifier, samples)
    if classifier.card["n_parameters"] < 310_000:
        assert exported.stat().st_size <= 1_000_000


@pytest.mark.soak
@pytest.mark.parametrize("name", SETTINGS.architectures)
def test_fifty_songs_of_all_lengths_and_rates(
    name: str, tmp_path: Path, compose: Callable, write_audio: Callable
) -> None:
    exported, classifier = exported_with_classifier(tmp_path, name)
    rng = np.random.default_rng(0)
    for number in range(50):
        rate = RATES[number % len(RATES)]
        samples = compose(number, float(rng.uniform(0.05, 35)), rate) * rng.choice([1.0, 0.1, 0.001])
        song = write_audio(tmp_path / "song.wav", samples.astype(np.float32), rate, subtype="FLOAT")
        assert_equal_predictions(exported, classifier, decode.load(song, classifier.format.sample_rate))


@pytest.mark.parametrize(
    ("front_end", "windowing"),
    [
        ({"reference": "loudness", "fmax": 8000.0}, Windowing(1.0, 0.5)),
        ({"frame_rate": 12.9}, Windowing(3.0, short="repeat", of="tracks")),
        ({"n_fft": 1000, "fmin": 50.0, "top_db": 60.0}, Windowing(0.7, 0.2)),
    ],
    ids=["loudness", "published frame rate", "odd sizes"],
)
def test_every_front_end_and_rule_of_windows(
    front_end: dict, windowing: Windowing, tmp_path: Path, compose: Callable
) -> None:
    """Spectrograms have equal frames; a cell next to the border of two steps may be rounded to the other."""
    from dataclasses import replace

    form = replace(FORMAT, **front_end)
    known = [of_blocks([compose(seed)], form) for seed in range(3)]
    model_file = write_model(tmp_path / "tiny.keras", form=form, windowing=windowing, known=known)
    export.write(model_file, tmp_path / "tiny.onnx", model_file)
    songs = [compose(1, seconds) for seconds in (0.02, 0.39, 0.41, 1.0, 1.55, 4.0)]
    songs += [1e-3 * compose(2, 3.0), np.zeros(30000, np.float32), np.eye(1, 50000, 3, dtype=np.float32)[0]]
    for samples in songs:
        assert_equal_predictions(tmp_path / "tiny.onnx", Classifier(model_file), samples)


def test_the_tagger_is_exported_like_any_other(project: Path, compose: Callable) -> None:
    np.savez(project / "weights.npz", **random_weights())
    (project / "data/pretrained").mkdir(parents=True)
    (project / "weights.npz").rename(project / "data/pretrained/msd_musicnn.npz")
    export.write(tagger.model_file(), project / "tagger.onnx", project / "data/pretrained/msd_musicnn.npz")
    exported = Classifier(project / "tagger.onnx")
    assert exported.candidates == tagger.pretrained.GENRE_TAGS
    assert_equal_predictions(project / "tagger.onnx", Classifier(tagger.model_file()), compose(3, 8.0, 16000))
    assert "ISC" in exported.card["license"]


def test_the_metadata_are_the_card_licence_and_version(tmp_path: Path) -> None:
    known = [np.random.default_rng(seed).integers(0, 256, (90, 32), np.uint8) for seed in range(3)]
    model_file = write_model(tmp_path / "tiny.keras", known=known)
    export.write(model_file, tmp_path / "tiny.onnx", model_file)
    model = onnx.load(tmp_path / "tiny.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    card = read_card(model_file)
    assert {key: metadata[key] for key in card} == card
    assert metadata["license"] == "MIT"
    assert metadata["version"]
    assert metadata["source_sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert read_card(tmp_path / "tiny.onnx") == metadata


@pytest.mark.soak
def test_a_repeated_export_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Also where another network was exported before, and in a process with other hashes of names."""
    keras.utils.clear_session()  # layers are numbered as in a stage, whichever tests came before
    model_file = write_architecture(tmp_path / "crnn.keras", SETTINGS, "crnn")
    other_file = write_model(tmp_path / "tiny.keras")
    code = (
        "import sys; from pathlib import Path; from genres.inference import export; "
        "[export.write(Path(name), Path(name).with_suffix(sys.argv[1]), Path(name)) for name in sys.argv[2:]]"
    )
    for seed, files in (("1", [model_file]), ("9", [other_file, model_file])):
        environment = {
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONHASHSEED": seed,
            "KERAS_BACKEND": "tensorflow",
        }
        command = [sys.executable, "-c", code, f".{seed}.onnx", *files]
        subprocess.run(command, env=environment, capture_output=True, check=True)
    assert (tmp_path / "crnn.1.onnx").read_bytes() == (tmp_path / "crnn.9.onnx").read_bytes()


def test_the_samples_are_an_input_like_any_other_and_windows_may_be_left_out(tmp_path: Path) -> None:
    """onnxruntime for JavaScript refuses, or does not see, inputs that may be left out."""
    model_file = write_model(tmp_path / "tiny.keras")
    export.write(model_file, tmp_path / "tiny.onnx", model_file)
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx", providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["samples"]
    assert [given.name for given in session.get_overridable_initializers()] == ["windows"]


def test_what_predicts_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_file = write_model(tmp_path / "tiny.keras")
    convert = export.convert

    def wrong(network):
        graph = convert(network)
        (last,) = [tensor for tensor in graph.initializer if list(tensor.dims) == [8, len(GENRES)]]
        weights = onnx.numpy_helper.to_array(last) * np.float32(1.2)
        last.CopyFrom(onnx.numpy_helper.from_array(weights, last.name))
        return graph

    monkeypatch.setattr(export, "convert", wrong)
    with pytest.raises(UserError, match=r"tiny\.onnx: not written: its probabilities differ by 0\.\d+ from those of"):
        export.write(model_file, tmp_path / "tiny.onnx", model_file)
    assert not (tmp_path / "tiny.onnx").exists()


def test_an_exported_model_is_taken_unless_its_training_is_another(project: Path) -> None:
    model_file = write_model(project / "models/tiny.keras")
    exported = project / "models/tiny.onnx"
    export.write(model_file, exported, model_file)
    assert choose_model("tiny") == Path("models/tiny.onnx")
    os.utime(exported, (0, 0))  # a checkout may write the files in any order
    assert choose_model("tiny") == Path("models/tiny.onnx")
    write_model(model_file, dataset="another")
    assert choose_model("tiny") == Path("models/tiny.keras")
    assert choose_model("models/tiny.onnx") == Path("models/tiny.onnx")
    model_file.unlink()
    assert choose_model("tiny") == Path("models/tiny.onnx")
    with pytest.raises(UserError, match=r"models/other\.keras: no such model; there is tiny$"):
        choose_model("other")
    write_json(project / "metrics/leaderboard.json", [{"arch": "tiny"}])
    assert choose_model() == Path("models/tiny.onnx")
    exported.write_bytes(b"")  # left out
    with pytest.raises(UserError, match="no trained model yet"):
        choose_model()
    write_model(model_file)
    assert choose_model("tiny") == Path("models/tiny.keras")


def test_stages_run_the_exported_model_of_the_same_training_with_the_whole_card(project: Path) -> None:
    before = {"track_id": ["a"], "start_s": [0.0], "probabilities": [[0.1, 0.2, 0.3, 0.4]]}
    model_file = write_model(project / "models/tiny.keras", validation=before)
    export.write(model_file, project / "models/tiny.onnx", model_file)
    clips = np.random.default_rng(1).integers(0, 256, (3, FORMAT.frames(1.0), 32)).astype(np.uint8)
    by_keras = Classifier(model_file).probabilities(clips)
    code = (
        "import sys, numpy; from genres.inference.classifier import for_stages; classifier = for_stages('tiny'); "
        "numpy.save('found.npy', classifier.probabilities(numpy.load('clips.npy'))); "
        "assert classifier.card['validation']['track_id'] == ['a']; assert 'tensorflow' not in sys.modules"
    )
    np.save("clips.npy", clips)
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_allclose(np.load("found.npy"), by_keras, atol=1e-5)
    write_model(model_file, dataset="another")  # trained again
    np.testing.assert_array_equal(for_stages("tiny").probabilities(clips), by_keras)


def test_stages_keep_what_a_frozen_network_computes(project: Path) -> None:
    model_file = write_architecture(project / "models/transfer.keras", SETTINGS, "transfer")
    export.write(model_file, project / "models/transfer.onnx", model_file)
    classifier = for_stages("transfer")
    shape = (1, classifier.windowing.frames(classifier.format), classifier.format.n_mels)
    classifier.probabilities(np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8))
    assert len(list(cache_dir("embeddings").rglob("*.npy"))) == 1


def test_a_prediction_loads_nothing_that_it_does_not_need(project: Path, write_song: Callable) -> None:
    model_file = write_model(project / "models/tiny.keras")
    export.write(model_file, project / "models/tiny.onnx", model_file)
    for number, name in enumerate(("one.wav", "two.mp3")):
        write_song(project / name, number, 3.0)
    code = (
        "import sys; from genres.inference import answer; "
        "answer.main(['one.wav', 'two.mp3', '--json', '--model', 'tiny']); "
        "heavy = {'keras', 'tensorflow', 'onnx', 'pandas', 'pydantic', 'matplotlib', 'sklearn', 'scipy.signal', "
        "'mlflow', 'librosa', 'av', 'requests'}; print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(project)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert shown.stderr == "[]\n"
    by_keras = [predict(Classifier(model_file), project / name) for name in ("one.wav", "two.mp3")]
    for answer, expected in zip(json.loads(shown.stdout), by_keras, strict=True):
        assert answer["genre"] == expected["genre"]
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-12)
        assert len(answer["timeline"]) == len(expected["timeline"])


def test_saliency_is_that_of_keras(tmp_path: Path, compose: Callable) -> None:
    model_file = write_model(tmp_path / "tiny.keras")
    export.write(model_file, tmp_path / "tiny.onnx", model_file)
    both = [Classifier(file) for file in (model_file, tmp_path / "tiny.onnx")]
    window = of_blocks([compose(4, 2.0)], FORMAT)[: FORMAT.frames(1.0)]
    by_keras, exported = (occlusion_saliency(classifier, window, GENRES[1]) for classifier in both)
    assert np.abs(by_keras).max() > 0.01
    np.testing.assert_allclose(exported, by_keras, atol=1e-4)


def test_windows_that_the_network_does_not_take_are_one_line(tmp_path: Path) -> None:
    model_file = write_model(tmp_path / "tiny.keras")
    export.write(model_file, tmp_path / "tiny.onnx", model_file)
    with pytest.raises(UserError, match=r"tiny\.onnx: onnxruntime cannot run it \(") as caught:
        Classifier(tmp_path / "tiny.onnx").probabilities(np.zeros((1, 3, 5), np.uint8))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_is_one_line(project: Path, tmp_path: Path) -> None:
    good_file = write_exported(tmp_path)
    good = good_file.read_bytes()
    foreign = onnx.load_from_string(good)
    del foreign.metadata_props[:]
    older = onnx.load_from_string(good)
    for entry in older.metadata_props:
        if entry.key == "export_version":
            entry.value = "0"
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 1
    for content, reason in (
        (b"", "damaged, truncated, or not an ONNX model|not a model of this project"),
        (b"no model", "damaged, truncated, or not an ONNX model"),
        (good[:-7], "damaged, truncated, or not an ONNX model"),
        (good[: len(good) // 2], "damaged, truncated, or not an ONNX model"),
        (bytes(flipped), "damaged"),
        (foreign.SerializeToString(), "not a model of this project"),
        (older.SerializeToString(), "made by another version of this project"),
        (good_file.with_suffix(".keras").read_bytes(), "damaged, truncated, or not an ONNX model"),
    ):
        for folder, cure in (("models", "export it again: dvc repro --force export@bad"), ("mine", "get it again .*")):
            bad = project / folder / "bad.onnx"
            bad.parent.mkdir(exist_ok=True)
            bad.write_bytes(content)
            with pytest.raises(UserError, match=rf"bad\.onnx: ({reason}).*; {cure}$") as caught:
                Classifier(bad)
            assert "\n" not in str(caught.value)
    Path("models/msd_musicnn.onnx").write_bytes(older.SerializeToString())
    with pytest.raises(UserError, match=r"export it again: dvc repro --force tagger$"):
        Classifier(Path("models/msd_musicnn.onnx"))
