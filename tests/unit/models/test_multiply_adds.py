"""Multiply-adds against closed forms and TensorFlow's own profiler; what is not known is refused."""

import pytest
from checkout import ROOT

from genres.core import params
from genres.models import builders
from genres.models.backend import keras
from genres.models.multiply_adds import multiply_adds

layers = keras.layers
SETTINGS = params.load(ROOT / "params.yaml")


def of(shape: tuple[int, ...], *stack: keras.Layer) -> int:
    return multiply_adds(keras.Sequential([keras.Input(shape), *stack]))


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((20, 30, 3), layers.Conv2D(8, 5, padding="same"), 20 * 30 * 5 * 5 * 3 * 8),
        ((20, 30, 3), layers.Conv2D(8, (5, 2)), 16 * 29 * 5 * 2 * 3 * 8),
        ((20, 30, 3), layers.Conv2D(8, 3, strides=2, padding="same"), 10 * 15 * 9 * 3 * 8),
        ((20, 30, 4), layers.Conv2D(8, 3, groups=2, padding="same"), 20 * 30 * 9 * 2 * 8),
        ((20, 30, 4), layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 20 * 30 * 9 * 4 * 2),
        ((50, 4), layers.Conv1D(6, 7), 44 * 7 * 4 * 6),
        ((12,), layers.Dense(5), 12 * 5),
        ((7, 12), layers.Dense(5), 7 * 12 * 5),
        ((7, 12), layers.GRU(5), 7 * 3 * (12 * 5 + 5 * 5)),
        ((7, 12), layers.LSTM(5, return_sequences=True), 7 * 4 * (12 * 5 + 5 * 5)),
        ((7, 12), layers.Bidirectional(layers.GRU(5)), 2 * 7 * 3 * (12 * 5 + 5 * 5)),
        ((20, 30, 3), layers.BatchNormalization(), 0),
        ((20, 30, 3), layers.MaxPooling2D(2), 0),
    ],
)
def test_one_layer_by_hand(shape, layer, expected):
    assert of(shape, layer) == expected


def test_a_separable_layer_is_its_two_parts():
    with pytest.raises(ValueError, match="multiply-adds of a SeparableConv2D are not known"):
        of((20, 30, 4), layers.SeparableConv2D(6, 3))
    parts = [layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(6, 1)]
    assert of((20, 30, 4), *parts) == 20 * 30 * (9 * 4 + 4 * 6)


def test_nested_networks_count_once():
    inner = keras.Sequential([keras.Input((12,)), layers.Dense(5)])
    outer = keras.Sequential([keras.Input((12,)), inner, layers.Dense(2)])
    assert multiply_adds(outer) == 12 * 5 + 5 * 2


def classifier(name: str) -> keras.Model:
    chosen = SETTINGS.models[name]
    return builders.classifier(
        chosen.builder, chosen.arguments, n_mels=128, frames=129, n_classes=11, mean=100.0, deviation=50.0
    )


def test_baseline_in_closed_form():
    total, height, width, channels = 0, 128, 129, 1
    for filters in (8, 16, 32, 64, 128):
        height, width = height - 2, width - 2
        total += height * width * 9 * channels * filters
        height, width, channels = height // 2, width // 2, filters
    assert multiply_adds(classifier("baseline")) == total + height * width * channels * 11


def test_resnet50_is_near_the_published_number():
    """3.8 billion multiply-adds for a picture of 224 x 224 (He et al. 2016, table 1); 3.86 with the last layer."""
    network = builders.BUILDERS["resnet50"]((224, 224, 3), 1000, dropout=0.3)
    assert multiply_adds(network) == pytest.approx(3.86e9, rel=0.005)


@pytest.mark.parametrize("name", ["bn_5x5", "dense_head", "short_chunk_resnet", "musicnn", "separable_cnn"])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the profiler is TensorFlow's")
def test_is_what_tensorflow_counts(name):
    import tensorflow as tf
    from tensorflow.python.framework import ops

    network = classifier(name)
    clip = tf.TensorSpec([1, 129, 128], tf.uint8)
    graph = tf.function(lambda clip: network(clip, training=False)).get_concrete_function(clip).graph
    counted = sum(
        ops.get_stats_for_node_def(graph, operation.node_def, "flops").value
        for operation in graph.get_operations()
        if operation.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul")
    )
    assert 2 * multiply_adds(network) == counted
