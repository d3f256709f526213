"""Layers that several families share: batch normalisation and the frame stride."""

import numpy as np

from genres.models.backend import keras

layers = keras.layers

# Momentum of the moving averages of batch normalisation. Keras' 0.99 needs hundreds of steps to forget its initial
# values, and an epoch of a small data set has thirty: validation would use outdated averages.
MOMENTUM = 0.9


def normalised(x: keras.KerasTensor, activation: str | None = "relu") -> keras.KerasTensor:
    """Apply batch normalisation, then an activation unless it is None."""
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    return x if activation is None else layers.Activation(activation)(x)


def kept_frames(frames: int, frame_stride: float) -> np.ndarray:
    """Return the numbers of the frames nearest to each multiple of `frame_stride`, which need not be whole."""
    kept = np.floor(np.arange(round(frames / frame_stride)) * frame_stride + 0.5).astype(int)
    return np.minimum(kept, frames - 1)


@keras.saving.register_keras_serializable("genres")
class AtFrameRate(keras.Layer):
    """Keep the first of every `frame_stride` frames of clips [shape=(batch, frames, n_mels)].

    Parameters
    ----------
    frame_stride : float
        Input frames per output frame; need not be whole.
    least : int
        Smallest number of output frames; a clip with fewer is repeated.
    """

    def __init__(self, frame_stride: float, least: int = 1, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.frame_stride, self.least = frame_stride, least

    def call(self, clips: keras.KerasTensor) -> keras.KerasTensor:
        """Select the frames."""
        kept = kept_frames(clips.shape[1], self.frame_stride)
        return keras.ops.take(clips, np.resize(kept, max(self.least, len(kept))), axis=1)

    def get_config(self) -> dict[str, object]:
        """Return the arguments for the model file."""
        return {**super().get_config(), "frame_stride": self.frame_stride, "least": self.least}
