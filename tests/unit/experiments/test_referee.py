"""The referee: whose song and whose genre an answer is, and its scores against the leaderboard's."""

import json

import numpy as np
import pandas as pd
import pytest

from genres.core.console import UserError
from genres.core.params import EvaluateParams
from genres.experiments import answers, referee
from genres.stats import leaderboard

GENRES = ["brazilian_funk", "hiphop", "rock"]
SETTINGS = EvaluateParams(bootstrap=500, calibration_bins=10)
TRACKS = pd.DataFrame(
    [
        ["rock/01 Intro.mp3", "/music/rock/01 Intro.mp3"],
        ["hiphop/01 Intro.mp3", "/music/hiphop/01 Intro.mp3"],
        ["rock.00007", "audio/rock/rock.00007.ogg"],
        ["b.wav", "audio/b.wav"],
        ["B.wav", "audio/B.wav"],
    ],
    columns=["track_id", "path"],
)


@pytest.mark.parametrize(
    ("song", "track"),
    [
        ("rock/01 Intro.mp3", "rock/01 Intro.mp3"),
        ("/music/rock/01 Intro.mp3", "rock/01 Intro.mp3"),
        ("./rock/01 Intro.mp3", "rock/01 Intro.mp3"),
        ("D:\\copy\\rock\\01 intro.MP3", "rock/01 Intro.mp3"),
        ("/wavs/hiphop/01 Intro.wav", "hiphop/01 Intro.mp3"),
        ("rock.00007", "rock.00007"),
        ("/gtzan/rock/rock.00007.au", "rock.00007"),
        ("rock/rock.00007.ogg", "rock.00007"),
        ("b.wav", "b.wav"),  # though another differs in case only
        ("jazz/01 Intro.mp3", ""),
        ("rock.00008", ""),
        ("", ""),
    ],
)
def test_a_song_is_found_by_its_id_or_the_end_of_its_path(song, track):
    assert answers.matched([song], TRACKS) == [track]


@pytest.mark.parametrize("song", ["01 Intro.mp3", "01 intro"])
def test_a_song_that_may_be_several_tracks_is_named(song):
    with pytest.raises(UserError, match=f"'{song}' may be hiphop/01 Intro.mp3 or rock/01 Intro.mp3"):
        answers.matched([song], TRACKS)


def read(tmp_path, text: str, mapping: str | None = None, name: str = "theirs.csv") -> pd.DataFrame:
    (tmp_path / name).write_text(text)
    (tmp_path / "names.csv").write_text(f"theirs,ours\n{mapping}")
    names = answers.read_mapping(tmp_path / "names.csv", GENRES) if mapping is not None else None
    return answers.translated(answers.read(tmp_path / name), GENRES, names)


def test_labels_are_ours_by_name_or_by_the_mapping(tmp_path):
    found = read(tmp_path, "file;genre\na;Hip-Hop\nb;Metal\nc;Jazz\nd;\n", "METAL,Rock\njazz,\n")
    assert found.values.tolist() == [["a", "hiphop"], ["b", "rock"], ["c", ""]]  # d has no answer


def test_probabilities_are_added_by_the_mapping_and_divided_by_their_sum(tmp_path, capsys):
    text = "track_id,Brazilian Funk,metal,rock,ambient,genre\na,.2,.1,.2,0,rock\nb,0,0,0,.9,rock\n"
    found = read(tmp_path, text, "metal,rock\n")
    assert found[GENRES].to_numpy() == pytest.approx(np.array([[0.4, 0, 0.6], [1 / 3, 1 / 3, 1 / 3]]))
    assert found["predicted"].tolist() == ["rock", ""]
    said = capsys.readouterr().err
    assert "left out: ambient" in said
    assert "the probabilities of 2 of 2 songs do not sum to 1" in said


def test_the_output_of_predict_as_json_and_as_json_lines(tmp_path):
    rows = [
        {"file": "a.mp3", "genre": "rock", "probabilities": {"rock": 0.7, "hiphop": 0.3}, "timeline": []},
        {"file": "b.mp3", "genre": "hiphop", "probabilities": {"rock": 0.4, "hiphop": 0.6}, "timeline": []},
    ]
    for text, name in ((json.dumps(rows, indent=2), "a.json"), ("\n".join(map(json.dumps, rows)), "a.jsonl")):
        found = read(tmp_path, text, name=name)
        assert found[["song", "predicted"]].values.tolist() == [["a.mp3", "rock"], ["b.mp3", "hiphop"]]
        assert found[GENRES].to_numpy() == pytest.approx(np.array([[0, 0.3, 0.7], [0, 0.6, 0.4]]))


def test_a_table_of_predictions_of_this_project_is_read_by_what_it_predicts(tmp_path):
    columns = "track_id,fold,genre,predicted,brazilian_funk,hiphop,rock\n"
    assert read(tmp_path, columns + "a,test,rock,hiphop,0.1,0.8,0.1\n")["predicted"].tolist() == ["hiphop"]


