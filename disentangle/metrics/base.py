"""What a metric is: arrays and settings in, a Result out.

A metric is a plain function

    metric(table: CodeTable, settings: Settings) -> Result

with its own constants as keyword-only arguments after these two. It knows no model,
no data set and no file. A metric is one file and one line in METRICS
(`metrics/__init__.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from disentangle.errors import UserError

Progress = Callable[[str, int, int], None]
"""progress(metric, done, total): called after each unit of slow work."""


@dataclass(frozen=True)
class CodeTable:
    """Codes (posterior means) of images whose factors are known, encoded once.

    Attributes:
      codes: (N, D) float, the training rows; finite.
      factors: (N, F) int64 >= 0, the factor values of the same rows. Every column
        has at least two different values.
      test_codes: (N', D) float, the test rows; N' may be 0.
      test_factors: (N', F) int64.
      factor_names: F names.
    """

    codes: np.ndarray
    factors: np.ndarray
    test_codes: np.ndarray
    test_factors: np.ndarray
    factor_names: tuple[str, ...]

    def need_test_rows(self, metric: str) -> None:
        """Raises UserError, on behalf of `metric`, if there are no test rows."""
        if not len(self.test_codes):
            raise UserError(
                f"{metric} needs test rows, but all {len(self.codes)} rows are "
                "training rows: give more rows, or a smaller num_train"
            )


@dataclass(frozen=True)
class Settings:
    """How scores are computed, for all metrics at once.

    Attributes:
      seed: seed of everything random in an estimator, 0 to 2**32 - 1.
      backend: a name in `trees.BACKENDS`.
      bins: equal-width bins of the histogram discretiser, at least 2.
      jobs: threads at work at a time; scores do not depend on it.
      progress: told about each unit of slow work, or None.
    """

    seed: int = 0
    backend: str = "reference"
    bins: int = 20
    jobs: int = 1
    progress: Progress | None = None


@dataclass(frozen=True)
class Result:
    """One metric of one code table.

    Attributes:
      parts: the scores by name, e.g. {"disentanglement": 0.3, ...}.
      per_factor: the scores that have a value a factor, each F numbers in the order
        of `CodeTable.factor_names`.
      arrays: matrices to plot, e.g. the importance matrix (D, F).
      ran: what was computed, in words and numbers that JSON can hold. A metric
        writes what is its own (definition, estimator, bins); `score` adds the rest
        (rows, seed, factor names, versions).
    """

    parts: dict[str, float]
    per_factor: dict[str, tuple[float, ...]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    ran: dict[str, object] = field(default_factory=dict)


Metric = Callable[[CodeTable, Settings], Result]
