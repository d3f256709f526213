"""genres audit: the suspects of hand-made predictions, of a folder of music, and what it says of bad input."""

import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkout import Checkout, write_music

from genres.core import params
from genres.core.console import UserError
from genres.core.files import write_table
from genres.library import audit, audit_folder, review_queue, suspects
from genres.library.audit_page import page
from genres.library.audited import Audited, catalogue_of

GENRES = ["jazz", "pop", "rock"]
SONGS = 30


def predictions(wrong: dict[int, str] | None = None) -> pd.DataFrame:
    """A table of sure predictions, right but for the labels in `wrong`; two songs an artist."""
    true = [GENRES[song % 3] for song in range(SONGS)]
    rows = 0.1 + 0.7 * np.eye(3)[np.arange(SONGS) % 3]
    rows += np.linspace(0, 0.05, SONGS)[:, np.newaxis] * np.eye(3)[np.arange(SONGS) % 3]
    rows /= rows.sum(axis=1, keepdims=True)
    labels = [(wrong or {}).get(song, genre) for song, genre in enumerate(true)]
    about = {
        "track_id": [f"{label}/{song:02d}.mp3" for song, label in enumerate(labels)],
        "artist": [f"Artist {song // 2}" for song in range(SONGS)],
        "fold": "test",
        "genre": labels,
        "predicted": true,
    }
    return pd.concat([pd.DataFrame(about), pd.DataFrame(rows, columns=GENRES)], axis=1)


WRONG = {3: "rock", 10: "jazz", 29: "pop"}


@pytest.fixture
def file(project: Path) -> Path:
    write_table(project / "held_out.csv", predictions(WRONG))
    return Path("held_out.csv")


def listed(*arguments: str) -> pd.DataFrame:
    audit.main([*arguments, "--csv", "out/suspects.csv"])
    return pd.read_csv("out/suspects.csv", keep_default_na=False)


def test_wrong_labels_are_listed_with_the_likelier_genre_the_surest_first(file, capsys):
    found = listed("--predictions", str(file))
    assert found["track_id"].tolist() == ["pop/29.mp3", "jazz/10.mp3", "rock/03.mp3"]
    assert found["likelier"].tolist() == ["rock", "pop", "jazz"]
    assert found["kind"].tolist() == ["label"] * 3 and found["rank"].tolist() == [1, 2, 3]
    table = predictions(WRONG).set_index("track_id")
    np.testing.assert_allclose(
        found["probability_of_label"].astype(float),
        [table.loc[name, label] for name, label in zip(found["track_id"], found["label"], strict=True)],
    )
    printed = capsys.readouterr().out
    assert "predictions of held_out.csv: 30 songs of 15 artists, each predicted without its artist" in printed
    assert "at most 10 % (3 songs)" in printed
    assert "outliers are not looked for" in printed and "duplicates are not looked for" in printed


def test_no_more_than_most_are_printed(file, capsys):
    audit.main(["--predictions", str(file), "--most", "1"])
    printed = capsys.readouterr().out
    assert "1 of 3 suspects" in printed and "pop/29.mp3" in printed and "jazz/10.mp3" not in printed


def test_names_are_printed_as_text(project, capsys):
    table = predictions(WRONG)
    table.loc[29, "track_id"] = "[Live] a [/b]\x1b[31m.mp3"
    write_table(Path("odd.csv"), table)
    assert listed("--predictions", "odd.csv").loc[0, "track_id"] == table.loc[29, "track_id"]
    printed = capsys.readouterr().out
    assert "[Live] a [/b]?[31m.mp3" in printed and "\x1b" not in printed


def test_right_labels_give_no_suspects(project, capsys):
    write_table(Path("held_out.csv"), predictions())
    found = listed("--predictions", "held_out.csv", "--html", "page.html", "--m3u8", "list.m3u8")
    assert found.empty and "no label looks wrong" in capsys.readouterr().out
    assert "No label looks wrong" in Path("page.html").read_text()
    assert Path("list.m3u8").read_text() == "#EXTM3U\n"


def test_of_several_files_the_mean_counts_and_other_folds_do_not(file):
    table = predictions(WRONG)
    extreme = table.assign(fold="val", **{genre: float(genre == "jazz") for genre in GENRES})
    pd.concat([table.iloc[:15], extreme.iloc[15:]]).to_csv("first.csv", index=False)
    table.iloc[10:].to_csv("second.csv", index=False)
    once = listed("--predictions", str(file))
    pd.testing.assert_frame_equal(listed("--predictions", "first.csv", "second.csv"), once)


