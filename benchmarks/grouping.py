"""Seconds for the exact grouping, beside the same question as an integer program.

    python -m benchmarks.grouping [--quick]

Random affinities (the hard case: no structure to prune by). Ours is `group_tasks`,
which also finds the runner-up; HiGHS (scipy.optimize.milp) is asked for the optimum
alone and is left out where it would take minutes. Both run interleaved in this one
process, and the optima must agree.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from disentangle.affinity import Affinity, group_tasks, milp
from disentangle.affinity.pair_scores import PairScores

SIZES = (9, 10, 12, 16, 18, 20)
BUDGETS = (2, 3, 4)
MILP_UP_TO = 10  # tasks; 12 take HiGHS from seconds to minutes
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 16 tasks")
    sizes = [n for n in SIZES if n <= 16 or not parser.parse_args().quick]
    print(f"{'tasks':>5} {'budget':>6} {'ours s':>9} {'HiGHS s':>9} {'ratio':>8}")
    for n in sizes:
        for budget in BUDGETS:
            print(row(n, budget), flush=True)


def row(n: int, budget: int) -> str:
    matrix = np.random.default_rng(n).normal(size=(n, n))
    affinity = Affinity(matrix, tuple(f"task {i}" for i in range(n)))
    table = every_group(matrix) if n <= MILP_UP_TO else None
    ours, theirs = [], []
    for _ in range(REPEATS if n <= 16 else 1):
        start = time.perf_counter()
        result = group_tasks(affinity, budget)
        ours.append(time.perf_counter() - start)
        if table is not None:
            start = time.perf_counter()
            total, _ = milp.best_total(table, np.ones(len(table)), budget)
            theirs.append(time.perf_counter() - start)
            assert abs(total / n - result.objective) < 1e-6, (total / n, result)
    line = f"{n:5d} {budget:6d} {min(ours):9.3f}"
    if theirs:
        line += f" {min(theirs):9.3f} {min(theirs) / min(ours):7.0f}x"
    return line


def every_group(matrix: np.ndarray) -> np.ndarray:
    """(G, n) scores of all groups of two or more, for HiGHS."""
    scores = PairScores(matrix, alone=None)
    masks = (mask for mask in range(2 ** len(matrix)) if mask.bit_count() > 1)
    return np.array([scores.score(mask) for mask in masks])


if __name__ == "__main__":
    main()
