"""The coverage report: its figures add up, its picture equals them, and a small genre stops with what to do."""

import pandas as pd
import pytest

from genres.core.console import UserError
from genres.figures.coverage import coverage
from genres.sources import CANDIDATE_COLUMNS, report
from genres.sources.inspect import Finding

ROWS = [
    ("a", "rap", "deezer_isrc", "x/a.mp3", ""),
    ("b", "rap", "itunes_search", "x/b.m4a", ""),
    ("c", "rap", "spotify", "", "no audio found"),
    ("d", "rap", "spotify", "", "label conflict: also in pop"),
    ("e", "pop", "deezer_isrc", "x/e.mp3", "truncated: 3.1 s of the 30.0 s that its header declares"),
    ("f", "pop", "deezer_isrc", "x/f.mp3", ""),
]


@pytest.fixture
def summary():
    candidates = pd.DataFrame(
        [{"track_id": i, "genre": g, "source": s, "path": p, "rejected": r} for i, g, s, p, r in ROWS]
    ).reindex(columns=CANDIDATE_COLUMNS, fill_value="")
    findings = [Finding(rejected=reason, duration_s=0.0 if reason else 30.0) for *_, reason in ROWS]
    tracks = candidates[candidates["rejected"] == ""].assign(duration_s=30.0, recording=lambda t: t["track_id"])
    return report.summarise("gtzan_plus", candidates, findings, tracks)


def test_every_song_asked_for_is_found_or_has_a_reason(summary):
    rap = summary["genres"]["rap"]
    assert rap["sources"] == {"deezer_isrc": 1, "itunes_search": 1}
    assert rap["rejected"] == {"no audio found": 1, "label conflict": 1}
    for counts in summary["genres"].values():
        assert counts["got"] == sum(counts["sources"].values())
        assert counts["asked"] == counts["got"] + sum(counts["rejected"].values())
    assert summary["genres"]["rap"]["minutes"] == 1.0
    assert (summary["asked"], summary["got"], summary["rejected"]) == (6, 3, 3)


def test_the_picture_has_a_bar_for_every_song(summary):
    figure = coverage(summary["genres"], title="Songs by genre", note="data set gtzan_plus")
    (axes,) = figure.axes
    found = {bar.get_gid(): 0.0 for bar in axes.patches}
    for bar in axes.patches:
        found[bar.get_gid()] += bar.get_width()
    assert found == {"found": 3, "missing": 3}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pop", "rap"]


def test_reasons_beyond_the_greys_are_put_together():
    reasons = {f"reason {n}": n for n in range(1, 8)}
    genres = {"rap": {"asked": 30, "got": 2, "sources": {"folder": 2}, "rejected": reasons}}
    figure = coverage(genres, title="Songs by genre", note="")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["folder", "reason 7", "reason 6", "reason 5", "other reasons"]
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == 30


def test_a_genre_with_too_few_songs_stops_with_what_to_do(summary, capsys):
    report.check_sizes(summary, ["rap", "pop"], 1)
    assert "pop, has 10 clips of 3 s; the paper has 3,200" in capsys.readouterr().out
    with pytest.raises(UserError, match="too few songs") as error:
        report.check_sizes(summary, ["rap", "pop"], 2)
    assert "of pop." in str(error.value)
    for way_out in ("playlists", "songs_dir", "market", "exclude_genres", "min_tracks"):
        assert way_out in str(error.value)
    assert "pop: 1 songs of 2 (1 truncated)" in capsys.readouterr().err


def test_the_balance_is_no_shortage(summary):
    rap = summary["genres"]["rap"]
    balanced = rap | {"got": 1, "rejected": {"balance": 5}}
    report.check_sizes(summary | {"genres": summary["genres"] | {"rap": balanced}}, ["rap", "pop"], 1)
    with pytest.raises(UserError, match="of pop\\.") as error:
        report.check_sizes(summary | {"genres": summary["genres"] | {"rap": balanced}}, ["rap", "pop"], 3)
    assert "rap" not in str(error.value).split("What to do")[0]


def test_many_rejected_files_do_not_flood_the_terminal(summary, capsys):
    row = summary["rejected_tracks"][-1] | {"path": "x.mp3", "reason": "silent"}
    report.show(summary | {"rejected_tracks": [row] * 50})
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == report.SHOWN + 1
    assert "30 more" in warned[-1]
