"""Scores of one representation: arrays in, numbers out."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from disentangle import errors
from disentangle import metrics as registry
from disentangle.errors import UserError
from disentangle.metrics.base import (
    Ask,
    Generated,
    Images,
    LatentSpaces,
    Progress,
    Representation,
    Result,
    Settings,
)
from disentangle.metrics.bootstrap import intervals
from disentangle.metrics.inputs import INPUTS
from disentangle.metrics.metric import Part
from disentangle.metrics.order import order_note
from disentangle.metrics.protocols import used
from disentangle.metrics.table import read_representation
from disentangle.versions import versions

DEFAULTS = Settings()
ELSEWHERE = ("queries", "generator", "blocks", "latents")  # no table meets them
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
    categorical: Sequence[Sequence[int]] = (),
    jobs: int = 0,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Scores a representation against the factors its images were made from.

    Args:
      codes: (N, D) posterior means of N images, one model.
      factors: (N, F) their factor values, integers >= 0. Rows in random order. A
        factor with one value is left out, with a warning.
      metrics: names in METRICS; also "dci,mig" or "all".
      num_train: the first rows train; default 10,000, or two thirds of fewer than
        15,000 rows.
      num_test: the next rows test; default 5,000, or what is left.
      seed: of everything random in an estimator. Same seed, same numbers.
      backend, bins, protocol, bootstrap, jobs, progress: see `Settings`.
      factor_names: F names for messages and reports.
      logvars: (N, D) log-variances of the posteriors whose means the codes are, for
        the scores that draw from them.
      categorical: the columns of each categorical latent, whose codes are the
        probabilities of its values, such as [(6, 7, 8)]: one latent where scores
        compare latents.

    Returns:
      {"dci/disentanglement": 0.3, ..., "mig/score": 0.1}: "<metric>/<part>", finite.
      With `bootstrap`, "<metric>/<part>/low" and ".../high" beside each. Of several
      metrics, one that cannot be had here has no entry, and a warning says why.

    Warns:
      UserWarning: what `notes` says of the results.

    Raises:
      UserError: the input is wrong; raised before anything is computed. Also where
        none of the metrics can be had.
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
        categorical=categorical,
    )
    for note in notes(results):
        warnings.warn(note, stacklevel=2)
    return flatten(results)


def score_details(
    codes: ArrayLike,
    factors: ArrayLike | None,
    metrics: str | Sequence[str] = ("dci", "mig"),
    settings: Settings = DEFAULTS,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    factor_names: Sequence[str] | None = None,
    logvars: ArrayLike | None = None,
    categorical: Sequence[Sequence[int]] = (),
    images: Images | None = None,
    ask: Ask | None = None,
    drawn: Callable[[], Generated] | None = None,
    attributes: Sequence[str] = (),
    spaces: Callable[[], LatentSpaces] | None = None,
) -> dict[str, Result]:
    """As `score`, with per-factor parts, intervals, matrices, and what was run.

    Args:
      factors: as `score`, or None where there are no labels.
      codes, metrics, num_train, num_test: as `score`.
      factor_names, logvars, categorical: as `score`.
      settings: the rest.
      images: where metrics that draw their own images get their codes; None where
        there is the table only.
      ask: how retrieval metrics ask the model, see `Representation.ask`.
      drawn: images that the model draws, see `Representation.drawn`.
      attributes: what each column is of, see `Representation.attributes`.
      spaces: what they are drawn of, see `Representation.spaces`.

    Returns:
      A Result per metric. `metadata` says definition, estimator, rows, seed, factor
      names, versions, and the protocol it was really computed by
      (`Metric.protocols`); it can be written as JSON.
      Of several metrics, one that cannot be had here has `why_not` and no parts.
    """
    names = choose_metrics(metrics)
    table = read_representation(
        codes,
        factors,
        num_train=num_train,
        num_test=num_test,
        factor_names=factor_names,
        logvars=logvars,
        categorical=categorical,
        images=images,
    )
    table = replace(table, ask=ask, drawn=drawn, spaces=spaces)
    table = replace(table, attributes=tuple(attributes))
    common = _what_ran(table, settings)
    results = {}
    for name in names:
        if settings.progress is not None:
            settings.progress(name, 0, 1)
        result = _computed(name, table, settings)
        known = registry.METRICS[name].protocols
        metadata = {**common, **used(known, settings.protocol), **result.metadata}
        results[name] = replace(result, metadata=metadata)
    if all(result.why_not for result in results.values()):
        raise UserError("; ".join(result.why_not for result in results.values()))
    return results


def _computed(name: str, table: Representation, settings: Settings) -> Result:
    """One metric with its intervals, or why it cannot be had."""
    metric = registry.METRICS[name]

    def compute(table: Representation, settings: Settings) -> Result:
        found: Result = metric.compute(INPUTS[metric.needs](name, table), settings)
        return found

    try:
        if not table.factors.shape[1] and metric.uses_factors:
            reasons = ", and ".join(table.left_out.values()) or "there are no labels"
            raise UserError(f"{name} has no factor to score: {reasons}")
        result = compute(table, settings)
    except UserError as error:  # a library's refusal is one too, see `refusals`
        return Result({}, why_not=str(error))
    own = metric.needs in ELSEWHERE  # its intervals are not over the table's rows
    if result.why_not or own or not settings.bootstrap:
        return result
    try:
        found = intervals(compute, table, settings, result.values)
    except UserError as error:  # of a resample, which has fewer different rows
        return replace(
            result, metadata=result.metadata | {"note": f"no intervals: {error}"}
        )
    return replace(result, intervals=found)


def notes(results: dict[str, Result]) -> list[str]:
    """What the results of one table have to say besides numbers, a sentence each.

    Which metrics cannot be had and why, which factors are left out, whether the rows
    are in an order, and what a metric's `metadata` has under "note".
    """
    found: list[object] = []
    for name, result in results.items():
        left_out = result.metadata.get("left_out")
        if isinstance(left_out, dict):
            found += [f"{why}; left out of the scores" for why in left_out.values()]
        found.append(result.metadata.get("rows"))
        if result.why_not:
            found.append(f"{name} is left out: {result.why_not}")
        elif "note" in result.metadata:
            found.append(f"{name}: {result.metadata['note']}")
    return list(dict.fromkeys(str(note) for note in found if note))


def flatten(results: dict[str, Result]) -> dict[str, float]:
    """{"<metric>/<part>": value} of several results, and their intervals' ends."""
    flat: dict[str, float] = {}
    for name, result in results.items():
        for part, value in result.values.items():
            flat[f"{name}/{part}"] = value
            if part in result.intervals:
                low, high = result.intervals[part]
                flat |= {f"{name}/{part}/low": low, f"{name}/{part}/high": high}
    return flat


