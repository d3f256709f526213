"""Training: schedules against Keras' own callbacks, early stopping, class weights, kills, another backend."""

import itertools
import math
import os
import re
import signal

import numpy as np
import pandas as pd
import pytest
from checkout import Checkout, use_small_music
from faults import wait_for
from sklearn.utils.class_weight import compute_class_weight

from genres.core import params
from genres.core.files import read_json, read_table
from genres.models.backend import keras
from genres.models.builders import load
from genres.models.card import read_card
from genres.training import dataset, fitting, schedule

SETTINGS = params.load().train


def history_of(losses: list[float]) -> schedule.History:
    return [{"epoch": n + 1, "val_loss": loss, "val_accuracy": 1 - loss / 10} for n, loss in enumerate(losses)]


def test_learning_rate_is_that_of_keras_reduce_lr_on_plateau():
    rng = np.random.default_rng(0)
    for learning_rate in (0.001, 0.01, 0.1):
        settings = SETTINGS.model_copy(update={"learning_rate": learning_rate})
        losses = list(np.round(2 + 0.3 * rng.normal(size=25) - 0.02 * np.arange(25), 4))
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(settings.learning_rate), "mse")
        callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.8, patience=1, min_lr=0.0)
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            expected = float(np.asarray(model.optimizer.learning_rate))
            assert schedule.learning_rate(history_of(losses[: epoch + 1]), settings) == pytest.approx(
                expected, rel=1e-5
            )


def test_cosine_falls_from_the_full_rate_to_zero():
    settings = SETTINGS.model_copy(update={"schedule": "cosine", "epochs": 10})
    rates = [schedule.learning_rate(history_of([1.0] * n), settings) for n in range(11)]
    assert rates[0] == settings.learning_rate
    assert rates[5] == pytest.approx(settings.learning_rate / 2)
    assert rates[10] == pytest.approx(0, abs=1e-12)
    assert all(after < before for before, after in itertools.pairwise(rates))


def test_cosine_can_rise_first():
    settings = SETTINGS.model_copy(update={"schedule": "cosine", "epochs": 12, "warmup_epochs": 2})
    rates = [schedule.learning_rate(history_of([1.0] * n), settings) for n in range(13)]
    assert rates[:3] == pytest.approx([settings.learning_rate * share for share in (1 / 3, 2 / 3, 1)])
    assert rates[7] == pytest.approx(settings.learning_rate / 2)
    assert rates[12] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("losses", "patience", "stops"),
    [
        ([3, 2, 1], 2, False),
        ([1, 2, 3], 2, True),
        ([1, 2], 2, False),
        ([1, 1, 1], 2, True),
        ([1, 2, 3, 4, 5], None, False),
        ([], 1, False),
        ([5, 4, 3, 2, 1, 0.5], 3, True),  # all six epochs are done
    ],
)
def test_early_stopping(losses, patience, stops):
    settings = SETTINGS.model_copy(update={"early_stopping_patience": patience, "epochs": 6})
    assert schedule.stopped(history_of(losses), settings) is stops


def test_best_epoch_by_either_monitor():
    history = history_of([3, 1, 2])
    history[2]["val_accuracy"] = 0.99
    assert schedule.best(history, "val_loss")["epoch"] == 2
    assert schedule.best(history, "val_accuracy")["epoch"] == 3
    assert schedule.best(history_of([1, 2, 3]), "last_epoch")["epoch"] == 3


def test_nesterov_takes_the_steps_of_its_definition():
    """v = m v - r g(w + m v); w = w + v (Sutskever et al. 2013), with Keras' variable standing at w + m v."""
    settings = SETTINGS.model_copy(update={"optimizer": "sgd_nesterov", "learning_rate": 0.1, "momentum": 0.9})
    optimizer, place = fitting.optimizer(settings), keras.Variable(1.0)
    w, v = 1.0, 0.0
    for _ in range(5):
        optimizer.apply([2 * place], [place])  # of the loss w squared
        ahead = w + 0.9 * v
        v = 0.9 * v - 0.1 * 2 * ahead
        w += v
        assert float(place.value) == pytest.approx(w + 0.9 * v, rel=1e-5)


def test_adamw_shrinks_weights_beside_its_steps():
    settings = SETTINGS.model_copy(update={"optimizer": "adamw", "learning_rate": 0.1, "weight_decay": 0.5})
    optimizer, place = fitting.optimizer(settings), keras.Variable(2.0)
    optimizer.apply([keras.ops.zeros(())], [place])
    assert float(place.value) == pytest.approx(2 * (1 - 0.1 * 0.5), rel=1e-6)


