"""Convolutional recurrent network: convolutions extract local features, recurrent layers read them in order.

After Choi, Fazekas, Sandler and Cho, "Convolutional recurrent neural networks for music classification" (ICASSP 2017):
four convolutions with batch normalisation and ELU, pooled until one band is left, then two layers of gated recurrent
units, of which the last output is classified.
"""

from genres.models.backend import keras
from genres.models.blocks import normalised

layers = keras.layers


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    filters: list[int],
    pools: list[list[int]],
    units: int,
    dropout: float,
) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; any size.
    n_classes : int
        Number of genres.
    filters : list of int
        Number of filters of each convolution.
    pools : list of (bands, frames)
        Size of the max pooling after each convolution.
    units : int
        Number of units of each of the two recurrent layers.
    dropout : float
        Dropout rate of the feature maps after the convolutions and of the last output.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.

    Raises
    ------
    ValueError
        If the numbers of pools and filters differ.
    """
    if len(filters) != len(pools):
        raise ValueError(f"needs as many pools as filters; received {len(pools)} and {len(filters)}")
    inputs = keras.Input(input_shape)
    x = inputs
    for n_filters, pool in zip(filters, pools, strict=True):
        x = normalised(layers.Conv2D(n_filters, 3, padding="same", use_bias=False)(x), "elu")
        x = layers.MaxPooling2D(tuple(pool), padding="same")(x)
    _, bands, frames, features = x.shape
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape((frames, bands * features))(x)
    x = layers.Dropout(dropout)(x)
    x = layers.GRU(units, return_sequences=True)(x)
    x = layers.GRU(units)(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
