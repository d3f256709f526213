"""MSD_musicnn: a network trained on the tags of the Million Song Dataset, used frozen.

After Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging" (2019); layers of
Pons et al., "End-to-end learning for music audio tagging at scale" (ISMIR 2018). Its weights come from the wheel
`musicnn` 0.1.0 (ISC licence): see genres.models.weights. It takes patches of 187 frames (3 s) of 96 mel bands, and
gives 50 tags; the 200 numbers before the tags are an embedding that other classifiers build on.
"""

from collections.abc import Sequence

import numpy as np

from genres.audio.format import Format
from genres.models.backend import keras
from genres.models.wide_and_deep import linear

layers, ops = keras.layers, keras.ops

PATCH_FRAMES, N_MELS = 187, 96
EMBEDDING = 200
# Statistics over a window's patches, in this order; cross-validation against the mean alone: docs/experiments.md.
STATISTICS = ("mean", "max", "min")

# Number of filters of the kernels that are 38 and 67 bands tall, and of those that are 128, 64 and 32 frames long.
TIMBRE, RHYTHM = {38: 204, 67: 204}, {128: 51, 64: 51, 32: 51}
FILTERS = 64

# Format of the spectrograms that it was trained on.
FORMAT = Format(sample_rate=16000, n_fft=512, n_mels=N_MELS, frame_rate=62.5, top_db=80.0)

# The tags, in the order of the network's output.
TAGS = [
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock"),
    *("jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow"),
    *("electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient"),
    *("acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb"),
    *("indie pop", "sad", "House", "happy"),
]
_NO_GENRES = [
    *("female vocalists", "00s", "beautiful", "chillout", "male vocalists", "Mellow", "80s", "90s", "chill"),
    *("instrumental", "oldies", "acoustic", "female vocalist", "guitar", "70s", "party", "easy listening", "sexy"),
    *("catchy", "60s", "sad", "happy"),
]
GENRE_TAGS = [tag for tag in TAGS if tag not in _NO_GENRES]

# Mel power of 0 dB: the median loudest cell of 296 tracks of Emotify. The network knows absolute levels, and stored
# spectrograms are relative to their track's loudest cell; exact levels are no better (docs/experiments.md).
PEAK_POWER = 142.0