def test_unknown_artists_are_each_their_own():
    tracks = pd.DataFrame({"track_id": list("abcde"), "artist": ["Ana", " ANA ", "", "", "Bo"]})
    numbers = dataset.artist_numbers(tracks)
    assert numbers["a"] == numbers["b"]
    assert len(set(numbers.values())) == 4


def test_adam_is_the_default():
    assert type(fitting.optimizer(SETTINGS)) is keras.optimizers.Adam


def test_class_weights_are_scikit_learns_balanced_ones():
    genres = pd.Series(["a"] * 50 + ["b"] * 20 + ["c"] * 5)
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=genres.to_numpy())
    assert list(dataset.balanced_weights(genres, ["a", "b", "c"]).values()) == pytest.approx(list(expected))


def test_dropout_follows_from_seed_and_epoch():
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.5)])
    ones = np.ones((1, 1000), np.float32)

    def dropped(seed: int, epoch: int) -> list[float]:
        fitting.seed_dropout(model, seed, epoch)
        return np.asarray(model(ones, training=True))[0].tolist()

    assert dropped(1, 2) == dropped(1, 2)
    assert dropped(1, 2) != dropped(1, 3)
    assert dropped(1, 2) != dropped(2, 2)
    assert 0.4 < np.mean(np.equal(dropped(1, 2), 0)) < 0.6


