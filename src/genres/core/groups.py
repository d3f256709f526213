"""Groups of things that belong together."""

from collections.abc import Iterable


class Groups:
    """Union-find over `n` things: join what belongs together, then ask for each one's group."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, item: int) -> int:
        """The smallest member of the group that holds `item`."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Put two things, and all that are with them, into one group."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low

    def join_equal(self, labels: Iterable[str]) -> None:
        """Join all things with the same label; empty labels say nothing."""
        seen: dict[str, int] = {}
        for item, label in enumerate(labels):
            if label:
                self.join(seen.setdefault(label, item), item)

    def roots(self) -> list[int]:
        """Each thing's group, named by its smallest member."""
        return [self.find(item) for item in range(len(self._parent))]
