"""The architectures: parameter counts by hand, sizes that do not fit, names that do not exist."""

import itertools

import numpy as np
import pytest
from checkout import ROOT
from scipy.special import log_softmax, softmax

from genres.core import params
from genres.models import builders, crnn, musicnn, paper_cnn, resnet50, separable_cnn, short_chunk_resnet
from genres.models.backend import keras
from genres.models.blocks import AtFrameRate
from genres.models.descriptors import Descriptors
from genres.models.multiply_adds import multiply_adds
from genres.models.texture_cnn import Textures
from genres.training.discriminant import Discriminant, set_weights

PAPER = {"filters": [8, 16, 32, 64, 128], "kernel_size": 3, "batch_norm": False, "dropout": 0.3}
RESNET = {"filters": [4, 8], "dropout": 0.5}
SETTINGS = params.load(ROOT / "params.yaml")
# The paper's pictures and genres.
PICTURE, GENRES = (515, 389, 3), 14


def classifier(builder: str, arguments: dict, **sizes) -> keras.Model:
    sizes = {"n_mels": 128, "frames": 129, "n_classes": 9, "mean": 100.0, "deviation": 50.0} | sizes
    return builders.classifier(builder, arguments, **sizes)


def test_paper_final_architecture_has_the_published_number_of_parameters():
    """445,886: 14 genres on pictures of 515 x 389 x 3, unpadded (the paper, table of its final model)."""
    network = paper_cnn.build((515, 389, 3), 14, **(PAPER | {"kernel_size": 5, "batch_norm": True}))
    assert network.count_params() == 445_886


def test_baseline_parameters_by_hand():
    sizes = [1, 8, 16, 32, 64, 128]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(sizes))
    # 128 x 129, five times less two and halved: 2 x 2 places of 128 features.
    dense = 2 * 2 * 128 * 9 + 9
    assert classifier("paper_cnn", PAPER).count_params() == convolutions + dense


def pyramid(filters: list[int], kernel: int, *, norm: bool = False, dense: tuple[int, ...] = ()) -> int:
    """Parameters of unpadded convolutions on the paper's pictures, each followed by 2 x 2 pooling."""
    height, width, channels = PICTURE
    total = 0
    for n_filters in filters:
        total += kernel**2 * channels * n_filters + n_filters + 4 * norm * n_filters
        height, width, channels = (height - kernel + 1) // 2, (width - kernel + 1) // 2, n_filters
    sizes = [height * width * channels, *dense, GENRES]
    return total + sum(a * b + b for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseline", pyramid([8, 16, 32, 64, 128], 3)),
        ("fewer_filters", pyramid([4, 8, 16, 32, 64], 3)),
        ("fewer_layers", pyramid([8, 16, 32, 64], 3)),
        ("inverted_pyramid", pyramid([128, 64, 32, 16, 8], 3)),
        ("kernel_5x5", pyramid([8, 16, 32, 64, 128], 5)),
        ("l2", pyramid([8, 16, 32, 64, 128], 3)),
        ("batch_norm", pyramid([8, 16, 32, 64, 128], 3, norm=True)),
        ("bn_5x5", 445_886),
        ("equal_filters", pyramid([32] * 5, 3)),
        ("dense_head", pyramid([8, 16, 32, 64, 128], 3, dense=(128, 64))),
        ("baseline_nesterov", pyramid([8, 16, 32, 64, 128], 3)),
    ],
)
def test_parameters_of_the_papers_variants(name, expected):
    chosen = SETTINGS.models[name]
    assert chosen.builder == "paper_cnn"
    assert paper_cnn.build(PICTURE, GENRES, **chosen.arguments).count_params() == expected


