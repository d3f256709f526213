"""The frozen network with weights drawn at random; tests/soak/test_pretrained.py has the published ones."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import random_weights
from scipy.ndimage import correlate1d

from genres.models import builders, embeddings, prediction, pretrained
from genres.models.backend import keras
from genres.models.multiply_adds import multiply_adds

ops = keras.ops


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return random_weights()


@pytest.fixture(scope="module")
def network(arrays: dict[str, np.ndarray]) -> keras.Model:
    network = pretrained.network()
    pretrained.set_weights(network, arrays)
    return network


def windows(n: int, frames: int) -> np.ndarray:
    return np.random.default_rng(frames).integers(0, 256, (n, frames, pretrained.N_MELS)).astype(np.uint8)


def test_shapes_and_size_are_the_published_ones(network: keras.Model) -> None:
    # Pons et al. 2018 and the wheel's documentation: 408 timbral and 153 temporal features, then three layers of 64.
    by_name = {layer.name: layer for layer in network.layers}
    assert by_name["conv2d_5"].input.shape[2] == 561
    assert by_name["batch_normalization_9"].output.shape == (None, 2 * 753)
    assert [output.shape for output in network.outputs] == [(None, 200), (None, 50)]
    assert network.count_params() == 792_079
    assert len(pretrained.TAGS) == len(set(pretrained.TAGS)) == 50
    assert not network.trainable_weights


@pytest.mark.parametrize(("layer", "frames"), [("conv2d_2", 128), ("conv2d_3", 64), ("conv2d_4", 32)])
def test_even_kernels_are_centred_as_tensorflow_does(
    arrays: dict[str, np.ndarray], network: keras.Model, layer: str, frames: int
) -> None:
    patch = np.random.default_rng(2).normal(size=(1, pretrained.PATCH_FRAMES, pretrained.N_MELS)).astype(np.float32)
    convolution = network.get_layer(layer)
    normalised = keras.Model(network.input, network.get_layer("batch_normalization").output)
    x = normalised.predict(patch, verbose=0)[0, :, :, 0]
    kernel, bias = arrays[f"{layer}/kernel"][:, 0, 0, 0], arrays[f"{layer}/bias"][0]
    # SAME padding of an even kernel: one frame less before than after; scipy's origin shifts likewise.
    expected = correlate1d(x.astype(float), kernel, axis=0, mode="constant", origin=-1) + bias
    convolved = keras.Model(network.input, convolution.output).predict(patch, verbose=0)[0, :, :, 0]
    np.testing.assert_allclose(convolved, np.maximum(expected, 0), atol=1e-4)
    assert convolution.kernel.shape[0] == frames


@pytest.mark.parametrize(("name", "error"), [("dense/kernel", KeyError), ("conv2d/kernel", ValueError)])
def test_missing_and_misshapen_arrays_are_refused(
    arrays: dict[str, np.ndarray], name: str, error: type[Exception]
) -> None:
    wrong = dict(arrays)
    if error is KeyError:
        del wrong[name]
    else:
        wrong[name] = wrong[name][1:]
    with pytest.raises(error):
        pretrained.set_weights(pretrained.network(), wrong)


def test_levels_are_those_of_the_networks_own_spectrogram() -> None:
    stored = np.full((1, 187, 96), 255, np.uint8)
    stored[0, 0], stored[0, 1] = 0, 51
    (patch,) = ops.convert_to_numpy(pretrained.Patches(1, 80.0)(stored))
    loudest = 1e4 * pretrained.PEAK_POWER
    expected = np.log10([1 + loudest * 1e-8, 1 + loudest * 10**-6.4, 1 + loudest])
    np.testing.assert_allclose(patch[:3, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("frames", "patches", "starts"), [(1875, 3, [0, 844, 1688]), (400, 10, [0, 213]), (100, 3, [0])]
)
def test_the_embedding_is_mean_maximum_and_minimum_over_patches(
    arrays: dict[str, np.ndarray], network: keras.Model, frames: int, patches: int, starts: list[int]
) -> None:
    model = pretrained.classifier(arrays, frames=frames, n_classes=3, patches=patches, top_db=80.0)
    clips = windows(2, frames)
    embedding = keras.Model(model.input, model.get_layer("embedding").output).predict(clips, verbose=0)
    repeated = np.concatenate([clips, clips], axis=1)  # a window shorter than a patch is repeated
    cut = np.stack([repeated[:, start : start + 187] for start in starts], axis=1).reshape(-1, 187, 96)
    power = 142 * 10 ** (80 * (cut / 255 - 1) / 10)
    expected, _ = network.predict(np.log10(1 + 1e4 * power).astype(np.float32), verbose=0)
    patches_of = expected.reshape(2, len(starts), 200)
    expected = np.concatenate([patches_of.mean(axis=1), patches_of.max(axis=1), patches_of.min(axis=1)], axis=1)
    np.testing.assert_allclose(embedding, expected, atol=2e-3, rtol=1e-3)


def test_classifier_gives_probabilities_and_is_saved_whole(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    model = pretrained.classifier(arrays, frames=374, n_classes=3, patches=2, top_db=80.0)
    clips = windows(3, 374)
    predicted = model.predict(clips, verbose=0)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(builders.load(tmp_path / "model.keras").predict(clips, verbose=0), predicted)
    one = pretrained.classifier(arrays, frames=187, n_classes=3, patches=2, top_db=80.0)
    head = 600 * 3
    assert multiply_adds(model) - head == 2 * (multiply_adds(one) - head) > 2e9


def test_memory_of_a_prediction_does_not_grow_with_the_number_of_windows(arrays: dict[str, np.ndarray]) -> None:
    """64 windows at once took 13 GB: saliency covers a song hundreds of times."""
    model = pretrained.classifier(arrays, frames=7 * 187, n_classes=2, patches=7, top_db=80.0)
    sizes: list[int] = []

    def network(windows: np.ndarray) -> np.ndarray:
        sizes.append(len(windows))
        return np.ones((len(windows), 2))

    windows = (np.zeros((7 * 187, 96), np.uint8) for _ in range(9))
    size = prediction.batch_size(multiply_adds(model))
    assert prediction.probabilities(network, 2, windows, size=size).shape == (9, 2)
    assert sum(sizes) == 9 and 7 * max(sizes) <= 24  # patches of some 30 MB
    assert prediction.batch_size(80_000_000) == 64


@pytest.mark.soak
def test_jax_agrees(arrays: dict[str, np.ndarray], network: keras.Model, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    patches = np.random.default_rng(3).gamma(1.0, 1.0, (2, 187, 96)).astype(np.float32)
    np.savez(tmp_path / "arrays.npz", **arrays)
    np.save(tmp_path / "patches.npy", patches)
    script = (
        "import numpy as np; from genres.models import pretrained as p; n = p.network();"
        "p.set_weights(n, dict(np.load('arrays.npz'))); np.save('jax.npy', n.predict(np.load('patches.npy'))[0])"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "jax.npy"), network.predict(patches, verbose=0)[0], atol=1e-4, rtol=1e-4
    )


def test_each_patch_and_each_window_is_computed_once(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pretrained.classifier(arrays, frames=561, n_classes=3, patches=3, top_db=80.0)
    clips = windows(2, 561)
    covered = clips[:1].copy()
    covered[:, :187] = 90  # the first of three patches
    expected = model.predict(np.concatenate([clips, covered]), verbose=0)

    computed = []
    run = keras.Model.predict_on_batch
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda self, x: computed.append(len(x)) or run(self, x))
    predict = embeddings.Embeddings(model, tmp_path)
    answers = predict(np.concatenate([clips, covered]))
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert computed == [3, 3, 1]
    again = embeddings.Embeddings(
        pretrained.classifier(arrays, frames=561, n_classes=3, patches=3, top_db=80.0), tmp_path
    )
    np.testing.assert_array_equal(again.of(clips), predict.of(clips))
    assert computed == [3, 3, 1]
    other = pretrained.classifier(arrays, frames=561, n_classes=3, patches=3, top_db=60.0)
    assert np.abs(embeddings.Embeddings(other, tmp_path).of(clips[:1]) - again.of(clips[:1])).max() > 0.01
