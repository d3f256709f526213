"""Means over seeds and folds: against SciPy, and what cannot be taken together."""

import numpy as np
import pytest
from scipy.stats import rankdata, ttest_1samp, ttest_rel

from genres.core.console import UserError
from genres.experiments import aggregate, leak
from genres.stats.repeated import Overlap

RANDOM = np.random.default_rng(5)


def row(arch: str, seed: int, accuracy: float, **values) -> dict:
    start = {
        "experiment": f"seed-{seed}",
        "arch": arch,
        "dataset": "gtzan",
        "protocol": "artist",
        "seed": seed,
        "fold": None,
        "track_accuracy": accuracy,
        "track_accuracy_ci95_low": accuracy - 0.1,
        "track_accuracy_ci95_high": accuracy + 0.1,
        "val_track_accuracy": accuracy + 0.05,
        "clip_accuracy": accuracy - 0.02,
        "test_tracks": 40,
    }
    return start | values


ROWS = [
    row(arch, seed, base + 0.02 * RANDOM.normal() + 0.01 * seed)
    for arch, base in (("one", 0.5), ("two", 0.6), ("three", 0.52))
    for seed in range(4)
]


def of(arch: str) -> np.ndarray:
    return np.array([row["track_accuracy"] for row in ROWS if row["arch"] == arch])


def test_mean_deviation_and_interval_are_scipys():
    found = aggregate.summarise(ROWS)
    assert [row["arch"] for row in found] == sorted(["one", "two", "three"], key=lambda arch: -of(arch).mean())
    for summary in found:
        values = of(summary["arch"])
        assert summary["n"] == 4
        assert summary["values"] == values.tolist()
        assert summary["track_accuracy"] == pytest.approx(values.mean())
        assert summary["deviation"] == pytest.approx(np.std(values, ddof=1))
        interval = ttest_1samp(values, 0).confidence_interval(0.95)
        assert summary["track_accuracy_ci95_low"] == pytest.approx(interval.low)
        assert summary["track_accuracy_ci95_high"] == pytest.approx(interval.high)
        assert summary["clip_accuracy"] == pytest.approx(values.mean() - 0.02)


def test_order_is_by_validation_never_by_test():
    rows = [row("worse", seed, 0.4, val_track_accuracy=0.7) for seed in (1, 2)]
    rows += [row("better", seed, 0.9, val_track_accuracy=0.6) for seed in (1, 2)]
    assert [found["arch"] for found in aggregate.summarise(rows)] == ["worse", "better"]


def test_differences_are_paired_by_experiment_and_corrected():
    first, *others = aggregate.against_first(aggregate.summarise(ROWS), ROWS)
    assert first["arch"] == "two"
    assert "p" not in first
    for other in others:
        values = of(other["arch"])
        test = ttest_rel(values, of("two"))
        assert other["p"] == pytest.approx(test.pvalue)
        assert other["difference"] == pytest.approx((values - of("two")).mean())
        interval = test.confidence_interval(0.95)
        assert (other["difference_low"], other["difference_high"]) == pytest.approx((interval.low, interval.high))
    smallest, largest = sorted(others, key=lambda row: row["p"])
    assert smallest["p_holm"] == pytest.approx(2 * smallest["p"])
    assert largest["p_holm"] == pytest.approx(max(largest["p"], smallest["p_holm"]))


