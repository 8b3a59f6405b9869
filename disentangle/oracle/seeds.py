"""Splits of seeds into halves, and intervals over them."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import special

EVERY_SPLIT, DRAWN_SPLITS = 8, 35  # seeds up to which all are made; how many of more


def halves(seeds: int) -> list[tuple[list[int], list[int]]]:
    """Splits of the places 0, ..., seeds-1 into (fit, judge), each both ways.

    All splits into halves (of an odd number, one more in the second) of up to
    EVERY_SPLIT seeds, DRAWN_SPLITS of more, always the same ones; every seed is judged.
    """
    if seeds < 2:
        return []
    if seeds <= EVERY_SPLIT:
        firsts = [list(c) for c in itertools.combinations(range(seeds), seeds // 2)]
    else:
        rng = np.random.default_rng(0)
        drawn = (rng.permutation(seeds)[: seeds // 2] for _ in range(DRAWN_SPLITS))
        firsts = [sorted(map(int, half)) for half in drawn]
    pairs = [(half, [i for i in range(seeds) if i not in half]) for half in firsts]
    both = [*pairs, *((rest, half) for half, rest in pairs)]
    unique = {(tuple(fit), tuple(rest)) for fit, rest in both}
    return [(list(fit), list(rest)) for fit, rest in sorted(unique)]


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of a mean over seeds (Student's t); None of one value."""
    count = len(values)
    if count < 2:
        return None
    reach = special.stdtrit(count - 1, 0.975) * values.std(ddof=1) / np.sqrt(count)
    return float(values.mean() - reach), float(values.mean() + reach)
