"""The undo file's edits: former bytes from any change, few of them where bytes only moved, and little memory."""

import base64
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genres.library import form
from genres.library.undo import edits, take_back


def restored(new: bytes, changes: list) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "changed")
        path.write_bytes(new)
        take_back(path, changes)
        return path.read_bytes()


def pair(folder: Path, old: bytes, new: bytes) -> list:
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    return edits(folder / "old", folder / "new")


@given(old=st.binary(min_size=1, max_size=300), new=st.binary(min_size=1, max_size=300))
def test_any_bytes_come_back(tmp_path_factory, old, new):
    assert restored(new, pair(tmp_path_factory.mktemp("edits"), old, new)) == old


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=80), min_size=2, max_size=8),
    changes=st.lists(st.tuples(st.integers(0, 7), st.binary(max_size=60)), max_size=4),
)
def test_pieces_that_changed_come_back(tmp_path_factory, pieces, changes):
    new = list(pieces)
    for place, piece in changes:
        new[place % len(new)] = piece
    joined = b"".join(new) or b"x"
    assert restored(joined, pair(tmp_path_factory.mktemp("edits"), b"".join(pieces), joined)) == b"".join(pieces)


@pytest.mark.parametrize("kind", ["before", "behind", "both", "pages"])
def test_music_that_moved_takes_no_room(kind, tmp_path):
    music = np.random.default_rng(0).bytes(200_000)
    old = b"head 0001" + music
    new = {
        "before": b"head 0002 longer" + music,
        "behind": b"head 0002" + music + b"tag",
        "both": b"head 0002 with more" + music + b"a tag at the end",
        "pages": b"head 0001" + b"".join(music[place : place + 3996] + b"page" for place in range(4, 200_000, 4000)),
    }[kind]
    if kind == "pages":  # as Ogg's numbers of pages: bytes here and there, at the same places
        old = b"head 0001" + b"".join(music[place : place + 4000] for place in range(4, 200_000, 4000))
    found = pair(tmp_path, old, new)
    assert restored(new, found) == old
    assert sum(len(base64.b64decode(former)) for _, _, former in found) < 1000


@pytest.mark.parametrize("new", [b"", b"x", b"much more than there was"])
@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 7), (5, 9), (100, 100)])
def test_splicing_is_that_of_bytes(start, end, new, tmp_path, monkeypatch):
    monkeypatch.setattr(form, "CHUNK", 8)
    data = bytes(range(100))
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("r+b") as file:
        form.splice(file, start, end, new)
    assert (tmp_path / "file").read_bytes() == data[:start] + new + data[end:]


def test_a_long_file_is_compared_piece_by_piece(tmp_path):
    music = np.random.default_rng(0).bytes(40_000_000)
    tracemalloc.start()
    found = pair(tmp_path, b"0000" + music, b"1111 a tag" + music + b"more")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(len(former) for _, _, former in found) < 100
    assert peak < 150_000_000  # of which 80 MB are the two contents that this test writes
