"""The control for the songs' source, on spectrograms in which the truth is known."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score

import confounding
from genres.audio.format import Format
from genres.core.files import read_json, write_table
from genres.core.paths import TRACKS, mels_dir
from genres.data import shards
from genres.stats.confounding import audible, balanced, divided, explained, transfer

GENRES = ["blues", "disco", "rock"]
BANDS, FRAMES = 16, 30
RESAMPLES, SEED = 500, 1


def library(sources: dict[str, list[str]], each: int, artists: int = 10) -> pd.DataFrame:
    """Tracks: `each` songs of each genre of each source, of so many artists; every fifth song is a test track."""
    rows = [
        {"genre": genre, "source": source, "artist": f"{source} {genre} {number % artists}", "fold": fold}
        for source, genres in sources.items()
        for genre in genres
        for number, fold in zip(range(each), ["train", "train", "train", "val", "test"] * each, strict=False)
    ]
    table = pd.DataFrame(rows)
    table.insert(0, "track_id", [f"{number:04d}" for number in range(len(table))])
    table["family"] = table["source"].str.split("_").str[0]
    table["group"] = pd.factorize(table["artist"])[0]
    return table


def spectra(tracks: pd.DataFrame, seed: int = 0) -> list[np.ndarray]:
    """Noise with a shape that the genre and the artist give it: uint8 [shape=(frames, bands)] each."""
    shape = {name: np.random.default_rng([seed, 7, n]).normal(0, 12, BANDS) for n, name in enumerate(GENRES)}
    rng = np.random.default_rng(seed)
    found = []
    for row in tracks.to_dict("records"):
        own = np.random.default_rng([seed, row["group"]]).normal(0, 6, BANDS)
        levels = 120 + shape[row["genre"]] + own + rng.normal(0, 6, BANDS) + rng.normal(0, 15, (FRAMES, BANDS))
        found.append(levels.clip(0, 255).astype(np.uint8))
    return found


def band_limit(tracks: pd.DataFrame, frames: list[np.ndarray], family: str) -> None:
    """Take the upper two bands from all songs of a family, as a codec does."""
    for name, track in zip(tracks["family"], frames, strict=True):
        if name == family:
            track[:, -2:] = 0


def columns_of(frames: list[np.ndarray]) -> np.ndarray:
    return np.array([np.concatenate([track.mean(axis=0), track.std(axis=0)]) for track in frames])


TWO = {"gtzan": GENRES, "deezer_isrc": GENRES}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_source_that_is_not_audible_is_recognised_by_chance(seed: int) -> None:
    tracks = library(TWO, 40, artists=20)
    found = audible(columns_of(spectra(tracks, seed)), tracks, RESAMPLES, SEED)
    assert (found["source_chance"], found["source_within_genre_chance"]) == pytest.approx((0.5, 0.5))
    assert found["genres_of_several_sources"] == 3
    for name in ("source", "source_within_genre"):
        assert found[f"{name}_balanced_accuracy"] == pytest.approx(0.5, abs=0.14)  # 240 tracks: 3 sigma are 0.1
        assert found[f"{name}_ci95_low"] < found[f"{name}_balanced_accuracy"] < found[f"{name}_ci95_high"]


def test_a_band_limit_is_recognised_also_within_a_genre() -> None:
    tracks = library(TWO, 20)
    frames = spectra(tracks)
    band_limit(tracks, frames, "deezer")
    found = audible(columns_of(frames), tracks, RESAMPLES, SEED)
    assert found["source_balanced_accuracy"] > 0.98
    assert found["source_within_genre_balanced_accuracy"] > 0.98
    assert found["source_within_genre_ci95_low"] > 0.9


def test_a_genre_of_its_own_makes_a_source_audible_but_not_within_a_genre() -> None:
    """Blues and disco come from both, rock from one: the classifier of all tracks hears the rock."""
    tracks = library({"gtzan": ["blues", "disco"], "spotify": GENRES, "itunes_isrc": ["rock"]}, 40, artists=20)
    frames = spectra(tracks, seed=3)
    found = audible(columns_of(frames), tracks, RESAMPLES, SEED)
    assert found["source_chance"] == pytest.approx(1 / 3)
    assert found["source_balanced_accuracy"] > 0.45
    assert found["source_within_genre_balanced_accuracy"] == pytest.approx(0.5, abs=0.14)


def test_the_exact_source_and_its_family() -> None:
    tracks = library({"deezer_isrc": GENRES, "deezer_search": GENRES, "gtzan": GENRES}, 20)
    frames = spectra(tracks)
    band_limit(tracks, frames, "deezer")
    found = audible(columns_of(frames), tracks, RESAMPLES, SEED)
    assert found["source_balanced_accuracy"] > 0.98
    assert found["source_chance"] == 0.5
    assert found["exact_source_chance"] == pytest.approx(1 / 3)
    # gtzan always, which of deezer's two by chance
    assert found["exact_source_balanced_accuracy"] == pytest.approx(2 / 3, abs=0.14)


def test_songs_of_an_artist_are_never_on_both_sides() -> None:
    labels = np.array(["a", "b"] * 30)
    groups = np.arange(60) // 4
    sides = list(divided(labels, groups, SEED))
    assert len(sides) == 5
    assert all(not set(groups[train]) & set(groups[test]) for train, test in sides)
    assert sorted(np.concatenate([test for _, test in sides])) == list(range(60))


def test_an_artist_that_gives_its_source_away_does_not_help() -> None:
    """Each artist has a sound and a source of its own: only with songs of one artist on both sides is it known."""
    tracks = library(TWO, 40, artists=4)
    own = np.random.default_rng(0).normal(0, 30, (tracks["group"].max() + 1, BANDS))
    rng = np.random.default_rng(1)
    columns = own[tracks["group"]] + rng.normal(0, 1, (len(tracks), BANDS))
    found = audible(columns, tracks, RESAMPLES, SEED)
    assert found["source_balanced_accuracy"] < 0.75
    leaky = audible(columns, tracks.assign(group=np.arange(len(tracks))), RESAMPLES, SEED)
    assert leaky["source_balanced_accuracy"] > 0.83


@pytest.mark.parametrize(("each", "artists"), [(4, 4), (20, 1)])
def test_too_few_tracks_or_artists_are_no_answer(each: int, artists: int) -> None:
    tracks = library({"gtzan": ["blues"], "spotify": ["blues"]}, each, artists)
    columns = columns_of(spectra(tracks))
    found = audible(columns, tracks, RESAMPLES, SEED)
    found |= transfer(columns, tracks, RESAMPLES, SEED)
    assert found.pop("genres_of_several_sources") == 0
    assert set(found.values()) == {None}


def test_balanced_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(200) < 0.6, truth, rng.choice(["a", "b", "c"], 200))
    answers = list(zip(truth.tolist(), (truth == predicted).tolist(), strict=True))
    accuracy, low, high, chance = balanced(answers, 20000, SEED)
    assert accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert chance == pytest.approx(1 / 3)
    # The delta method: independent shares, averaged.
    variance = 0.0
    for label in "abc":
        share, size = (truth == predicted)[truth == label].mean(), (truth == label).sum()
        variance += share * (1 - share) / size / 9
    half = norm.ppf(0.975) * np.sqrt(variance)
    assert (accuracy - low, high - accuracy) == pytest.approx((half, half), rel=0.1)


def test_parts_count_the_same_and_so_do_their_labels() -> None:
    answers = [("x", "a", True)] * 9 + [("x", "b", False)] + [("y", "a", True), ("y", "b", True), ("y", "c", False)] * 2
    accuracy, _, _, chance = balanced(answers, 100, SEED)
    assert accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert chance == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_all_right_is_not_certain() -> None:
    accuracy, low, high, _ = balanced([("a", True), ("b", True)] * 10, 100, SEED)
    assert (accuracy, high) == (1, 1)
    assert low == pytest.approx(20 / (20 + norm.ppf(0.975) ** 2))


def predictions(tracks: pd.DataFrame, probabilities: Callable[[dict[str, Any]], dict[str, float]]) -> pd.DataFrame:
    test = tracks[tracks["fold"] == "test"]
    rows = []
    for row in test.to_dict("records"):
        found = probabilities(row)
        best = max(found, key=found.__getitem__)
        rows.append({"track_id": row["track_id"], "fold": "test", "genre": row["genre"], "predicted": best} | found)
    return pd.DataFrame(rows)


def test_a_source_that_determines_the_genre_explains_everything() -> None:
    tracks = library({"gtzan": ["blues"], "deezer_isrc": ["disco"], "deezer_search": ["disco"], "folder": ["rock"]}, 10)
    uniform = predictions(tracks, lambda row: dict(zip(GENRES, (0.4, 0.3, 0.3), strict=True)))
    found = explained(tracks, {"net": uniform})
    assert found == {
        "majority_accuracy": pytest.approx(0.5),  # disco, 4 of 8
        "source_alone_accuracy": 1.0,
        "source_determines_genre": 1.0,
        "net_accuracy": pytest.approx(0.25),
        "net_accuracy_within_source": 1.0,
    }


def test_a_source_that_says_nothing_explains_nothing() -> None:
    tracks = library(TWO, 10)
    right = predictions(tracks, lambda row: {genre: 0.6 if genre == row["genre"] else 0.2 for genre in GENRES})
    wrong = predictions(tracks, lambda row: {genre: 0.0 if genre == row["genre"] else 0.5 for genre in GENRES})
    found = explained(tracks, {"right": right, "wrong": wrong})
    assert found["majority_accuracy"] == found["source_alone_accuracy"] == pytest.approx(1 / 3)
    assert found["source_determines_genre"] == 0
    assert found["right_accuracy"] == found["right_accuracy_within_source"] == 1
    assert found["wrong_accuracy"] == found["wrong_accuracy_within_source"] == 0


def test_only_the_genres_of_its_source_compete() -> None:
    """Of gtzan's blues and disco and Spotify's rock: what is taken for the other source's genre is put right."""
    tracks = library({"gtzan": ["blues", "disco"], "spotify": ["rock"]}, 10)
    net = predictions(tracks, lambda row: {"blues": 0.35, "disco": 0.25, "rock": 0.4})
    found = explained(tracks, {"net": net})
    assert found["net_accuracy"] == pytest.approx(1 / 3)  # rock
    assert found["net_accuracy_within_source"] == pytest.approx(2 / 3)  # and blues
    assert found["source_alone_accuracy"] == pytest.approx(2 / 3)
    assert found["source_determines_genre"] == pytest.approx(1 / 3)


