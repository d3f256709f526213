"""The digest in the names of experiments: it changes with what a result depends on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import ROOT

from genres.experiments import sweep


@pytest.fixture
def digest(configure: Callable, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return the digest of a library in `tmp_path`/music with the tree of genres `tmp_path`/genres.yaml."""
    changes = {"dataset": "library", "datasets.library.dir": str(tmp_path / "music")}
    settings = configure(changes | {"datasets.library.tree": str(tmp_path / "genres.yaml")})
    (tmp_path / "music").mkdir()
    monkeypatch.chdir(ROOT)
    return lambda: sweep._digest(settings.model_dump(mode="json"), settings)


def test_songs_and_the_tree_of_genres_count_whatever_their_names(digest: Callable[[], str], tmp_path: Path) -> None:
    seen = [digest()]
    for path, content in (("music/a.mp3", b"x"), ("music/Mod\udc85.mp3", b"x"), ("music/a.mp3", b"xy")):
        (tmp_path / path).write_bytes(content)
        seen.append(digest())
    (tmp_path / "music/gone.mp3").symlink_to("nowhere")
    seen.append(digest())
    for content in ("genres: {}", "genres: {calm: }"):
        (tmp_path / "genres.yaml").write_text(content)
        seen.append(digest())
    assert len(set(seen)) == len(seen)
    assert digest() == seen[-1]
