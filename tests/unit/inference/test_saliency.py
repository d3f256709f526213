"""Where a network looks, shown on networks of which one knows where they look."""

from pathlib import Path

import numpy as np
import pytest
from networks import write_model

from genres.audio.format import Format
from genres.data.windows import Windowing
from genres.figures.evidence import Part
from genres.inference import saliency
from genres.inference.classifier import Classifier

FORM = Format(sample_rate=22050, n_fft=2048, n_mels=64, frame_rate=43.0, top_db=80.0)
SHAPE = (129, 64)
SPOT = (slice(40, 70), slice(20, 30))


class Looks:
    """A network that hears genre "a" where a spot is louder than the middle of the scale, and counts its calls."""

    def __init__(self, weights: np.ndarray) -> None:
        self.genres = ["a", "b"]
        self.weights, self.windows = weights, 0

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        self.windows += len(windows)
        assert windows.dtype == np.uint8 and windows.shape[1:] == self.weights.shape
        logit = 8 * np.tensordot(windows / 255 - 0.5, self.weights, axes=2)
        one = 1 / (1 + np.exp(-logit))
        return np.stack([one, 1 - one], axis=1)


@pytest.fixture
def spot() -> np.ndarray:
    weights = np.zeros(SHAPE)
    weights[SPOT] = 1 / (30 * 10)
    return weights


@pytest.fixture
def window(spot: np.ndarray) -> np.ndarray:
    """Noise that is loud in the spot."""
    noise = np.random.default_rng(0).integers(0, 120, SHAPE)
    return np.where(spot > 0, 230, noise).astype(np.uint8)


def test_evidence_lies_where_the_network_looks(spot: np.ndarray, window: np.ndarray) -> None:
    classifier = Looks(spot)
    found = saliency.occlusion_saliency(classifier, window, "a")
    assert found.shape == window.shape and found.dtype == np.float64
    assert classifier.windows < 200  # what a page can wait for
    inside = spot > 0
    assert found[inside].mean() > 10 * np.abs(found[~inside]).mean()
    time, band = np.unravel_index(found.argmax(), found.shape)
    assert 40 <= time < 70 and 20 <= band < 30


def test_what_speaks_for_one_of_two_genres_speaks_against_the_other(spot: np.ndarray, window: np.ndarray) -> None:
    one, other = (saliency.occlusion_saliency(Looks(spot), window, genre) for genre in "ab")
    np.testing.assert_allclose(one, -other, atol=1e-9)


def test_a_network_that_looks_everywhere_equally_has_evidence_of_equal_parts() -> None:
    """A linear network: the evidence is the loudness above the mean, smoothed, and sums up to what it is."""
    level = np.broadcast_to(np.linspace(0, 255, SHAPE[0])[:, np.newaxis], SHAPE).astype(np.uint8)
    found = saliency.occlusion_saliency(Looks(np.full(SHAPE, 1 / np.prod(SHAPE))), level, "a")
    assert np.corrcoef(found.mean(axis=1)[15:-15], level[15:-15, 0])[0, 1] > 0.99
    np.testing.assert_allclose(found[:, 15:-15], np.broadcast_to(found[:, 20:21], (129, 34)), atol=0.02)


@pytest.mark.parametrize("length", [12, 40, 129, 1292])
def test_patches_cover_every_place_and_their_weights_sum_to_one(length: int) -> None:
    (away, _) = saliency.distances((length, 64))
    assert len(away) == 13
    assert set((away < 1).sum(axis=0)) <= {1, 2}  # one, just in the middle of a patch
    np.testing.assert_allclose((1 - away).clip(min=0).sum(axis=0), 1)


def test_an_unknown_genre_is_refused(spot: np.ndarray, window: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one of a, b; received c"):
        saliency.occlusion_saliency(Looks(spot), window, "c")


def test_deletion_tells_evidence_from_its_opposite_and_from_noise(spot: np.ndarray, window: np.ndarray) -> None:
    classifier = Looks(spot)
    found = saliency.occlusion_saliency(classifier, window, "a")
    tested = saliency.deletion(classifier, window, "a", found)
    whole, nothing = (classifier.probabilities(w[np.newaxis])[0, 0] for w in (window, saliency.filling(window)))
    for curve in (tested.marked, tested.random):
        assert (curve[0], curve[-1]) == (pytest.approx(whole), pytest.approx(nothing))
    assert tested.share[0] == 0 and tested.share[-1] == 1
    assert tested.gain > 0.1
    assert (tested.marked <= tested.random + 1e-9).all()
    assert saliency.deletion(classifier, window, "a", -found).gain < -0.1
    noise = [
        saliency.deletion(classifier, window, "a", np.random.default_rng(s).random((129, 1)) * np.ones(SHAPE), s).gain
        for s in range(8)
    ]
    assert abs(np.mean(noise)) < 0.06


def test_windows_keep_within_the_song_and_are_filled_up_as_in_training(tmp_path: Path) -> None:
    song = np.arange(200, dtype=np.uint8)[:, np.newaxis] * np.ones(64, np.uint8)
    for short, filled in (("pad", 0), ("repeat", 5)):
        windowing = Windowing(3.0, short=short)
        classifier = Classifier(write_model(tmp_path / f"{short}.keras", form=FORM, windowing=windowing))
        assert saliency.window_at(classifier, song, 1.0)[0, 0] == 43
        assert saliency.window_at(classifier, song, 99.0)[-1, 0] == 199
        short = saliency.window_at(classifier, song[:50], 0.0)
        assert short.shape == (129, 64) and short[49, 0] == 49 and short[55, 0] == filled


def test_regions_are_of_what_speaks_for_the_genre() -> None:
    found = np.full(SHAPE, -1.0)
    found[:, FORM.band_centres() < 250] = 3.0
    assert saliency.by_region(found, FORM)["below 250 Hz"] == 1
    assert sum(saliency.by_region(np.zeros(SHAPE), FORM).values()) == 0
    assert saliency.by_region(np.ones(SHAPE), FORM)["above 2 kHz"] == pytest.approx(
        (FORM.band_centres() >= 2000).mean()
    )


def test_band_centres_are_librosas() -> None:
    import librosa

    expected = librosa.mel_frequencies(FORM.n_mels + 2, fmin=0, fmax=11025)[1:-1]
    np.testing.assert_allclose(FORM.band_centres(), expected, rtol=1e-6)


def test_the_picture_shows_seconds_of_the_song_and_hertz(spot: np.ndarray, window: np.ndarray) -> None:
    found = saliency.occlusion_saliency(Looks(spot), window, "a")
    part = Part("6 to 9 s", window, found, 6.0)
    figure = saliency.draw_parts([part], FORM, "a", title="A title", note="a note")
    axes = figure.axes[0]
    assert axes.get_xlim() == pytest.approx((6.0, 9.0))
    assert axes.get_title(loc="left") == "6 to 9 s"
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["250 Hz", "500 Hz"]
    drawn = next(image for image in axes.images if image.get_gid() == "evidence").get_array()
    opacity = np.asarray(drawn)[..., 3]
    assert opacity.shape == (64, 129)
    band, time = np.unravel_index(opacity.argmax(), opacity.shape)
    assert 40 <= time < 70 and 20 <= band < 30
