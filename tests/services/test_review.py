"""The tab that reviews labels, in a real browser: its keys, the log, and who may not write into it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests
from checkout import ROOT, change_params, clean_environment, write_song
from served_page import Site, needs_browser, serve, stop

from genres.core.files import write_json, write_table

pytestmark = pytest.mark.xdist_group("app")

GENRES = ["jazz", "pop", "rock"]
ODD = "pop/<b>${1+1}{{x}}.wav"
SONGS = ["rock/one.wav", ODD, "jazz/three.aiff", "rock/four.wav", "pop/gone.wav"]
FOLDS = ["train", "test", "val", "train", "train"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A project whose audit suspects two songs, and lists three more."""
    tmp_path = tmp_path_factory.mktemp("review")
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "dvc.yaml").touch()  # its caches lie here
    change_params(tmp_path / "params.yaml", {"dataset": "folder"})
    raw = tmp_path / "data/raw/folder"
    for number, name in enumerate(SONGS[:-1]):
        write_song(raw / name, 200 + 100 * number, 2.0, number, 2.0)
    about = {"track_id": SONGS, "path": SONGS, "genre": [name.partition("/")[0] for name in SONGS]}
    about |= {"artist": "<i>Ann", "title": "", "sha256": [f"digest of {name}" for name in SONGS], "duration_s": 2.0}
    write_table(raw / "tracks.csv", pd.DataFrame(about))
    write_table(tmp_path / "data/tracks.csv", pd.DataFrame({"track_id": SONGS, "fold": FOLDS}))
    kinds = ["label", "label", "label", "uncertain", "uncertain", "uncertain"]
    songs = [
        {"track_id": name, "kind": kind, "note": "", "probabilities": [0.1, 0.3, 0.6]}
        for name, kind in zip(["no longer here", *SONGS], kinds, strict=True)
    ]
    write_json(tmp_path / ".cache/reviews/folder.json", {"about": "a network", "genres": GENRES, "songs": songs})
    site = serve(tmp_path, "--review")
    yield site
    stop(site)


@pytest.fixture
def site(served: Site) -> Site:
    """The page of that project, without a review."""
    for log in served.folder.glob("**/reviews.jsonl"):
        log.unlink()
    return served


def log(site: Site) -> list[tuple[str, str, str, str | None]]:
    file = site.folder / "data/reviews.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(line["action"], line["track_id"], line["from"], line["to"]) for line in lines]


def shows(page, song: str, progress: str) -> None:
    """Wait until the tab shows a song."""
    condition = "name => document.querySelector('#review .review')?.dataset.track === name"
    page.wait_for_function(condition, arg=song)
    assert page.inner_text("#review .progress") == progress


@needs_browser
def test_keys_accept_correct_skip_and_undo_and_a_reload_goes_on(site: Site, visit: Callable) -> None:
    page = visit(site)
    shows(page, SONGS[0], "0 of 2 suspects")
    page.wait_for_function("document.querySelector('#review audio').duration > 1.9")
    assert "enters the next training" in page.inner_text("#review .fold")
    page.keyboard.press("2")  # no correction without c
    page.keyboard.press("Control+a")
    page.focus("#network input")
    page.keyboard.type("as")
    page.evaluate("document.activeElement.blur()")
    assert log(site) == []

    page.keyboard.press("a")
    shows(page, ODD, "1 of 2 suspects")
    assert page.inner_text("#review .name") == ODD
    assert page.inner_text("#review .label") == "Label: pop"
    assert "changes no training" in page.inner_text("#review .fold") or "no score" in page.inner_text("#review .fold")
    choices = page.locator("#review .choices button").all_inner_texts()
    assert choices == ["1 rock", "2 jazz", "0 none of these genres"]  # the likeliest first, without the label
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("c")
    page.keyboard.press("1")
    shows(page, "jazz/three.aiff", "0 of 3 uncertain songs")
    page.wait_for_function("document.querySelector('#review audio').duration > 1.9")  # no browser plays aiff
    page.keyboard.press("s")
    shows(page, "rock/four.wav", "1 of 3 uncertain songs")

    page = visit(site)
    shows(page, "rock/four.wav", "1 of 3 uncertain songs")
    page.click("#review .choices button >> text=none of these genres")
    shows(page, "pop/gone.wav", "2 of 3 uncertain songs")
    assert "the file is not there" in page.inner_text("#review")
    page.keyboard.press("a")
    shows(page, "jazz/three.aiff", "3 of 3 uncertain songs")  # which was skipped
    page.keyboard.press("u")
    shows(page, "pop/gone.wav", "2 of 3 uncertain songs")
    expected = [
        ("accept", SONGS[0], "rock", "rock"),
        ("correct", ODD, "pop", "rock"),
        ("skip", "jazz/three.aiff", "jazz", "jazz"),
        ("correct", "rock/four.wav", "rock", None),
        ("accept", "pop/gone.wav", "pop", "pop"),
        ("undo", "pop/gone.wav", "pop", "pop"),
    ]
    assert log(site) == expected
    page.keyboard.press("u")
    shows(page, "rock/four.wav", "1 of 3 uncertain songs")
    assert log(site) == [*expected, ("undo", "rock/four.wav", "rock", "rock")]
    assert len(list(site.folder.glob("genres-*/review/*"))) <= 4


@needs_browser
def test_a_window_that_lags_behind_reviews_the_song_that_it_shows(site: Site, visit: Callable) -> None:
    first, second = visit(site, 360, 740, has_touch=True), visit(site)
    shows(first, SONGS[0], "0 of 2 suspects")
    shows(second, SONGS[0], "0 of 2 suspects")
    first.keyboard.press("a")
    shows(first, ODD, "1 of 2 suspects")
    assert first.evaluate("document.documentElement.scrollWidth") <= 360
    second.keyboard.press("s")
    shows(second, ODD, "1 of 2 suspects")
    assert log(site) == [("accept", SONGS[0], "rock", "rock"), ("skip", SONGS[0], "rock", "rock")]


def test_other_sites_cannot_write(site: Site) -> None:
    for origin in ("http://example.org", "null", site.url.replace("http:", "https:").replace("127.0.0.1", "127.0.0.2")):
        refused = requests.post(f"{site.url}gradio_api/queue/join", json={}, headers={"Origin": origin}, timeout=5)
        assert (refused.status_code, refused.text) == (403, "not from here")
    own = requests.post(f"{site.url}gradio_api/queue/join", json={}, headers={"Origin": site.url[:-1]}, timeout=5)
    assert own.text != "not from here"
    assert requests.get(site.url, headers={"Host": "example.org"}, timeout=5).status_code == 400


def test_there_is_no_tab_for_others(tmp_path: Path) -> None:
    site = serve(tmp_path)
    try:
        assert '"review"' not in requests.get(f"{site.url}config", timeout=5).text
    finally:
        stop(site)
    command = [sys.executable, "-m", "genres", "app", "--review", "--host", "0.0.0.0"]
    environment = clean_environment() | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --host 0.0.0.0: not with --review")
