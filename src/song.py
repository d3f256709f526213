"""From a song to what the networks see of it: the one way that the stage `mels` and every prediction go."""

from pathlib import Path

import numpy as np

from src import audio, spectrogram
from src.spectrogram import Format


def spectrogram_of(song: Path, form: Format) -> np.ndarray:
    """Decode a song and make its spectrogram, both block by block.

    Parameters
    ----------
    song : Path
        An audio file of any length, sample rate and format.
    form : Format
        What to make; travels with each model.

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=uint8]

    Raises
    ------
    src.audio.AudioError
        If the file cannot be used as music.
    """
    return audio.read(song, form.sample_rate, lambda blocks: spectrogram.of_blocks(blocks, form))
