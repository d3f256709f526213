"""Stage `interventions` on networks that have learned nothing: what it asks, what it leaves, what it refuses."""

import math
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from networks import FORMAT, GENRES, write_model

import interventions
from genres.audio.mel import spectrogram_of
from genres.core.console import UserError
from genres.core.files import read_json, read_table, write_table
from genres.core.paths import TRACKS
from genres.data.windows import Windowing
from genres.inference.classifier import Classifier
from genres.remixing import versions
from genres.remixing.remix import CONTROLS, INGREDIENTS
from genres.stats.interventions import first_dose

ARCHITECTURES = ["bn_5x5", "baseline"]
DOSES = [0.5, 1.0]


class Louder:
    """Stands in for the real remixer: each ingredient adds a tone, as loud as its dose."""

    def __init__(self, samples: np.ndarray, rate: int, style: str, seed: int) -> None:
        if "blues" in LEFT:
            raise UserError("no steady beat")
        self.samples, self.rate, self.style = samples, rate, style

    def render(self, doses: dict[str, float], control: str | None = None) -> np.ndarray:
        seconds = np.arange(len(self.samples)) / self.rate
        mixed = self.samples.copy()
        for place, name in enumerate(INGREDIENTS):
            hertz = 300 * (place + 1) + 150 * (control is not None)
            mixed += (doses[name] * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
        return mixed


LEFT: list[str] = []  # when it holds blues, no song has a beat


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(versions, "Remixer", Louder)
    LEFT.clear()


@pytest.fixture
def make(configure: Callable, write_song: Callable, project: Path) -> Callable[..., None]:
    """Write what the stage reads: twelve songs of four genres, of which the last eight are in the test set."""

    def make(**changes) -> None:
        remix = {"remix.style": "rap", "remix.songs": 3, "remix.doses": DOSES, "evaluate.bootstrap": 50}
        configure({"dataset": "folder", "architectures": ARCHITECTURES} | remix | changes)
        rows = []
        for n in range(12):
            path = write_song(project / f"music/{n}.wav", seed=n, seconds=2.0)
            rows.append({"track_id": f"t{n}", "genre": GENRES[n % 4], "path": str(path), "artist": f"a{n}"})
        raw = pd.DataFrame(rows)
        write_table(project / "data/raw/folder/tracks.csv", raw)
        fold = np.where(raw.index < 4, "train", "test")
        write_table(TRACKS, raw[["track_id", "genre", "artist"]].assign(fold=fold))
        for name in ARCHITECTURES:
            write_model(Path("models") / f"{name}.keras", windowing=Windowing(1.0 if name == "baseline" else 0.5))
        write_table(
            interventions.FOUND_PAIRS,
            pd.DataFrame(
                [
                    {"arch": "baseline", "song": "s", "original": "o", "remix": "r", "shift_rap": shift}
                    for shift in (-0.5, 0.9999)
                ]
            ),
        )

    return make


def test_the_tables_say_what_the_networks_say(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    interventions.main()
    songs, doses, shapley, pairs = (
        read_table(interventions.FOLDER / f"{name}.csv") for name in ("songs", "doses", "shapley", "pairs")
    )
    raw = read_table(Path("data/raw/folder/tracks.csv")).set_index("track_id")
    chosen = set(songs["track_id"])
    assert len(chosen) == 3
    assert set(raw.loc[list(chosen), "genre"]) == {"blues", "metal", "pop"}, "in turns, without the target"
    assert chosen <= {f"t{n}" for n in range(4, 12)}, "of the test set"
    wanted = set(product((0.0, 1.0), repeat=4)) | {(0.5,) * 4}
    wanted |= {tuple(0.5 * (n == m) for m in range(4)) for n in range(4)}
    one = songs[(songs["arch"] == "baseline") & (songs["track_id"] == min(chosen))]
    assert set(map(tuple, one[one["control"] == ""][list(INGREDIENTS)].to_numpy())) == wanted
    assert one[one["control"] != ""][[*INGREDIENTS, "control"]].to_numpy().tolist() == [
        [0.0, 1.0, 0.0, 0.0, control] for control in CONTROLS
    ]
    metrics = read_json(interventions.SCORES)
    assert (metrics["n_songs"], metrics["n_refused"], metrics["target"]) == (3, 0, "rap")
    assert all(isinstance(value, bool | int | float | str) for value in metrics.values())
    rap = GENRES.index("rap")
    for name in ARCHITECTURES:
        classifier = Classifier(Path("models") / f"{name}.keras")
        mine = songs[(songs["arch"] == name) & (songs["control"] == "")]
        none = mine[(mine[list(INGREDIENTS)] == 0).all(axis=1)].set_index("track_id")
        whole = mine[(mine[list(INGREDIENTS)] == 1).all(axis=1)].set_index("track_id")
        for track_id in chosen:  # dose 0 is the song as evaluation sees it
            expected = classifier.timeline(spectrogram_of(Path(raw.loc[track_id, "path"]), FORMAT)).mean()
            assert none.loc[track_id, "probability"] == pytest.approx(expected[rap], abs=1e-9)
            others = np.delete(np.log(expected), rap).max()
            assert none.loc[track_id, "margin"] == pytest.approx(np.log(expected[rap]) - others, abs=1e-6)
        shift = (whole["probability"] - none["probability"]).mean()
        assert metrics[f"{name}_shift_all"] == pytest.approx(shift)
        assert shapley[shapley["arch"] == name]["shift"].sum() == pytest.approx(shift)
        curve = doses[(doses["arch"] == name) & (doses["ingredient"] == "all")]
        assert curve["dose"].tolist() == [0.0, *DOSES]
        assert curve["probability"].iloc[-1] == pytest.approx(whole["probability"].mean())
        tipped = [
            first_dose([0, *DOSES], group.sort_values("bass")["margin"].tolist(), 0)
            for _, group in mine[
                (mine["tempo"] == mine["bass"]) & (mine["bass"] == mine["drums"]) & (mine["filter"] == mine["bass"])
            ].groupby("track_id")
        ]
        half = sorted(tipped)[1]
        assert metrics[f"{name}_half_tip_dose_all"] == ("beyond" if half == math.inf else pytest.approx(half))
    moved = pairs[[*INGREDIENTS, "all"]].to_numpy().tolist()
    assert moved == [["0.00"] * 5, ["beyond"] * 5]
    assert "Remixes of 3 test songs, style rap" in capsys.readouterr().out
    for picture in ("doses", "shapley"):
        assert (interventions.FOLDER / f"{picture}.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"remix.target": "brazilian_funk"}, "the data set folder has no genre brazilian_funk (remix.target, else"),
        ({"remix.songs": 0}, "remix.songs is 0: nothing was remixed"),
        ({"dataset": "mels"}, "the data set mels has no audio: nothing was remixed"),
    ],
)
def test_where_nothing_can_be_remixed_it_says_so_in_one_line(
    changes: dict, reason: str, make: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    make(**changes)
    interventions.main()
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.startswith(f"interventions: {reason}")
    assert printed.err == ""
    metrics = read_json(interventions.SCORES)
    assert metrics["n_songs"] == 0 and metrics["note"] in line
    for name in ("songs", "doses", "shapley", "pairs"):
        assert read_table(interventions.FOLDER / f"{name}.csv").empty
    assert (interventions.FOLDER / "doses.png").exists() and (interventions.FOLDER / "shapley.png").exists()


def test_songs_without_a_beat_are_counted_and_left_out(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    LEFT.append("blues")
    interventions.main()
    assert (
        capsys.readouterr().out == "interventions: none of the 6 test songs has a beat to remix: nothing was remixed\n"
    )
    assert read_json(interventions.SCORES)["n_refused"] == 6


def test_the_same_seed_gives_the_same_bytes(make: Callable) -> None:
    make()
    files = []
    for _ in range(2):
        interventions.main()
        paths = sorted([*interventions.FOLDER.iterdir(), interventions.SCORES])
        files.append({path.name: path.read_bytes() for path in paths})
    assert files[0] == files[1]


def test_pairs_of_another_data_set_are_refused(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    write_table(interventions.FOUND_PAIRS, pd.DataFrame([{"arch": "baseline", "shift_polka": 0.5}]))
    with pytest.raises(SystemExit) as stopped:
        interventions.main()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: plots/remix/pairs.csv: has no column shift_rap")


def test_an_unknown_style_is_a_line(make: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    make(**{"remix.style": "polka"})
    with pytest.raises(SystemExit) as stopped:
        interventions.main()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: remix.style: 'polka' is none of blues, brazilian_funk, ")


@pytest.mark.parametrize("doses", [[0.5], [1.0, 0.5], [0.5, 0.5, 1.0], [0.0, 1.0], []])
def test_doses_rise_to_1(doses: list[float], configure: Callable) -> None:
    with pytest.raises(UserError, match=r"remix\.doses"):
        configure({"remix.doses": doses})
