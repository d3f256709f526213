"""Count the multiply-adds of a network for one clip from its layers.

Counted are the products of weights and activations in convolutions, dense and recurrent layers: one for each weight and
output position, including products with a padded zero. Normalisation, activations, pooling and biases take a few
operations per number and are left out, as usual (He et al. 2016, Howard et al. 2017); so are transforms without weights
(src/genres/models/descriptors.py).
"""

import math

from genres.models.backend import keras
from genres.models.pretrained import Patches

layers = keras.layers

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D)
NOT_COUNTED = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.PReLU)


def multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds of one clip through a network, including nested networks.

    Raises
    ------
    ValueError
        If a layer with weights is of an unknown type, since a count without it would be wrong.
    """
    # A nested network after Patches sees each of them.
    patches = max((layer.n for layer in model.layers if isinstance(layer, Patches)), default=1)
    return sum(
        patches * multiply_adds(layer) if isinstance(layer, keras.Model) else _of_layer(layer) for layer in model.layers
    )


def _of_layer(layer: keras.Layer) -> int:
    if not layer.weights or isinstance(layer, NOT_COUNTED):
        return 0
    if isinstance(layer, CONVOLUTIONS):
        # The kernel is (height, width, inputs per group, outputs), or if depthwise (height, width, channels, outputs
        # per channel). Either way, each position of the output map uses every weight once.
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
    """Count the products with both of the cell's matrices in every time step."""
    cell = layer.cell
    return input_shape[1] * (math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape))
