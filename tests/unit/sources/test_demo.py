"""The demo data set: the table, the bytes, the sound, and that no genre can be told by its tempo."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genres.core.console import UserError
from genres.core.files import sha256_of
from genres.core.recipes import DemoRecipe
from genres.sources import CANDIDATE_COLUMNS
from genres.sources.demo import artist_name, collect, list_songs
from genres.sources.demo.composition import Score, compose, compose_pair
from genres.sources.demo.mixing import render
from genres.sources.demo.percussion import DRUMS, KITS, drum
from genres.sources.demo.styles import STYLES
from genres.sources.demo.synthesis import INSTRUMENTS, SAMPLE_RATE, frequency, pluck
from genres.sources.demo.tunes import chord_of

SECONDS = 3.0


def recipe(**changes: object) -> DemoRecipe:
    values = {
        "source": "demo",
        "genres": ["brazilian_funk", "classical", "pop"],
        "artists_per_genre": 2,
        "songs_per_artist": 2,
        "song_seconds": SECONDS,
        "remixes": 2,
        "seed": 7,
        "train": {},
    }
    return DemoRecipe.model_validate(values | changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, collect(recipe(), folder)


@pytest.mark.xdist_group("demo")
def test_the_table_has_the_columns_and_the_counts_asked_for(made: tuple[Path, pd.DataFrame]) -> None:
    _, table = made
    assert list(table.columns) == CANDIDATE_COLUMNS
    assert all(isinstance(value, str) for value in table.to_numpy().ravel())
    songs, pairs = table[table["song"] == ""], table[table["song"] != ""]
    assert songs["genre"].value_counts().to_dict() == {"brazilian_funk": 4, "classical": 4, "pop": 4}
    assert (songs.groupby("artist").size() == 2).all()
    assert table["track_id"].is_unique and table["path"].is_unique
    assert set(table["source"]) == {"demo"}
    assert set(table["isrc"]) == set(table["split"]) == {""}
    assert list(pairs["genre"]) == ["pop", "brazilian_funk"] * 2
    assert list(pairs["version"]) == ["original", "remix"] * 2
    assert (pairs.groupby("song").size() == 2).all()


@pytest.mark.xdist_group("demo")
def test_an_artist_has_one_genre_and_those_of_pairs_have_no_other_songs(made: tuple[Path, pd.DataFrame]) -> None:
    _, table = made
    songs, pairs = table[table["song"] == ""], table[table["song"] != ""]
    assert (songs.groupby("artist")["genre"].nunique() == 1).all()
    assert songs["artist"].nunique() == 6
    assert not set(songs["artist"]) & set(pairs["artist"])


def test_artists_are_unique_even_when_the_words_run_out() -> None:
    owners = (*STYLES, "original", "remix")
    names = [artist_name(7, owner, number) for owner in owners for number in range(500)]
    assert len(set(names)) == len(names)


@pytest.mark.xdist_group("demo")
def test_the_files_are_exactly_as_long_as_asked_for_and_neither_silent_nor_clipped(
    made: tuple[Path, pd.DataFrame],
) -> None:
    folder, table = made
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == sorted(table["path"])
    for path in table["path"]:
        samples, sample_rate = soundfile.read(folder / path)
        assert (sample_rate, samples.shape) == (22050, (66150,)), path
        assert np.isfinite(samples).all()
        assert 0.6 < np.abs(samples).max() <= 0.95, path
        assert -30 < 20 * np.log10(samples.std()) < -5, path


@pytest.mark.xdist_group("demo")
def test_a_song_is_the_same_bytes_whatever_else_is_made(made: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    folder, table = made
    other = collect(recipe(genres=["pop", "metal"], artists_per_genre=1, remixes=0), tmp_path)
    common = table.merge(other[other["genre"] == "pop"])  # on all columns: titles and artists are the same, too
    assert len(common) == 2
    for path in common["path"]:
        assert sha256_of(folder / path) == sha256_of(tmp_path / path)


@pytest.mark.xdist_group("demo")
def test_another_run_gives_the_same_bytes_and_removes_what_is_no_longer_asked_for(
    made: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    folder, table = made
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "stale.ogg").touch()
    again = collect(recipe(), tmp_path)
    pd.testing.assert_frame_equal(again, table)
    assert len(list(tmp_path.rglob("*.*"))) == len(table)
    assert all(sha256_of(folder / path) == sha256_of(tmp_path / path) for path in table["path"])


def test_another_seed_gives_other_music() -> None:
    assert compose(7, "rock", 0, 0, SECONDS) == compose(7, "rock", 0, 0, SECONDS)
    assert compose(7, "rock", 0, 0, SECONDS).tune != compose(8, "rock", 0, 0, SECONDS).tune


def test_songs_of_an_artist_share_the_sound_but_not_the_tune() -> None:
    first, second = (compose(7, "country", 3, song, SECONDS) for song in (0, 1))
    assert first.artist == second.artist
    assert first.tune != second.tune
    assert first.artist != compose(7, "country", 4, 0, SECONDS).artist


def test_a_remix_has_the_tune_of_its_original_and_drums_of_its_own() -> None:
    for pair in range(4):
        original, remix = compose_pair(7, pair, 30.0)
        assert (original.genre, remix.genre) == ("pop", "brazilian_funk")
        assert original.tune == remix.tune
        assert original.artist != remix.artist
        assert original.groove != remix.groove
        sung, chanted = (
            {(note.pitch - score.artist.register) % 12 for note in score.notes["melody"]} for score in (original, remix)
        )
        assert sung and chanted and chanted <= {pitch % 12 for pitch in pitches_of(remix)}
        assert sung <= {pitch % 12 for pitch in pitches_of(original)}


def pitches_of(score: Score) -> list[int]:
    phrases = [score.tune.verse, score.tune.chorus]
    return [pitch for phrase in phrases if phrase for _, _, pitch in phrase.melody]


def test_genres_that_no_style_is_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'polka'; choose among blues, .*rock$") as caught:
        collect(recipe(genres=["pop", "polka"]), tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="'pop' is listed twice"):
        collect(recipe(genres=["pop", "pop"]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_both_genres_there_are_no_pairs_and_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    songs = list_songs(recipe(genres=["pop", "metal"]))
    assert len(songs) == 8
    assert {song.genre for song in songs} == {"pop", "metal"}
    assert "need both pop and brazilian_funk" in capsys.readouterr().err


@pytest.mark.parametrize("genre", list(STYLES))
def test_each_genre_can_be_played_at_any_length(genre: str) -> None:
    for seconds in (0.5, 7.3):
        samples = render(compose(1, genre, 0, 0, seconds), seconds)
        assert len(samples) == round(seconds * SAMPLE_RATE)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert 20 * np.log10(np.abs(samples).max()) == pytest.approx(-1.0, abs=0.01)


@pytest.mark.parametrize("genre", list(STYLES))
def test_styles_are_well_formed(genre: str) -> None:
    style = STYLES[genre]
    for patterns in (*style.grooves, *style.fills):
        assert set(patterns) <= set(DRUMS)
        assert all(len(pattern) <= style.steps and set(pattern) <= set("Xxor.") for pattern in patterns.values())
    for layer in (style.bass, style.chords, style.colour):
        assert set(layer.instruments) <= set(INSTRUMENTS)
        assert all(len(pattern) % style.steps == 0 and set(pattern) <= set("xX123456w-.") for pattern in layer.patterns)
    assert set(style.melody.instruments) <= set(INSTRUMENTS)
    assert all(len(rhythm) == style.steps for rhythm in style.melody.rhythms)
    assert set(style.kits) <= set(KITS)


def test_chords_are_what_their_numerals_say() -> None:
    def name(numeral: str, key: int) -> list[str]:
        names = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
        return [names[pitch % 12] for pitch in chord_of(numeral, key)]

    assert name("V7", 0) == ["G", "B", "D", "F"]
    assert name("ii7", 10) == ["C", "Eb", "G", "Bb"]
    assert name("bVImaj7", 9) == ["F", "A", "C", "E"]
    with pytest.raises(ValueError, match="'H7' is not a chord"):
        chord_of("H7", 0)


@pytest.mark.parametrize("pitch", [33, 45, 57, 69, 81])
def test_a_plucked_string_is_in_tune(pitch: int) -> None:
    tone = pluck(pitch, 2.0, 0.8, 1.0, np.random.default_rng(0), brightness=0.7, decay_s=6.0, position=0.5)
    # The strongest line near the fundamental, interpolated by zero-padding.
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 2**19))
    hz = np.fft.rfftfreq(2**19, 1 / SAMPLE_RATE)
    near = np.abs(np.log2(hz[1:] / frequency(pitch))) < 1 / 12
    found = hz[1:][near][spectrum[1:][near].argmax()]
    assert 1200 * abs(np.log2(found / frequency(pitch))) < 8  # cents


def test_notes_begin_and_end_without_a_click() -> None:
    rng = np.random.default_rng(0)
    tones = [instrument.tone(60, 0.3, 0.8, 1.0, rng) for instrument in INSTRUMENTS.values()]
    tones += [drum(name, KITS["acoustic"], rng) for name in DRUMS]
    for tone in tones:
        peak = np.abs(tone).max()
        assert max(abs(tone[0]), abs(tone[-1])) < 0.05 * peak


def test_tempo_alone_does_not_tell_the_genre() -> None:
    songs = [(genre, artist) for genre in STYLES for artist in range(12)]
    tempi = np.log2([[compose(7, genre, artist, 0, SECONDS).tempo] for genre, artist in songs])
    genres = [genre for genre, _ in songs]
    artists = [f"{genre} {artist}" for genre, artist in songs]
    accuracy = cross_val_score(
        make_pipeline(StandardScaler(), SVC(C=10)), tempi, genres, groups=artists, cv=GroupKFold(6)
    ).mean()
    assert accuracy < 0.35
