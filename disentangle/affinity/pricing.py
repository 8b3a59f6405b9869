"""Which group of many tasks would improve an answer, and how much at most.

Given prices pi_t of tasks and mu of cost, a group g is worth

    w(g) = sum over t in g of max(0, s(g, t) - pi_t) - mu c(g)

(of disjoint groups without the max), where s(g, t) is the mean of Z[i, t] over the
other members i. A search by single changes finds groups that are worth much. How much
any group of k tasks can be worth is bounded by a linear program: with y_i for i in g,
z_t for g serves t, and w_it for both,

    max sum_it Z[i, t] w_it / (k - 1) - sum_t pi_t z_t - mu c(g)
    with sum y = k, z_t <= y_t, w_it <= y_i, w_it <= z_t,
    sum over i of w_it = (k - 1) z_t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from disentangle.affinity.limits import Limits, places_of
from disentangle.affinity.milp import Prices
from disentangle.affinity.scores import bits

ROUNDS = 200  # single changes of one start
LISTED, CHUNK = 20, 2**14  # tasks up to which every group is listed; so many at a time
NODES = 100  # of a search for the group of one size that is worth most


@dataclass(frozen=True, eq=False)
class Market:
    """The groups there are to price.

    Attributes:
      matrix: (n, n) the affinities, 0 on the diagonal.
      alone: (n,) the score of each task in a group of its own; -inf where it may not.
      limits: what a group may be and what it costs.
    """

    matrix: np.ndarray
    alone: np.ndarray
    limits: Limits

    def scores(self, inside: np.ndarray) -> np.ndarray:
        """(k, n) of (k, n) bool groups; -inf for tasks that are not in them."""
        sizes = inside.sum(axis=-1, keepdims=True)
        mean = (inside @ self.matrix) / np.maximum(sizes - 1, 1)
        found = np.where(sizes == 1, self.alone, mean)
        return np.where(inside, found, -np.inf)

    def costs(self, inside: np.ndarray) -> np.ndarray:
        """(k,) what groups cost."""
        if self.limits.costs is None:
            return np.ones(len(inside))
        return np.asarray(inside @ self.limits.costs)

    def worth(self, inside: np.ndarray, prices: Prices) -> np.ndarray:
        """(k,) w(g); -inf where the limits do not allow a group, or it is empty."""
        gains = np.where(inside, self.scores(inside) - prices.tasks, 0.0)
        if not self.limits.disjoint:
            gains = np.maximum(gains, 0.0)
        total = gains.sum(axis=1) - prices.cost * self.costs(inside)
        fine = self.limits.allows(inside) & inside.any(axis=1)
        return np.where(fine, total, -np.inf)


def improve(market: Market, starts: np.ndarray, prices: Prices) -> np.ndarray:
    """(k, n) the groups that single changes of the starts end in.

    A change puts a unit (a task, or those that are never split) in or out; the best of
    all is made, the first of equals, until none improves.
    """
    units = market.limits.units()
    flips = np.zeros((len(units), starts.shape[1]), bool)
    for row, unit in enumerate(units):
        flips[row, unit] = True
    groups = starts.copy()
    worth = market.worth(groups, prices)
    active = np.arange(len(groups))
    for _ in range(ROUNDS):
        near = groups[active][:, None] ^ flips
        values = market.worth(near.reshape(-1, near.shape[2]), prices)
        values = values.reshape(len(active), len(flips))
        first = values.argmax(axis=1)
        top = values[np.arange(len(active)), first]
        better = top > worth[active] + 1e-12 * np.maximum(1, np.abs(top))
        active, first, top = active[better], first[better], top[better]
        if not len(active):
            break
        groups[active] ^= flips[first]
        worth[active] = top
    return groups[np.isfinite(worth)]


def most_worth(market: Market, prices: Prices, enough: float) -> float:
    """A bound: no group is worth more than this; at least 0.

    Args:
      market, prices: see above.
      enough: a bound of at most this much is made exact where that takes few nodes of
        a search (`NODES` per size); a larger one is left as the linear programs give
        it.
    """
    n = len(market.matrix)
    if n <= LISTED:
        return max(0.0, *(float(w.max()) for _, w in every_worth(market, prices)))
    largest = n if market.limits.largest is None else min(n, market.limits.largest)
    single = float(market.worth(np.eye(n, dtype=bool), prices).max())
    tops = {k: _rough(market, prices, k) for k in range(2, largest + 1)}
    first = _largest(tops, max(0.0, single), lambda k: _relaxed(market, prices, k))
    if first > enough:
        return first
    return _largest(
        tops, max(0.0, single), lambda k: _relaxed(market, prices, k, NODES)
    )


def _largest(
    tops: dict[int, float], floor: float, bound: Callable[[int], float]
) -> float:
    """The largest bound of any size, at least `floor`; `tops` are bounds that are free.

    What is found replaces its top; sizes whose top is below the result are left out.
    """
    found = floor
    for size in sorted(tops, key=lambda k: (-tops[k], k)):
        if tops[size] > found:
            tops[size] = min(tops[size], bound(size))
            found = max(found, tops[size])
    return found


def every_worth(
    market: Market, prices: Prices
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All groups and their worth, some thousands at a time: (k, n) bool and (k,)."""
    n = len(market.matrix)
    for start in range(0, 2**n, CHUNK):
        inside = bits(np.arange(start, min(start + CHUNK, 2**n)), n)
        yield inside, market.worth(inside, prices)