def test_the_songs_of_a_folder_are_in_the_playlist_and_on_the_page(file, tmp_path):
    music = tmp_path / "Zoë's music #1"
    for name in ("pop/29.mp3", "rock/03.mp3"):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).touch()
    audit.main([str(music), "--predictions", str(file), "--m3u8", "list.m3u8", "--html", "page.html"])
    own = [music / "pop/29.mp3", music / "rock/03.mp3"]
    assert Path("list.m3u8").read_text(encoding="utf-8").splitlines() == ["#EXTM3U", *map(str, own)]
    assert sources(Path("page.html").read_text(encoding="utf-8")) == [path.as_uri() for path in own]


def sources(text: str) -> list[str]:
    """The addresses of all players of a page, which has no scripts and nothing else to load."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag not in ("script", "link", "img", "iframe", "b")
            assert tag == "audio" or not {"src", "href"} & {name for name, _ in attributes}
            found.extend(value for name, value in attributes if name == "src")

    Reader().feed(text)
    return found


def test_names_cannot_become_parts_of_the_page(file):
    table = predictions({28: "rock"}).rename(columns={"rock": "<b>rock</b>"})
    table["genre"] = table["genre"].replace("rock", "<b>rock</b>")
    table.to_csv("odd.csv", index=False)
    audit.main(["--predictions", "odd.csv", "--html", "page.html"])
    text = Path("page.html").read_text()
    assert sources(text) == [] and "&lt;b&gt;rock&lt;/b&gt;" in text


def test_duplicates_with_two_labels_come_first(project):
    """Name the copy with the less likely label in the working folder's data set; without predictions, both."""
    table = predictions({4: "rock"})
    table.loc[4, GENRES] = [0.1, 0.46, 0.44]
    table.to_csv("held_out.csv", index=False)
    songs = table[["track_id", "genre"]].assign(path=table["track_id"], recording=table["track_id"])
    songs.loc[[1, 4], "recording"] = "same"
    others = pd.DataFrame({"track_id": ["x", "y"], "genre": ["metal", "folk"], "path": "z.mp3", "recording": "another"})
    alike = pd.DataFrame({"track_id": ["v", "w"], "genre": "folk", "path": "z.mp3", "recording": "third"})
    write_table(Path("data/raw/demo/tracks.csv"), pd.concat([songs, others, alike]))
    found = listed("--predictions", "held_out.csv").set_index("track_id")
    assert found.index[:3].tolist() == ["rock/04.mp3", "x", "y"]
    assert found.loc["rock/04.mp3", ["likelier", "note"]].tolist() == ["pop", "same recording as pop/01.mp3 (pop)"]
    assert found.loc["x", ["label", "likelier", "probability_of_label"]].tolist() == ["metal", "folk", ""]
    assert found.loc["rock/04.mp3", "kind"].startswith("duplicate")
    assert not {"v", "w", "pop/01.mp3"} & set(found.index)
    assert found.loc["x", "file"] == str(project / "data/raw/demo/z.mp3")


def audited(columns: np.ndarray, artists: np.ndarray, table: pd.DataFrame) -> Audited:
    tracks = table[["track_id", "genre"]].assign(artist=artists)
    return Audited(tracks, GENRES, table[GENRES].to_numpy(), columns, catalogue_of(tracks), "made by hand")