def test_each_variant_changes_one_thing():
    start = SETTINGS.models["baseline"].arguments
    changes = {
        name: {key for key, value in model.arguments.items() if start.get(key) != value} | set(model.train)
        for name, model in SETTINGS.models.items()
        if model.builder == "paper_cnn"
    }
    assert changes.pop("baseline") == set()
    assert changes.pop("bn_5x5") == {"kernel_size", "batch_norm"}
    assert changes.pop("baseline_nesterov") == {"optimizer", "learning_rate"}
    assert {name: len(changed) for name, changed in changes.items()} == dict.fromkeys(changes, 1)


def test_l2_adds_the_squared_kernels_of_the_convolutions_to_the_loss():
    network = paper_cnn.build((64, 64, 1), 3, **(PAPER | {"l2": 0.01}))
    kernels = [np.asarray(layer.kernel) for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert float(sum(network.losses)) == pytest.approx(0.01 * sum((kernel**2).sum() for kernel in kernels), rel=1e-5)
    assert paper_cnn.build((64, 64, 1), 3, **PAPER).losses == []


def test_resnet50_is_the_published_one():
    """25,636,712 parameters for 1000 classes on three channels (Keras' table of applications), batch norm included."""
    network = resnet50.build((64, 64, 3), 1000, dropout=0.3)
    assert network.count_params() == 25_636_712
    # One channel in place of three: 7 x 7 x 2 x 64 less in the first layer. And a picture smaller than 32 x 32.
    assert resnet50.build((20, 40, 1), 1000, dropout=0.3).count_params() == 25_636_712 - 7 * 7 * 2 * 64


def test_parameters_of_musicnn_by_hand():
    network = musicnn.build(
        (100, 50, 1), 5, timbre_filters=3, rhythm_filters=2, rhythm_lengths=[10, 80], filters=8, dropout=0
    )
    timbre = sum(3 * height * width for height in (40, 90) for width in (1, 3, 7)) + 6 * 4 * 3
    rhythm = 2 * (10 + 50) + 2 * 4 * 2  # 80 frames are more than the picture has
    joined = 7 * (6 * 3 + 2 * 2) * 8 + 2 * 7 * 8 * 8 + 3 * 4 * 8
    assert network.count_params() == 4 + timbre + rhythm + joined + 2 * 8 * 5 + 5


def test_timbre_does_not_depend_on_pitch():
    """The maximum over the places of a kernel: a pattern that moves by whole steps gives the same features."""
    inputs = keras.Input((100, 9, 1))
    network = keras.Model(inputs, musicnn._timbre(inputs, 4, (40, 3)))
    picture = np.zeros((2, 100, 9, 1), np.float32)
    pattern = np.random.default_rng(0).normal(size=(12, 9, 1))
    picture[0, 40:52] = picture[1, 40 + musicnn.STEP : 52 + musicnn.STEP] = pattern
    low, high = network.predict(picture, verbose=0)
    assert low.shape == (9, 4)
    np.testing.assert_allclose(low, high, atol=1e-5)
    assert np.ptp(low) > 0


def test_parameters_of_the_crnn_by_hand():
    network = crnn.build((32, 40, 1), 5, filters=[4, 6], pools=[[4, 2], [8, 2]], units=3, dropout=0)
    convolutions = 9 * 4 + 4 * 4 + 9 * 4 * 6 + 4 * 6
    # Three gates, and Keras' two biases each (reset_after): 32 bands are pooled to one.
    recurrent = 3 * (6 * 3 + 3 * 3 + 2 * 3) + 3 * (3 * 3 + 3 * 3 + 2 * 3)
    assert network.count_params() == convolutions + recurrent + 3 * 5 + 5
    with pytest.raises(ValueError, match="received 1 and 2"):
        crnn.build((32, 40, 1), 5, filters=[4, 6], pools=[[4, 2]], units=3, dropout=0)


def test_crnn_reads_the_frames_in_order():
    network = classifier("crnn", SETTINGS.models["crnn"].arguments)
    clips = np.random.default_rng(0).integers(0, 256, (1, 129, 128), dtype=np.uint8)
    assert np.abs(network.predict(clips, verbose=0) - network.predict(clips[:, ::-1], verbose=0)).max() > 1e-4


def test_parameters_of_the_separable_net_by_hand():
    network = separable_cnn.build((32, 40, 1), 5, filters=[4, 6, 8], dropout=0)
    first = 25 * 4 + 4 * 4
    others = sum(9 * a + 4 * a + a * b + 4 * b for a, b in ((4, 6), (6, 8)))
    assert network.count_params() == first + others + 2 * 8 * 5 + 5


TRAINED = [name for name, model in SETTINGS.models.items() if not model.pretrained_on]


# resnet50 takes as long as all others together.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.soak) if name == "resnet50" else name for name in TRAINED],
)
def architecture(request: pytest.FixtureRequest) -> tuple[str, dict]:
    """Builder and hyperparameters of each architecture of params.yaml that is trained from scratch."""
    return SETTINGS.models[request.param].builder, SETTINGS.models[request.param].arguments


