"""A trained network as programs use it: the picture that training saw, the windows of evaluation, means that add up."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from networks import FORMAT, GENRES, write_model

import mels
from genres.audio.decode import AudioError
from genres.audio.format import format_of
from genres.core.console import UserError
from genres.core.files import sha256_of, write_json, write_table
from genres.core.paths import mels_dir
from genres.data import shards
from genres.data.shards import Spectrograms
from genres.data.windows import Windowing
from genres.inference.classifier import Classifier, choose_model
from genres.inference.tracks import mean_by_track, predict_clips
from genres.models import builders


@pytest.mark.parametrize("reference", ["peak", "loudness"])
def test_the_picture_is_the_one_that_training_saw(
    project: Path,
    configure: Callable,
    compose: Callable,
    write_audio: Callable,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
) -> None:
    """Of all formats, rates and channels: what the stage `mels` stored, to the bit; and so after a song is renamed."""
    settings = configure({"dataset": "folder", "front_ends.default.reference": reference})
    form = format_of(settings.mels_of_dataset())
    names = ["a.wav", "b.flac", "c.ogg", "d.mp3", "e.m4a", "f.au"]
    rows = []
    for number, name in enumerate(names):
        rate = [22050, 44100, 48000][number % 3]
        samples = compose(number, 4.0, rate)
        both = np.stack([samples, 0.3 * samples[::-1]], axis=1) if number % 2 else samples
        path = write_audio(project / "music" / name, both, rate)
        about = {"track_id": name, "path": str(path), "sha256": sha256_of(path), "duration_s": 4.0}
        rows.append(about)
    write_table(project / "data/raw/folder/tracks.csv", pd.DataFrame(rows))
    monkeypatch.setattr(sys, "argv", ["mels"])
    mels.main()
    stored = Spectrograms(mels_dir())
    classifier = Classifier(write_model(project / "models/tiny.keras", form=form))
    assert classifier.format == stored.format
    for row in rows:
        again = Path(row["path"]).rename(project / f"renamed{Path(row['path']).suffix}")
        np.testing.assert_array_equal(classifier.spectrogram(again), stored.track(row["track_id"]))


@pytest.mark.parametrize(("seconds", "length", "overlap"), [(4.0, 1.0, 0.0), (4.7, 1.0, 0.5), (3.6, 3.0, 0.0)])
def test_a_song_gets_what_evaluation_gives_it(
    tmp_path: Path, compose: Callable, write_audio: Callable, seconds: float, length: float, overlap: float
) -> None:
    """Windows and batches by Keras' own predict, in float32; a table of clips gets what the song gets."""
    windowing = Windowing(length, overlap)
    model_file = write_model(tmp_path / "tiny.keras", windowing=windowing)
    classifier = Classifier(model_file)
    song = write_audio(tmp_path / "song.wav", compose(1, seconds))
    spectrogram = classifier.spectrogram(song)
    only = pd.DataFrame({"track_id": ["t"], "sha256": ["x"]})
    shards.write(tmp_path, only, lambda row: spectrogram, FORMAT, key="", n_shards=1)
    starts = windowing.starts_s(seconds)
    table = pd.DataFrame({"track_id": "t", "fold": "test", "genre": "pop", "start_s": starts})
    found = predict_clips(classifier, table, Spectrograms(tmp_path))
    expected = mean_by_track(table, found, GENRES)
    timeline = classifier.timeline(spectrogram)
    np.testing.assert_array_equal(timeline.probabilities, found)
    firsts = np.minimum(np.round(np.array(starts) * FORMAT.frame_rate), len(spectrogram) - 1).astype(int)
    frames = round(length * FORMAT.frame_rate)
    firsts = np.minimum(firsts, max(0, len(spectrogram) - frames))
    cut = np.stack([spectrogram[first : first + frames] for first in firsts])
    by_keras = builders.load(model_file).predict(cut, verbose=0)
    np.testing.assert_allclose(timeline.probabilities, by_keras, atol=1e-6)
    np.testing.assert_allclose(timeline.mean(), expected[GENRES].to_numpy()[0], atol=1e-6)
    np.testing.assert_allclose(timeline.probabilities.sum(axis=1), 1, atol=1e-12)
    assert timeline.mean().sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(timeline.start_s, starts, atol=0.5 / FORMAT.frame_rate)
    assert timeline.end_s[-1] <= seconds + 2 / FORMAT.frame_rate
    assert (timeline.end_s > timeline.start_s).all()


