"""How sure a grouping is: does it come back when the affinity is redrawn?

A gap of 0 proves the arithmetic: no other grouping scores better on this matrix. It
says nothing about the matrix. So every affinity is redrawn, Gaussian, with its own
standard error, and the exact grouping is done again. (Not in Fifty et al. 2021, who
give no errors. Cells are redrawn independently, those of a symmetric matrix in pairs.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentangle.affinity.base import Affinity

REDRAWS, FEWEST = 500, 20
WORK = 1e9  # additions: some seconds
CLEAR = 2.0  # standard errors from 0 on which an affinity is told from noise

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Stability:
    """How often the redraws gave the same grouping, and which others.

    Attributes:
      redraws: how many there were.
      share: in which share of them the same groups came back, 0 to 1.
      answers: how many different groupings the redraws gave.
      most: the groupings that came most often, at most five, each with its share.
      together: (N, N), in which share of the redraws a group trained both tasks.
      ratio: (N, N), |affinity| / standard error; infinite where the error is 0.
      clear: how many affinities between different tasks exceed two standard errors.
      cells: how many there are, N (N - 1).
      seed: of the redraws.
    """

    redraws: int
    share: float
    answers: int
    most: tuple[tuple[Groups, float], ...]
    together: np.ndarray
    ratio: np.ndarray
    clear: int
    cells: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """A dict for strict JSON; None for an infinite ratio."""
        finite = np.where(np.isfinite(self.ratio), self.ratio, np.nan)
        return {
            "redraws": self.redraws,
            "share": self.share,
            "answers": self.answers,
            "most": [
                {"groups": [list(group) for group in groups], "share": share}
                for groups, share in self.most
            ],
            "together": self.together.tolist(),
            "ratio": [[None if v != v else v for v in row] for row in finite.tolist()],
            "clear": self.clear,
            "cells": self.cells,
            "seed": self.seed,
        }


def ratios(affinity: Affinity) -> np.ndarray:
    """(N, N) |affinity| / standard error: inf for an error of 0, NaN for 0 / 0."""
    assert affinity.standard_error is not None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.abs(affinity.matrix) / affinity.standard_error


def affordable(work: float) -> int:
    """How many redraws of so many additions are done unasked: 500, or fewer."""
    return int(min(REDRAWS, WORK // work))


def redraw(
    affinity: Affinity,
    groups: Groups,
    solve: Callable[[np.ndarray], Groups],
    redraws: int,
    seed: int,
) -> Stability:
    """Groups the matrix anew, `redraws` times, each within its standard errors.

    Args:
      affinity: with standard errors.
      groups: the grouping of its matrix.
      solve: (N, N) matrix -> its best groups.
      redraws: at least 1.
      seed: of the Gaussian numbers.
    """
    rng = np.random.default_rng(seed)
    matrix, error = affinity.matrix, affinity.standard_error
    assert error is not None
    symmetric = np.array_equal(matrix, matrix.T, equal_nan=True) and np.array_equal(
        error, error.T, equal_nan=True
    )
    n = len(matrix)
    place = {task: i for i, task in enumerate(affinity.tasks)}
    found: Counter[Groups] = Counter()
    together = np.zeros((n, n))
    for _ in range(redraws):
        noise = rng.standard_normal((n, n))
        if symmetric:
            noise = np.triu(noise) + np.triu(noise, 1).T
        found[solve(matrix + error * noise)] += 1
    for answer, times in found.items():
        inside = np.zeros((n, n), bool)
        for group in answer:
            rows = [place[task] for task in group]
            inside[np.ix_(rows, rows)] = True
        together += times * inside
    ratio = ratios(affinity)
    apart = ~np.eye(n, dtype=bool)
    return Stability(
        redraws=redraws,
        share=found[groups] / redraws,
        answers=len(found),
        most=tuple((g, times / redraws) for g, times in found.most_common(5)),
        together=together / redraws,
        ratio=ratio,
        clear=int((ratio[apart] >= CLEAR).sum()),
        cells=n * (n - 1),
        seed=seed,
    )