def test_a_source_that_is_only_tested_on_is_not_known() -> None:
    tracks = library({"gtzan": GENRES, "spotify": ["rock"]}, 5)
    tracks.loc[tracks["source"] == "spotify", "fold"] = "test"
    found = explained(tracks, {"net": predictions(tracks, lambda row: {g: g == "rock" for g in GENRES})})
    assert found["source_alone_accuracy"] == pytest.approx(1 / 8)  # blues, the first of three equals
    assert found["source_determines_genre"] == 0
    assert found["net_accuracy_within_source"] == found["net_accuracy"] == pytest.approx(6 / 8)


def test_genres_that_sound_the_same_everywhere_hold_on_another_source() -> None:
    tracks = library(TWO, 20)
    found = transfer(columns_of(spectra(tracks)), tracks, RESAMPLES, SEED)
    assert found["genre_same_source_balanced_accuracy"] > 0.85
    assert found["genre_other_source_balanced_accuracy"] == pytest.approx(
        found["genre_same_source_balanced_accuracy"], abs=0.1
    )
    assert found["genre_other_source_chance"] == pytest.approx(1 / 3)


def test_genres_that_are_learned_by_what_a_source_does_to_them_do_not_hold() -> None:
    """In one source disco is louder than blues, in the other it is the other way round."""
    tracks = library({"gtzan": ["blues", "disco"], "spotify": ["blues", "disco"]}, 20)
    rng = np.random.default_rng(0)
    loud = (tracks["genre"] == "disco") == (tracks["family"] == "gtzan")
    columns = rng.normal(0, 1, (len(tracks), BANDS)) + 10 * loud.to_numpy()[:, np.newaxis]
    found = transfer(columns, tracks, RESAMPLES, SEED)
    assert found["genre_same_source_balanced_accuracy"] == 1
    assert found["genre_other_source_balanced_accuracy"] == 0


