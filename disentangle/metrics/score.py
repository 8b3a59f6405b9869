"""Scores of one code table: arrays in, numbers out."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from numpy.typing import ArrayLike

from disentangle import errors
from disentangle import metrics as registry
from disentangle.errors import UserError
from disentangle.metrics.base import CodeTable, Progress, Result, Settings
from disentangle.metrics.bootstrap import intervals
from disentangle.metrics.protocols import used
from disentangle.metrics.table import code_table

DEFAULTS = Settings()
ONE_TABLE = "this is one table of codes: evaluate a run of several seeds instead"


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
    protocol: str = "locatello",
    bootstrap: int = 0,
    factor_names: Sequence[str] | None = None,
    logvars: ArrayLike | None = None,
    jobs: int = 0,
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
      backend, bins, protocol, bootstrap, jobs, progress: see `Settings`.
      factor_names: F names for messages and reports.
      logvars: (N, D) log-variances of the posteriors whose means the codes are, for
        the scores that draw from them.

    Returns:
      {"dci/disentanglement": 0.3, ..., "mig/score": 0.1}: "<metric>/<part>", finite.
      With `bootstrap`, "<metric>/<part>/low" and ".../high" beside each.

    Raises:
      UserError: the input is wrong; raised before anything is computed.
    """
    settings = Settings(seed, backend, bins, protocol, bootstrap, jobs, progress)
    results = score_details(
        codes,
        factors,
        metrics,
        settings,
        num_train=num_train,
        num_test=num_test,
        factor_names=factor_names,
        logvars=logvars,
    )
    return flatten(results)


def score_details(
    codes: ArrayLike,
    factors: ArrayLike,
    metrics: str | Sequence[str] = ("dci", "mig"),
    settings: Settings = DEFAULTS,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    factor_names: Sequence[str] | None = None,
    logvars: ArrayLike | None = None,
) -> dict[str, Result]:
    """As `score`, with per-factor parts, intervals, matrices, and what was run.

    Args:
      codes, factors, metrics, num_train, num_test, factor_names, logvars: as `score`.
      settings: the rest.

    Returns:
      A Result per metric. `ran` says definition, estimator, rows, seed, factor names,
      versions, and the protocol it was really computed by (`protocols.PROTOCOLS_OF`);
      it can be written as JSON.
    """
    names = choose_metrics(metrics)
    table = code_table(
        codes,
        factors,
        num_train=num_train,
        num_test=num_test,
        factor_names=factor_names,
        logvars=logvars,
    )
    common = _what_ran(table, settings)
    results = {}
    for name in names:
        metric = registry.METRICS[name]
        result = metric(table, settings)
        if settings.bootstrap:
            found = intervals(metric, table, settings, result.parts)
            result = replace(result, intervals=found)
        ran = {**common, **used(name, settings.protocol), **result.ran}
        results[name] = replace(result, ran=ran)
    return results


def flatten(results: dict[str, Result]) -> dict[str, float]:
    """{"<metric>/<part>": value} of several results, and their intervals' ends."""
    flat: dict[str, float] = {}
    for name, result in results.items():
        for part, value in result.parts.items():
            flat[f"{name}/{part}"] = value
            if part in result.intervals:
                low, high = result.intervals[part]
                flat |= {f"{name}/{part}/low": low, f"{name}/{part}/high": high}
    return flat


def choose_metrics(
    metrics: str | Sequence[str], *, alone: str = ONE_TABLE
) -> tuple[str, ...]:
    """Names of metrics from a list, "dci,mig" or "all", each once, in order.

    Args:
      metrics: names in METRICS or POPULATION_METRICS; "all" is all that can be had.
      alone: why models cannot be compared here; "" where they can.

    Raises:
      UserError: a name that is not there (with a guess), one that compares models
        where they cannot be, or none at all.
    """
    listed = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    names = [str(name).strip() for name in listed]
    together = tuple(registry.POPULATION_METRICS)
    known = (*registry.METRICS, *(() if alone else together))
    if names == ["all"]:
        return known
    for name in names:
        if alone and name in together:
            raise UserError(f"{name} compares several models, but {alone}")
        if name not in known:
            raise errors.unknown("metric", name, [*known, "all"])
    if not names:
        raise UserError(f"no metrics given: choose from {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _what_ran(table: CodeTable, settings: Settings) -> dict[str, object]:
    """What every metric of one call has in common."""
    return {
        "num_train": len(table.codes),
        "num_test": len(table.test_codes),
        "codes": table.codes.shape[1],
        "factor_names": list(table.factor_names),
        "seed": settings.seed,
        "bootstrap": settings.bootstrap,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of Python and of the libraries that scores depend on."""
    found = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
