"""Clip windows cover a track and never leave it; tracks and clips agree on their folds."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import clips
from genres.core.console import UserError
from genres.core.files import read_table, write_table
from genres.library import reviews


def raw_tracks(durations: list[float]) -> pd.DataFrame:
    """Tracks of two genres in turn, each of its own artist; as tracks.csv is read, all text."""
    n = len(durations)
    return pd.DataFrame(
        {
            "track_id": [f"{'rock' if row % 2 else 'pop'}/{row}.wav" for row in range(n)],
            "genre": ["rock" if row % 2 else "pop" for row in range(n)],
            "artist": [f"artist {row}" for row in range(n)],
            "recording": [str(row) for row in range(n)],
            "duration_s": [str(duration) for duration in durations],
            "sha256": [f"digest of {row}" for row in range(n)],
            "path": [f"{row}.wav" for row in range(n)],
            "split": "",
            "song": "",
            "version": "",
        }
    )


def test_clips_have_the_fold_of_their_track(configure: Callable) -> None:
    tracks, cut = clips.split_tracks(raw_tracks([30.0] * 20), configure({}))
    assert list(tracks.columns) == ["track_id", "genre", "artist", "fold"]
    assert list(cut.columns) == ["clip_id", "track_id", "start_s", "fold"]
    assert len(cut) == 200
    assert cut["clip_id"].is_unique
    fold_of = dict(zip(tracks["track_id"], tracks["fold"], strict=True))
    assert (cut["track_id"].map(fold_of) == cut["fold"]).all()
    assert set(cut["fold"]) == {"train", "val", "test"}


def test_remix_pairs_have_no_clips(configure: Callable) -> None:
    raw = raw_tracks([6.0] * 12)
    raw.loc[[2, 3], "version"] = ["original", "remix"]
    for protocol in ("artist", "track", "clip"):
        tracks, cut = clips.split_tracks(raw, configure({"split.protocol": protocol}))
        assert tracks["fold"].eq("").tolist() == raw["version"].ne("").tolist()
        assert set(cut["track_id"]) == set(raw["track_id"][raw["version"] == ""])


def test_other_songs_of_the_artists_of_pairs_have_no_clips_under_any_protocol(configure: Callable) -> None:
    raw = raw_tracks([6.0] * 14)
    raw.loc[[2, 3], "version"] = ["original", "remix"]
    raw.loc[[5, 9], "artist"] = "Artist 3 "  # of the remix
    for protocol in ("artist", "track", "clip"):
        tracks, cut = clips.split_tracks(raw, configure({"split.protocol": protocol}))
        assert set(raw["track_id"]) - set(cut["track_id"]) == set(raw["track_id"][[2, 3, 5, 9]])
        assert tracks["fold"].eq("").tolist() == [row in (2, 3, 5, 9) for row in raw.index]


def test_short_tracks_are_padded_or_dropped(configure: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    raw = raw_tracks([30.0] * 12 + [2.5, 1.0])
    tracks, cut = clips.split_tracks(raw, configure({"clips.short_tracks": "pad"}))
    assert len(tracks) == 14
    for track_id in raw["track_id"][12:]:
        assert cut.loc[cut["track_id"] == track_id, "start_s"].tolist() == [0.0]
    (warned,) = capsys.readouterr().err.splitlines()
    assert warned.startswith(
        "warning: 2 of 14 tracks are shorter than a clip of 3.0 s, such as pop/12.wav of 2.5 s: padded"
    )
    tracks, cut = clips.split_tracks(raw, configure({"clips.short_tracks": "drop"}))
    assert tracks["track_id"].tolist() == raw["track_id"][:12].tolist()
    assert set(cut["track_id"]) == set(raw["track_id"][:12])
    (warned,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"warning: 2 of 14 tracks .* pop/12.wav of 2.5 s: left out .*short_tracks: drop.*", warned)


def test_one_genre_is_nothing_to_tell_apart(configure: Callable) -> None:
    raw = raw_tracks([30.0] * 12)
    raw["genre"] = "rock"
    with pytest.raises(UserError, match="all songs are of genre 'rock'"):
        clips.split_tracks(raw, configure({}))


def test_missing_artists_are_counted(configure: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    raw = raw_tracks([30.0] * 12)
    clips.split_tracks(raw, configure({}))
    assert "no artist" not in capsys.readouterr().err
    raw.loc[3:5, "artist"] = ""
    clips.split_tracks(raw, configure({}))
    assert "warning: 3 of 12 tracks have no artist" in capsys.readouterr().err


def test_nothing_but_short_tracks_is_an_error(configure: Callable) -> None:
    with pytest.raises(UserError, match=r"clips\.length_s: no track is as long as 3\.0 s"):
        clips.split_tracks(raw_tracks([2.0] * 12), configure({"clips.short_tracks": "drop"}))


def test_protocol_clip_leaks_and_keeps_the_shares_of_genres(configure: Callable) -> None:
    raw = raw_tracks([30.0] * 20)
    tracks, cut = clips.split_tracks(raw, configure({"split.protocol": "clip", "split.val": 0.2, "split.test": 0.1}))
    genre = cut["track_id"].map(dict(zip(raw["track_id"], raw["genre"], strict=True)))
    for name in ("pop", "rock"):
        counts = cut["fold"][genre == name].value_counts()
        assert counts.to_dict() == {"train": 70, "val": 20, "test": 10}
    assert (cut.groupby("track_id")["fold"].nunique() > 1).mean() > 0.5
    for track_id, fold in zip(tracks["track_id"], tracks["fold"], strict=True):
        counts = cut["fold"][cut["track_id"] == track_id].value_counts()
        assert counts[fold] == counts.max()


@pytest.mark.parametrize("protocol", ["artist", "clip"])
def test_the_stage_writes_both_tables(
    configure: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], protocol: str
) -> None:
    settings = configure({"dataset": "folder", "split.protocol": protocol})
    raw = raw_tracks([9.0] * 12)
    raw.loc[0, "track_id"] = "007"
    write_table(Path("data/raw/folder/tracks.csv"), raw)
    monkeypatch.setattr(sys, "argv", ["clips"])
    clips.main()
    tracks, cut = clips.split_tracks(raw, settings)
    pd.testing.assert_frame_equal(read_table(clips.TRACKS, dtype=str), tracks.astype(str), check_dtype=False)
    written = read_table(clips.CLIPS, dtype={"track_id": str})
    assert written["clip_id"].tolist() == cut["clip_id"].tolist()
    assert written["start_s"].tolist() == cut["start_s"].tolist()
    captured = capsys.readouterr()
    assert f"protocol {protocol}" in captured.out
    assert ("inflated" in captured.err) == (protocol == "clip")


def test_the_stage_gives_training_tracks_their_reviewed_genres_and_no_other(
    configure: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folds stay as they are, although they depend on the genres; so do labels that are tested on."""
    settings = configure({"dataset": "folder"})
    raw = raw_tracks([9.0] * 24)
    write_table(Path("data/raw/folder/tracks.csv"), raw)
    before, _ = clips.split_tracks(raw, settings)
    pop = before[before["genre"] == "pop"]
    chosen = {fold: pop["track_id"][pop["fold"] == fold].iloc[0] for fold in ("train", "val", "test")}
    for song in reviews.songs_of(raw, "folder"):
        if song.track_id in chosen.values():
            about = {name: getattr(song, name) for name in ("dataset", "track_id", "sha256", "duration_s")}
            said = {"when": "2026-03-01T12:00:00Z", "who": "Ann", "action": "correct", "from": "pop", "to": "rock"}
            reviews.append(reviews.Review.model_validate(said | about))
    monkeypatch.setattr(sys, "argv", ["clips"])
    clips.main()
    after = read_table(clips.TRACKS, dtype=str)
    assert after["fold"].tolist() == before["fold"].tolist()
    changed = after["track_id"][after["genre"].to_numpy() != before["genre"].to_numpy()]
    assert changed.tolist() == [chosen["train"]]
    found = read_table(reviews.REVIEWED, dtype=str).set_index("track_id")
    assert found["effect"].to_dict() == {
        chosen["train"]: "in training",
        chosen["val"]: "held apart",
        chosen["test"]: "held apart",
    }
    assert found["fold"].to_dict() == {name: fold for fold, name in chosen.items()}
    assert "Reviewed labels: 2 held apart, 1 in training" in capsys.readouterr().out