@pytest.mark.parametrize(
    ("text", "mapping", "says"),
    [
        (
            "file,genre\na,rock\nb,Jazz\nc,Ska\n",
            None,
            "none of brazilian_funk, .*: Jazz, Ska; .*such as 'Jazz,braz.*--mapping",
        ),
        ("file,genre\na,Ska\n", "jazz,rock\n", "Ska; write a CSV file with the columns theirs,ours"),
        ("file,rock,hiphop,ska\na,1,0,0\n", None, "brazilian_funk, hiphop, rock: ska; write"),
        ("file,genre\na,rock\n", "jazz,polka\n", "names.csv: column 'ours' has 'polka', which is none of"),
        ("name,genre\na,rock\n", None, "theirs.csv: has no column of the songs; name it track_id or path or file"),
        ("file,genre\n", None, "theirs.csv: has no row"),
        ("file,title\na,rock\n", None, "theirs.csv: has neither a column 'genre' nor a probability column"),
        (
            "file,rock,hiphop\na,1,0\nb,-0.1,1\n",
            None,
            "column 'rock', song b: a probability is a number from 0.*'-0.1'",
        ),
        ("file,rock,hiphop\na,1,0\nb,,1\n", None, "column 'rock', song b: .*received ''"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_cure(tmp_path, text, mapping, says):
    with pytest.raises(UserError, match=says):
        read(tmp_path, text, mapping)


def test_json_without_a_genre_is_no_answer_and_with_a_text_as_probability_is_refused(tmp_path):
    rows = [{"file": 7, "genre": None}, {"file": "b", "genre": "Rock", "probabilities": None}]
    assert read(tmp_path, json.dumps(rows), name="a.json").values.tolist() == [["b", "rock"]]
    rows = [{"file": name, "probabilities": {"rock": share, "hiphop": 0.5}} for name, share in (("a", 0.5), ("b", [1]))]
    with pytest.raises(UserError, match=r"column 'rock', song b: .*received '\[1\]'"):
        read(tmp_path, json.dumps(rows), name="a.json")


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]", '[{"file": "a", "probabilities": 3}]'])
def test_json_of_another_kind(tmp_path, text):
    with pytest.raises(UserError, match=r"theirs\.json: not the output of `genres predict --json`"):
        read(tmp_path, text, name="theirs.json")


def predictions(seed: int) -> pd.DataFrame:
    """Forty validation and forty test tracks."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(3), 80)
    table = pd.DataFrame(shares, columns=GENRES)
    about = {"fold": np.repeat(["test", "val"], 40), "genre": np.tile(GENRES, 27)[:80]}
    predicted = np.array(GENRES)[shares.argmax(axis=1)]
    table = table.assign(track_id=[f"t{n:02}" for n in range(80)], **about, predicted=predicted)
    return table[["track_id", "fold", "genre", "predicted", *GENRES]]


def test_a_model_of_ours_as_theirs_scores_as_on_the_leaderboard():
    tables = {"one": predictions(1), "two": predictions(2)}
    costs = {name: {"pretrained_on": "x"} for name in tables}
    artists = {f"t{n:02}": n for n in range(80)}
    board = {row["arch"]: row for row in leaderboard.leaderboard(tables, costs, artists, GENRES, SETTINGS, 3)}
    theirs = tables["one"].drop(columns=["fold", "genre"]).assign(song="x")
    test = tables["one"].query("fold == 'test'")[["track_id", "fold", "genre"]]
    answered = referee.on_test_tracks(theirs, test)
    first, one, two = referee.scored(answered, tables, GENRES, SETTINGS, 3)
    for name in ("track_accuracy", "track_accuracy_ci95_low", "track_accuracy_ci95_high", "macro_f1", "log_loss"):
        assert first[name] == pytest.approx(board["one"][name])
        assert two[name] == pytest.approx(board["two"][name])
    assert (one["difference_to_first"], one["mcnemar_p"]) == (0, 1)
    assert two["mcnemar_p"] == max(board[name]["mcnemar_p"] for name in tables if board[name]["mcnemar_p"] < 1)
    assert two["mcnemar_p_holm"] == min(1, 2 * two["mcnemar_p"])


def test_songs_without_an_answer_are_counted_and_scored_as_wrong_in_a_line_of_their_own(project):
    from genres.core import params

    own = predictions(1)
    test = own.query("fold == 'test'")[["track_id", "fold", "genre"]]
    right = test.head(10).assign(predicted=test["genre"], song="x").drop(columns=["fold", "genre"])
    others = pd.DataFrame({"track_id": ["t50", "", "t00"], "song": "y", "predicted": ["rock", "rock", GENRES[0]]})
    theirs = pd.concat([right, others], ignore_index=True)
    answered = referee.on_test_tracks(theirs, test)
    said = referee.counts(theirs, answered, test)
    assert "answers 10 of 40 test tracks, which the table is of; 30 have none, such as t10." in said
    assert "3 answers do not count: 1 are repeated, 1 of tracks that are not tested, 1 of no track" in said
    first, one = referee.scored(answered, {"one": own}, GENRES, SETTINGS, 0)
    assert first["track_accuracy"] == 1
    assert first["log_loss"] is None
    assert one["track_accuracy"] == (own["genre"] == own["predicted"])[:10].mean()
    wrong = referee.as_wrong(answered, len(test), params.load())
    assert wrong.startswith("theirs on all 40 test tracks, the 30 without an answer as wrong: 25.0% [")


def test_answers_that_differ_and_answers_to_no_test_track():
    test = predictions(1).query("fold == 'test'")[["track_id", "fold", "genre"]]
    twice = pd.DataFrame({"track_id": ["t00", "t00"], "song": ["a", "b"], "predicted": ["rock", "hiphop"]})
    with pytest.raises(UserError, match="several answers for t00 that differ; keep one"):
        referee.on_test_tracks(twice, test)
    with pytest.raises(UserError, match="no song of theirs is a test track such as t00; the first of theirs is a:"):
        referee.on_test_tracks(twice.assign(track_id="t50"), test)