def random_clips(n: int, frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, frames, 128), dtype=np.uint8)


class TestEveryArchitecture:
    """Hold any builder of params.yaml to the same requirements."""

    def test_any_clip_length_gives_probabilities(self, architecture):
        builder, arguments = architecture
        # ResNet-50 takes seconds to build.
        for frames in (39,) if builder == "resnet50" else (1, 13, 39, 129, 388):
            network = classifier(builder, arguments, frames=frames, n_classes=3)
            probabilities = np.asarray(network(random_clips(2, frames)))
            assert probabilities.shape == (2, 3)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
            assert multiply_adds(network) > (1e5 if frames >= 39 else 0)

    def test_trains_a_step_and_comes_back_from_its_file(self, architecture, tmp_path):
        """Without dropout, whose losses are random, and not compiled, which takes most of the time."""
        builder, arguments = architecture
        keras.utils.set_random_seed(1)
        network, clips = classifier(builder, arguments | {"dropout": 0.0}, frames=43, n_classes=3), random_clips(8, 43)
        network.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
        before = [np.array(variable) for variable in network.trainable_variables]
        first = network.train_on_batch(clips, np.arange(8) % 3)
        for variable, old in zip(network.trainable_variables, before, strict=True):
            assert (np.array(variable) != old).any(), variable.path
        assert network.train_on_batch(clips, np.arange(8) % 3) < first
        network.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_allclose(np.asarray(again(clips)), np.asarray(network(clips)), atol=1e-6)


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, "valid"), (5, "same")])
def test_convolutions_are_unpadded_where_they_fit(kernel_size, padding):
    network = paper_cnn.build((128, 129, 1), 9, **(PAPER | {"kernel_size": kernel_size}))
    paddings = {layer.padding for layer in network.layers if isinstance(layer, keras.layers.Conv2D)}
    assert paddings == {padding}


def test_resnet_has_more_than_one_way_to_every_output():
    network = short_chunk_resnet.build((64, 64, 1), 5, **RESNET)
    assert sum(isinstance(layer, keras.layers.Add) for layer in network.layers) == len(RESNET["filters"])
    assert (
        network.count_params() < classifier("short_chunk_resnet", {"filters": [8, 16], "dropout": 0.5}).count_params()
    )


