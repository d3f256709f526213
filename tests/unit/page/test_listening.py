"""Check what the page says of a song."""

import numpy as np
from networks import FORMAT

from genres.inference.classifier import Timeline
from genres.page.listening import Prediction


def test_a_tag_that_is_no_genre_is_not_the_genre() -> None:
    timeline = Timeline(np.zeros(1), np.ones(1), np.array([[0.9, 0.2, 0.4]]))
    tags = ["female vocalists", "rock", "jazz"]
    card = {"architecture": "tags", "genre_tags": ["rock", "jazz"]}
    spectrogram = np.zeros((10, FORMAT.n_mels), np.uint8)
    prediction = Prediction(card, FORMAT, tags, 1.0, np.zeros((10, 2)), spectrogram, timeline, None)
    assert prediction.genre == "jazz"
    assert list(prediction.mean) == ["female vocalists", "jazz", "rock"]
