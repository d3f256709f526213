"""Windows of tracks, the inputs of networks; a window is cut only when it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from genres.audio.format import Format
from genres.core.files import read_clips, read_table
from genres.core.paths import TRACKS

if TYPE_CHECKING:  # a prediction needs neither, and they take longer to load than it takes
    import pandas as pd

    from genres.core.params import ModelParams, Params


@dataclass(frozen=True)
class Windowing:
    """Rule by which tracks are cut into windows; saved with each model trained on them.

    Attributes
    ----------
    length_s, overlap_s : float
        Length of a window and overlap of two neighbours, in seconds.
    short : "pad" or "repeat"
        Completion of a track that is shorter than a window: with silence, or with itself.
    of : "clips" or "tracks"
        Table that has the folds: "clips" for the clips of the stage `clips`, "tracks" for windows of another length.
    """

    length_s: float
    overlap_s: float = 0.0
    short: Literal["pad", "repeat"] = "pad"
    of: Literal["clips", "tracks"] = "clips"

    def frames(self, form: Format) -> int:
        """Return the number of frames of a window."""
        return form.frames(self.length_s)

    def starts_s(self, duration_s: float) -> list[float]:
        """Return the start of each window of a track in seconds, ascending.

        Windows start every ``length_s - overlap_s`` seconds. A rest of more than half such a step gets a last window
        that ends with the track: a track of 29.9 s has ten clips of 3 s, as one of 30 s has. A track shorter than one
        window has one, which starts at 0.
        """
        step = self.length_s - self.overlap_s
        whole = max(0, int(np.floor((duration_s - self.length_s) / step + 1e-6)))
        positions = [round(number * step, 6) for number in range(whole + 1)]
        if duration_s - (positions[-1] + self.length_s) > step / 2:
            positions.append(round(duration_s - self.length_s, 6))
        return positions

    def last_start(self, track: np.ndarray, form: Format) -> int:
        """Return the last frame at which a window of a track can start."""
        return max(0, len(track) - self.frames(form))

    def start(self, track: np.ndarray, start_s: float, form: Format) -> int:
        """Return the frame at which a window starts; rounding can place it a frame or two past the last start."""
        return max(0, min(round(start_s * form.frame_rate), self.last_start(track, form)))

    def cut(self, track: np.ndarray, start: int, form: Format) -> np.ndarray:
        """Cut the window that starts at a frame from a track, and complete it if the track is shorter.

        Parameters
        ----------
        track : np.ndarray [shape=(n, n_mels)]

        Returns
        -------
        np.ndarray [shape=(frames, n_mels)]
        """
        window = track[start : start + self.frames(form)]
        missing = ((0, self.frames(form) - len(window)), (0, 0))
        if missing[0][1]:
            window = np.pad(window, missing, mode="wrap") if self.short == "repeat" else np.pad(window, missing)
        return window

    def cut_all(
        self, table: "pd.DataFrame", track_of: Callable[[str], np.ndarray], form: Format
    ) -> Iterator[np.ndarray]:
        """Yield the windows of a table with columns track_id and start_s; `track_of` returns a spectrogram by id."""
        for track_id, start_s in zip(table["track_id"], table["start_s"], strict=True):
            track = track_of(track_id)
            yield self.cut(track, self.start(track, start_s, form), form)


def windowing_of(model: "ModelParams", settings: "Params") -> Windowing:
    """Return the windows that an architecture takes."""
    # Under protocol clip only the clips have folds: a longer window would hold clips of several.
    if model.window_s is None or settings.split.protocol == "clip":
        return Windowing(settings.clips.length_s, settings.clips.overlap_s)
    return Windowing(model.window_s, short="repeat", of="tracks")


def read(windowing: Windowing, duration_of: Callable[[str], float]) -> "pd.DataFrame":
    """Return the windows of all tracks that have a fold.

    Parameters
    ----------
    windowing : Windowing
    duration_of : callable
        Returns the seconds of a track_id: `Spectrograms.seconds`.

    Returns
    -------
    pd.DataFrame
        track_id, start_s, fold, genre.
    """
    import pandas as pd

    if windowing.of == "clips":
        return read_clips()
    tracks = read_table(TRACKS, dtype=str)
    tracks = tracks[tracks["fold"] != ""]
    rows = [
        {"track_id": track["track_id"], "start_s": start, "fold": track["fold"], "genre": track["genre"]}
        for track in tracks.to_dict("records")
        for start in windowing.starts_s(duration_of(track["track_id"]))
    ]
    return pd.DataFrame(rows, columns=["track_id", "start_s", "fold", "genre"])