def part_of(key: str) -> Part | None:
    """The words of "<metric>/<part>"; None where the metric has none for it."""
    metric, _, part = key.partition("/")
    row = registry.METRICS.get(metric)
    return row.parts.get(part) if row else None


def choose_metrics(
    metrics: str | Sequence[str], *, alone: str = ONE_TABLE
) -> tuple[str, ...]:
    """Names of metrics from a list, "dci,mig" or "all", each once, in order.

    Args:
      metrics: names in METRICS; "all" is all that can be had.
      alone: why models cannot be compared here; "" where they can, and where a data
        set may be asked for pictures.

    Raises:
      UserError: a name that is not there (with a guess), one that compares models
        where they cannot be, or none at all.
    """
    says = "metrics must be names such as 'dci,mig', 'all' or a list of names"
    listed = metrics.split(",") if isinstance(metrics, str) else metrics
    listed = errors.as_list(listed, says)
    names = [str(name).strip() for name in listed]
    together = [n for n, m in registry.METRICS.items() if m.needs == "population"]
    known = tuple(n for n in registry.METRICS if not (alone and n in together))
    asking = [n for n in known if alone and registry.METRICS[n].needs in ELSEWHERE]
    for name in names:
        if alone and name in together:
            raise UserError(f"{name} compares several models, but {alone}")
        if name not in (*known, "all"):
            raise errors.unknown("metric", name, [*known, "all"])
    if not names:
        raise UserError(f"no metrics given: choose from {', '.join(known)}")
    if "all" in names:  # also among others: a flag given twice adds up
        every = tuple(name for name in known if name not in asking)
        return tuple(dict.fromkeys((*every, *(n for n in names if n in asking))))
    return tuple(dict.fromkeys(names))


def _what_ran(table: Representation, settings: Settings) -> dict[str, object]:
    """What every metric of one call has in common."""
    order = order_note(
        np.concatenate([table.factors, table.test_factors]), table.factor_names
    )
    told: dict[str, object] = {"rows": order} if order else {}
    if table.left_out:
        told["left_out"] = table.left_out
    if table.categorical:
        told["categorical"] = [list(columns) for columns in table.categorical]
    return told | {
        "num_train": len(table.codes),
        "num_test": len(table.test_codes),
        "codes": table.codes.shape[1],
        "factor_names": list(table.factor_names),
        "seed": settings.seed,
        "bootstrap": settings.bootstrap,
        "versions": versions(("numpy", "scipy", "scikit-learn")),
    }
