"""CNN with musically motivated kernel shapes: tall kernels for timbre, long ones for rhythm.

After Pons, Slizovskaia, Gong, Gómez and Serra, "Timbre analysis of music audio signals with convolutional neural
networks" (EUSIPCO 2017), and Pons and Serra, "Designing efficient architectures for modeling temporal features with
convolutional neural networks" (ICASSP 2017), as combined in "musicnn" (2019). A kernel nearly as tall as the picture
covers a whole spectral envelope, and the maximum over its vertical positions makes it invariant to pitch. A kernel of
one row on the mean over all bands follows the loudness. It has fewer filters than the original, for small data sets.
"""

from genres.models.backend import keras
from genres.models.blocks import normalised

layers = keras.layers

TIMBRE_HEIGHTS = (0.4, 0.9)  # shares of the picture's height, as in the paper
TIMBRE_WIDTHS = (1, 3, 7)  # frames, as in the paper
STEP = 4  # vertical stride of a tall kernel, in bands


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    timbre_filters: int,
    rhythm_filters: int,
    rhythm_lengths: list[int],
    filters: int,
    dropout: float,
) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; any size.
    n_classes : int
        Number of genres.
    timbre_filters : int
        Number of filters of each of the six shapes of tall kernels.
    rhythm_filters : int
        Number of filters of each length of long kernels.
    rhythm_lengths : list of int
        Lengths of the long kernels in frames; the original's are 0.5, 1 and 2 seconds.
    filters : int
        Number of filters of each of the three layers that combine those features over time.
    dropout : float
        Dropout rate of the pooled features.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    height, width = input_shape[:2]
    inputs = keras.Input(input_shape)
    x = layers.BatchNormalization(momentum=0.99)(inputs)  # of one channel; the slower momentum of the original
    features = []
    for share in TIMBRE_HEIGHTS:
        for frames in TIMBRE_WIDTHS:
            features.append(_timbre(x, timbre_filters, (max(1, int(share * height)), min(frames, width))))
    loudness = layers.AveragePooling2D((height, 1))(x)
    loudness = layers.Reshape((width, input_shape[2]))(loudness)
    for frames in rhythm_lengths:
        rhythm = layers.Conv1D(rhythm_filters, min(frames, width), padding="same", use_bias=False)(loudness)
        features.append(normalised(rhythm))
    x = layers.Concatenate()(features)
    x = normalised(layers.Conv1D(filters, 7, padding="same", use_bias=False)(x))
    for _ in range(2):
        x = layers.Add()([x, normalised(layers.Conv1D(filters, 7, padding="same", use_bias=False)(x))])
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


def _timbre(x: keras.KerasTensor, n_filters: int, kernel: tuple[int, int]) -> keras.KerasTensor:
    """Apply tall kernels, then the maximum over their vertical positions: (width, n_filters)."""
    # Frames are padded, bands are not.
    before = (kernel[1] - 1) // 2
    x = layers.ZeroPadding2D(((0, 0), (before, kernel[1] - 1 - before)))(x)
    x = normalised(layers.Conv2D(n_filters, kernel, strides=(STEP, 1), use_bias=False)(x))
    x = layers.MaxPooling2D((x.shape[1], 1))(x)
    return layers.Reshape((x.shape[2], n_filters))(x)
