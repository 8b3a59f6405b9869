"""Which of several equally good splits scikit-learn's trees take.

In small nodes many splits are equally good. There the last bits of the sums decide,
and between equals the split that is looked at first. Both follow from the order of work
in scikit-learn (1.9, whose criterion is the squared error): codes are visited in a
drawn order, rows stay as the last visited code sorted them, sums are added up row by
row. This repeats it for one tree, as far as a tie in it needs; nothing else of a tree
depends on it.

Rows with the same value of a code may come in another order than in scikit-learn's
sort. Sums over them, and ties that hang on those, can differ.
"""

import numpy as np

from disentangle.metrics.presorted import Presorted

# A node whose targets vary no more than this is a leaf.
PURE = float(np.finfo(np.float64).eps)
# Above this variance rounding cannot make a node a leaf.
SURELY_VARIED = 1e-12
# Rows that tell of most codes that they vary.
FEW = 8
# A table with more rows than this for each row of a node is not gone through for them.
SPARSE = 16
SEEDS = 2**31 - 1

Levels = list[tuple[np.ndarray, np.ndarray]]


class Tree:
    """What scikit-learn's depth-first search has seen of one tree.

    A node is (level, q): the root (0, 0), the children of (level, q) are
    (level + 1, 2 q) and (level + 1, 2 q + 1).

    The forest's levels are filled as far as node q before a tie of node q is asked for.
    """

    def __init__(self, forest: "Forest", t: int) -> None:
        self.table, self.target = forest.table, forest.target[t]
        self.levels, self.depth, self.number = forest.levels, forest.depth, t
        self._draws = _Draws(len(self.table.order), int(forest.seeds[t]))
        self._todo = [(0, 0, 0)]
        self._visited: dict[tuple[int, int], list[int]] = {}
        self._members = {(0, 0): np.arange(len(self.target))}
        self._sums: dict[tuple[int, int], tuple[float, float]] = {}

    def best(self, level: int, q: int, codes: np.ndarray, places: np.ndarray) -> int:
        """Which of the splits (code, place), each (C,), the node gets."""
        total = self._totals(level, q)[0]
        chosen, most = 0, -np.inf
        for code in self._visit_order(level, q):
            mine = np.flatnonzero(codes == code)
            if not len(mine):
                continue
            mine = mine[np.argsort(places[mine])]
            proxy = self._proxies(level, q, total, code, places[mine])
            if proxy.max() > most:
                chosen, most = int(mine[proxy.argmax()]), proxy.max()
        return chosen

    def members(self, level: int, q: int) -> np.ndarray:
        """The rows of a node."""
        if (level, q) not in self._members:
            rows = self.members(level - 1, q // 2)
            left = self._goes_left(level - 1, q // 2, rows)
            self._members[level, q] = rows[~left] if q % 2 else rows[left]
        return self._members[level, q]

    def rows(self, level: int, q: int) -> np.ndarray:
        """The rows of a node, in the order in which they come to it."""
        if not level:
            return self.members(0, 0)
        up = level - 1, q // 2
        rows = self._sorted(self._visit_order(*up)[-1], self.members(*up))
        left = self._goes_left(*up, rows)
        order, count = partitioned(left), np.count_nonzero(left)
        return rows[order[count:] if q % 2 else order[:count]]

    def _goes_left(self, level: int, q: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of a node go left."""
        code, place = (column[q, self.number] for column in self.levels[level])
        return self.table.rank[code, rows] <= place

    def _sorted(self, code: int, rows: np.ndarray) -> np.ndarray:
        """Rows in the order of a code."""
        order = self.table.order[code]
        if len(rows) * SPARSE < len(order):
            return rows[np.argsort(self.table.rank[code, rows])]
        there = np.zeros(len(order), bool)
        there[rows] = True
        return order[there[order]]

    def leaf(self, level: int, q: int) -> bool:
        """Whether a node is not split because its targets are as good as equal."""
        targets = self.target[self.members(level, q)]
        if len(targets) < 2 or level == self.depth:
            return True
        if targets.var() > SURELY_VARIED:
            return False
        return self._impurity(level, q) <= PURE

    def gains(self, level: int, q: int) -> bool:
        """Whether the split of a node lowers its variance, as far as rounding shows."""
        left, right = (len(self.members(level + 1, 2 * q + side)) for side in (0, 1))
        first, second = (self._impurity(level + 1, 2 * q + side) for side in (0, 1))
        n = left + right
        after = self._impurity(level, q) - right / n * second - left / n * first
        return n / len(self.target) * after + PURE >= 0

    def _totals(self, level: int, q: int) -> tuple[float, float]:
        """Sum of the targets, and of their squares, row by row."""
        if (level, q) not in self._sums:
            targets = self.target[self.rows(level, q)]
            self._sums[level, q] = _added(targets), _added(targets * targets)
        return self._sums[level, q]

    def _impurity(self, level: int, q: int) -> float:
        """Variance, as rounded: below the root from what was known of the parent."""
        total, squares = self._totals(level, q)
        if level:
            up = level - 1, q // 2
            left, right = (self.rows(level, 2 * (q // 2) + side) for side in (0, 1))
            both, both_squares = self._totals(*up)
            if len(left) <= len(right):
                first = _added(self.target[left])
            else:
                first = _added(-self.target[right][::-1], both)
            first_squares = _added(np.square(self.target[left]))
            total, squares = first, first_squares
            if q % 2:
                total, squares = both - first, both_squares - first_squares
        n = len(self.members(level, q))
        return squares / n - (total / n) ** 2

    def _visit_order(self, level: int, q: int) -> list[int]:
        """The codes in the order in which a node visits them, constant ones not."""
        while (level, q) not in self._visited:
            at, p, known = self._todo.pop()
            self._visited[at, p] = []
            if at and not self._split(at - 1, p // 2):
                continue
            if not self._split(at, p) and self.leaf(at, p):
                continue
            constant = self._constant(self.members(at, p))
            self._visited[at, p], known = self._draws.visit(known, constant)
            if at + 1 < self.depth:
                self._todo += [(at + 1, 2 * p + 1, known), (at + 1, 2 * p, known)]
        return self._visited[level, q]

    def _split(self, level: int, q: int) -> bool:
        """Whether a node is known to be split."""
        if level >= len(self.levels):
            return False
        return bool(self.levels[level][1][q, self.number] < len(self.target))

    def _constant(self, rows: np.ndarray) -> np.ndarray:
        """(D,) bool, whether a code is as good as constant over these rows."""
        constant = self._narrow(np.arange(len(self.table.rank)), rows[:FEW])
        maybe = np.flatnonzero(constant)
        if len(maybe) and len(rows) > FEW:
            constant[maybe] = self._narrow(maybe, rows)
        return constant

    def _narrow(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether the values of codes (C,) at these rows cannot be told apart."""
        rank = self.table.rank[codes[:, None], rows]
        low = self.table.values[codes, rank.min(axis=1)]
        return self.table.values[codes, rank.max(axis=1)] <= low + self.table.same

    def _proxies(
        self, level: int, q: int, total: float, code: int, places: np.ndarray
    ) -> np.ndarray:
        """s^2 / m + (total - s)^2 / (n - m) of splits of one code."""
        rows = self._sorted(code, self.members(level, q))
        rank, target = self.table.rank[code, rows], self.target[rows]
        value = self.table.values[code, rank]
        cuts = np.flatnonzero(value[1:] > value[:-1] + self.table.same) + 1
        s = left_sums(target, cuts, total)
        m = np.searchsorted(rank, places, "right")
        s = s[np.searchsorted(cuts, m)]
        return s * s / m + (total - s) * (total - s) / (len(rank) - m)


class Forest:
    """Trees on the same codes, those with a tie as `Tree`.

    Args:
      table: the codes.
      target: (T, N) float64.
      depth: levels of splits.
      seeds: (T,) int.

    Attributes:
      levels: code and place (Q, T) of the splits of each level so far.
    """

    def __init__(
        self, table: Presorted, target: np.ndarray, depth: int, seeds: np.ndarray
    ) -> None:
        self.table, self.target, self.depth, self.seeds = table, target, depth, seeds
        self.levels: Levels = []
        self._trees: dict[int, Tree] = {}

    def closed(self, count: int) -> np.ndarray:
        """(Q, T) bool, which of the next level's Q nodes lie below a leaf."""
        if not self.levels:
            return np.zeros((count, len(self.target)), bool)
        return np.repeat(self.levels[-1][1] == self.target.shape[1], 2, axis=0)

    def tree(self, t: int) -> Tree:
        """Tree number t."""
        if t not in self._trees:
            self._trees[t] = Tree(self, t)
        return self._trees[t]


class _Draws:
    """The order in which a tree's nodes visit the codes: a shuffle, drawn by xorshift.

    The codes that were constant in a node above come first. They are drawn, but not
    visited again.
    """

    def __init__(self, width: int, seed: int) -> None:
        self.state = seed or 1
        self.codes = list(range(width))

    def visit(self, known: int, constant: np.ndarray) -> tuple[list[int], int]:
        """The codes one node visits; how many are constant, of which `known` above."""
        codes, visited = self.codes, []
        left, drawn, found = len(codes), 0, 0
        while left > known + found:
            j = drawn + self._below(left - found - drawn)
            if j < known:
                drawn += 1
                continue
            j += found
            code = codes[j]
            if constant[code]:
                codes[j], codes[known + found] = codes[known + found], codes[j]
                found += 1
                continue
            left -= 1
            codes[left], codes[j] = codes[j], codes[left]
            visited.append(code)
        return visited, known + found

    def _below(self, limit: int) -> int:
        """A draw from 0 to limit - 1 (Marsaglia 2003, xorshift32)."""
        x = self.state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self.state = x
        return (x & 0x7FFFFFFF) % limit


def left_sums(target: np.ndarray, cuts: np.ndarray, total: float) -> np.ndarray:
    """The sums left of each cut of sorted rows, added up as scikit-learn does.

    From cut to cut row by row; but where that takes more rows than there are right of
    the cut, those are taken off the total.
    """
    n = len(target)
    steps = np.diff(cuts, prepend=0)
    jumps = np.flatnonzero(steps > n - cuts)
    if not len(jumps):
        return np.cumsum(target)[cuts - 1]
    sums = np.empty(len(cuts))
    ends = np.append(jumps[1:], len(cuts))
    sums[: jumps[0]] = np.cumsum(target)[cuts[: jumps[0]] - 1]
    for jump, end in zip(jumps, ends, strict=True):
        start = cuts[jump]
        base = _added(-target[start:][::-1], total)
        running = np.cumsum(np.append(base, target[start:]))
        sums[jump:end] = running[cuts[jump:end] - start]
    return sums


def _added(values: np.ndarray, start: float = 0.0) -> float:
    """start + values, one after the other."""
    return float(np.cumsum(np.append(start, values))[-1])


def partitioned(left: np.ndarray) -> np.ndarray:
    """The order in which a two-pointer partition leaves its items.

    An item that goes right is exchanged with the last that has not been looked at.

    Args:
      left: (n,) bool, whether an item goes left.

    Returns:
      (n,) int, old places: first those that go left.
    """
    n, count = len(left), np.count_nonzero(left)
    holes = np.flatnonzero(~left[:count])
    back = np.arange(n - 1, count - 1, -1)
    stays = left[back]
    order = np.empty(n, np.int64)
    order[:count] = np.arange(count)
    order[holes] = back[stays]
    # The right side from behind: each hole's item, then those met before the hole is
    # filled. One more "hole" is met when the front comes to the right side.
    if count < n and not left[count]:
        holes = np.append(holes, count)
        back, stays = back[:-1], stays[:-1]
    turn = np.cumsum(stays)[~stays]
    items = np.concatenate([holes, back[~stays]])
    turns = np.concatenate([np.arange(len(holes)), turn])
    order[count:] = items[np.argsort(turns, kind="stable")][::-1]
    return order
