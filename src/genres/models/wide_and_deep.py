"""Combine a network with a classifier of hand-designed descriptors.

After Cheng et al., "Wide & Deep Learning for Recommender Systems" (2016), with the two parts trained separately: the
wide part, a discriminant of descriptors, is fitted in closed form and fits its training tracks perfectly, so that a
network trained jointly with it would have nothing left to learn. Their log probabilities are added.
"""

from genres.models import descriptors
from genres.models.backend import keras
from genres.models.blocks import AtFrameRate

layers, ops = keras.layers, keras.ops

TINY = 1e-7  # lower bound of a probability before its logarithm
EPSILON = 1e-12  # of the normalisation; negligible beside any column's variance


def join(network: keras.Model, *, top_db: float, frame_rate: float, network_weight: float) -> keras.Model:
    """Combine a network with a classifier of descriptors that is not yet fitted.

    Parameters
    ----------
    network : keras.Model
        Stored clips in, uint8 [shape=(batch, frames, 128)]; probabilities out [shape=(batch, n_classes)].
    top_db, frame_rate : float
        Level range and frame rate of the stored clips.
    network_weight : float
        Weight of the network's log probabilities; the discriminant's have weight 1.

    Returns
    -------
    keras.Model
        Same input and output shapes as `network`.

    Raises
    ------
    ValueError
        If the spectrograms do not have 128 bands.
    """
    clips = keras.Input(network.input_shape[1:], dtype="uint8")
    x = AtFrameRate(max(1.0, frame_rate / descriptors.FRAME_RATE), least=descriptors.WINDOW)(clips)
    x = layers.Rescaling(top_db / 255, -top_db)(x)
    x = descriptors.Descriptors(name="descriptors")(x)
    wide = linear(x, network.output_shape[1], "log_softmax")
    deep = LogProbabilities()(network(clips))
    total = layers.Add()([wide, layers.Rescaling(network_weight)(deep)])
    return keras.Model(clips, layers.Softmax()(total))


def linear(x: keras.KerasTensor, n_classes: int, activation: str) -> keras.KerasTensor:
    """Apply a linear classifier that is not yet fitted: a discriminant's scores as layers.

    Its layers divide by the clipping level, apply tanh, and are dense: see genres.training.discriminant.set_weights.
    """
    x = layers.BatchNormalization(center=False, scale=False, epsilon=EPSILON, name="scores")(x)
    x = layers.Activation("tanh")(x)
    return layers.Dense(n_classes, activation=activation, name="discriminant")(x)


@keras.saving.register_keras_serializable("genres")
class LogProbabilities(keras.Layer):
    """Logarithm of probabilities, bounded from below."""

    def call(self, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        """Apply it element by element."""
        return ops.log(ops.maximum(probabilities, TINY))
