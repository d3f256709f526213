"""What a network costs: its multiply-adds for one clip, counted from its layers.

Counted are the products of weights and activations, in convolutions, dense and recurrent layers, one for each weight
and place of the output; at a padded edge also those with a zero. Normalisation, activations, pooling and biases take
a few operations a number and are left out, as usual (He et al. 2016, Howard et al. 2017); so are transforms without a
weight (src/genres/models/descriptors.py).
"""

import math

from genres.models.backend import keras

layers = keras.layers

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D)
NOT_COUNTED = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.PReLU)


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one clip through a network, nested networks included.

    Raises
    ------
    ValueError
        If a layer with weights is of a kind that is not known here: a count that lacks it would be wrong.
    """
    return sum(multiply_adds(layer) if isinstance(layer, keras.Model) else _of_layer(layer) for layer in model.layers)


def _of_layer(layer: keras.Layer) -> int:
    if not layer.weights or isinstance(layer, NOT_COUNTED):
        return 0
    if isinstance(layer, CONVOLUTIONS):
        # The kernel is (height, width, inputs a group, outputs), or for a depthwise one (height, width, channels,
        # outputs a channel): in both cases each place of the output map sees every weight once.
        channels_last = layer.data_format == "channels_last"
        places = layer.output.shape[1:-1] if channels_last else layer.output.shape[2:]
        return math.prod(layer.kernel.shape) * math.prod(places)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if isinstance(layer, layers.Bidirectional):
        return _recurrent(layer.forward_layer, layer.input.shape) + _recurrent(layer.backward_layer, layer.input.shape)
    if isinstance(layer, layers.RNN):
        return _recurrent(layer, layer.input.shape)
    raise ValueError(
        f"{layer.name}: the multiply-adds of a {type(layer).__name__} are not known; "
        "add them to src/genres/models/multiply_adds.py"
    )


def _recurrent(layer: keras.layers.RNN, input_shape: tuple[int, ...]) -> int:
    """Both of the cell's matrices, once a time step."""
    cell = layer.cell
    return input_shape[1] * (math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape))