def test_network_sees_frequency_as_height_and_normalised_levels():
    network = classifier("paper_cnn", PAPER, n_mels=40, frames=60, n_classes=2)
    seen = keras.Model(network.input, network.layers[-2].output)  # what the builder's network gets
    clip = np.random.default_rng(0).integers(0, 256, (1, 60, 40), dtype=np.uint8)
    picture = np.asarray(seen(clip))
    assert picture.shape == (1, 40, 60, 1)
    np.testing.assert_allclose(picture[0, :, :, 0], (clip[0].T - 100.0) / 50.0, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("builder", "arguments", "complaint"),
    [
        ("paper_rnn", PAPER, "builder 'paper_rnn' is none of paper_cnn, short_chunk_resnet"),
        ("paper_cnn", PAPER | {"filter": 3}, "filter: unknown key; paper_cnn takes filters, kernel_size"),
        ("short_chunk_resnet", {"filters": [4]}, "dropout: is missing; short_chunk_resnet takes filters, dropout"),
    ],
)
def test_wrong_names_list_the_right_ones(builder, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        classifier(builder, arguments)


# ── A network joined with a discriminant of descriptors ──────────────────────────────────────────────────────────


def joined(frames: int = 300, frame_rate: float = 25.8) -> tuple[keras.Model, keras.Model]:
    network = classifier("paper_cnn", PAPER, frames=frames, n_classes=3)
    return network, builders.join(network, top_db=80.0, frame_rate=frame_rate, network_weight=0.3)


def test_a_joined_network_adds_log_probabilities(tmp_path):
    """Against the discriminant in NumPy and SciPy's softmax, also from its file."""
    network, both = joined()
    clips = np.random.default_rng(0).integers(0, 256, (4, 300, 128), dtype=np.uint8)
    # Every other frame: 25.8 a second become 12.9.
    columns = np.asarray(Descriptors()((clips[:, ::2] / 255 - 1).astype(np.float32) * 80))
    rng = np.random.default_rng(1)
    found = Discriminant(
        mean=columns.mean(axis=0),
        deviation=columns.std(axis=0) + 0.01,
        clip=3.0,
        kernel=rng.normal(0, 0.05, (columns.shape[1], 3)),
        bias=rng.normal(size=3),
    )
    set_weights(both, found, temperature=0.5)
    deep = network.predict(clips, verbose=0)
    expected = softmax(log_softmax(0.5 * found.scores(columns), axis=1) + 0.3 * np.log(deep), axis=1)
    np.testing.assert_allclose(both.predict(clips, verbose=0), expected, atol=2e-3)
    both.save(tmp_path / "model.keras")
    again = builders.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(clips, verbose=0), both.predict(clips, verbose=0))


def test_a_clip_that_is_too_short_for_descriptors_is_repeated():
    _, both = joined(frames=129, frame_rate=43.0)  # 3 s: 39 frames of 12.9 a second
    clips = np.random.default_rng(0).integers(0, 256, (2, 129, 128), dtype=np.uint8)
    np.testing.assert_allclose(both.predict(clips, verbose=0).sum(axis=1), 1, rtol=1e-5)


def test_descriptors_need_128_bands():
    network = classifier("paper_cnn", PAPER, n_mels=64, frames=200, n_classes=3)
    with pytest.raises(ValueError, match="128 mels"):
        builders.join(network, top_db=80.0, frame_rate=12.9, network_weight=0.3)


def test_frames_are_thinned_to_the_nearest_and_never_past_the_end():
    clips = np.arange(129, dtype=np.uint8)[np.newaxis, :, np.newaxis]
    seen = np.asarray(AtFrameRate(43.07 / 12.9)(clips))[0, :, 0]
    assert len(seen) == 39
    np.testing.assert_allclose(seen, np.arange(39) * 43.07 / 12.9, atol=0.51)
    assert np.asarray(AtFrameRate(4.0, least=70)(clips))[0, :, 0].tolist() == [*range(0, 128, 4)] * 2 + [
        *range(0, 24, 4)
    ]


def test_textures_tell_tones_from_clicks_whatever_the_loudness():
    rng = np.random.default_rng(0)
    tones, clicks = rng.normal(0, 1, (2, 64, 80))
    tones[10::16] += 30
    clicks[:, 8::16] += 30
    pictures = np.stack([tones, clicks, 3 * tones - 20])[..., np.newaxis].astype(np.float32)
    seen = np.asarray(Textures()(pictures))
    assert seen.shape == (3, 32, 80, 4)
    lasting_less_broad = seen[..., 1]
    assert lasting_less_broad[0].mean() > 0.1
    assert lasting_less_broad[1].mean() < -0.1
    np.testing.assert_allclose(seen[2], seen[0], atol=1e-2)
