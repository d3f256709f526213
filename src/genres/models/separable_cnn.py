"""CNN of depthwise-separable convolutions, with few multiply-adds per clip.

After Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017). A
3 x 3 convolution within each channel and a 1 x 1 convolution across them take about a ninth of the multiply-adds of a
full 3 x 3 convolution. The picture is halved before the first of them, which would otherwise take most of the time.
"""

from genres.models.backend import keras
from genres.models.blocks import normalised

layers = keras.layers


def build(input_shape: tuple[int, int, int], n_classes: int, *, filters: list[int], dropout: float) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; any size, since pooling is global.
    n_classes : int
        Number of genres.
    filters : list of int
        Number of filters of the full convolution, then of each separable one; each halves the picture.
    dropout : float
        Dropout rate of the pooled features.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    first, *others = filters
    inputs = keras.Input(input_shape)
    x = normalised(layers.Conv2D(first, 5, strides=2, padding="same", use_bias=False)(inputs))
    for n_filters in others:
        x = normalised(layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x))
        x = normalised(layers.Conv2D(n_filters, 1, use_bias=False)(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
