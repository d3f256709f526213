"""The look through the folders of songs before DVC hashes them."""

import os
from pathlib import Path

import pytest

from genres.core.console import UserError
from genres.sources.check import check


def test_what_dvc_stops_at_is_named(tmp_path: Path) -> None:
    rock = tmp_path / "rock"
    rock.mkdir()
    (rock / "a.wav").write_bytes(b"x")
    check(tmp_path)
    (rock / "b.wav").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"rock/b\.wav: cannot be opened"):
        check(tmp_path)
    (rock / "b.wav").unlink()
    os.mkfifo(rock / "pipe")
    with pytest.raises(UserError, match=r"rock/pipe: is a pipe"):
        check(tmp_path)
    (rock / "pipe").unlink()
    try:
        (rock / os.fsdecode(b"Mod\x85.wav")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    with pytest.raises(UserError, match=r"rock/Mod\\x85\.wav: its name is not UTF-8: rename it"):
        check(tmp_path)
