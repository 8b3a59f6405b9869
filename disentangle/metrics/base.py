"""What a metric is: arrays and settings in, a Result out.

A metric is a plain function

    compute(table: Representation, settings: Settings) -> Result

with its own constants as keyword-only arguments after these two. It knows no model,
no data set and no file. A metric that compares several models of the same images is

    compute(population: Population, settings: Settings) -> PopulationResult

one that searches takes a Retrieval, one that asks whose the columns are takes Blocks,
and one that asks what a data set can be asked takes `Representation.ask`; one that
judges generated images takes a Generated, one that judges what they are drawn of a
LatentSpaces. Which of them a metric needs, and what its numbers are called, is said by
its row (`metric.Metric`): a metric is one file, which ends in that row, and one line in
METRICS (`metrics/__init__.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from joblib import cpu_count

from disentangle.errors import UserError, shown, unknown
from disentangle.metrics.discretize import dense_labels, histogram_bins
from disentangle.metrics.generated import Generated
from disentangle.metrics.latent_spaces import LatentSpaces
from disentangle.metrics.trees import BACKENDS
from disentangle.retrieval.outcome import Outcome

PROTOCOLS = ("locatello", "paper")

Ask = Callable[[str, int, int], Outcome]

Progress = Callable[[str, int, int], None]
"""progress(metric, done, total): called with 0 of 1 when a metric begins, then after
each unit of slow work."""


@dataclass(frozen=True)
class Images:
    """A source of more images, for metrics that draw their own: a grid and its codes.

    Attributes:
      sizes: (F,) how many values each factor has; all combinations exist.
      encode: encode(factors (n, F) int) -> codes (n, D) of these images, the columns
        those of the table. It may be slow: ask once, for all rows.
    """

    sizes: tuple[int, ...]
    encode: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Representation:
    """Codes (posterior means) of images whose factors are known, encoded once.

    Attributes:
      codes: (N, D) float, the training rows; finite.
      factors: (N, F) int64 >= 0, the factor values of the same rows. Every column
        has at least two different values.
      test_codes: (N', D) float, the test rows; N' may be 0.
      test_factors: (N', F) int64.
      factor_names: F names.
      logvars: (N, D) log-variances of the Gaussian posteriors whose means the codes
        are, training rows, or None where they are not known.
      categorical: the columns of each categorical latent, whose codes are the
        probabilities of its values; all other columns are latents of their own.
      images: where more images come from, or None: there is this table only.
      left_out: factor name -> why it is not among `factors`.
      ask: ask(task, seed, bootstrap) -> Outcome, how the model does in a task of
        `retrieval.TASKS`; None: there is this table only. UserError of a data set that
        cannot be asked this.
      drawn: drawn() -> Generated, images that the model draws, and what an oracle reads
        off them; None where there is no oracle. UserError of a model that draws none.
      spaces: spaces() -> LatentSpaces, what such images are drawn of; as `drawn`.
    """

    codes: np.ndarray
    factors: np.ndarray
    test_codes: np.ndarray
    test_factors: np.ndarray
    factor_names: tuple[str, ...]
    logvars: np.ndarray | None = None
    categorical: tuple[tuple[int, ...], ...] = ()
    images: Images | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    ask: Ask | None = None
    drawn: Callable[[], Generated] | None = None
    attributes: tuple[str, ...] = ()
    spaces: Callable[[], LatentSpaces] | None = None

    def by_latent(self) -> "Representation":
        """The table with one column per latent, for scores that compare columns.

        A categorical latent becomes its most probable value, a number 0, 1, ..., at
        the place of its first column, and stays marked as categorical. Where there
        is one, `logvars` and `images` are None: they speak of other columns. A table
        without categorical latents is returned as it is.
        """
        groups = {columns[0]: columns for columns in self.categorical}
        inner = {i for columns in self.categorical for i in columns[1:]}
        if not groups:
            return self
        kept = [i for i in range(self.codes.shape[1]) if i not in inner]

        def one_column(codes: np.ndarray) -> np.ndarray:
            new = codes[:, kept]
            for place, i in enumerate(kept):
                if len(groups.get(i, ())) > 1:
                    new[:, place] = codes[:, groups[i]].argmax(axis=1)
            return new

        return replace(
            self,
            codes=one_column(self.codes),
            test_codes=one_column(self.test_codes),
            logvars=None,
            categorical=tuple((kept.index(i),) for i in sorted(groups)),
            images=None,
        )

    def binned(self, bins: int) -> np.ndarray:
        """The training codes as bin numbers, one column per latent: (N, L) int64.

        Equal-width bins (`discretize.histogram_bins`); a categorical latent has its
        own values instead, however many.
        """
        table = self.by_latent()
        binned = histogram_bins(table.codes, bins)
        for (column,) in table.categorical:
            binned[:, column] = dense_labels(table.codes[:, [column]])[:, 0]
        return binned

    def need_test_rows(self, metric: str) -> None:
        """Raises UserError, on behalf of `metric`, if there are no test rows."""
        if not len(self.test_codes):
            raise UserError(
                f"{metric} needs test rows, but all {len(self.codes)} rows are "
                "training rows: give more rows, or a smaller num_train"
            )


@dataclass(frozen=True)
class Retrieval:
    """Codes to search with and codes to search in.

    Of a table the test rows search among the training rows, for images of their own
    factors.

    Attributes:
      queries: (Q, D) float, a code per query.
      wanted: (Q, F) int64, the factor values that a query looks for.
      gallery: (N, D) float, the codes that are searched.
      factors: (N, F) int64, their factor values.
      factor_names: F names.
    """

    queries: np.ndarray
    wanted: np.ndarray
    gallery: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """How scores are computed, for all metrics at once.

    Attributes:
      seed: seed of everything random in an estimator, 0 to 2**32 - 1.
      backend: a name in `trees.BACKENDS`: "reference", scikit-learn's gradient
        boosting as published numbers used it, or "fast", the same trees grown by
        ours in a fraction of the time.
      bins: equal-width bins of the histogram discretiser, at least 2.
      protocol: a name in PROTOCOLS. "locatello": every score by the definition and
        the constants of Locatello et al. 2019 (disentanglement_lib), where they have
        it; "paper": by those of the paper that proposed it. Which of the two a score
        has is in its row (`Metric.protocols`); a score that lacks the one asked for is
        computed by its own, and its `metadata` says so.
      bootstrap: resamples of the rows for confidence intervals, at least 2 (200 is
        usual); 0 is none.
      jobs: threads at work at a time, 0 for all cores; scores do not depend on it.
      progress: told about each unit of slow work, or None.

    Raises:
      UserError: a value out of its range, on making one.
    """

    seed: int = 0
    backend: str = "reference"
    bins: int = 20
    protocol: str = "locatello"
    bootstrap: int = 0
    jobs: int = 0
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.backend, str) or self.backend not in BACKENDS:
            raise unknown("backend", self.backend, BACKENDS)
        if not isinstance(self.protocol, str) or self.protocol not in PROTOCOLS:
            raise unknown("protocol", self.protocol, PROTOCOLS)
        if self.progress is not None and not callable(self.progress):
            raise UserError(
                "progress must be a function, called as progress(metric, done, total), "
                f"but is {shown(self.progress)}"
            )
        for name, value, least, most in (
            ("seed", self.seed, 0, 2**32 - 1),
            ("bins", self.bins, 2, 2**16),
            ("bootstrap", self.bootstrap, 0, 10**6),
            ("jobs", self.jobs, 0, 2**10),
        ):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not least <= value <= most:
                raise UserError(
                    f"{name} must be an integer from {least} to {most}, "
                    f"but is {shown(value)}"
                )
        if self.bootstrap == 1:
            raise UserError(
                "bootstrap is 1, but one resample has no spread: give 0 for no "
                "intervals, or at least 2 resamples (200 is usual)"
            )

    @property
    def threads(self) -> int:
        """How many threads to use: `jobs`, or the cores this process may use."""
        return self.jobs or cpu_count()


@dataclass(frozen=True)
class Result:
    """One metric of one representation.

    Attributes:
      values: the scores by name, e.g. {"disentanglement": 0.3, ...}.
      per_factor: the scores that have a value per factor, each F numbers in the order
        of `Representation.factor_names`.
      per_code: the scores that have a value per code, each D numbers; of metrics that
        compare latents (`Representation.by_latent`), one number per latent.
      intervals: part -> (low, high), the 95 % normal bootstrap interval, where
        `Settings.bootstrap` asked for it; see `bootstrap.intervals`.
      arrays: matrices to plot, e.g. the importance matrix (D, F).
      metadata: what was computed, in words and numbers that JSON can hold. A metric
        writes what is its own (definition, estimator, bins); `score` adds the rest
        (rows, seed, factor names, versions).
      why_not: "" of a metric that was computed; else one sentence why it cannot be
        had here, and `values` is empty.
    """

    values: dict[str, float]
    per_factor: dict[str, tuple[float, ...]] = field(default_factory=dict)
    per_code: dict[str, tuple[float, ...]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)
    why_not: str = ""


@dataclass(frozen=True)
class Population:
    """Codes of the same images by several models, for scores that compare models.

    Attributes:
      codes: (P, N, D) float, posterior means; finite.
      kl: (P, D) float64, the KL of each code to the prior, mean over images, in nats.
      settings: P labels, equal for models that differ in nothing but the seed; None
        where all do.
    """

    codes: np.ndarray
    kl: np.ndarray
    settings: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PopulationResult:
    """One metric of a population: as Result, with P values per part.

    Attributes:
      values: the scores by name, (P,) each, one value per model; NaN for a model
        that has no other to be compared with.
      arrays: matrices to plot.
      metadata: what was computed, as in Result.
    """

    values: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)