def test_one_song_in_two_sources_is_never_learned_from_for_itself() -> None:
    """Both sources hold the same artists, each with a sound of its own and none of the genre: chance, not memory."""
    tracks = library({"gtzan": ["blues", "disco"], "spotify": ["blues", "disco"]}, 40, artists=40)
    tracks["group"] = tracks["group"] % 80
    own = np.random.default_rng(0).normal(0, 30, (80, BANDS))
    columns = own[tracks["group"]] + np.random.default_rng(1).normal(0, 1, (len(tracks), BANDS))
    found = transfer(columns, tracks, RESAMPLES, SEED)
    assert found["genre_other_source_balanced_accuracy"] == pytest.approx(0.5, abs=0.2)


# ── The stage ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stage(project: Path, configure: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Write what the stage reads, run it, and give its metrics."""
    configure({"dataset": "folder", "architectures": ["baseline"]})
    monkeypatch.setattr(sys, "argv", ["confounding"])

    def run(tracks: pd.DataFrame, frames: list[np.ndarray]) -> dict[str, Any]:
        raw = tracks[["track_id", "genre", "artist", "source"]].assign(recording=tracks["track_id"], version="")
        write_table(Path("data/raw/folder/tracks.csv"), raw)
        write_table(TRACKS, tracks[["track_id", "genre", "artist", "fold"]])
        form = Format(sample_rate=8000, n_fft=64, n_mels=BANDS, frame_rate=10.0, top_db=80.0)
        named = pd.DataFrame({"track_id": tracks["track_id"], "sha256": tracks["track_id"]})
        shards.write(mels_dir(), named, frames.__getitem__, form, key="", n_shards=2)
        net = predictions(tracks, lambda row: {genre: 0.6 if genre == row["genre"] else 0.2 for genre in GENRES})
        write_table(Path("predictions/baseline.csv"), pd.concat([net.assign(fold="val"), net]))
        confounding.main()
        return read_json(confounding.SCORES)

    return run


