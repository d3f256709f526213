"""Windows cover a track and never leave it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.core.files import write_table
from genres.core.paths import TRACKS
from genres.data import windows
from genres.data.windows import Windowing


@given(st.floats(0.05, 600), st.floats(0.5, 30), st.floats(0, 0.9))
def test_windows_cover_a_track_and_stay_inside(duration: float, length: float, overlap: float) -> None:
    step = length - length * overlap
    starts = Windowing(length, length * overlap).starts_s(duration)
    assert starts[0] == 0
    if duration < length:
        assert starts == [0]
        return
    assert (np.diff(starts) > 0).all()
    assert (np.diff(starts) < step + 1e-5).all()
    assert starts[-1] + length <= duration + 1e-5 * step + 1e-6
    assert duration - (starts[-1] + length) <= step / 2 + 1e-5


@pytest.mark.parametrize(
    ("duration", "length", "overlap", "starts"),
    [
        (30.0, 3.0, 0.0, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]),
        (29.93, 3.0, 0.0, [0, 3, 6, 9, 12, 15, 18, 21, 24, 26.93]),
        (30.013, 3.0, 0.0, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]),
        (28.4, 3.0, 0.0, [0, 3, 6, 9, 12, 15, 18, 21, 24]),
        (9.0, 3.0, 1.5, [0, 1.5, 3, 4.5, 6]),
        (30.0, 9.0, 6.0, [0, 3, 6, 9, 12, 15, 18, 21]),
        (30.0, 9.0, 0.0, [0, 9, 18]),
        (2.0, 3.0, 0.0, [0]),
        (3.0, 3.0, 0.0, [0]),
    ],
)
def test_windows_of_usual_tracks(duration: float, length: float, overlap: float, starts: list[float]) -> None:
    assert Windowing(length, overlap).starts_s(duration) == pytest.approx(starts, abs=1e-6)


def test_windows_of_another_length_are_cut_from_the_tracks_that_have_a_fold(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    seconds = {"long": 65.0, "short": 4.0, "left out": 30.0}
    tracks = pd.DataFrame({"track_id": list(seconds), "genre": list("aba"), "artist": "", "fold": ["train", "val", ""]})
    write_table(TRACKS, tracks)
    found = windows.read(Windowing(30.0, of="tracks"), seconds.__getitem__)
    # 65 s are two windows of 30 s; the last 5 s are less than half of one.
    assert found.to_dict("list") == {
        "track_id": ["long", "long", "short"],
        "start_s": [0.0, 30.0, 0.0],
        "fold": ["train", "train", "val"],
        "genre": ["a", "a", "b"],
    }
