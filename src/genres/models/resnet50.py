"""ResNet-50, one of the larger networks that the paper tried: Keras' own, with untrained weights.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (CVPR 2016). Made for a million photographs of
1000 classes: with 23.6 million parameters it is here to show what size alone does for a few hundred songs.
"""

from genres.models.backend import keras
from genres.models.blocks import MOMENTUM

layers = keras.layers

SMALLEST = 32  # height and width of the smallest picture that Keras' ResNet50 takes


def build(input_shape: tuple[int, int, int], n_classes: int, *, dropout: float) -> keras.Model:
    """Build the network, untrained.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; where it is smaller than 32 x 32, zeros are added around it.
    n_classes : int
        Number of genres.
    dropout : float
        Share of the 2048 pooled features that is dropped in training.

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
