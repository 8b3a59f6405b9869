"""Seconds for the exact grouping, beside the same question as an integer program.

    python -m benchmarks.grouping [--quick]

Random affinities (the hard case: no structure to prune by). Ours is `group_tasks`,
which also finds the runner-up; HiGHS (scipy.optimize.milp) is asked for the optimum
alone and is left out where it would take minutes. Both run interleaved in this one
process, and the optima must agree. Column generation (what 40 tasks take, and limits
beyond 12) is timed beside the exact core up to 20 tasks, where it must find the same
optimum; of 40 tasks its certified gap is shown, for random affinities and for five
planted families.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.command import execute, flags_of
from disentangle.affinity import Affinity, columns, group_tasks, milp
from disentangle.affinity.limits import Limits
from disentangle.affinity.pair_scores import PairScores
from disentangle.affinity.pricing import Market

SIZES = (9, 10, 12, 16, 18, 20)
MANY = 40
BUDGETS = (2, 3, 4)
MILP_UP_TO = 10  # tasks; 12 take HiGHS from seconds to minutes
REPEATS = 3


def main() -> None:
    parser = flags_of(__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 16 tasks")
    sizes = [n for n in SIZES if n <= 16 or not parser.parse_args().quick]
    print(
        f"{'tasks':>5} {'budget':>6} {'ours s':>9} {'columns s':>9} {'HiGHS s':>9} "
        f"{'ratio':>8}"
    )
    for n in sizes:
        for budget in BUDGETS:
            print(row(n, budget), flush=True)
    if not parser.parse_args().quick:
        for name, matrix in (("random", normal(MANY)), ("5 families", families(MANY))):
            for budget in (4, 5):
                print(many(name, matrix, budget), flush=True)


def many(name: str, matrix: np.ndarray, budget: int) -> str:
    """One line about more tasks than the exact core takes."""
    affinity = Affinity(matrix, tuple(f"task {i}" for i in range(len(matrix))))
    start = time.perf_counter()
    found = group_tasks(affinity, budget)
    seconds = time.perf_counter() - start
    return (
        f"{len(matrix):5d} {budget:6d} {seconds:9.3f} s, {name}: objective "
        f"{found.objective:.4f}, bound {found.bound:.4f}, gap {found.gap:.2g}"
    )


def normal(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, n))


def families(n: int) -> np.ndarray:
    """Five families, 1 inside and -1 between them, with noise of 0.3."""
    label = np.arange(n) % 5
    return np.where(label[:, None] == label, 1.0, -1.0) + 0.3 * normal(n)


def row(n: int, budget: int) -> str:
    matrix = normal(n)
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
    start = time.perf_counter()
    found = generated(matrix, budget)
    seconds = time.perf_counter() - start
    assert abs(found.total / n - result.objective) < 1e-6, (found, result)
    line = f"{n:5d} {budget:6d} {min(ours):9.3f} {seconds:9.3f}"
    if theirs:
        line += f" {min(theirs):9.3f} {min(theirs) / min(ours):7.0f}x"
    return line


def generated(matrix: np.ndarray, budget: int) -> columns.Found:
    n = len(matrix)
    off = np.where(np.eye(n, dtype=bool), 0.0, matrix)
    limits = Limits(tuple(f"task {i}" for i in range(n)))
    return columns.generate(Market(off, np.full(n, -np.inf), limits), budget)


def every_group(matrix: np.ndarray) -> np.ndarray:
    """(G, n) scores of all groups of two or more, for HiGHS."""
    scores = PairScores(matrix, alone=None)
    masks = (mask for mask in range(2 ** len(matrix)) if mask.bit_count() > 1)
    return np.array([scores.score(mask) for mask in masks])


if __name__ == "__main__":
    execute(main)
