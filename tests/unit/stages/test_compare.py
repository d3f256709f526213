"""The leaderboard: its order, its ensemble and its paired tests."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import compare
from genres.core import params
from genres.core.console import UserError
from genres.stats import leaderboard

GENRES = ["blues", "disco"]
SETTINGS = params.load()
ARTISTS = {f"{fold}{number:02d}": number for fold in ("val", "test") for number in range(20)}


def predictions(right_val: int, right_test: list[bool]) -> pd.DataFrame:
    """Ten validation tracks of which some are right, and test tracks that are right or not; all are blues."""
    rows = []
    for fold, rights in (("test", right_test), ("val", [n < right_val for n in range(10)])):
        for number, right in enumerate(rights):
            blues = 0.8 if right else 0.4
            rows.append({"track_id": f"{fold}{number:02d}", "fold": fold, "genre": "blues", "blues": blues})
    table = pd.DataFrame(rows)
    table["disco"] = 1 - table["blues"]
    table.insert(3, "predicted", np.where(table["blues"] > 0.5, "blues", "disco"))
    return table


def card(**values) -> dict:
    start = {"genres": GENRES, "dataset": "demo", "protocol": "artist", "n_parameters": 5, "epochs": 2, "seconds": 3.0}
    return start | {"multiply_adds": 70, "clips_per_second": 9.5} | values


def ranked(tables: dict[str, pd.DataFrame], cards: dict[str, dict], artists: dict[str, int] = ARTISTS) -> list[dict]:
    costs = {name: {cost: card.get(cost) for cost in compare.COSTS} for name, card in cards.items()}
    rows = leaderboard.leaderboard(tables, costs, artists, GENRES, SETTINGS.evaluate, SETTINGS.seed)
    return compare.with_reviews(rows, tables, reviewed({}))


def reviewed(labels: dict[str, str]) -> pd.DataFrame:
    """data/reviewed.csv of tracks that were blues."""
    table = pd.DataFrame(list(labels.items()), columns=["track_id", "reviewed"], dtype=str)
    return table.assign(genre="blues", fold="", effect="")


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """`late` is worse on validation and better on test."""
    return {
        "early": predictions(9, [True] * 10 + [False] * 10),
        "late": predictions(6, [True] * 6 + [False] * 4 + [True] * 9 + [False]),
    }


def test_order_is_by_validation_never_by_test(tables):
    rows = ranked(tables, {name: card() for name in tables})
    assert [row["arch"] for row in rows if row["arch"] != "ensemble"] == ["early", "late"]
    by_name = {row["arch"]: row for row in rows}
    assert by_name["early"]["track_accuracy"] == 0.5
    assert by_name["late"]["track_accuracy"] == 0.75
    assert compare.summary(rows, card())["best"] == "early"


def test_costs_are_those_of_the_cards_and_the_ensemble_has_none(tables):
    cards = {"early": card(n_parameters=6, multiply_adds=80), "late": card(seconds=4.0)}
    by_name = {row["arch"]: row for row in ranked(tables, cards)}
    assert [by_name["early"][cost] for cost in compare.COSTS] == [None, 6, 80, 2, 3.0, 9.5]
    assert [by_name["late"][cost] for cost in compare.COSTS] == [None, 5, 70, 2, 4.0, 9.5]
    assert {by_name["ensemble"][cost] for cost in compare.COSTS} == {None}


def test_the_printed_leaderboard_has_a_heading_for_each_column(tables, capsys):
    rows = ranked(tables, {name: card() for name in tables})
    compare.show(rows, card())
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    (header,) = [re.split(r"\s*┃\s*", line.strip("┃ ")) for line in lines if line.startswith("┃")]
    found = [
        dict(zip(header, re.split(r"\s*│\s*", line[1:-1].strip()), strict=False)) for line in lines if line[0] == "│"
    ]
    early = next(row for row in found if row["architecture"] == "early")
    assert (early["test"], early["parameters"], early["multiply-adds"], early["train s"]) == ("50.0%", "5", "70", "3")
    for line, row in zip(found, rows, strict=True):
        after = "" if row["temperature_reason"] else f", {row['ece_calibrated']:.2f}"
        assert line["ECE, after"] == f"{row['ece']:.2f}{after}"
    assert "" not in header


def test_ensemble_is_the_mean_of_probabilities(tables):
    together = leaderboard.ensemble(list(tables.values()), GENRES)
    expected = (tables["early"]["blues"] + tables["late"]["blues"]) / 2
    np.testing.assert_allclose(together["blues"], expected)
    assert (together["predicted"] == np.where(expected > 0.5, "blues", "disco")).all()


def test_paired_test_is_mcnemars(tables):
    rows = ranked(tables, {name: card() for name in tables})
    late = next(row for row in rows if row["arch"] == "late")
    first = next(row for row in rows if row["mcnemar_p"] == 1 and row["difference_to_first"] == 0)
    assert first is rows[0]
    if rows[0]["arch"] == "early":  # 9 tracks only `late` has right, 4 only `early`
        assert late["mcnemar_p"] == pytest.approx(binomtest(4, 13).pvalue)
        assert late["difference_to_first"] == pytest.approx(0.25)
        assert late["difference_ci95_low"] < 0.25 < late["difference_ci95_high"]


def test_several_tests_are_corrected_for(tables):
    tables["third"] = predictions(5, [True] * 2 + [False] * 18)
    rows = ranked(tables, {name: card() for name in tables})
    assert rows[0]["mcnemar_p_holm"] == 1
    others = sorted(rows[1:], key=lambda row: row["mcnemar_p"])
    assert others[0]["mcnemar_p_holm"] == pytest.approx(min(1, 3 * others[0]["mcnemar_p"]))
    assert all(row["mcnemar_p"] <= row["mcnemar_p_holm"] <= 1 for row in rows)


def test_temperature_is_fitted_on_validation_and_leaves_the_accuracy():
    """Validation: 0.8 for blues, and all ten right; the test fold has no say."""
    tables = [predictions(10, [True] * 10 + [False] * 10), predictions(10, [True] * 20)]
    row, same = (ranked({"early": table}, {"early": card()}, ARTISTS)[0] for table in tables)
    assert row["temperature"] == same["temperature"] < 1  # 0.8 is too cautious
    assert row["temperature_reason"] == ""
    assert row["track_accuracy"] == 0.5
    assert row["log_loss_calibrated"] > row["log_loss"]  # half of the test tracks are wrong: now with more confidence


def test_a_temperature_without_support_changes_nothing_and_the_leaderboard_says_why(tables, capsys):
    """Six of ten are right at 0.8: validation tracks of two artists cannot show that this is too much."""
    few = {track_id: number % 2 for track_id, number in ARTISTS.items()}
    rows = ranked({"late": tables["late"]}, {"late": card()}, few)
    assert rows[0]["temperature"] == 1
    assert (rows[0]["log_loss_calibrated"], rows[0]["ece_calibrated"]) == (rows[0]["log_loss"], rows[0]["ece"])
    compare.show(rows, card())
    printed = capsys.readouterr().out
    assert f"late: its temperature stays at 1: {rows[0]['temperature_reason']}" in " ".join(printed.split())
    assert "10 validation tracks of 2 artists" in rows[0]["temperature_reason"]


def test_predictions_of_tracks_that_are_gone_are_refused(tables):
    with pytest.raises(UserError, match=r"other tracks than data/tracks\.csv; run: dvc repro"):
        ranked({"early": tables["early"]}, {"early": card()}, {"val00": 1})


def test_per_genre_differences_by_hand():
    tables = {"one": predictions(9, [True] * 6 + [False] * 4), "two": predictions(9, [False] * 6 + [True] * 4)}
    table = leaderboard.per_genre(tables, "one", GENRES, SETTINGS.evaluate, SETTINGS.seed).set_index("arch")
    assert list(table["genre"]) == ["blues"] * 2  # no test track is disco
    assert table["recall"].to_dict() == {"one": 0.6, "two": 0.4}
    assert table["difference_to_first"].to_dict() == pytest.approx({"one": 0, "two": -0.2})
    assert table["mcnemar_p"].to_dict() == pytest.approx({"one": 1, "two": binomtest(4, 10).pvalue})
    assert table["mcnemar_p_holm"].equals(table["mcnemar_p"])


def test_one_architecture_has_no_ensemble(tables):
    rows = ranked({"early": tables["early"]}, {"early": card()})
    assert [row["arch"] for row in rows] == ["early"]
    summary = compare.summary(rows, card(protocol="clip"))
    assert summary["ensemble_track_accuracy"] == summary["best_track_accuracy"] == 0.5
    assert summary["leaky"] is True


def test_predictions_for_other_tracks_are_refused(tables):
    tables["late"] = tables["late"].iloc[1:].reset_index(drop=True)
    with pytest.raises(UserError, match="different tracks"):
        ranked(tables, {name: card() for name in tables})


def test_reviewed_test_labels_are_counted_and_change_no_other_score(tables, capsys):
    """Count reviews of 20 test tracks: `early` has the first ten right, and predicts disco for the others."""
    before = ranked(tables, {name: card() for name in tables})
    assert {row["track_accuracy_reviewed"] for row in before} == {None}
    assert {row["reviewed_test_labels"] for row in before} == {row["corrected_test_labels"] for row in before} == {0}
    said = {"test00": "blues", "test01": "disco", "test12": "disco", "test13": "", "val00": "disco", "gone": "disco"}
    after = compare.with_reviews(before, tables, reviewed(said))
    counts = {"reviewed_test_labels": 4, "corrected_test_labels": 3}
    for old, new in zip(before, after, strict=True):
        assert new == old | counts | {"track_accuracy_reviewed": new["track_accuracy_reviewed"]}
    by_name = {row["arch"]: row["track_accuracy_reviewed"] for row in after}
    # test01 is wrong now, test12 right, and test13 is of none of the genres.
    assert by_name["early"] == pytest.approx(10 / 19)
    assert by_name["ensemble"] is None
    compare.show(after, card())
    printed = " ".join(capsys.readouterr().out.split())
    assert "4 test labels were reviewed, 3 of them corrected: held apart" in printed
    assert "early 52.6%" in printed
