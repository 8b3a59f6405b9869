"""Scores of one code table: arrays in, numbers out."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import ArrayLike

from disentangle import errors
from disentangle import metrics as registry
from disentangle.errors import UserError
from disentangle.metrics.base import CodeTable, Progress, Result, Settings
from disentangle.metrics.table import code_table
from disentangle.metrics.trees import BACKENDS


def score(
    codes: ArrayLike,
    factors: ArrayLike,
    metrics: str | Sequence[str] = ("dci", "mig"),
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
    backend: str = "reference",
    bins: int = 20,
    factor_names: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Scores a representation against the factors its images were made from.

    Args:
      codes: (N, D) posterior means of N images, one model.
      factors: (N, F) their factor values, integers >= 0. Rows in random order.
      metrics: names in METRICS; also "dci,mig" or "all".
      num_train: the first rows train; default 10,000, or two thirds of fewer than
        15,000 rows.
      num_test: the next rows test; default 5,000, or what is left.
      seed: of everything random in an estimator. Same seed, same numbers.
      backend: "reference", scikit-learn's gradient boosting as published numbers
        used it, or "fast", the same on histograms (`trees.BACKENDS`).
      bins: equal-width bins where codes are discretised.
      factor_names: F names for messages and reports.
      jobs: threads; default all cores. The numbers do not depend on it.
      progress: called as progress(metric, done, total) during slow metrics.

    Returns:
      {"dci/disentanglement": 0.3, ..., "mig/score": 0.1}: "<metric>/<part>", finite.

    Raises:
      UserError: the input is wrong; raised before anything is computed.
    """
    results = score_details(
        codes,
        factors,
        metrics,
        num_train=num_train,
        num_test=num_test,
        seed=seed,
        backend=backend,
        bins=bins,
        factor_names=factor_names,
        jobs=jobs,
        progress=progress,
    )
    return flatten(results)


def score_details(
    codes: ArrayLike,
    factors: ArrayLike,
    metrics: str | Sequence[str] = ("dci", "mig"),
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
    backend: str = "reference",
    bins: int = 20,
    factor_names: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Result]:
    """As `score`, with per-factor parts, matrices, and what was run.

    Args:
      As `score`.

    Returns:
      A Result a metric. `ran` says definition, estimator, rows, seed, factor names
      and versions; it can be written as JSON.
    """
    names = choose_metrics(metrics)
    settings = _settings(seed, backend, bins, jobs, progress)
    table = code_table(
        codes,
        factors,
        num_train=num_train,
        num_test=num_test,
        factor_names=factor_names,
    )
    common = _what_ran(table, settings)
    results = {}
    for name in names:
        result = registry.METRICS[name](table, settings)
        results[name] = replace(result, ran={**common, **result.ran})
    return results


def flatten(results: dict[str, Result]) -> dict[str, float]:
    """{"<metric>/<part>": value} of several results."""
    return {
        f"{name}/{part}": value
        for name, result in results.items()
        for part, value in result.parts.items()
    }


def choose_metrics(metrics: str | Sequence[str]) -> tuple[str, ...]:
    """Names in METRICS from a list, "dci,mig" or "all", each once, in order.

    Raises:
      UserError: a name that is not there (with a guess), or none at all.
    """
    listed = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    names = [str(name).strip() for name in listed]
    if names == ["all"]:
        return tuple(registry.METRICS)
    for name in names:
        if name not in registry.METRICS:
            raise errors.unknown("metric", name, [*registry.METRICS, "all"])
    if not names:
        raise UserError(f"no metrics given: choose from {', '.join(registry.METRICS)}")
    return tuple(dict.fromkeys(names))


def _settings(
    seed: int, backend: str, bins: int, jobs: int | None, progress: Progress | None
) -> Settings:
    """Checked Settings; `jobs` defaults to the cores this process may use."""
    if backend not in BACKENDS:
        raise errors.unknown("backend", backend, BACKENDS)
    if jobs is None:
        from joblib import cpu_count

        jobs = cpu_count()
    for name, value, least, most in (
        ("seed", seed, 0, 2**32 - 1),
        ("bins", bins, 2, 2**16),
        ("jobs", jobs, 1, 2**10),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            raise UserError(
                f"{name} must be an integer from {least} to {most}, but is {value!r}"
            )
    return Settings(int(seed), backend, int(bins), int(jobs), progress)


def _what_ran(table: CodeTable, settings: Settings) -> dict[str, object]:
    """What every metric of one call has in common."""
    return {
        "num_train": len(table.codes),
        "num_test": len(table.test_codes),
        "codes": table.codes.shape[1],
        "factor_names": list(table.factor_names),
        "seed": settings.seed,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of Python and of the libraries that scores depend on."""
    found = {"python": platform.python_version()}
    for package in ("numpy", "scikit-learn", "lightgbm"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
