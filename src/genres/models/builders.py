"""Build and load networks; each family's file has ``build(input_shape, n_classes, **hyperparameters)``.

An entry of `models:` in params.yaml names a family by its `builder` and gives the hyperparameters.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genres.core.console import UserError
from genres.models import crnn, musicnn, paper_cnn, resnet50, separable_cnn, short_chunk_resnet, texture_cnn
from genres.models.backend import keras
from genres.models.blocks import AtFrameRate
from genres.models.pretrained import Patches  # noqa: F401, registers its layers for `load`
from genres.models.wide_and_deep import join

__all__ = ["BUILDERS", "classifier", "join", "load"]

layers = keras.layers

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "paper_cnn": paper_cnn.build,
    "short_chunk_resnet": short_chunk_resnet.build,
    "resnet50": resnet50.build,
    "musicnn": musicnn.build,
    "crnn": crnn.build,
    "separable_cnn": separable_cnn.build,
    "texture_cnn": texture_cnn.build,
}


def load(model_file: Path) -> keras.Model:
    """Load a trained network; only layers of Keras and of this package are accepted, and no code from the file.

    Raises
    ------
    UserError
        If Keras cannot load it, or refuses to because it contains code.
    """
    try:
        return keras.models.load_model(model_file, compile=False, safe_mode=True)
    except Exception as error:  # of any type, since a hostile file determines it
        reason = str(error).partition("\n")[0]
        raise UserError(f"{model_file}: Keras cannot load it ({reason})") from None


def classifier(
    builder: str,
    arguments: dict[str, Any],
    *,
    n_mels: int,
    frames: int,
    n_classes: int,
    mean: float,
    deviation: float,
    frame_stride: float = 1.0,
) -> keras.Model:
    """Build a network that takes stored clips as input.

    Parameters
    ----------
    builder : str
        A key of `BUILDERS`.
    arguments : dict
        Hyperparameters of the builder.
    n_mels, frames : int
        Size of a clip.
    n_classes : int
        Number of genres.
    mean, deviation : float
        Mean and standard deviation of the training clips' cells, which normalise the input.
    frame_stride : float
        Stored frames per frame of the network's input.

    Returns
    -------
    keras.Model
        Clips in, uint8 [shape=(batch, frames, n_mels)]; genre probabilities out, float32 [shape=(batch, n_classes)].

    Raises
    ------
    ValueError
        If the builder does not exist or does not take these arguments.
    """
    if builder not in BUILDERS:
        raise ValueError(f"builder '{builder}' is none of {', '.join(BUILDERS)}")
    taken = {name: p for name, p in inspect.signature(BUILDERS[builder]).parameters.items() if p.kind is p.KEYWORD_ONLY}
    names, needed = list(taken), [name for name, p in taken.items() if p.default is p.empty]
    for name in [*(name for name in arguments if name not in names), *(n for n in needed if n not in arguments)]:
        problem = "unknown key" if name in arguments else "is missing"
        raise ValueError(f"{name}: {problem}; {builder} takes {', '.join(names)}")
    clips = x = keras.Input((frames, n_mels), dtype="uint8")
    if frame_stride > 1:
        x = AtFrameRate(frame_stride)(x)
    n_frames = x.shape[1]
    x = layers.Rescaling(1 / deviation, -mean / deviation)(x)
    # As in papers, the height of the picture and of kernels is frequency, the width is time.
    x = layers.Permute((2, 1))(x)
    x = layers.Reshape((n_mels, n_frames, 1))(x)
    network = BUILDERS[builder]((n_mels, n_frames, 1), n_classes, **arguments)
    return keras.Model(clips, network(x))
