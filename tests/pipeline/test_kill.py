"""A kill in the middle of ingest and of mels: the second run does only the rest, with the result of an undisturbed one.

The training's kill is in test_train.py.
"""

import signal
from pathlib import Path

import pytest
from checkout import Checkout, use_small_music, write_song
from faults import kill_group, wait_for

pytestmark = [pytest.mark.xdist_group("kill"), pytest.mark.soak]

SONGS = 90


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    """Enough songs that a stage can be caught half-way."""
    folder = tmp_path_factory.mktemp("music")
    for number in range(SONGS):
        write_song(folder / f"genre{number % 3}" / f"song{number:03d}.wav", 110 * (number % 3), 2.0, number, 8.0)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, music) -> Checkout:
    return new_project(tmp_path_factory.mktemp("undisturbed"), music)


def new_project(folder: Path, music: Path) -> Checkout:
    checkout = Checkout(folder / "project")
    use_small_music(checkout, folder / "unused", datasets__folder__dir=str(music))
    return checkout


def kill_half_way(checkout: Checkout, script: str, cached: str) -> None:
    """Run a stage and kill it with all of its workers as soon as a dozen files are in its cache."""
    process = checkout.start("python", f"src/{script}.py", start_new_session=True)
    wait_for(process, "dozen files", lambda: len(list(checkout.folder.glob(cached))) >= 12)
    kill_group(process)
    assert process.returncode == -signal.SIGKILL, "the stage had ended before it could be killed"


def test_ingest_and_mels_go_on_where_they_were(tmp_path, music, undisturbed):
    killed = new_project(tmp_path, music)
    stages = [
        ("ingest", ".cache/inspected/*/*.json", ["data/raw/folder/tracks.csv", "metrics/ingest.json"]),
        (
            "mels",
            ".cache/mels/*/*/*.npy",
            ["data/mels/default/index.csv", "data/mels/default/format.json", "data/mels/default/*.npy"],
        ),
    ]
    for script, cached, results in stages:
        undisturbed.here("python", f"src/{script}.py")
        kill_half_way(killed, script, cached)
        assert not (killed.folder / results[0]).exists()
        # A file that a worker was writing at that moment keeps its temporary name, and is not counted as done.
        whole = {path: path.stat().st_mtime_ns for path in killed.folder.glob(cached) if not path.name.startswith(".")}
        assert 0 < len(whole) < SONGS
        killed.here("python", f"src/{script}.py")
        assert {path: path.stat().st_mtime_ns for path in whole} == whole, "what was done has been done again"
        for result in results:
            (expected,) = undisturbed.folder.glob(result)
            (found,) = killed.folder.glob(result)
            assert found.name == expected.name
            assert found.read_bytes() == expected.read_bytes()
