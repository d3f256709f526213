"""Plain CNN of Rodríguez and Alizadeh-Shabdiz (Boston University, 2023), and its variants.

It applies convolution, ReLU and 2 x 2 max pooling for each entry of `filters`, then dropout, flatten and softmax. The
variants differ only in hyperparameters: the filters, the kernel size, batch normalisation, an L2 penalty, and dense
layers before the last.
"""

from collections.abc import Sequence

from genres.models.backend import keras
from genres.models.blocks import MOMENTUM

layers = keras.layers


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    filters: Sequence[int] = (8, 16, 32, 64, 128),
    kernel_size: int = 3,
    batch_norm: bool = False,
    dropout: float,
    l2: float = 0.0,
    dense: Sequence[int] = (),
) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture.
    n_classes : int
        Number of genres.
    filters : sequence of int
        Number of filters of each convolution.
    kernel_size : int
        Height and width of each kernel.
    batch_norm : bool
        Apply batch normalisation between each convolution and its activation.
    dropout : float
        Dropout rate of the last feature map and, with `dense`, after each dense layer.
    l2 : float
        Weight of the L2 penalty on the convolutions' kernels.
    dense : sequence of int
        Units of the dense layers with ReLU before the softmax layer.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out. As in the paper the convolutions are unpadded; if
        the picture is too small for that, convolutions and pooling are padded.
    """
    padding = "valid" if _fits_unpadded(input_shape, len(filters), kernel_size) else "same"
    inputs = keras.Input(input_shape)
    x = inputs
    for n_filters in filters:
        penalty = keras.regularizers.L2(l2) if l2 else None
        x = layers.Conv2D(n_filters, kernel_size, padding=padding, kernel_regularizer=penalty)(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2, padding=padding)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    for units in dense:
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


def _fits_unpadded(input_shape: tuple[int, int, int], n_layers: int, kernel_size: int) -> bool:
    size = min(input_shape[:2])
    for _ in range(n_layers):
        size = (size - kernel_size + 1) // 2
    return size >= 1
