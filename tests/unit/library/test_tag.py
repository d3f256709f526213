"""The command: what it predicts, writes, leaves, restores and promises, and that it ends in a report."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from faults import disk
from networks import GENRES, write_model

from genres.core.files import write_json, write_table
from genres.library import change, replace, tag, undo
from genres.library.change import genres_of

SRC = ROOT / "src"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.keras").read_bytes()


@pytest.fixture
def library(project: Path, song: Callable, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a model, and a folder of music: songs with and without a genre, and odd files."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (project / "models").mkdir()
    (project / "models/tiny.keras").write_bytes(model)
    write_json(project / "metrics/leaderboard.json", [{"arch": "tiny"}])
    for name in ("old.mp3", "song.flac", "song.m4a"):
        song(name)
    music = song("song.wav").parent
    change_genre(song("song.ogg"), "folk")
    (music / "no song.mp3").write_bytes(b"no song at all")
    (music / "empty.flac").write_bytes(b"")
    (music / "cut.wav").write_bytes((music / "song.wav").read_bytes()[:3000])
    (music / "notes.txt").write_text("none")
    return music


def change_genre(path: Path, genre: str) -> None:
    folder = path.parent.parent
    journal = undo.Journal(folder / f"before-{path.name}.jsonl", path.parent)
    change.write(path, replace.signature(path), genre, "a test", journal)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def run(*arguments: str, capsys: pytest.CaptureFixture, status: int = 0) -> str:
    try:
        tag.main([*arguments])
    except SystemExit as stop:
        assert stop.code == status
    else:
        assert status == 0
    printed = capsys.readouterr()
    return printed.out + printed.err


def undo_file(printed: str) -> str:
    return printed.partition("genres tag --undo ")[2].split()[0].strip("'")


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_without_write_nothing_changes(library, capsys):
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--csv", "report.csv", capsys=capsys)
    assert contents(library) == before
    assert "nothing is written without --write" in printed
    assert not (library.parent / "state").exists()
    rows = rows_of(Path("report.csv"))
    fates = {name: row["fate"] for name, row in rows.items()}
    assert fates == {
        **dict.fromkeys(["old.mp3", "song.flac", "song.m4a", "song.wav"], "tag"),
        "song.ogg": "has a genre",
        **dict.fromkeys(["no song.mp3", "empty.flac", "cut.wav"], "left alone"),
    }
    assert rows["song.ogg"]["genre_before"] == "folk"
    assert "tags 4 of 7 songs" in printed


def test_write_and_undo(library, capsys):
    before = contents(library)
    times = {path.name: path.stat().st_mtime_ns for path in library.iterdir()}
    printed = run(str(library), "--confidence", "0.01", "--write", "--csv", "report.csv", capsys=capsys)
    rows = rows_of(Path("report.csv"))
    for name in ("old.mp3", "song.flac", "song.m4a", "song.wav"):
        assert genres_of(library / name) == [rows[name]["genre"]]
        assert rows[name]["genre"] in GENRES
    after = contents(library)
    assert {name for name in before if after[name] != before[name]} == {"old.mp3", "song.flac", "song.m4a", "song.wav"}
    again = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert "tags 0 of 3 songs" in again
    printed = run("--undo", undo_file(printed), capsys=capsys)
    assert "restored 4 songs" in printed
    assert contents(library) == before
    assert {path.name: path.stat().st_mtime_ns for path in library.iterdir()} == times


def test_the_confidence_is_a_lower_bound(library, capsys):
    found = json.loads(answers(library, capsys, "--confidence", "0.01"))
    chosen = [song for song in found["songs"] if song["fate"] == "tag"]
    middle = sorted(song["probability"] for song in chosen)[2]
    found = json.loads(answers(library, capsys, "--confidence", f"{middle:.12f}"))
    for song in found["songs"]:
        if song["fate"] == "tag":
            assert song["probability"] >= round(middle, 12)
    assert [song["fate"] for song in found["songs"]].count("below the confidence") >= 2


def answers(library: Path, capsys: pytest.CaptureFixture, *arguments: str) -> str:
    tag.main([str(library), "--json", *arguments])
    return capsys.readouterr().out


def test_genres_are_kept_unless_they_are_to_be_replaced(library, capsys):
    before = (library / "song.ogg").read_bytes()
    found = json.loads(answers(library, capsys, "--all", "--write", "--confidence", "0.01"))
    (song,) = [song for song in found["songs"] if song["file"] == "song.ogg"]
    assert song["fate"] == "has a genre" and song["genre"] in GENRES
    assert (library / "song.ogg").read_bytes() == before
    found = json.loads(answers(library, capsys, "--replace", "--write", "--confidence", "0.01"))
    (song,) = [song for song in found["songs"] if song["file"] == "song.ogg"]
    assert genres_of(library / "song.ogg") == [song["genre"]]
    run("--undo", found["undo_file"], capsys=capsys)
    assert (library / "song.ogg").read_bytes() == before


def test_playlists_by_genre(library, capsys, tmp_path):
    found = json.loads(answers(library, capsys, "--confidence", "0.01", "--m3u8", str(tmp_path / "lists")))
    listed = {}
    for playlist in (tmp_path / "lists").iterdir():
        first, *paths = playlist.read_text(encoding="utf-8").splitlines()
        assert first == "#EXTM3U"
        listed |= dict.fromkeys(paths, playlist.stem)
    assert listed == {str(library / song["file"]): song["genre"] for song in found["songs"] if song["fate"] == "tag"}


def test_links_and_several_names(library, capsys, song):
    (library / "again.mp3").symlink_to("old.mp3")
    os.link(library / "song.flac", library / "hard.flac")
    run(str(library), "--confidence", "0.01", "--write", "--csv", "report.csv", capsys=capsys)
    rows = rows_of(Path("report.csv"))
    assert (rows["again.mp3"]["fate"], rows["again.mp3"]["reason"]) == ("another name of a song", "old.mp3")
    assert (library / "again.mp3").is_symlink() and genres_of(library / "old.mp3")
    assert "hard links" in rows["hard.flac"]["reason"]
    assert (library / "hard.flac").samefile(library / "song.flac") and not genres_of(library / "song.flac")


def test_a_link_out_of_the_library_is_written_where_it_leads(library, capsys, tmp_path):
    (library / "song.wav").rename(tmp_path / "elsewhere.wav")
    (library / "song.wav").symlink_to(tmp_path / "elsewhere.wav")
    run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert (library / "song.wav").is_symlink()
    assert genres_of(tmp_path / "elsewhere.wav")


def test_rights_and_attributes_stay(library, capsys):
    song = library / "song.flac"
    song.chmod(0o604)
    try:
        os.setxattr(song, "user.mood", b"calm")
    except OSError:
        pytest.skip("this file system has no attributes of users")
    run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert genres_of(song)
    assert (song.stat().st_mode & 0o777, os.getxattr(song, "user.mood")) == (0o604, b"calm")


def test_undo_on_a_disk_with_errors_goes_on(library, capsys, monkeypatch):
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    real = undo.rename

    def fails(copy, song, times):
        if song.name == "old.mp3":
            raise OSError(5, "Input/output error")
        real(copy, song, times)

    monkeypatch.setattr(undo, "rename", fails)
    printed = run("--undo", undo_file(printed), capsys=capsys, status=2)
    assert "old.mp3: [Errno 5] Input/output error" in printed and "restored 3 songs" in printed
    assert {name for name, data in contents(library).items() if data != before[name]} == {"old.mp3"}


def test_a_read_only_file_is_left_alone(library, capsys):
    (library / "old.mp3").chmod(0o444)
    before = (library / "old.mp3").read_bytes()
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert "old.mp3: the file is read-only" in printed
    assert (library / "old.mp3").read_bytes() == before


def test_names_that_are_not_utf_8_end_in_a_line(library, capsys):
    strange = os.fsencode(library) + b"/Mod\x85.wav"
    Path(os.fsdecode(strange)).write_bytes((library / "song.wav").read_bytes())
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert "not UTF-8" in printed
    assert Path(os.fsdecode(strange)).read_bytes() != (library / "song.wav").read_bytes()


def test_a_file_that_changes_meanwhile_is_left_alone(library, capsys, monkeypatch):
    real = undo.sha256_of

    def slow(path: Path) -> str:
        with (library / "old.mp3").open("ab") as file:
            file.write(b"somebody else's")
        return real(path)

    monkeypatch.setattr("genres.library.change.sha256_of", slow)
    run(str(library), "--confidence", "0.01", "--write", "--csv", "report.csv", capsys=capsys)
    assert "changed by another program" in rows_of(Path("report.csv"))["old.mp3"]["reason"]
    assert (library / "old.mp3").read_bytes().endswith(b"somebody else's" * 4)


def test_undo_leaves_what_was_changed_since(library, capsys):
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    with (library / "song.wav").open("ab") as file:
        file.write(b"more")
    (library / "song.m4a").unlink()
    printed = run("--undo", undo_file(printed), capsys=capsys, status=2)
    assert "song.wav: it was changed since" in printed and "song.m4a: no such file" in printed
    assert (library / "old.mp3").read_bytes() == before["old.mp3"]
    assert (library / "song.flac").read_bytes() == before["song.flac"]


def test_undo_where_the_library_was_moved(library, capsys, tmp_path):
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    moved = library.rename(tmp_path / "moved music")
    run("--undo", undo_file(printed), str(moved), capsys=capsys)
    assert contents(moved) == before


@pytest.mark.parametrize("text", ["", "nothing", '{"format": "other"}\n', "\xff"])
def test_other_files_are_no_undo_files(text, project, capsys):
    Path("undo.jsonl").write_bytes(text.encode("latin-1"))
    printed = run("--undo", "undo.jsonl", capsys=capsys, status=2)
    assert printed == "error: undo.jsonl: is no undo file of genres tag\n"


def test_an_undo_file_with_a_last_line_that_was_cut_off(library, capsys):
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    path = Path(undo_file(printed))
    path.write_text(path.read_text() + '{"path": "song.w')
    run("--undo", str(path), capsys=capsys)
    assert contents(library) == before


def test_an_undo_file_is_never_replaced(library, capsys, tmp_path):
    before = contents(library)
    (tmp_path / "mine.jsonl").write_text("mine")
    printed = run(
        *(str(library), "--confidence", "0.01", "--write", "--undo-file", str(tmp_path / "mine.jsonl")),
        capsys=capsys,
        status=2,
    )
    assert "mine.jsonl: exists already" in printed
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    assert contents(library) == before


def test_a_file_that_may_not_grow_is_left_alone(library, capsys):
    """As on disks whose files end at 4 GB; the limit is the operating system's."""
    before = contents(library)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["song.flac"]) - 100, hard))
    try:
        tag.main([str(library), "--confidence", "0.01", "--write"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    printed = capsys.readouterr().out
    assert "song.flac: File too large" in printed
    changed = {name for name, data in contents(library).items() if data != before[name]}
    assert "song.flac" not in changed and {"old.mp3", "song.m4a"} <= changed
    assert all(genres_of(library / name) for name in changed)
    run("--undo", undo_file(printed), capsys=capsys)
    assert contents(library) == before


@pytest.mark.parametrize("name", ["old.mp3", "song.flac", "song.ogg", "song.m4a", "song.wav", "song.wma", "song.wv"])
def test_a_full_disk(name, song, tmp_path):
    """On a real file system of memory: the song stays, nothing else is left, and the error is that of the disk."""
    script = (
        "import errno, pathlib, sys\n"
        "from genres.library import change, replace, undo\n"
        "path = pathlib.Path('music', sys.argv[1]).resolve()\n"
        "try:\n"
        "    journal = undo.Journal(path.parent.parent / 'undo.jsonl', path.parent)\n"
        "    change.write(path, replace.signature(path), 'rock', 'a test', journal)\n"
        "except OSError as error:\n"
        "    print(errno.errorcode[error.errno], [entry.name for entry in path.parent.iterdir()])\n"
    )
    data = song(name).read_bytes()
    with disk(tmp_path / "disk", 2) as small:
        (small.outside / "music").mkdir()
        (small.outside / "music" / name).write_bytes(data)
        for leave in (4096, len(data) // 4096 * 4096):  # too few for a copy, and for a copy with a tag
            ballast = small.fill(leave)
            printed = small.run("env", f"PYTHONPATH={SRC}", sys.executable, "-c", script, name, folder="")[1]
            assert printed == f"ENOSPC ['{name}']\n", printed
            assert (small.outside / "music" / name).read_bytes() == data
            ballast.unlink()


def test_killed_in_the_middle_at_most_a_hidden_file_is_left(library, capsys):
    before = contents(library)
    script = (
        "import os, pathlib, signal\n"
        "from genres.library import change, replace, undo\n"
        "change.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"folder = pathlib.Path({str(library)!r})\n"
        f"journal = undo.Journal(pathlib.Path({str(library.parent / 'state/undo.jsonl')!r}), folder)\n"
        "song = folder / 'song.flac'\n"
        "change.write(song, replace.signature(song), 'rock', 'a test', journal)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    left = {name: data for name, data in contents(library).items() if name not in before}
    assert len(left) == 1 and next(iter(left)).startswith(".genres-")
    assert {name: data for name, data in contents(library).items() if name in before} == before
    assert "1 were as before" in run("--undo", str(library.parent / "state/undo.jsonl"), capsys=capsys)
    run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert not [path for path in library.iterdir() if path.name.startswith(".genres-")]


def test_ctrl_c_names_the_undo_file(library, capsys, monkeypatch):
    before = contents(library)
    real, calls = change.rename, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(change, "rename", interrupted)
    printed = run(str(library), "--confidence", "0.01", "--write", capsys=capsys, status=130)
    assert len(calls) == 3
    assert sum(data != before[name] for name, data in contents(library).items()) == 2
    printed = run("--undo", undo_file(printed), capsys=capsys)
    assert "restored 2 songs; 1 were as before" in printed
    assert contents(library) == before


def test_a_temporary_name_of_somebody_else_is_not_taken(library, capsys):
    theirs = library / f".genres-{os.getpid()}-0.mp3"
    theirs.write_text("theirs")
    run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert theirs.read_text() == "theirs"
    assert genres_of(library / "old.mp3")


def test_an_error_that_nobody_foresaw_is_a_line_of_the_report(library, capsys, monkeypatch):
    def fails(classifier, path):
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("genres.inference.answer.predict", fails)
    assert "unreadable: old.mp3: ZeroDivisionError: odd" in run(str(library), capsys=capsys)


def test_each_song_is_decoded_once(library, capsys, decoded):
    run(str(library), "--confidence", "0.01", "--write", capsys=capsys)
    assert sorted(decoded) == ["old.mp3", "song.flac", "song.m4a", "song.wav"]


def held_out(path: Path, songs: int, wrong: int, per_artist: int = 1) -> None:
    """Predictions of which the least confident are wrong; the model's genres are right otherwise."""
    confidence = np.linspace(0.99, 0.26, songs)
    rest = (1 - confidence) / (len(GENRES) - 1)
    rows = pd.DataFrame({name: confidence if name == GENRES[0] else rest for name in GENRES})
    rows.insert(0, "track_id", [f"song {number}" for number in range(songs)])
    rows.insert(1, "artist", [f"Artist {number // per_artist}" for number in range(songs)])
    rows.insert(2, "fold", "test")
    rows.insert(3, "genre", [GENRES[0]] * (songs - wrong) + [GENRES[1]] * wrong)
    write_table(path, rows)


def test_the_promise_is_said_before_writing(library, capsys):
    held_out(Path("held.csv"), 100, 0)
    printed = run(str(library), "--error", "0.05", "--held-out", "held.csv", capsys=capsys)
    sentence = "tags 4 of 7 songs; at most 5 % wrong (95 % confidence, from 100 held-out songs of 100 artists)"
    assert sentence in printed
    run(str(library), "--error", "0.05", "--held-out", "held.csv", "--plot", "risk.png", capsys=capsys)
    assert Path("risk.png").read_bytes().startswith(b"\x89PNG")


def test_a_promise_without_support_tags_nothing(library, capsys):
    before = contents(library)
    held_out(Path("held.csv"), 50, 0)
    printed = run(str(library), "--error", "0.05", "--held-out", "held.csv", "--write", capsys=capsys, status=2)
    assert printed == (
        "error: --error: 50 held-out songs of 50 artists cannot promise at most 5 % wrong tags with 95 % confidence, "
        "so nothing is tagged; --error 0.06 is what they support\n"
    )
    assert contents(library) == before


def test_songs_of_one_artist_support_less(library, capsys):
    held_out(Path("held.csv"), 100, 0, per_artist=4)
    assert "cannot promise" in run(str(library), "--error", "0.05", "--held-out", "held.csv", capsys=capsys, status=2)


def test_a_higher_confidence_than_that_of_the_promise_counts_as_far_as_songs_can_tell(library, capsys):
    held_out(Path("held.csv"), 100, 0)
    options = ("--error", "0.05", "--held-out", "held.csv", "--confidence")
    assert "least probability 0.400" in run(str(library), *options, "0.4", capsys=capsys)
    printed = run(str(library), *options, "0.999", capsys=capsys, status=2)
    limit = np.linspace(0.99, 0.26, 100)[58]  # of 59 songs
    assert printed.endswith(f"there are too few for the promise of --error; it holds up to {limit:.3f}\n")


def test_the_test_tracks_are_the_default_and_artists_come_from_the_table_of_tracks(library, capsys):
    held_out(Path("predictions/tiny.csv"), 80, 0)
    table = pd.read_csv("predictions/tiny.csv")
    write_table(Path("data/tracks.csv"), table[["track_id", "artist"]])
    table.loc[:9, "fold"] = "val"
    write_table(Path("predictions/tiny.csv"), table.drop(columns="artist"))
    assert "from 70 held-out songs of 70 artists" in run(str(library), "--error", "0.05", capsys=capsys)


def test_a_split_with_known_artists_supports_no_promise(library, capsys, model):
    held_out(Path("predictions/leaky.csv"), 100, 0)
    write_model(Path("models/leaky.keras"), protocol="track")
    printed = run(str(library), "--model", "leaky", "--error", "0.05", capsys=capsys, status=2)
    assert "split.protocol track holds no artists out" in printed


@pytest.mark.parametrize("held", [None, "other.csv"])
def test_predictions_of_another_model_are_named(held, library, capsys):
    write_table(Path("other.csv"), pd.DataFrame({"track_id": ["a"], "genre": ["rock"], "rock": [1.0]}))
    options = () if held is None else ("--held-out", held)
    printed = run(str(library), "--error", "0.05", *options, capsys=capsys, status=2)
    assert ("there are no held-out predictions of tiny" if held is None else "has no column 'blues'") in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        ([], "DIR: no such folder"),
        (["--undo", "nowhere.jsonl"], "nowhere.jsonl: no such undo file"),
        ([".", "--confidence", "1.5"], "must be above 0 and below 1"),
        ([".", "--plot", "risk.png"], "--plot: risk.png: draws the promise of --error"),
        ([".", "--error", "often"], "must be above 0 and below 1"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, project, capsys):
    assert message in run(*arguments, capsys=capsys, status=2).splitlines()[-1]


def test_many_odd_files_end_in_a_report(library, capsys):
    rng = np.random.default_rng(0)
    good = [path.read_bytes() for path in library.iterdir() if path.stat().st_size > 4000]
    for number in range(50):
        data = bytearray(good[number % len(good)][:30000])
        for place in rng.integers(0, 400, 6):
            data[place] = rng.integers(256)
        (library / f"odd {number}.{['mp3', 'flac', 'wav', 'm4a', 'ogg'][number % 5]}").write_bytes(data)
    before = contents(library)
    printed = run(str(library), "--confidence", "0.01", "--write", "--csv", "report.csv", capsys=capsys)
    assert len(rows_of(Path("report.csv"))) == 58
    run("--undo", undo_file(printed), capsys=capsys)
    assert contents(library) == before
