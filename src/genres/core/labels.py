"""Numbers of genres: the place of a name in the sorted list that a model's card holds."""

from collections.abc import Iterable, Sequence

import numpy as np

from genres.core.console import UserError


def numbers_of(names: Iterable[str], genres: Sequence[str]) -> np.ndarray:
    """Return the place of each name in `genres`: int64 [shape=(n,)].

    Raises
    ------
    UserError
        If a name is not in `genres`.
    """
    places = {genre: place for place, genre in enumerate(genres)}
    try:
        return np.array([places[name] for name in names], dtype=np.int64)
    except KeyError as unknown:
        raise UserError(f"genre {unknown} is none of {', '.join(genres)}; train on this data set: dvc repro") from None
