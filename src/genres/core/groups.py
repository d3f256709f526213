"""Groups of items that belong together."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def groups(n: int, *labels: Iterable[str | Iterable[str]], pairs: Iterable[tuple[int, int]] = ()) -> list[int]:
    """Return the group of each of the items 0 to `n` - 1, named by its smallest member.

    Items that share a label (of the same sequence; empty ones are ignored), or are a pair, are in one group. An item's
    labels are one text, or several.
    """
    links = [*pairs]
    for sequence in labels:
        first: dict[str, int] = {}
        for item, several in enumerate(sequence):
            own = [several] if isinstance(several, str) else several
            links += [(first.setdefault(label, item), item) for label in own if label]
    ends = np.array(links, dtype=int).reshape(-1, 2).T
    numbers = connected_components(coo_array((np.ones(len(links)), ends), shape=(n, n)), directed=False)[1]
    return np.unique(numbers, return_index=True)[1][numbers].tolist()
