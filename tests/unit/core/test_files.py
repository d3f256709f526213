"""Nothing half-written is ever seen, and tables come back as they were written."""

import errno
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT

from genres.core import files, paths
from genres.core.console import UserError, command


def test_atomic_shows_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.keras"
    path.parent.mkdir()
    path.write_text("old")
    with files.atomic(path) as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == path.parent
        temporary.write_text("ne")
        assert path.read_text() == "old"
    assert path.read_text() == "ne"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_atomic_leaves_nothing_of_what_failed(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "new folder" / "table.csv"
    with pytest.raises(error), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(path.parent.iterdir()) == []
    path.write_text("old")
    with pytest.raises(error), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_only_python_reads(tmp_path: Path, value: float) -> None:
    path = tmp_path / "metrics.json"
    files.write_json(path, {"accuracy": 0.5})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"accuracy": value})
    assert json.loads(path.read_text()) == {"accuracy": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"genre": "fänk", "scores": [1, 0.5, None, True], "deep": {"": []}}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text(encoding="utf-8").endswith("}\n")


def test_tables_keep_empty_cells_and_artists_called_na(tmp_path: Path) -> None:
    names = ["NA", "", "null", 'a "quoted", name', "nan", "Beyoncé", "two\nlines", " blank "]
    files.write_table(tmp_path / "a.csv", pd.DataFrame({"artist": names, "n": range(len(names))}))
    table = files.read_table(tmp_path / "a.csv")
    assert list(table["artist"]) == names
    assert list(table["n"]) == list(range(len(names)))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2,3\n1,2,3,4,5\n", b"artist\nBeyonc\xe9\n"])
def test_what_is_no_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.csv: cannot be read as a CSV table in UTF-8"):
        files.read_table(tmp_path / "a.csv", dtype=str)


def test_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.csv: no such file"):
        files.read_table(tmp_path / "a.csv")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    content = b"music" * 100_000
    (tmp_path / "a").write_bytes(content)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_caches_lie_in_the_main_project_also_in_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "main"))
    assert paths.cache_dir("mels") == tmp_path / "main" / ".cache" / "mels"
    assert paths.cache_dir("mels").is_dir()
    monkeypatch.delenv("DVC_ROOT")
    assert paths.project_root() == ROOT


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UserError("a.wav: is\n  broken"), "error: a.wav: is broken\n"),
        (OSError(errno.ENOSPC, "No space", "/x/mels.npy"), "error: the disk is full while writing /x/mels.npy: "),
        (OSError(errno.ENOSPC, "No space"), "error: the disk is full: "),
    ],
)
def test_expected_errors_are_one_line_and_status_2(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(says)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize("error", [ValueError("a bug"), PermissionError(errno.EACCES, "no")])
def test_bugs_keep_their_traceback(error: Exception) -> None:
    @command
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        main()
    assert raised.value is error


def test_interruption_is_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert "interrupted" in capsys.readouterr().err


def test_an_unquoted_comma_is_an_error_and_no_silent_shift(tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    table.write_text("path,genre,artist\nrock/one, live.wav,rock,Someone\n")
    with pytest.raises(UserError, match=r"tracks\.csv: cannot be read .* a cell with a comma needs quotes"):
        files.read_table(table)
