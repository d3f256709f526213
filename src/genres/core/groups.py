"""Union-find: groups of items that belong together."""

from collections.abc import Iterable


class Groups:
    """Union-find over the items 0 to `n` - 1."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, item: int) -> int:
        """Return the smallest member of the group of `item`."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Merge the groups of two items."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low

    def join_equal(self, labels: Iterable[str]) -> None:
        """Join all items with the same label; empty labels are ignored."""
        seen: dict[str, int] = {}
        for item, label in enumerate(labels):
            if label:
                self.join(seen.setdefault(label, item), item)

    def roots(self) -> list[int]:
        """Return the group of each item, named by its smallest member."""
        return [self.find(item) for item in range(len(self._parent))]
