r"""What is counted of ranked rows: hits, reciprocal ranks, gains, precision, chance.

Arrays in, numbers per query out. With rel_j in [0, 1] how much of what was wanted the
row at place j has, ADDE (Hou et al. 2021) reports

$$
\mathrm{NDCG@}K = \sum_{j=1}^{K} \frac{2^{rel_j} - 1}{\ln(j + 1)} \bigg/
\sum_{j=1}^{K} \frac{2^{ideal_j} - 1}{\ln(j + 1)}
$$

with ideal_j = 1, rows that a gallery does not have. As it should be, ideal_j is that of
the gallery sorted by relevance: `ideal` says which.
"""

import functools

import numpy as np

from disentangle.errors import UserError

DISTANT = 1e-30  # what is no distance at all


def discounts(k: int) -> np.ndarray:
    """(k,) 1 / ln(j + 1) of the places j = 1 .. k."""
    return 1.0 / np.log(np.arange(2, k + 2))


def ndcg(relevance: np.ndarray, ideal: np.ndarray | None = None) -> np.ndarray:
    """(Q,) normalised discounted gain of each query.

    Args:
      relevance: (Q, K) in [0, 1], of the rows found, nearest first.
      ideal: (Q, K) of the best K rows there are; None: 1 everywhere, as published.
    """
    by = discounts(relevance.shape[1])
    best = np.ones((1, len(by))) if ideal is None else ideal
    gain = ((2.0**relevance - 1) * by).sum(1)
    return np.asarray(gain / np.maximum(((2.0**best - 1) * by).sum(1), DISTANT))


def sorted_relevance(matches: np.ndarray, k: int) -> np.ndarray:
    """(Q, k) the relevance of the best k rows there are, best first.

    Args:
      matches: (Q, A + 1) rows of the gallery with 0, 1, .. A wanted labels.
      k: how many; places beyond the gallery have relevance 0.
    """
    most = matches.shape[1] - 1
    above = np.cumsum(matches[:, ::-1], axis=1)  # rows with A, A - 1, .. or more
    places = np.arange(k)
    missing = (places[None, :, None] >= above[:, None, :]).sum(2)
    return np.maximum(most - missing, 0) / most


def chance_hit(rows: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """(Q,) the chance that one of k rows drawn of `rows` is among the `right` ones."""
    rows, right = np.asarray(rows, np.float64), np.asarray(right, np.float64)
    missed = np.ones(np.broadcast(rows, right).shape)
    for taken in range(k):
        left = np.maximum(rows - taken, 1.0)
        missed = missed * np.clip(1.0 - right / left, 0.0, 1.0)
    return 1.0 - missed


def chance_reciprocal(rows: int, right: int) -> float:
    """The mean of 1 / (place of the first right row) in a random order; 0 for none."""
    if not right:
        return 0.0
    places = np.arange(1, rows - right + 2, dtype=np.float64)
    # P(first at r) = P(none before) right / (rows - r + 1)
    left = rows - places + 1
    none = np.concatenate([[1.0], np.cumprod(1.0 - right / left)[:-1]])
    return float((none * right / left / places).sum())


def average_precision(distances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(Q, A) mean over right rows of the precision at their place.

    Rows at one distance have one place, the last of theirs: their order is nobody's
    merit. Codes that are all equal have the prevalence. NaN without a right row.

    Args:
      distances: (Q, G), infinite for rows that are left out.
      right: (Q, G, A) bool, by A different wishes.
    """
    found = np.empty((len(distances), right.shape[2]))
    for i, (row, hits) in enumerate(zip(distances, right, strict=True)):
        order = np.argsort(row)[: np.isfinite(row).sum()]
        held = row[order]
        last = np.flatnonzero(np.append(held[1:] != held[:-1], True))
        upto = np.cumsum(hits[order], axis=0)[last]
        new = np.diff(upto, axis=0, prepend=0)
        total = (new * upto / (last + 1)[:, None]).sum(0)
        found[i] = np.where(upto[-1], total / np.maximum(upto[-1], 1), np.nan)
    return found


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """The chance that a positive scores above a negative, and its standard error.

    A tie counts half. The standard error is that of DeLong et al. 1988, from the share
    of negatives below each positive and of positives above each negative.

    Args:
      scores: (n,).
      positive: (n,) bool.

    Raises:
      UserError: fewer than two of either.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    over, under = scores[positive], np.sort(scores[~positive])
    if min(len(over), len(under)) < 2:
        raise UserError("an area under the curve needs two positives and two negatives")
    below = _place(over, under) / len(under)
    above = 1.0 - _place(scores[~positive], np.sort(over)) / len(over)
    error = below.var(ddof=1) / len(below) + above.var(ddof=1) / len(above)
    return float(below.mean()), float(np.sqrt(error))


def _place(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """(n,) how many of the ordered values are below each, ties counting half."""
    sides = [np.searchsorted(ordered, values, side) for side in ("left", "right")]
    return np.asarray((sides[0] + sides[1]) / 2)


def tied_hit(distances: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """(Q,) the chance that the right row is among the k nearest, ties in any order.

    Args:
      distances: (Q, G).
      right: (Q,) rows.
      k: how many are looked at.
    """
    own = distances[np.arange(len(right)), right][:, None]
    nearer, same = (distances < own).sum(1), (distances == own).sum(1)
    return np.clip((k - nearer) / same, 0.0, 1.0)


def chosen_first(distances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(Q,) 1 where the right one of some answers is the nearest, 1 / n of n at once.

    Args:
      distances: (Q, answers).
      right: (Q,) which.
    """
    best = distances.min(1, keepdims=True)
    ties = distances == best
    return ties[np.arange(len(right)), right] / ties.sum(1)


def nearer(close: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(n,) 1 where the first distance is smaller, 1/2 where both are the same."""
    return (np.sign(far - close) + 1) / 2


def changed(found: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(A,) the share of queries whose result differs from the reference, per attribute.

    A row of the leak matrix: of edits of one attribute, what became of each.

    Args:
      found: (Q, A) labels of the nearest row.
      reference: (Q, A) labels of what was asked with.
    """
    if not len(found):
        return np.zeros(found.shape[1])
    return np.asarray((found != reference).mean(0))


def intervals(
    outcomes: list[np.ndarray], draws: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of several groups of queries, averaged, and 95 % bootstrap intervals.

    Queries are drawn with replacement within each group; the interval is the mean
    -+ 1.96 standard deviations over the draws, as those of METRICS. It says how far
    other queries would move the score; not another gallery, nor another model.

    Args:
      outcomes: of each group (n, S), S scores of each query.
      draws: at least 2, or 0: NaN for the bounds.
      seed: of the draws.

    Returns:
      (mean, low, high), (S,) each; the mean is over groups, macro.
    """
    mean = np.mean([group.mean(0) for group in outcomes], axis=0)
    if draws < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    drawn = np.zeros((draws, len(mean)))
    for number, group in enumerate(outcomes):
        drawn += weights(len(group), draws, seed, number) @ group
    half = 1.96 * (drawn / len(outcomes)).std(0, ddof=1)
    return mean, mean - half, mean + half


@functools.lru_cache(32)
def weights(count: int, draws: int, seed: int, number: int) -> np.ndarray:
    """(draws, count) the share of each query in each resample of a group."""
    rng = np.random.default_rng((seed, number))
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=draws)
    return (drawn / count).astype(np.float32)
