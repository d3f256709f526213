"""ResNet-50 with random weights (Keras' implementation), one of the larger networks that the paper tried.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (CVPR 2016). It was designed for a million
photographs of 1000 classes. With 23.6 million parameters it shows the effect of size alone on a few hundred songs.
"""

from genres.models.backend import keras
from genres.models.blocks import MOMENTUM

layers = keras.layers

SMALLEST = 32  # height and width of the smallest picture that Keras' ResNet50 takes


def build(input_shape: tuple[int, int, int], n_classes: int, *, dropout: float) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; if smaller than 32 x 32, it is padded with zeros.
    n_classes : int
        Number of genres.
    dropout : float
        Dropout rate of the 2048 pooled features.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    inputs = keras.Input(input_shape)
    missing = [max(0, SMALLEST - size) for size in input_shape[:2]]
    x = layers.ZeroPadding2D([(size // 2, size - size // 2) for size in missing])(inputs) if any(missing) else inputs
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=x.shape[1:], pooling="avg")
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
    x = layers.Dropout(dropout)(backbone(x))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))
