"""Residual CNN for short clips: 3 x 3 kernels, halved resolution in each block, global pooling.

After the "short-chunk CNN with residual connections" of Won, Ferraro, Bogdanov and Serra, "Evaluation of CNN-based
automatic music tagging models" (SMC 2020), which has seven blocks of 128 filters. Here the number of filters grows
from block to block, which takes a fraction of the multiply-adds and suits data sets of hundreds of tracks.
"""

from genres.models.backend import keras
from genres.models.blocks import MOMENTUM

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
        Number of filters of each residual block.
    dropout : float
        Dropout rate of the pooled features.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    inputs = keras.Input(input_shape)
    x = inputs
    for n_filters in filters:
        x = _residual_block(x, n_filters)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


def _residual_block(x: keras.KerasTensor, n_filters: int) -> keras.KerasTensor:
    # Every second cell first: oneDNN's weight gradient of a strided 1 x 1 convolution writes out of bounds where the
    # input has few channels (github.com/uxlfoundation/oneDNN/issues/6035), and no two trainings were the same.
    shortcut = layers.AveragePooling2D(1, strides=2, padding="same")(x)
    shortcut = layers.Conv2D(n_filters, 1, use_bias=False)(shortcut)
    shortcut = layers.BatchNormalization(momentum=MOMENTUM)(shortcut)
    x = layers.Conv2D(n_filters, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(n_filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    return layers.ReLU()(layers.Add()([x, shortcut]))