def test_the_stage_writes_scalars_a_picture_and_a_table(stage: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    tracks = library({"gtzan": GENRES, "deezer_isrc": GENRES, "deezer_search": ["rock"]}, 10)
    tracks.loc[0, "fold"] = ""  # left out
    frames = spectra(tracks)
    band_limit(tracks, frames, "deezer")
    found = stage(tracks, frames)
    assert (found["tracks"], found["sources"], found["families"]) == (69, 3, 2)
    assert found["genres_of_one_source"] == 0
    assert found["source_balanced_accuracy"] > 0.95
    assert found["genre_other_source_balanced_accuracy"] > 0.5
    assert found["baseline_accuracy"] == 1
    assert all(isinstance(value, str | int | float) for value in found.values())
    assert confounding.PICTURE.read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "10 deezer_search" in shown
    assert "most common genre of its source" in shown
    before = (confounding.SCORES.read_bytes(), confounding.PICTURE.read_bytes())
    confounding.main()
    assert (confounding.SCORES.read_bytes(), confounding.PICTURE.read_bytes()) == before


def test_one_source_is_nothing_to_control(stage: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    tracks = library({"demo": GENRES}, 10)
    started = time.process_time()  # of this process, however busy the machine is
    found = stage(tracks, spectra(tracks))
    assert time.process_time() - started < 2
    assert (found["sources"], found["families"], found["genres_of_several_sources"]) == (1, 1, 0)
    assert found["genres_of_one_source"] == 1
    assert found["source_balanced_accuracy"] is None
    assert found["source_alone_accuracy"] == found["majority_accuracy"] == pytest.approx(1 / 3)
    assert found["baseline_accuracy_within_source"] == found["baseline_accuracy"] == 1
    assert not [value for value in found.values() if isinstance(value, list | dict)]
    assert capsys.readouterr().out == "one source (demo): nothing to control\n"
    assert confounding.PICTURE.exists()


def test_missing_predictions_are_one_line(
    stage: Callable, configure: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    tracks = library({"demo": GENRES}, 5)
    configure({"architectures": ["baseline", "bn_5x5"]})
    with pytest.raises(SystemExit) as left:
        stage(tracks, spectra(tracks))
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("error: predictions/bn_5x5.csv: no such file")