@pytest.mark.parametrize("samples", [1, 500, 11025, 22049])
def test_a_song_shorter_than_a_window_is_padded_with_silence(
    tmp_path: Path, compose: Callable, write_audio: Callable, samples: int
) -> None:
    classifier = Classifier(write_model(tmp_path / "tiny.keras"))
    spectrogram = classifier.spectrogram(write_audio(tmp_path / "s.wav", compose(1)[2000 : 2000 + samples]))
    timeline = classifier.timeline(spectrogram)
    frames = FORMAT.frames(1.0)
    silent = np.zeros((1, frames, 32), np.uint8)
    silent[0, : len(spectrogram)] = spectrogram[:frames]
    np.testing.assert_allclose(timeline.probabilities, classifier.probabilities(silent), atol=1e-7)
    assert timeline.end_s[0] == pytest.approx(len(spectrogram) / FORMAT.frame_rate, abs=0.03)


def test_batches_change_nothing(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "tiny.keras"))
    many = np.random.default_rng(0).integers(0, 256, (150, FORMAT.frames(1.0), 32)).astype(np.uint8)
    found = classifier.probabilities(many)
    assert found.shape == (150, len(GENRES))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[100:], classifier.probabilities(many[100:]), atol=1e-6)
    assert classifier.probabilities(many[:0]).shape == (0, len(GENRES))


def test_what_cannot_be_heard_says_why(tmp_path: Path, write_audio: Callable) -> None:
    classifier = Classifier(write_model(tmp_path / "tiny.keras"))
    with pytest.raises(AudioError, match="silent"):
        classifier.spectrogram(write_audio(tmp_path / "s.wav", np.zeros(30000, np.float32)))
    with pytest.raises(AudioError, match="cannot be opened"):
        classifier.spectrogram(tmp_path / "none.wav")


def test_the_default_is_the_best_by_validation_that_has_a_file(project: Path) -> None:
    with pytest.raises(UserError, match="no trained model yet; `make repro`"):
        choose_model()
    with pytest.raises(UserError, match=r"models/crnn\.keras: no such model; none is trained yet: run `make repro`"):
        choose_model("crnn")
    for name in ("first", "second"):
        (project / f"models/{name}.keras").parent.mkdir(exist_ok=True)
        (project / f"models/{name}.keras").write_bytes(b"no network")
    with pytest.raises(UserError, match=r"leaderboard\.json: no such file; name a model by --model: first, second$"):
        choose_model()
    write_json(project / "metrics/leaderboard.json", [{"arch": a} for a in ("ensemble", "gone", "second", "first")])
    assert choose_model() == Path("models/second.keras")
    assert choose_model("first") == Path("models/first.keras")
    assert choose_model("models/first.keras") == Path("models/first.keras")
    with pytest.raises(UserError, match=r"models/third\.keras: no such model; there is first, second"):
        choose_model("third")


def test_a_model_that_keras_cannot_load_is_one_line(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "broken.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    card = {"architecture": "x", "dataset": "d", "protocol": "p", "genres": [], "windowing": {"length_s": 1.0}}
    from genres.models.card import write_card

    write_card(tmp_path / "broken.keras", card | {"spectrogram": vars(FORMAT)})
    with pytest.raises(UserError, match=r"broken\.keras: Keras cannot load it"):
        Classifier(tmp_path / "broken.keras")
