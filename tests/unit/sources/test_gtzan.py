"""GTZAN's layouts, lists and index, on look-alikes of a few empty files; downloads from a server on this machine."""

import hashlib
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from genres.core.console import UserError
from genres.core.recipes import GtzanRecipe
from genres.sources import CANDIDATE_COLUMNS, gtzan

INDEX = """\
blues.00000.wav ::: Ann Example ::: First Song
blues.00001.wav ::: Ann Example :::
blues.00002.wav ::: :::
country.00000.wav ::: ::: A Title Alone
jazz.00000.wav ::: Salt, Pepper & Vinegar  ::: Suite No. 1, "Kitchen": Adagio
jazz.00001.wav ::: Salt Pepper and Vinegar ::: Fuge f\u00fcr Klavier
"""
LISTS = {
    "train_filtered.txt": "blues/blues.00000.wav\nblues/blues.00001.wav\n",
    "valid_filtered.txt": "blues/blues.00002.wav\n",
    "test_filtered.txt": "jazz/jazz.00001.wav\n",
}
TRACKS = ["blues.00000", "blues.00001", "blues.00002", "blues.00003", "country.00000", "jazz.00000", "jazz.00001"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose caches are empty, on a machine that cannot reach anything but itself."""
    for name in ("GTZAN_ARCHIVE_URL", "GTZAN_ARCHIVE_MD5", "GTZAN_METADATA_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    folder = tmp_path / "metadata"
    folder.mkdir()
    for name, text in (LISTS | {gtzan.INDEX_NAME: INDEX}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def lay_out(root: Path, layout: str = ".", suffix: str = ".wav", tracks: list[str] = TRACKS) -> Path:
    for track_id in tracks:
        path = root / layout / track_id.split(".")[0] / f"{track_id}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"audio of " + track_id.encode())
    return root


def collect(folder: Path, metadata: str | Path = "none", **changes: Any) -> pd.DataFrame:
    values: dict[str, Any] = {"source": "gtzan", "dir": folder, "genres": None, "exclude_genres": ["jazz"], "train": {}}
    return gtzan.collect(GtzanRecipe(**(values | {"metadata": str(metadata)} | changes)), folder)


class Quiet(SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address and the folder that is served there."""
    folder = tmp_path / "site"
    folder.mkdir()
    Quiet.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def archive(site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    address, folder = site
    path = folder / "genres.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(lay_out(tmp_path / "packed", suffix=".au"), "genres")
    monkeypatch.setenv("GTZAN_ARCHIVE_URL", f"{address}/genres.tar.gz")
    monkeypatch.setenv("GTZAN_ARCHIVE_MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


@pytest.mark.parametrize(
    "layout, suffix",
    [
        ("genres", ".au"),
        ("genres_original", ".wav"),
        ("Data/genres_original", ".wav"),
        (".", ".wav"),
        (".", ".AU"),
        (".", ".au.wav"),
        (".", ".flac"),
        ("genres", ".mp3"),
    ],
)
def test_every_usual_layout_is_found(tmp_path: Path, layout: str, suffix: str) -> None:
    found = collect(lay_out(tmp_path / "gtzan", layout, suffix))
    assert list(found.columns) == CANDIDATE_COLUMNS
    assert list(found["track_id"]) == TRACKS[:5]  # jazz is left out
    assert list(found["genre"]) == ["blues"] * 4 + ["country"]
    for track_id, path in zip(found["track_id"], found["path"], strict=True):
        assert Path(path).is_absolute()
        assert Path(path).read_bytes() == b"audio of " + track_id.encode()
    assert set(found["source"]) == {"gtzan"}
    assert set(found["artist"]) == set(found["split"]) == set(found["song"]) == set(found["isrc"]) == {""}
    assert all(isinstance(value, str) for value in found.to_numpy().ravel())


def test_junk_is_no_music(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = lay_out(tmp_path / "gtzan", "genres")
    for junk in ("._blues.00000.wav", ".DS_Store", "blues.mf", "notes.txt"):
        (folder / "genres/blues" / junk).write_bytes(b"junk")
    (folder / "genres/bextract_single.mf").write_bytes(b"junk")
    (folder / "genres/blues/blues.00077.wav").mkdir()
    (folder / "images_original/blues").mkdir(parents=True)
    (folder / "images_original/blues/blues00000.png").write_bytes(b"junk")
    assert list(collect(folder)["track_id"]) == TRACKS[:5]
    assert capsys.readouterr().err == ""


def test_a_track_in_two_formats_counts_once(tmp_path: Path) -> None:
    folder = lay_out(lay_out(tmp_path / "gtzan", suffix=".au"), suffix=".wav")
    assert list(collect(folder)["track_id"]) == TRACKS[:5]


def test_other_names_among_gtzans_are_left_out_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = lay_out(tmp_path / "gtzan")
    (folder / "blues/my own song.wav").write_bytes(b"audio")
    (folder / "blues/country.00009.wav").write_bytes(b"in the wrong folder")
    assert list(collect(folder)["track_id"]) == TRACKS[:5]
    assert "skipped 2 files" in capsys.readouterr().err


def test_audio_that_is_not_gtzans_is_not_replaced_by_a_download(tmp_path: Path) -> None:
    (tmp_path / "music/blues").mkdir(parents=True)
    (tmp_path / "music/blues/song.wav").write_bytes(b"audio")
    with pytest.raises(UserError, match=r"song\.wav: does not match GTZAN's layout.*dataset=folder"):
        collect(tmp_path / "music")


def test_genres_are_chosen(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "gtzan")
    assert set(collect(folder, genres=["country"])["genre"]) == {"country"}
    assert set(collect(folder, exclude_genres=[])["genre"]) == {"blues", "country", "jazz"}
    with pytest.raises(UserError, match=r"datasets\.gtzan\.genres: no 'polka' in .*; available: blues, country, jazz"):
        collect(folder, genres=["blues", "polka"])
    with pytest.raises(UserError, match="'jazz' is also in exclude_genres"):
        collect(folder, genres=["blues", "jazz"])
    with pytest.raises(UserError, match="leave no track"):
        collect(folder, exclude_genres=["blues", "country", "jazz"])


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^datasets.gtzan.dir: .*/nowhere: no such folder"):
        collect(tmp_path / "nowhere")


def test_split_artist_and_title_come_from_the_lists_and_the_index(tmp_path: Path, metadata: Path) -> None:
    found = collect(lay_out(tmp_path / "gtzan"), metadata, exclude_genres=[]).set_index("track_id")
    assert found["split"].to_dict() == {
        "blues.00000": "train",
        "blues.00001": "train",
        "blues.00002": "val",
        "blues.00003": "",
        "country.00000": "",
        "jazz.00000": "",
        "jazz.00001": "test",
    }
    assert found.loc["blues.00000", ["artist", "title"]].tolist() == ["Ann Example", "First Song"]
    assert found.loc["blues.00001", ["artist", "title"]].tolist() == ["Ann Example", ""]
    assert found.loc["blues.00002", ["artist", "title"]].tolist() == ["", ""]
    assert found.loc["country.00000", ["artist", "title"]].tolist() == ["", "A Title Alone"]
    assert found.loc["jazz.00000", "title"] == 'Suite No. 1, "Kitchen": Adagio'
    assert found.loc["jazz.00001", "title"] == "Fuge f\u00fcr Klavier"


def test_spellings_of_one_artist_are_one_artist(tmp_path: Path, metadata: Path) -> None:
    path = metadata / gtzan.INDEX_NAME
    path.write_text(INDEX + "rock.00000.wav ::: !!! ::: Chk\nrock.00001.wav ::: +/- ::: Plus\n", encoding="utf-8")
    index = gtzan.read_index(path)
    assert (index["rock.00000"][0], index["rock.00001"][0]) == ("!!!", "+/-")  # names without a letter are names too
    assert index["jazz.00000"][0] == index["jazz.00001"][0] == "Salt, Pepper & Vinegar"
    assert index["blues.00002"][0] == index["country.00000"][0] == ""  # unknown stays unknown


@pytest.mark.parametrize("encoding, newline", [("latin-1", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r")])
def test_the_index_is_read_from_any_system(metadata: Path, encoding: str, newline: str) -> None:
    expected = gtzan.read_index(metadata / gtzan.INDEX_NAME)
    text = "# made by hand\n\n" + INDEX
    (metadata / gtzan.INDEX_NAME).write_bytes(text.replace("\n", newline).encode(encoding))
    assert gtzan.read_index(metadata / gtzan.INDEX_NAME) == expected


def test_tracks_that_the_index_does_not_know_are_told(
    tmp_path: Path, metadata: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collect(lay_out(tmp_path / "gtzan"), metadata)
    assert "1 tracks are not in GTZANindex.txt" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(gtzan.METADATA_FILES))
def test_a_missing_metadata_file_is_named(tmp_path: Path, metadata: Path, name: str) -> None:
    (metadata / name).unlink()
    with pytest.raises(UserError, match=f"datasets.gtzan.metadata: .* has no {name};"):
        collect(lay_out(tmp_path / "gtzan"), metadata)


def test_messages_name_the_key_of_the_recipe_that_is_used(tmp_path: Path) -> None:
    tracks = gtzan.find_tracks(lay_out(tmp_path / "gtzan"))
    with pytest.raises(UserError, match=r"^datasets.gtzan_plus.metadata: .* has no train_filtered.txt"):
        gtzan.describe(tracks, str(tmp_path), "datasets.gtzan_plus.metadata")


def test_lines_that_make_no_sense_are_named(tmp_path: Path, metadata: Path) -> None:
    folder = lay_out(tmp_path / "gtzan")
    (metadata / gtzan.INDEX_NAME).write_text(INDEX + "404: Not Found\n")
    with pytest.raises(UserError, match=r"GTZANindex.txt: line 7 must be like .*'404: Not Found'"):
        collect(folder, metadata)
    (metadata / gtzan.INDEX_NAME).write_text(INDEX)
    (metadata / "test_filtered.txt").write_text("jazz/jazz.00001.wav\nblues/blues.00000.wav\n")
    with pytest.raises(UserError, match=r"test_filtered.txt: blues.00000 is also in the train list"):
        collect(folder, metadata)
    (metadata / "test_filtered.txt").write_text("   13\n")
    with pytest.raises(UserError, match=r"test_filtered.txt: line 1 must be like"):
        collect(folder, metadata)


def test_metadata_is_downloaded_once_and_checked(
    tmp_path: Path, metadata: Path, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, served = site
    sums = {}
    for name in gtzan.METADATA_FILES:
        content = (metadata / name).read_bytes()
        (served / name).write_bytes(content)
        sums[name] = ("http://127.0.0.1:9/original", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(gtzan, "METADATA_FILES", sums)
    monkeypatch.setenv("GTZAN_METADATA_URL", address + "/")
    folder = lay_out(tmp_path / "gtzan")
    first = collect(folder, "download")
    assert set(first["split"]) == {"train", "val", ""}
    pd.testing.assert_frame_equal(collect(folder, "download"), first)
    assert sorted(Quiet.requests) == sorted(f"/{name}" for name in sums)


def test_the_pinned_addresses_are_asked(tmp_path: Path, metadata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fetch(url: str, destination: Path, *, sha256: str, **options: Any) -> Path:
        asked[url] = sha256[:8]
        return metadata / destination.name

    monkeypatch.setattr(gtzan, "fetch", fetch)
    collect(lay_out(tmp_path / "gtzan"), "download")
    raw = "https://raw.githubusercontent.com"
    lists = f"{raw}/coreyker/dnn-mgr/bdad579ea6cb37b665ea6019fe1026a6ce20cbc7/gtzan"
    bind = f"{raw}/seungheondoh/gtzan-bind/ba33dc7309afa49ef6b5176300531a9bbde2ad1f"
    assert asked == {
        f"{lists}/train_filtered.txt": "2b04966c",
        f"{lists}/valid_filtered.txt": "f8fbee7c",
        f"{lists}/test_filtered.txt": "09cafa6a",
        f"{bind}/dataset/metadata/sturm2013faults/GTZANindex.txt": "7bc7140f",
    }


def test_a_mirror_with_other_metadata_is_refused(
    tmp_path: Path, metadata: Path, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, served = site
    for name in gtzan.METADATA_FILES:  # look-alikes, so the pinned checksums do not fit
        (served / name).write_bytes((metadata / name).read_bytes())
    monkeypatch.setenv("GTZAN_METADATA_URL", address)
    with pytest.raises(UserError, match="has a wrong checksum"):
        collect(lay_out(tmp_path / "gtzan"), "download")


def test_metadata_that_cannot_be_had_is_no_silent_loss(
    tmp_path: Path, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GTZAN_METADATA_URL", site[0])  # which has none: 404
    with pytest.raises(UserError) as error:
        collect(lay_out(tmp_path / "gtzan"), "download")
    for part in ("train_filtered.txt", "404", "offline?", "datasets.gtzan.metadata", "`none`", "its own artist"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_folder_gets_the_archive_once(tmp_path: Path, project: Path, archive: Path) -> None:
    folder = tmp_path / "gtzan"
    folder.mkdir()
    (folder / "README.md").write_text("put GTZAN here")
    found = collect(folder)
    assert list(found["track_id"]) == TRACKS[:5]
    assert all(Path(path).is_relative_to(project / ".cache/gtzan") for path in found["path"])
    archive.unlink()  # nothing left to fetch
    (project / ".cache/downloads/genres.tar.gz").unlink()  # someone needed the space
    pd.testing.assert_frame_equal(collect(folder), found)
    assert Quiet.requests == ["/genres.tar.gz"]
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_another_archive_than_gtzans_is_refused(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GTZAN_ARCHIVE_MD5")
    (tmp_path / "gtzan").mkdir()
    with pytest.raises(UserError, match=f"expected {gtzan.ARCHIVE_MD5}.*set datasets.gtzan.dir to a local copy"):
        collect(tmp_path / "gtzan")


def test_the_users_files_are_untouched(tmp_path: Path, metadata: Path) -> None:
    folder = lay_out(tmp_path / "gtzan", "genres")

    def state() -> list[tuple[Any, ...]]:
        paths = [*sorted(folder.rglob("*")), *sorted(metadata.rglob("*"))]
        return [(p, p.stat().st_mode, p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None) for p in paths]

    for path in [*folder.rglob("*.wav"), *metadata.iterdir()]:
        path.chmod(0o400)
    before = state()
    collect(folder, metadata)
    assert state() == before
