"""Learning curves: what is counted, what is extrapolated, and what supports no extrapolation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from genres.core.console import UserError
from genres.core.paths import TRACKS
from genres.experiments import learning_curve
from genres.experiments.learning_curve import sentence, table
from genres.experiments.points import read, sizes_of

TESTED = 200  # test tracks of a repetition, each of an artist of its own


class Experiment:
    """A revision whose network is wrong on a given share of its test tracks."""

    def __init__(self, share: float, error: float, artists: int, seed: int = 1, **about: Any) -> None:
        self.name = f"seed{seed}-share{share:g}"
        self.about = {"dataset": "folder", "protocol": "artist"} | about
        self.params = {"seed": seed, "split.folds": None, "split.train_share": share, "evaluate.bootstrap": 200}
        self.leaderboard = [
            {"arch": "small", "n_parameters": 9, "pretrained_on": None},
            {"arch": "big", "n_parameters": 9, "pretrained_on": "MSD"},
            {"arch": "ensemble", "n_parameters": None},
        ]
        # Two tracks an artist; every fifth artist is in validation, and as many artists are left out as are used.
        folds = ["val" if number % 5 == 0 else "train" for number in range(artists)] + [""] * artists
        rows = [(f"t{number}-{track}", f"a{number}", fold) for number, fold in enumerate(folds) for track in range(2)]
        rows += [(f"test{seed}-{number}", f"b{number}", "test") for number in range(TESTED)]
        self.tracks = pd.DataFrame(rows, columns=["track_id", "artist", "fold"]).assign(genre="rock")
        test = self.tracks[self.tracks["fold"] == "test"][["track_id", "fold", "genre"]]
        wrong = np.arange(TESTED) < round(error * TESTED)
        self.predictions = test.assign(predicted=np.where(wrong, "pop", "rock"))

    def json(self, _: Any) -> dict[str, str]:
        return self.about

    def table(self, path: Any, **_: Any) -> pd.DataFrame:
        return (self.tracks if path == TRACKS else self.predictions).copy()


def sweep_of(errors: dict[float, float], seeds: tuple[int, ...] = (1, 2), **about: Any) -> list[Any]:
    return [
        Experiment(share, error, round(200 * share), seed, **about) for seed in seeds for share, error in errors.items()
    ]


def answers(experiments: list[Any]) -> tuple[str, str]:
    """The table, and the sentence on the network from scratch."""
    _, labels, points = read(experiments)
    sizes = sizes_of(points)
    curves = [learning_curve.curve(points, sizes, name, 200, 0) for name in labels]
    return table(points, sizes, curves, labels), sentence(curves[0], labels["small"], sizes, points)


# 0.1 + 2 n^-0.5 at 20, 40, 80 and 200 artists
LAW = {0.1: 0.547, 0.2: 0.416, 0.4: 0.324, 1.0: 0.241}


def test_artists_of_training_and_validation_are_counted_and_each_network_has_a_column():
    written, _ = answers(sweep_of(LAW))
    header, _, *rows = (line.strip("| ").split(" | ") for line in written.splitlines())
    assert header[3:] == ["small, 2 repetitions", "big, pretrained (MSD), 2 repetitions"]
    assert [row[:3] for row in rows] == [
        ["0.1", "20", "40"],
        ["0.2", "40", "80"],
        ["0.4", "80", "160"],
        ["1", "200", "400"],
    ]
    for row, error in zip(rows, LAW.values(), strict=True):
        accuracy, low, high = (float(part.strip("[],%")) for part in row[3].split())
        assert accuracy == pytest.approx(100 * (1 - error), abs=0.5)
        assert low < accuracy < high
        reach = 196 * np.sqrt(error * (1 - error) / TESTED)  # of a binomial
        assert (high - low) / 2 == pytest.approx(reach, rel=0.35)


def test_a_power_law_is_extrapolated_to_twice_the_artists():
    _, said = answers(sweep_of(LAW))
    assert said.startswith("small: with twice your artists (400 in place of 200) expect 80 % [")
    assert "; the fitted curve rises by 4." in said  # 2 (200^-0.5 - 400^-0.5) = 0.041


@pytest.mark.parametrize(
    ("experiments", "says"),
    [
        (sweep_of({0.1: 0.5, 0.5: 0.4, 1.0: 0.3}), "3 sizes are too few; it takes 4"),
        (sweep_of(LAW, (1,)), "one repetition does not show the chance"),
        (sweep_of(LAW | {1.0: 0.0}), "there is no error at the largest size"),
    ],
)
def test_what_supports_no_extrapolation_is_said(experiments, says):
    written, said = answers(experiments)
    assert said.startswith(f"small: no extrapolation: {says}")
    assert len(written.splitlines()) == 2 + len({experiment.params["split.train_share"] for experiment in experiments})


def test_shares_with_the_same_artists_are_one_size():
    experiments = sweep_of(LAW)
    for experiment in experiments:
        if experiment.params["split.train_share"] == 0.2:
            experiment.tracks = Experiment(0.1, 0, 20, experiment.params["seed"]).tracks
    written, said = answers(experiments)
    assert [line.split(" | ")[1] for line in written.splitlines()[2:]] == ["20", "80", "200"]
    assert "3 sizes are too few" in said


def test_an_experiment_of_an_earlier_version_has_all_artists():
    experiments = sweep_of(LAW)
    for experiment in experiments:
        if experiment.params["split.train_share"] == 1:
            del experiment.params["split.train_share"]
    assert answers(experiments) == answers(sweep_of(LAW))


@pytest.mark.parametrize(
    ("experiments", "says"),
    [
        (sweep_of(LAW)[:-1], "seed 2: has no experiment with split.train_share=1"),
        ([*sweep_of(LAW), Experiment(0.4, 0.1, 80, 2)], "seed 2: two experiments are of one share"),
        (
            [*sweep_of(LAW), Experiment(1, 0.1, 200, 3, dataset="demo")],
            "seed3-share1: is of demo; name experiments of one",
        ),
        (sweep_of(LAW, protocol="track"), "split.protocol: track shares artists with the test tracks; use artist"),
    ],
)
def test_experiments_that_are_no_curve(experiments, says):
    with pytest.raises(UserError, match=says):
        read(experiments)


def test_a_repetition_with_other_test_tracks_at_one_size_is_no_curve():
    experiments = sweep_of(LAW)
    experiments[-1].tracks["track_id"] += "x"
    experiments[-1].predictions["track_id"] += "x"
    with pytest.raises(UserError, match="seed 2: its experiments have different test tracks"):
        read(experiments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shares", "0.5", "name"], "error: --shares: goes with --run only"),
        (["--run", "--protocols", "artist,predefined"], "error: --protocols: a learning curve is of one protocol"),
        (["--run", "--shares", "0,1"], "needs numbers above 0 and up to 1 such as 0.1,0.5,1; received '0,1'"),
        (["--run", "--shares", "half"], "needs numbers above 0 and up to 1 such as 0.1,0.5,1; received 'half'"),
    ],
)
def test_arguments_that_do_not_go_together(arguments, says, capsys):
    with pytest.raises(SystemExit) as ended:
        learning_curve.main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
