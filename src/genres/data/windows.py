"""Windows of tracks, the inputs of networks; a window is cut only when it is read."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from genres.core.files import read_clips, read_table
from genres.core.paths import TRACKS


def starts(duration_s: float, length_s: float, overlap_s: float = 0.0) -> list[float]:
    """Return the start of each window of a track.

    Windows start every ``length_s - overlap_s`` seconds. A rest of more than half such a step gets a last window that
    ends with the track: a track of 29.9 s has ten clips of 3 s, as one of 30 s has. A track shorter than one window has
    one, which starts at 0 and is padded.

    Parameters
    ----------
    duration_s, length_s, overlap_s : float
        Seconds.

    Returns
    -------
    list of float
        Seconds, ascending.
    """
    step = length_s - overlap_s
    whole = max(0, int(np.floor((duration_s - length_s) / step + 1e-6)))
    positions = [round(number * step, 6) for number in range(whole + 1)]
    if duration_s - (positions[-1] + length_s) > step / 2:
        positions.append(round(duration_s - length_s, 6))
    return positions


def read(length_s: float | None, duration_of: Callable[[str], float]) -> pd.DataFrame:
    """Return the windows of all tracks that have a fold.

    Parameters
    ----------
    length_s : float or None
        Length in seconds; None for the clips of the stage `clips`.
    duration_of : callable
        Returns the seconds of a track_id: `Spectrograms.seconds`.

    Returns
    -------
    pd.DataFrame
        track_id, start_s, fold, genre.
    """
    if length_s is None:
        return read_clips()
    tracks = read_table(TRACKS, dtype=str)
    tracks = tracks[tracks["fold"] != ""]
    rows = [
        {"track_id": track["track_id"], "start_s": start, "fold": track["fold"], "genre": track["genre"]}
        for track in tracks.to_dict("records")
        for start in starts(duration_of(track["track_id"]), length_s)
    ]
    return pd.DataFrame(rows, columns=["track_id", "start_s", "fold", "genre"])


def cut(track: np.ndarray, start: int, frames: int, *, repeat_short: bool) -> np.ndarray:
    """Cut a window [shape=(frames, n_mels)] from a track; a shorter track is padded with silence or repeated."""
    clip = track[start : start + frames]
    missing = ((0, frames - len(clip)), (0, 0))
    if len(clip) < frames:
        clip = np.pad(clip, missing, mode="wrap") if repeat_short else np.pad(clip, missing)
    return clip
