"""Distances of items of sets, each compared where its category and the other's say."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from disentangle.data.outfits import Blanks
from disentangle.data.worlds import Rule, World

# space(codes (n, D), own category, the other's category) -> (n, E)
Space = Callable[[np.ndarray, int, int], np.ndarray]


class Compared(NamedTuple):
    """Items of sets, by how a space of two categories has them.

    Items that are asked with are pictures of the view "query", those that are looked
    for of the view "gallery".

    Attributes:
      encode: (n,) images -> (n, D) codes.
      world: the data set's.
      rule: of the sets.
      space: where items of two categories are compared, by squared distance.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    world: World
    rule: Rule
    space: Space

    def answers(self, blanks: Blanks) -> np.ndarray:
        """(n, 4) mean distances of the items that are not hidden from each answer."""
        items, hidden = blanks.items, blanks.hidden
        total: np.ndarray = np.zeros(blanks.answers.shape)
        for slot in range(items.shape[1]):
            here = np.flatnonzero(hidden != slot)
            for k in range(total.shape[1]):
                total[here, k] += self._paired(
                    items[here, slot], blanks.answers[here, k], "gallery"
                )
        return total / (items.shape[1] - 1)

    def sets(self, items: np.ndarray) -> np.ndarray:
        """(n,) mean distances over pairs of the items (n, slots), all asked with."""
        pairs = list(zip(*np.triu_indices(items.shape[1], 1), strict=True))
        found = [self._paired(items[:, i], items[:, j], "query") for i, j in pairs]
        return np.asarray(np.mean(found, axis=0))

    def candidates(
        self, items: np.ndarray, hidden: int, tuples: np.ndarray
    ) -> np.ndarray:
        """(n, m) float32 mean distances of the items but a hidden one from tuples (m,).

        Rounded to float32, so that equal codes are at equal distances.
        """
        held = self.encode(self.world.view("gallery", tuples))
        total = np.zeros((len(items), len(tuples)))
        for slot in range(items.shape[1]):
            if slot == hidden:
                continue
            asked = self.encode(self.world.view("query", items[:, slot]))
            own, other = self._category(items[:, slot]), self._category(tuples)
            for a, rows in _groups(own):
                for b, columns in _groups(other):
                    x = self.space(asked[rows], a, b).astype(np.float64)
                    y = self.space(held[columns], b, a).astype(np.float64)
                    apart = (x * x).sum(1)[:, None] + (y * y).sum(1)[None]
                    total[np.ix_(rows, columns)] += apart - 2.0 * x @ y.T
        return (total / (items.shape[1] - 1)).astype(np.float32)

    def _paired(self, asked: np.ndarray, others: np.ndarray, view: str) -> np.ndarray:
        """(n,) distances of tuples (n,) from tuples (n,) of a view."""
        found = np.empty(len(asked))
        first = self.encode(self.world.view("query", asked))
        second = self.encode(self.world.view(view, others))
        own, other = self._category(asked), self._category(others)
        width = int(max(own.max(initial=0), other.max(initial=0))) + 1
        for both, rows in _groups(own * width + other):
            a, b = divmod(both, width)
            x = self.space(first[rows], a, b).astype(np.float64)
            y = self.space(second[rows], b, a).astype(np.float64)
            found[rows] = ((x - y) ** 2).sum(1)
        return found

    def _category(self, tuples: np.ndarray) -> np.ndarray:
        of = self.world.attributes
        return of.values(np.asarray(tuples))[..., of.column(self.rule.category)]


def _groups(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(label, its rows) of every label there is."""
    for label in np.unique(labels):
        yield int(label), np.flatnonzero(labels == label)
