"""The plain CNN of Rodríguez and Alizadeh-Shabdiz (Boston University, 2023), and its variants.

Convolution, ReLU and 2 x 2 max pooling, once for each entry of `filters`; dropout, flatten, softmax. Their variants
differ by numbers only: the filters, the kernel size, batch normalisation.
"""

from src.backend import keras

layers = keras.layers

# Of the moving averages of batch normalisation. Keras' 0.99 needs hundreds of steps to forget its first values, and an
# epoch of a small data set has thirty: validation would judge a network that does not exist yet.
MOMENTUM = 0.9


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    filters: list[int],
    kernel_size: int,
    batch_norm: bool,
    dropout: float,
) -> keras.Model:
    """Build the network, untrained.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture.
    n_classes : int
        Number of genres.
    filters : list of int
        Of each convolution.
    kernel_size : int
        Height and width of each kernel.
    batch_norm : bool
        Normalise after each convolution, before the activation.
    dropout : float
        Share of the last feature map that is dropped in training.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out. As in the paper the convolutions are unpadded; on a
        picture too small for that, everything is padded.
    """
    padding = "valid" if _fits_unpadded(input_shape, len(filters), kernel_size) else "same"
    inputs = keras.Input(input_shape)
    x = inputs
    for n_filters in filters:
        x = layers.Conv2D(n_filters, kernel_size, padding=padding)(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=MOMENTUM)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2, padding=padding)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


def _fits_unpadded(input_shape: tuple[int, int, int], n_layers: int, kernel_size: int) -> bool:
    size = min(input_shape[:2])
    for _ in range(n_layers):
        size = (size - kernel_size + 1) // 2
    return size >= 1