def _rough(market: Market, prices: Prices, size: int) -> float:
    """A bound on w(g) of `size` tasks: every task with its best helpers."""
    off = np.where(np.eye(len(market.matrix), dtype=bool), -np.inf, market.matrix)
    best = -np.sort(-off, axis=0)[: size - 1].mean(axis=0) - prices.tasks
    if not market.limits.disjoint:
        best = np.maximum(best, 0.0)
    top = float(-np.sort(-best)[:size].sum())
    if market.limits.costs is None:
        return top - prices.cost
    return top - prices.cost * float(np.sort(market.limits.costs)[:size].sum())


def _relaxed(market: Market, prices: Prices, size: int, nodes: int = 0) -> float:
    """The linear program at the top of this file; -inf where there is no such group.

    With `nodes`, y is whole numbers, as far as so many nodes of a search get.
    """
    n, limits = len(market.matrix), market.limits
    source, target = np.nonzero(~np.eye(n, dtype=bool))
    m, pair = len(source), np.arange(len(source))
    width, ones = 2 * n + m, np.ones(len(source))
    per_task = np.zeros(n) if limits.costs is None else limits.costs
    flat = prices.cost if limits.costs is None else 0.0
    gains = np.concatenate(
        [
            -prices.cost * per_task,
            -prices.tasks,
            market.matrix[source, target] / (size - 1),
        ]
    )
    eye, none = sparse.eye_array(n), sparse.csr_array((n, m))
    at = lambda column: sparse.csr_array((ones, (pair, column)), (m, width))
    w = at(2 * n + pair)
    below = [sparse.hstack([-eye, eye, none]), w - at(source), w - at(n + target)]
    bounds = [np.zeros(n + 2 * m)]
    if limits.memory is not None and limits.needs is not None:
        below.append(sparse.csr_array(np.r_[limits.needs, np.zeros(n + m)][None]))
        bounds.append(np.array([limits.memory]))
    for mask in limits.apart:
        row = np.zeros((1, width))
        row[0, places_of(mask)] = 1
        below.append(sparse.csr_array(row))
        bounds.append(np.ones(1))
    helped = sparse.csr_array((ones, (target, 2 * n + pair)), (n, width))
    served = sparse.csr_array(
        (np.full(n, size - 1.0), (np.arange(n), n + np.arange(n))), (n, width)
    )
    equal = [
        sparse.csr_array(np.r_[np.ones(n), np.zeros(n + m)][None]),
        helped - served,
    ]
    right = [np.array([size]), np.zeros(n)]
    if limits.disjoint:
        equal.append(sparse.hstack([eye, -eye, none]))
        right.append(np.zeros(n))
    for unit in limits.units():
        for other in unit[1:]:
            row = np.zeros((1, width))
            row[0, unit[0]], row[0, other] = 1, -1
            equal.append(sparse.csr_array(row))
            right.append(np.zeros(1))
    problem = (
        -gains,
        sparse.vstack(below).tocsr(),
        np.concatenate(bounds),
        sparse.vstack(equal).tocsr(),
        np.concatenate(right),
    )
    return _solved(*problem, whole=n if nodes else 0, nodes=nodes) - flat


def _solved(
    losses: np.ndarray,
    below: sparse.csr_array,
    limits: np.ndarray,
    equal: sparse.csr_array,
    right: np.ndarray,
    *,
    whole: int,
    nodes: int,
) -> float:
    """The largest gain, or a bound on it; -inf where nothing is allowed.

    The first `whole` variables are 0 or 1; all are between them.
    """
    kinds = np.zeros(len(losses))
    kinds[:whole] = 1
    result = milp(
        losses,
        integrality=kinds,
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(below, -np.inf, limits),
            LinearConstraint(equal, right, right),
        ],
        options={"node_limit": nodes, "mip_rel_gap": 0.0} if whole else {},
    )
    if result.status == 2:
        return -np.inf
    if whole:
        bound = result.mip_dual_bound
        return np.inf if bound is None or not np.isfinite(bound) else -float(bound)
    return -float(result.fun) if result.status == 0 else np.inf