def test_a_song_that_is_unlike_all_of_other_artists_is_an_outlier(project):
    columns = np.random.default_rng(0).normal(size=(SONGS, 12))
    columns[[28, 29]] += 20  # near each other, and of one artist
    found = suspects.find(audited(columns, np.arange(SONGS) // 2, predictions({24: "rock", 27: "pop"})))
    assert found["kind"].tolist() == ["label"] * 2 + ["outlier"] * 2
    assert sorted(found["track_id"][2:]) == ["pop/28.mp3", "rock/29.mp3"]
    assert found["likelier"].tolist() == ["jazz", "jazz", "", ""]  # the outliers' labels are the likeliest
    both = suspects.find(audited(columns, np.arange(SONGS) // 2, predictions({29: "jazz"}))).set_index("track_id")
    assert both["kind"].to_dict() == {"jazz/29.mp3": "label, outlier", "pop/28.mp3": "outlier"}
    assert "unlike all songs" in page(both.reset_index(), [])


def test_one_artist_alone_gives_no_outliers(project):
    columns = np.random.default_rng(0).normal(size=(SONGS, 12))
    assert suspects.find(audited(columns, np.zeros(SONGS, dtype=int), predictions())).empty


def spoilt(change: Callable[[pd.DataFrame], pd.DataFrame]) -> list[str]:
    write_table(Path("spoilt.csv"), change(predictions(WRONG)))
    return ["--predictions", "spoilt.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda: ["nowhere"], "nowhere: no such folder"),
        (lambda: [".", "--recipe", "polka"], r"--recipe: 'polka' is none of folder, library, gtzan$"),
        (lambda: ["."], r"msd_musicnn\.npz: no such file; run: dvc repro pretrained"),
        (list, r"msd_musicnn\.npz: no such file; run: dvc repro pretrained"),
        (lambda: ["--most", "0"], "--most: must be at least 1"),
        (lambda: ["--csv", "."], "--csv: . is a folder"),
        (lambda: ["--html", "held_out.csv/page.html"], "--html: .*held_out.csv is no folder"),
        (lambda: ["--predictions", "none.csv"], "none.csv: no such file"),
        (lambda: spoilt(lambda table: table.drop(columns="genre")), "spoilt.csv: has no column 'genre'"),
        (lambda: spoilt(lambda table: table.assign(fold="val")), "spoilt.csv: has no test tracks"),
        (lambda: spoilt(lambda table: table.drop(columns=GENRES[1:])), "fewer than two genres"),
        (lambda: spoilt(lambda table: table.assign(rock="much")), "column 'rock' has no probabilities"),
        (lambda: spoilt(lambda table: table.assign(genre="polka")), "has no column for genre 'polka'"),
        (lambda: [*spoilt(lambda table: table.assign(genre="pop")), "held_out.csv"], "has two labels"),
        (lambda: [*spoilt(lambda table: table.rename(columns={"pop": "polka"})), "held_out.csv"], "other columns"),
    ],
)
def test_bad_input_is_one_line(arguments, said, file, project, capsys):
    (project / "src").mkdir()
    (project / "src/ingest.py").touch()
    if "polka'" in said and "--recipe" in said:
        (project / "data/pretrained").mkdir(parents=True)
        (project / "data/pretrained/msd_musicnn.npz").touch()
    with pytest.raises(SystemExit, match="2"):
        audit.main(arguments())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert pd.Series([line]).str.contains(said).all(), line


def test_published_spectrograms_need_predictions(configure, capsys):
    configure({"dataset": "mels"})
    with pytest.raises(SystemExit, match="2"):
        audit.main([])
    assert "mels has no audio for transfer; give --predictions" in capsys.readouterr().err


def test_without_the_stages_a_folder_needs_predictions(project, capsys):
    with pytest.raises(SystemExit, match="2"):
        audit.main(["."])
    assert "needs the project's stages" in capsys.readouterr().err


def test_the_settings_of_an_audit_are_the_projects_with_every_song_in_a_fold(configure, tmp_path):
    changes = {"dataset": "gtzan", "split.protocol": "predefined", "split.folds": 5, "split.fold": 3, "seed": 5}
    before = configure(changes | {"datasets.folder.exclude_genres": ["polka"]})
    (tmp_path / "audit").mkdir()
    audit_folder._write_settings(Path("params.yaml"), tmp_path / "audit/params.yaml", tmp_path, "folder")
    after = params.load(tmp_path / "audit/params.yaml")
    assert (after.dataset, after.recipe.dir, after.architectures) == ("folder", tmp_path, ["transfer"])
    assert (after.split.protocol, after.split.folds, after.split.train_share) == ("track", None, 1.0)
    assert after.recipe.exclude_genres == ["polka"] and after.seed == 5
    assert after.models == before.models and after.front_ends == before.front_ends


def test_genres_of_few_artists_are_left_out_with_a_line(capsys):
    genres, artists = (
        ["pop"] * 3 + ["rock"] * 4 + ["few"] * 5,
        ["A", "B", "C", "D", "E", "F", "", "G", "G", "H", "H", "H"],
    )
    songs = pd.DataFrame({"genre": genres, "artist": artists, "recording": [f"{n}" for n in range(12)], "file": ""})
    kept = audit_folder._comparable(songs, Path("music"))
    assert kept["genre"].tolist() == ["pop"] * 3 + ["rock"] * 4
    (line,) = capsys.readouterr().err.splitlines()
    assert "genre 'few': 5 songs of 2 artists are not audited" in line
    with pytest.raises(UserError, match="music: 1 genre has songs of 3 artists"):
        audit_folder._comparable(songs[songs["genre"] != "rock"], Path("music"))


@pytest.mark.parametrize(("status", "said"), [(2, None), (1, r"src/clips\.py: ended with status 1"), (-9, "status -9")])
def test_a_stage_that_fails_ends_the_audit(status, said, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/clips.py").write_text(
        f"import os, sys\nos.kill(os.getpid(), 9) if {status} < 0 else sys.exit({status})"
    )
    with pytest.raises(UserError if said else SystemExit, match=said or "2"):
        audit_folder._run(tmp_path, "clips")


@pytest.mark.soak
def test_a_folder_is_audited_with_all_that_is_odd_in_it(tmp_path):
    """With random weights: what is left out is named, duplicates are found, and nothing in the folder is changed."""
    from networks import random_weights

    checkout, music = Checkout(tmp_path / "project"), tmp_path / "music"
    write_music(music)
    (music / "tracks.csv").unlink()  # so that each song is an artist of its own
    shutil.copy(music / "genre0/song0.wav", music / "genre1/again.wav")
    (music / "genre2/noise.mp3").write_bytes(b"no music at all")
    (music / "few").mkdir()
    shutil.copy(music / "genre0/song1.wav", music / "few/song.wav")
    with (music / "genre0" / b"caf\xe9.wav".decode(errors="surrogateescape")).open("wb") as file:
        file.write(b"")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in music.rglob("*") if path.is_file()}
    assert "run: dvc repro pretrained" in checkout.run("genres", "audit", str(music), fails=True)
    weights = checkout.folder / "data/pretrained/msd_musicnn.npz"
    weights.parent.mkdir(parents=True, exist_ok=True)
    np.savez(weights, **random_weights())
    printed = checkout.run("genres", "audit", str(music), "--csv", "a.csv", "--html", "a.html", "--m3u8", "a.m3u8")
    for line in ("noise.mp3", "its name is not UTF-8", "genre 'few': 1 songs of 1 artists", "pretrained (MSD)"):
        assert line in printed
    assert "Traceback" not in printed
    found = pd.read_csv(checkout.folder / "a.csv").set_index("track_id")
    pairs = [{"genre0/song0.wav", "genre1/again.wav"}, {"genre0/song1.wav", "few/song.wav"}]
    assert all(set(found.index[found["kind"].str.contains("duplicate")]) & pair for pair in pairs)
    assert set(found["file"]) <= set(map(str, before))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    again = checkout.run("genres", "audit", str(music), "--csv", "b.csv")
    assert (checkout.folder / "b.csv").read_bytes() == (checkout.folder / "a.csv").read_bytes()
    assert "Traceback" not in again
    for genre in ("genre1", "genre2"):
        shutil.rmtree(music / genre)
    alone = checkout.run("genres", "audit", str(music), fails=True)
    assert "1 genre has songs of 3 artists" in alone and "Traceback" not in alone


def test_an_audit_of_the_data_set_writes_the_order_of_reviews(file, capsys):
    """Suspects first, then all other songs once; an audit of another folder writes none."""
    audit.main(["music", "--predictions", str(file)])
    assert not list(Path(".cache").glob("**/*.json")) and "genres app --review" not in capsys.readouterr().out
    names = predictions(WRONG)["track_id"]
    raw = {"track_id": names, "path": names, "genre": predictions(WRONG)["genre"], "recording": ""}
    write_table(Path(f"data/raw/{params.load().dataset}/tracks.csv"), pd.DataFrame(raw))
    found = listed("--predictions", str(file))
    assert "genres app --review" in capsys.readouterr().out
    queue = review_queue.read(review_queue.path_of(params.load().dataset))
    order = [song.track_id for song in queue.songs]
    assert order[:3] == found["track_id"].tolist() and sorted(order) == sorted(names)
    assert [song.kind for song in queue.songs] == ["label"] * 3 + ["uncertain"] * (SONGS - 3)
    assert queue.songs[0].probabilities[found["likelier"][0]] == max(queue.songs[0].probabilities.values())
    assert queue.about.startswith("predictions of held_out.csv: 30 songs of 15 artists")
