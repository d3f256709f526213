"""A CNN with kernels of musical shapes: tall ones for timbre, long ones for rhythm.

After Pons, Slizovskaia, Gong, Gómez and Serra, "Timbre analysis of music audio signals with convolutional neural
networks" (EUSIPCO 2017), and Pons and Serra, "Designing efficient architectures for modeling temporal features with
convolutional neural networks" (ICASSP 2017), as joined in "musicnn" (2019). A kernel that is nearly as tall as the
picture sees a whole spectral envelope, and the maximum over its vertical places makes it blind to pitch; a kernel of
one row on the mean over all bands sees how loudness moves. Narrower here than the original, for small data.
"""

from genres.models.backend import keras
from genres.models.blocks import normalised

layers = keras.layers

TIMBRE_HEIGHTS = (0.4, 0.9)  # of the picture's height; the paper's
TIMBRE_WIDTHS = (1, 3, 7)  # frames; the paper's
STEP = 4  # bands between the vertical places of a tall kernel


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
    """Build the network, untrained.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of the picture; any size.
    n_classes : int
        Number of genres.
    timbre_filters : int
        Of each of the six shapes of tall kernels.
    rhythm_filters : int
        Of each length of long kernels.
    rhythm_lengths : list of int
        Of the long kernels, in frames; the original's are 0.5, 1 and 2 seconds.
    filters : int
        Of each of the three layers that combine those features over time.
    dropout : float
        Share of the pooled features that is dropped in training.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    height, width = input_shape[:2]
    inputs = keras.Input(input_shape)
    x = layers.BatchNormalization(momentum=0.99)(inputs)  # of one channel: the slow one that the original has
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
    """Tall kernels, and the maximum over their vertical places: (width, n_filters)."""
    # Frames are padded, bands are not.
    before = (kernel[1] - 1) // 2
    x = layers.ZeroPadding2D(((0, 0), (before, kernel[1] - 1 - before)))(x)
    x = normalised(layers.Conv2D(n_filters, kernel, strides=(STEP, 1), use_bias=False)(x))
    x = layers.MaxPooling2D((x.shape[1], 1))(x)
    return layers.Reshape((x.shape[2], n_filters))(x)
