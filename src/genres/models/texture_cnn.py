"""Small CNN whose input has, beside the level, harmonic, percussive and residual parts: textures.

Running medians along time keep harmonic parts, those along frequency percussive parts: Fitzgerald,
"Harmonic/percussive separation using median filtering" (DAFx 2010). A network trained on some hundred tracks does not
learn such filters by itself. The frequency axis is kept until one dense layer projects it whole. Over time only mean
and standard deviation are taken, so that the network takes clips of any length and can be trained on crops.
"""

from genres.models.backend import keras
from genres.models.blocks import normalised
from genres.models.descriptors import running_median

layers, ops = keras.layers, keras.ops


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    filters: list[int],
    embedding: int,
    dropout: float,
    textures: bool = True,
) -> keras.Model:
    """Build the untrained network.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and one channel of the picture; any size, an even height.
    n_classes : int
        Number of genres.
    filters : list of int
        Number of filters of each convolution: 5 x 5 with stride 2, then 3 x 3. Each halves the height.
    embedding : int
        Size of the projection of each frame.
    dropout : float
        Dropout rate of the pooled features; before the projection it is two fifths of that.
    textures : bool
        Whether the input has the median-filtered channels; False gives the level alone.

    Returns
    -------
    keras.Model
        Picture in, probabilities [shape=(n_classes,)] out.
    """
    inputs = keras.Input(input_shape)
    x = Textures(textures)(inputs)
    for position, n_filters in enumerate(filters):
        first, last = position == 0, position == len(filters) - 1
        x = layers.Conv2D(n_filters, 5 if first else 3, strides=2 if first else 1, padding="same", use_bias=False)(x)
        x = normalised(x)
        x = layers.MaxPooling2D((2, 1 if last else 2), padding="same")(x)
    # Concatenate each frame's features of all bands: (frames, bands * filters).
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(0.4 * dropout)(x)
    x = normalised(layers.Dense(embedding, use_bias=False)(x))
    x = normalised(MeanAndDeviation()(x), activation=None)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


@keras.saving.register_keras_serializable("genres")
class Textures(keras.Layer):
    """Add texture channels to pictures: [shape=(batch, bands, frames, 1)] → [shape=(batch, bands / 2, frames, 4 or 1)].

    The channels are the level less its mean, the harmonic less the percussive part, and the absolute differences of the
    level from each. All are divided by the clip's own standard deviation, and the last three are scaled to about the
    size of the first, so that neither loudness nor the scale of the picture matters.
    """

    # (centre, deviation) of each channel, in deviations of the level: measured on GTZAN, to one digit.
    _SIZES = ((0.0, 1.0), (0.0, 0.5), (0.3, 0.3), (0.3, 0.3))

    def __init__(self, medians: bool = True, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.medians = medians

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Compute the channels, then average pairs of neighbouring bands."""
        x = pictures[..., 0]
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        x = x / (ops.std(x, axis=(1, 2), keepdims=True) + 1e-3)
        channels = [x]
        if self.medians:
            harmonic, percussive = running_median(x, axis=2), running_median(x, axis=1)
            channels += [harmonic - percussive, ops.abs(x - harmonic), ops.abs(x - percussive)]
        pooled = [
            (ops.mean(ops.reshape(channel, (-1, x.shape[1] // 2, 2, x.shape[2])), axis=2) - centre) / deviation
            for channel, (centre, deviation) in zip(channels, self._SIZES, strict=False)
        ]
        return ops.stack(pooled, axis=3)

    def get_config(self) -> dict[str, object]:
        """Return the arguments for the model file."""
        return {**super().get_config(), "medians": self.medians}


@keras.saving.register_keras_serializable("genres")
class MeanAndDeviation(keras.Layer):
    """Mean and standard deviation over the frames: [shape=(batch, frames, n)] → [shape=(batch, 2 n)]."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Concatenate both."""
        mean = ops.mean(x, axis=1, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(x - mean), axis=1) + 1e-5)
        return ops.concatenate([mean[:, 0], deviation], axis=1)
