"""What several families share: batch normalisation, and another number of frames a second."""

import numpy as np

from genres.models.backend import keras

layers = keras.layers

# Of the moving averages of batch normalisation. Keras' 0.99 needs hundreds of steps to forget its first values, and an
# epoch of a small data set has thirty: validation would judge a network that does not exist yet.
MOMENTUM = 0.9


def normalised(x: keras.KerasTensor, activation: str | None = "relu") -> keras.KerasTensor:
    """Batch normalisation, and an activation unless it is None."""
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    return x if activation is None else layers.Activation(activation)(x)


@keras.saving.register_keras_serializable("genres")
class AtFrameRate(keras.Layer):
    """Clips [shape=(batch, frames, n_mels)] with fewer frames a second: of each `frame_stride` frames the first.

    Parameters
    ----------
    frame_stride : float
        Frames that come in for each that goes out; need not be whole.
    least : int
        Frames that go out at least: a clip that has fewer is repeated.
    """

    def __init__(self, frame_stride: float, least: int = 1, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.frame_stride, self.least = frame_stride, least

    def call(self, clips: keras.KerasTensor) -> keras.KerasTensor:
        """Pick the frames."""
        own = np.floor(np.arange(round(clips.shape[1] / self.frame_stride)) * self.frame_stride + 0.5).astype(int)
        own = np.minimum(own, clips.shape[1] - 1)
        return keras.ops.take(clips, np.resize(own, max(self.least, len(own))), axis=1)

    def get_config(self) -> dict[str, object]:
        """For the model file."""
        return {**super().get_config(), "frame_stride": self.frame_stride, "least": self.least}