class TestRealTraining:
    """The stage on a small data set; as a process of its own where it is killed or has another backend."""

    pytestmark = pytest.mark.xdist_group("train")

    @pytest.fixture(scope="class")
    def project(self, tmp_path_factory) -> Checkout:
        """A checkout with spectrograms and clips, ready to train."""
        folder = tmp_path_factory.mktemp("training")
        checkout = Checkout(folder / "project")
        use_small_music(checkout, folder / "music", architectures=["baseline", "short_chunk_resnet"], train__epochs=6)
        checkout.set_params(models__short_chunk_resnet__filters=[4, 8])
        for stage in ("ingest", "clips", "mels"):
            checkout.here("python", f"src/{stage}.py")
        return checkout

    def test_a_killed_training_goes_on_to_the_same_result(self, project):
        """With dropout, batch normalisation, random crops and a moving learning rate: all that has a state."""
        history = project.folder / "plots/short_chunk_resnet/history.csv"
        project.here("python", "src/train.py", "short_chunk_resnet")
        undisturbed = history.read_text()
        weights = keras.models.load_model(project.folder / "models/short_chunk_resnet.keras").get_weights()
        history.unlink()

        process = project.start("python", "src/train.py", "short_chunk_resnet")
        wait_for(process, "checkpoint", lambda: any(project.folder.glob(".cache/training/*/last-2.keras")))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not history.exists()
        (checkpoint,) = project.folder.glob(".cache/training/*/")
        assert (checkpoint / "state.json").exists()
        (checkpoint / ".last-3.12345.tmp.keras").write_bytes(b"half a file")

        assert "resuming after epoch" in project.here("python", "src/train.py", "short_chunk_resnet")
        assert history.read_text() == undisturbed
        assert "seconds" not in undisturbed  # which no two runs have in common
        card = read_card(project.folder / "models/short_chunk_resnet.keras")
        assert not (project.folder / "models/short_chunk_resnet.json").exists()
        assert card["multiply_adds"] > 1e4
        # The clips of training alone take less than the whole, in which validation and the graph are, too.
        clips = read_table(project.folder / "data/clips.csv")["fold"].eq("train").sum()
        assert card["clips_per_second"] > clips * card["epochs"] / card["seconds"] > 0
        again = keras.models.load_model(project.folder / "models/short_chunk_resnet.keras").get_weights()
        for one, other in zip(weights, again, strict=True):
            np.testing.assert_array_equal(one, other)
        assert not any(project.folder.glob(".cache/training/*"))

    @pytest.mark.soak
    def test_the_same_training_twice_at_once_is_done_one_after_the_other(self, project):
        process = project.start("python", "src/train.py", "baseline")
        wait_for(process, "lock", lambda: any(project.folder.glob(".cache/locks/baseline-*.lock")))
        assert "waiting for another process to finish it" in project.here("python", "src/train.py", "baseline")
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, output + errors
        assert not any(project.folder.glob(".cache/training/*"))

    def test_a_network_with_windows_of_its_own_joined_with_descriptors(self, tmp_path):
        """Trained on crops of 1 s, used on windows of 2 s; its descriptors' weights come after the last epoch."""
        project = Checkout(tmp_path / "project")
        use_small_music(
            project,
            tmp_path / "music",
            architectures=["wide_and_deep"],
            front_ends__default__n_mels=128,
            models__wide_and_deep__filters=[4, 8],
            models__wide_and_deep__embedding=8,
            models__wide_and_deep__window_s=2.0,
            models__wide_and_deep__train__crop_s=1.0,
            models__wide_and_deep__train__epochs=2,
            models__wide_and_deep__train__warmup_epochs=1,
        )
        for stage in (["ingest"], ["clips"], ["mels"], ["train", "wide_and_deep"]):
            project.here("python", f"src/{stage[0]}.py", *stage[1:])
        model_file = project.folder / "models/wide_and_deep.keras"
        card, model = read_card(model_file), load(model_file)
        rate = card["spectrogram"]["frame_rate"]
        assert card["windowing"] == {"length_s": 2.0, "overlap_s": 0.0, "short": "repeat", "of": "tracks"}
        assert model.input_shape == (None, round(2 * rate), 128)
        assert np.abs(model.get_layer("discriminant").get_weights()[0]).max() > 0
        assert card["multiply_adds"] > 1477 * 3
        # Trained twice: what it says of validation is from before it was trained on it.
        clips = pd.read_csv(project.folder / "data/tracks.csv", keep_default_na=False)
        assert len(card["validation"]["track_id"]) == 2 * (clips["fold"] == "val").sum()  # songs of 4 s
        assert not any(project.folder.glob(".cache/training/*"))
        output = project.here("python", "src/evaluate.py", "wide_and_deep")
        assert "track_accuracy" in output
        predictions = pd.read_csv(project.folder / "predictions/wide_and_deep.csv")
        windows = pd.DataFrame(card["validation"]["probabilities"], index=card["validation"]["track_id"])
        by_track = windows.groupby(level=0).mean()
        val = predictions[predictions["fold"] == "val"].set_index("track_id")[["genre0", "genre1", "genre2"]]
        np.testing.assert_allclose(val.loc[by_track.index], by_track, atol=1e-6)
        # What tells those genres apart, timbre, is in the descriptors.
        assert read_json(project.folder / "metrics/wide_and_deep.json")["track_accuracy"] == 1

    @pytest.mark.soak
    def test_one_epoch_on_jax_gives_a_model_that_tensorflow_reads(self, project):
        pytest.importorskip("jax")
        project.set_params(train__epochs=1)
        both = "import sys; sys.path.insert(0, 'src'); import evaluate, train; train.main(); evaluate.main()"
        project.run("python", "-c", both, "baseline", KERAS_BACKEND="jax")
        history = pd.read_csv(project.folder / "plots/baseline/history.csv")
        assert len(history) == 1
        assert history[["loss", "val_loss"]].map(math.isfinite).all(axis=None)
        on_jax = pd.read_csv(project.folder / "predictions/baseline.csv")
        project.here("python", "src/evaluate.py", "baseline")
        on_tensorflow = pd.read_csv(project.folder / "predictions/baseline.csv")
        genres = ["genre0", "genre1", "genre2"]
        np.testing.assert_allclose(on_jax[genres], on_tensorflow[genres], atol=1e-4)

    def test_unknown_names_are_one_line(self, project):
        output = project.here("python", "src/train.py", "basline", fails=True)
        assert re.fullmatch("error: architecture 'basline' is none of baseline, .*, short_chunk_resnet, .*\n", output)
        project.set_params(models__bn_5x5__builder="paper_rnn")
        output = project.here("python", "src/train.py", "bn_5x5", fails=True)
        assert output.startswith("error: params.yaml: models.bn_5x5: builder 'paper_rnn' is none of paper_cnn")
        assert output.count("\n") == 1

    def test_a_loss_that_is_no_number_stops_with_a_line(self, project):
        project.set_params(models__bn_5x5__builder="paper_cnn", train__learning_rate=1e38)
        output = project.here("python", "src/train.py", "baseline", fails=True)
        assert "error: the loss is not finite after epoch 1" in output
        assert "Traceback" not in output
