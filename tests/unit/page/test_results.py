"""Check what the tab of results says."""

from pathlib import Path

from genres.core.files import write_json
from genres.page import results

ROW = dict.fromkeys(("val_track_accuracy", "track_accuracy", "macro_f1", "track_accuracy_ci95_low"), 0.5)
ROW |= {"arch": "first", "track_accuracy_ci95_high": 0.6, "n_parameters": 5, "seconds": 3.0}


def test_reviewed_test_labels_are_said_where_there_are_some(project: Path) -> None:
    for counts in ({}, {"reviewed_test_labels": 0, "corrected_test_labels": 0}):
        write_json(results.LEADERBOARD, [ROW | counts])
        assert "reviewed" not in results.leaderboard()
    write_json(results.LEADERBOARD, [ROW | {"reviewed_test_labels": 3, "corrected_test_labels": 1}])
    assert "3 test labels reviewed, 1 corrected: held apart" in results.leaderboard()