def test_differences_without_spread_and_experiments_that_lack_one():
    rows = [row("one", seed, 0.6) for seed in (1, 2, 3)]
    rows += [row("same", seed, 0.6, val_track_accuracy=0.1) for seed in (1, 2)]
    rows += [row("once", 1, 0.5, val_track_accuracy=0)]
    first, same, once = aggregate.against_first(aggregate.summarise(rows), rows)
    assert (first["n"], same["n"], once["n"]) == (3, 2, 1)
    assert (same["difference"], same["p_holm"]) == (0, 1)
    assert "difference" not in once
    assert once["deviation"] is None
    assert (once["track_accuracy_ci95_low"], once["track_accuracy_ci95_high"]) == (0.4, 0.6)
    lines = aggregate.table([first, same, once]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[4] == "| `artist` | once | 1 | 50.0% |  | 40.0% to 60.0% | 50.0% | 48.0% | 0.0% |  |  |"


def test_what_repetitions_share_widens_the_intervals_and_is_said():
    common = Overlap(train=0.7, test=0.2, correction=0.25)
    rows = [row | {"shared": common} for row in ROWS]
    for plain, corrected in zip(aggregate.summarise(ROWS), aggregate.summarise(rows), strict=True):
        width, wider = (r["track_accuracy_ci95_high"] - r["track_accuracy"] for r in (plain, corrected))
        assert wider == pytest.approx(width * (1 + 4 * 0.25) ** 0.5)
    _, *plain = aggregate.against_first(aggregate.summarise(ROWS), ROWS)
    _, *corrected = aggregate.against_first(aggregate.summarise(rows), rows)
    assert all(a["p"] < b["p"] for a, b in zip(plain, corrected, strict=True))
    (said,) = aggregate.what_is_shared(rows)
    assert said == "shared by two repetitions, of their test and training clips: artist 20 % and 70 %"
    (said,) = aggregate.what_is_shared([ROWS[0] | {"shared": Overlap(1.0, 1.0, 0.0)}])
    assert said.endswith("artist 100 % and 100 % (chance in training alone)")
    assert aggregate.what_is_shared([ROWS[0] | {"shared": None}]) == []


def test_enough_repetitions_are_ranked_by_protocol():
    assert aggregate.by_rank(ROWS) == []  # four seeds
    more = ROWS + [row(arch, 4, value) for arch, value in (("one", 0.1), ("two", 0.9), ("three", 0.5), ("once", 1.0))]
    (found,) = aggregate.by_rank([*more, row("one", 4, 0.9, protocol="clip", experiment="other")])
    assert (found["protocol"], found["names"], found["repetitions"]) == ("artist", ["one", "two", "three"], 5)
    values = np.array([[r["track_accuracy"] for r in more if r["arch"] == arch] for arch in found["names"]])
    assert found["means"] == pytest.approx(rankdata(-values, axis=0).mean(axis=1))
    best = found["names"][int(np.argmin(found["means"]))]
    assert aggregate.sentence(found).startswith(f"`artist`, mean ranks: {best} ")


def test_folds_of_unequal_size_are_pooled():
    rows = [row("one", 1, 0.5, fold=0, test_tracks=10), row("one", 1, 0.8, fold=1, test_tracks=30, experiment="b")]
    (found,) = aggregate.summarise(rows)
    assert found["track_accuracy"] == pytest.approx(0.65)
    assert found["pooled"] == pytest.approx((5 + 24) / 40)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dataset": "demo"}, "different data sets"),
        ({"experiment": "again"}, "seed-1 and again are both of protocol artist with seed 1: a mean is over"),
        ({"experiment": "again", "fold": 2}, "seed-1 and again are both of .* with seed 1 and fold 2: a mean is over"),
    ],
)
def test_what_makes_no_mean_is_refused(changes, says):
    fold = {"fold": changes["fold"]} if "fold" in changes else {}
    with pytest.raises(UserError, match=says):
        aggregate.check([row("one", 1, 0.5, **fold), row("one", 1, 0.5, **changes)])


def test_parameters_that_differ_without_being_a_repetition():
    one = {"seed": 1, "split.fold": 0, "split.protocol": "clip", "tune.trials": 1, "datasets.demo.seed": 1}
    one |= {"train.epochs": 10, "models.baseline.dropout": 1, "models.crnn.dropout": 1, "datasets.folder.dir": "a"}
    other = dict.fromkeys(one, "another")
    found = aggregate.differing([one, other], "folder", ["crnn"])
    assert found == ["train.epochs", "models.crnn.dropout", "datasets.folder.dir"]
    assert aggregate.differing([one, one], "folder", ["crnn"]) == []


def test_leak_takes_the_mean_of_the_seeds_of_a_protocol():
    rows = [*ROWS, row("one", 1, 0.9, protocol="clip", experiment="leaky"), row("ensemble", 1, 0.9)]
    found = leak.in_order(aggregate.without_ensemble(rows))
    assert [(row["protocol"], row["arch"], row["n"]) for row in found] == [
        ("artist", "one", 4),
        ("artist", "two", 4),
        ("artist", "three", 4),
        ("clip", "one", 1),
    ]
    header, _, first, *_ = leak.table(found).splitlines()
    assert header == "| architecture | `artist` | `clip` (leaky) |"
    mean = f"{of('one').mean():.1%}"
    assert first.startswith(f"| one | {mean} [")
    assert "over 4 experiments" in first
    assert first.endswith("| 90.0% [80%, 100%] of 40 tracks, 88.0% of clips |")
