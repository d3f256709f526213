"""Where the windows of a track lie that networks see: for the clips of training, and for songs that are predicted."""

import math


def windows(duration_s: float, length_s: float, overlap_s: float = 0.0) -> list[float]:
    """Where the clips of a track start.

    Clips follow each other every ``length_s - overlap_s`` seconds. What is left at the end gets a last clip, shifted
    back to end with the track, if it is more than half of such a step: a track of 29.9 s has ten clips of 3 s, as one
    of 30 s has. A track shorter than one clip has one, which starts at 0 and is padded.

    Parameters
    ----------
    duration_s, length_s, overlap_s : float
        Seconds.

    Returns
    -------
    list of float
        Seconds, rising.
    """
    step = length_s - overlap_s
    whole = max(0, math.floor((duration_s - length_s) / step + 1e-6))
    starts = [round(number * step, 6) for number in range(whole + 1)]
    if duration_s - (starts[-1] + length_s) > step / 2:
        starts.append(round(duration_s - length_s, 6))
    return starts
