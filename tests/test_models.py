"""The architectures: parameter counts by hand, sizes that do not fit, names that do not exist."""

import itertools

import numpy as np
import pytest

from src import models
from src.backend import keras
from src.models import paper_cnn, short_chunk_resnet

PAPER = {"filters": [8, 16, 32, 64, 128], "kernel_size": 3, "batch_norm": False, "dropout": 0.3}
RESNET = {"filters": [4, 8], "dropout": 0.5}


def classifier(builder: str, arguments: dict, **sizes) -> keras.Model:
    sizes = {"n_mels": 128, "frames": 129, "n_classes": 9, "mean": 100.0, "deviation": 50.0} | sizes
    return models.classifier(builder, arguments, **sizes)


def test_paper_final_architecture_has_the_published_number_of_parameters():
    """445,886: 14 genres on pictures of 515 x 389 x 3, unpadded (the paper, table of its final model)."""
    network = paper_cnn.build((515, 389, 3), 14, **(PAPER | {"kernel_size": 5, "batch_norm": True}))
    assert network.count_params() == 445_886


def test_baseline_parameters_by_hand():
    sizes = [1, 8, 16, 32, 64, 128]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(sizes))
    # 128 x 129, five times less two and halved: 2 x 2 places of 128 features.
    dense = 2 * 2 * 128 * 9 + 9
    assert classifier("paper_cnn", PAPER).count_params() == convolutions + dense


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, "valid"), (5, "same")])
def test_convolutions_are_unpadded_where_they_fit(kernel_size, padding):
    network = paper_cnn.build((128, 129, 1), 9, **(PAPER | {"kernel_size": kernel_size}))
    paddings = {layer.padding for layer in network.layers if isinstance(layer, keras.layers.Conv2D)}
    assert paddings == {padding}


@pytest.mark.parametrize("frames", [1, 13, 39, 129, 388])
@pytest.mark.parametrize(("builder", "arguments"), [("paper_cnn", PAPER), ("short_chunk_resnet", RESNET)])
def test_any_clip_length_gives_probabilities(builder, arguments, frames):
    network = classifier(builder, arguments, frames=frames, n_classes=3)
    clips = np.random.default_rng(0).integers(0, 256, (2, frames, 128), dtype=np.uint8)
    probabilities = network.predict(clips, verbose=0)
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_resnet_has_more_than_one_way_to_every_output():
    network = short_chunk_resnet.build((64, 64, 1), 5, **RESNET)
    assert sum(isinstance(layer, keras.layers.Add) for layer in network.layers) == len(RESNET["filters"])
    assert (
        network.count_params() < classifier("short_chunk_resnet", {"filters": [8, 16], "dropout": 0.5}).count_params()
    )


def test_network_sees_frequency_as_height_and_normalised_levels():
    network = classifier("paper_cnn", PAPER, n_mels=40, frames=60, n_classes=2)
    seen = keras.Model(network.input, network.layers[-2].output)  # what the builder's network gets
    clip = np.random.default_rng(0).integers(0, 256, (1, 60, 40), dtype=np.uint8)
    picture = np.asarray(seen(clip))
    assert picture.shape == (1, 40, 60, 1)
    np.testing.assert_allclose(picture[0, :, :, 0], (clip[0].T - 100.0) / 50.0, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("builder", "arguments", "complaint"),
    [
        ("paper_rnn", PAPER, "builder 'paper_rnn' is none of paper_cnn, short_chunk_resnet"),
        ("paper_cnn", PAPER | {"filter": 3}, "filter: unknown key; paper_cnn takes filters, kernel_size"),
        ("short_chunk_resnet", {"filters": [4]}, "dropout: is missing; short_chunk_resnet takes filters, dropout"),
    ],
)
def test_wrong_names_list_the_right_ones(builder, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        classifier(builder, arguments)