def network() -> keras.Model:
    """Build the network without its weights.

    Returns
    -------
    keras.Model
        Logarithmic mel spectrograms in, float32 [shape=(batch, 187, 96)]; embedding [shape=(batch, 200)] and
        probabilities of the tags [shape=(batch, 50)] out.
    """
    patches = keras.Input((PATCH_FRAMES, N_MELS))
    x = _norm(layers.Reshape((PATCH_FRAMES, N_MELS, 1))(patches), 0)
    features: list[keras.KerasTensor] = []
    for bands, filters in TIMBRE.items():
        padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(x)
        features.append(_over_bands(padded, filters, (7, bands), len(features)))
    for frames, filters in RHYTHM.items():
        # Explicit, since backends differ in the "same" padding of an even kernel.
        padded = layers.ZeroPadding2D((((frames - 1) // 2, frames // 2), (0, 0)))(x)
        features.append(_over_bands(padded, filters, (frames, 1), len(features)))
    x = layers.Concatenate()(features)
    outputs = [x]
    for number in range(5, 8):
        convolved = layers.Conv1D(FILTERS, 7, activation="relu", name=_name("conv2d", number))(
            layers.ZeroPadding1D(3)(x)
        )
        convolved = _norm(convolved, number + 1)
        x = convolved if number == 5 else layers.Add()([convolved, x])
        outputs.append(x)
    x = layers.Concatenate()(outputs)
    pooled = [pool()(x) for pool in (layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D)]
    x = layers.Concatenate()([layers.Reshape((x.shape[2], 1))(one) for one in pooled])  # interleaved
    x = _norm(layers.Flatten()(x), 9)
    x = _norm(layers.Dense(EMBEDDING, activation="relu", name="dense")(x), 10)
    return keras.Model(patches, [x, layers.Dense(len(TAGS), activation="sigmoid", name="dense_1")(x)])


def _over_bands(x: keras.KerasTensor, filters: int, kernel: tuple[int, int], number: int) -> keras.KerasTensor:
    """Convolve, then take the maximum over all bands: (frames, filters)."""
    x = layers.Conv2D(filters, kernel, activation="relu", name=_name("conv2d", number))(x)
    x = layers.MaxPooling2D((1, x.shape[2]))(_norm(x, number + 1))
    return layers.Reshape((PATCH_FRAMES, filters))(x)


def _norm(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, name=_name("batch_normalization", number))(x)


def _name(kind: str, number: int) -> str:
    """Return the name of a layer in the published checkpoint."""
    return f"{kind}_{number}" if number else kind


def set_weights(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Set the weights of :func:`network` to those of the published checkpoint.

    Parameters
    ----------
    model : keras.Model
    arrays : dict
        Arrays by their names there, "conv2d/kernel" for example.

    Raises
    ------
    KeyError, ValueError
        If an array is missing or has another shape.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        names = ["gamma", "beta", "moving_mean", "moving_variance"]
        if not isinstance(layer, layers.BatchNormalization):
            names = ["kernel", "bias"]
        values = [arrays[f"{layer.name}/{name}"] for name in names]
        if isinstance(layer, layers.Conv1D):
            values[0] = values[0][:, :, 0, :]
        layer.set_weights(values)
        layer.trainable = False


@keras.saving.register_keras_serializable("genres")
class Patches(keras.Layer):
    """Cut patches from windows, evenly spaced: uint8 [shape=(batch, frames, 96)] → [shape=(batch * n, 187, 96)].

    Stored levels become the network's own scale: log10(1 + 10,000 mel power).

    Parameters
    ----------
    n : int
        Number of patches of a window; fewer if the window does not hold as many without overlap.
    top_db : float
        Level range of the stored values, in dB.
    """

    def __init__(self, n: int, top_db: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.n, self.top_db = n, top_db

    def call(self, windows: keras.KerasTensor) -> keras.KerasTensor:
        """Cut and scale."""
        frames = windows.shape[1]
        n = max(1, min(self.n, frames // PATCH_FRAMES))
        first = np.round(np.linspace(0, max(0, frames - PATCH_FRAMES), n)).astype(int)
        chosen = (first[:, np.newaxis] + np.arange(PATCH_FRAMES)).ravel() % frames  # a short window is repeated
        decibels = (ops.cast(ops.take(windows, chosen, axis=1), "float32") / 255 - 1) * self.top_db
        power = PEAK_POWER * ops.power(10.0, decibels / 10)
        return ops.reshape(ops.log10(1 + 1e4 * power), (-1, PATCH_FRAMES, N_MELS))

    def get_config(self) -> dict[str, object]:
        """Return the arguments for the model file."""
        return {**super().get_config(), "n": self.n, "top_db": self.top_db}


@keras.saving.register_keras_serializable("genres")
class OverPatches(keras.Layer):
    """Summarise the patches of each window: [shape=(batch * n, k)] → [shape=(batch, len(statistics) * k)].

    Parameters
    ----------
    n : int
        Number of patches of a window.
    statistics : sequence of str
        Some of `STATISTICS`.
    """

    def __init__(self, n: int, statistics: Sequence[str], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.n, self.statistics = n, list(statistics)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Summarise."""
        patches = ops.reshape(x, (-1, self.n, x.shape[1]))
        known = {"mean": ops.mean, "max": ops.max, "min": ops.min}
        return ops.concatenate([known[name](patches, axis=1) for name in self.statistics], axis=1)

    def get_config(self) -> dict[str, object]:
        """Return the arguments for the model file."""
        return {**super().get_config(), "n": self.n, "statistics": self.statistics}


def classifier(
    arrays: dict[str, np.ndarray], *, frames: int, n_classes: int | None, patches: int, top_db: float
) -> keras.Model:
    """Build a classifier of windows on the frozen network.

    Parameters
    ----------
    arrays : dict
        Weights of the network: see :func:`set_weights`.
    frames : int
        Frames of a window.
    n_classes : int or None
        Number of genres; the linear classifier (layers "scores" and "discriminant") is not yet fitted. None: the
        network's own tags.
    patches : int
        Number of patches of a window.
    top_db : float
        Level range of the stored windows, in dB.

    Returns
    -------
    keras.Model
        Windows in, uint8 [shape=(batch, frames, 96)]; float32 [shape=(batch, n_classes)] out: probabilities that sum
        to 1, or the tags' own, which do not. The embedding is the output of the layer "embedding".
    """
    frozen = network()
    set_weights(frozen, arrays)
    n = max(1, min(patches, frames // PATCH_FRAMES))
    windows = keras.Input((frames, N_MELS), dtype="uint8")
    embedding, tags = frozen(Patches(n, top_db)(windows))
    if n_classes is None:
        return keras.Model(windows, OverPatches(n, ["mean"])(tags))
    embedding = OverPatches(n, STATISTICS, name="embedding")(embedding)
    return keras.Model(windows, linear(embedding, n_classes, "softmax"))
