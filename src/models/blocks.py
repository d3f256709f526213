"""What several families share: convolutions with batch normalisation."""

from src.backend import keras

layers = keras.layers

# Of the moving averages of batch normalisation. Keras' 0.99 needs hundreds of steps to forget its first values, and an
# epoch of a small data set has thirty: validation would judge a network that does not exist yet.
MOMENTUM = 0.9


def normalised(x: keras.KerasTensor, activation: str | None = "relu") -> keras.KerasTensor:
    """Batch normalisation, and an activation unless it is None."""
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    return x if activation is None else layers.Activation(activation)(x)
