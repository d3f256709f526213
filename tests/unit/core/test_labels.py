"""Numbers of genres, against scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import LabelEncoder

from genres.core.console import UserError
from genres.core.labels import numbers_of


def test_numbers_are_the_places_in_the_sorted_list():
    names = pd.Series(["pop", "blues", "ムード", "pop", "R&B"])
    encoder = LabelEncoder().fit(names)
    found = numbers_of(names, list(encoder.classes_))
    np.testing.assert_array_equal(found, encoder.transform(names))
    assert found.dtype == np.int64
    assert numbers_of([], ["pop"]).shape == (0,)


@pytest.mark.parametrize("unknown", ["jazz", "a", "zydeco", ""])
def test_an_unknown_genre_is_an_error_and_no_other_genre(unknown):
    with pytest.raises(UserError, match=f"^genre '{unknown}' is none of blues, pop; train on this data set: dvc repro"):
        numbers_of(["pop", unknown], ["blues", "pop"])
