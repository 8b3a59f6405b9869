"""A run's scores: its images encoded once, every metric read from the codes."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from disentangle import progress as bars
from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.worlds import WORLDS
from disentangle.errors import UserError
from disentangle.metrics import METRICS
from disentangle.metrics.base import Progress, Result, Settings
from disentangle.metrics.score import choose_metrics, flatten, notes, score_details
from disentangle.study.components import narrowed, note_of
from disentangle.study.encoding import images_of, posterior_table
from disentangle.study.judged import drawn_of
from disentangle.study.latent_spaces import spaces_of
from disentangle.study.peers import population_results, why_alone
from disentangle.study.sample import (
    check_rows,
    check_sample,
    choose_sample,
    data_of,
    load_data,
    sample_index,
)
from disentangle.study.searches import questions_of
from disentangle.training.run import Run, as_run, compare_data

__all__ = [
    "check_rows",
    "check_sample",
    "data_of",
    "evaluate",
    "load_data",
    "sample_index",
    "score_run",
    "summary",
]


def evaluate(
    run: Run | str | Path,
    metrics: str | Sequence[str] = ("dci", "mig"),
    *,
    data: Dataset | str | None = None,
    oracle: Run | str | Path | None = None,
    num_train: int = 10_000,
    num_test: int = 5_000,
    seed: int = 0,
    backend: str = "reference",
    protocol: str = "locatello",
    bootstrap: int = 0,
    jobs: int = 0,
    progress: bool | Progress = True,
) -> pd.DataFrame:
    """Scores every living member of a run.

    Args:
      run: from `train` or `load_run`, or the path of its workdir.
      metrics: names in METRICS, or "all". Those that need a population are for a run
        of several members whose codes are Gaussian.
      data: the data set, or its name; None loads the one the run was trained on.
      oracle: for scores of generated images, a run of 'supervised' (or its workdir)
        with a classification per factor of the data set; see study/judged.py.
      num_train, num_test: images sampled to fit and to test estimators; as many as
        `num_test` are generated.
      seed: of the sampled images and of the estimators.
      backend, protocol, bootstrap, jobs: see `disentangle.metrics.Settings`.
      progress: whether to show it; or a function, called as progress(what, done,
        total).

    Returns:
      One row per model and score: `member`, `metric` ("dci/disentanglement", ...),
      `value`, what the member differs in, `alive`, `score_seed`, `num_train`,
      `num_test`, `backend`, and `protocol`, the one it was really computed by.
      A member that diverged has the value NaN everywhere. A metric that cannot be had
      has one row, `metric` its bare name, `value` NaN; the reason is in a column
      `note`, which other tables lack. `summary` has means and sds over seeds.

    Warns:
      UserWarning: why metrics or factors are left out.

    Raises:
      UserError: a wrong argument, or none of the metrics can be had.
    """
    settings = Settings(
        seed, backend, protocol=protocol, bootstrap=bootstrap, jobs=jobs
    )
    run = as_run(run)
    judge = None if oracle is None else as_run(oracle)
    chosen(run, metrics, judge)
    data = data_of(run) if data is None else as_dataset(data)
    compare_data(run, data)
    check_rows(num_train, num_test)
    rows = choose_sample(data, (num_train, num_test), seed=seed).rows
    with shown(run, metrics, progress, judge) as tell:
        told = replace(settings, progress=tell)
        results = score_run(run, data, metrics, told, rows, judge)
    for note in run_notes(run, results) if run.alive.any() else ():
        warnings.warn(note, stacklevel=2)
    return table(run, results, settings, rows)


@contextlib.contextmanager
def shown(
    run: Run,
    metrics: str | Sequence[str],
    progress: bool | Progress,
    oracle: Run | None = None,
) -> Iterator[Progress | None]:
    """What `score_run` tells its progress to: a bar over all metrics and members."""
    if not isinstance(progress, bool | np.bool_):
        yield progress
        return
    single, together, _ = chosen(run, metrics, oracle)
    units = 1 + int(run.alive.sum()) * len(single) + len(together)
    with bars.steps("evaluate", units, shown=progress) as tell:
        yield tell


def chosen(
    run: Run, metrics: str | Sequence[str], oracle: Run | None = None
) -> tuple[list[str], list[str], dict[str, str]]:
    """Metrics of one model, metrics of several, and those that cannot be had: why.

    Raises:
      UserError: a name that is not there, or there is nothing to compute.
    """
    names = choose_metrics(metrics, alone="")
    if names == tuple(METRICS):  # all that can be had
        met = {"queries": run.config["data"]["name"] in WORLDS}
        met |= {"generator": bool(oracle), "blocks": bool(run.method.attributes)}
        met["latents"] = bool(oracle) and run.method.latents is not None
        names = tuple(n for n in names if met.get(METRICS[n].needs, True))
    together = [name for name in names if METRICS[name].needs == "population"]
    single = [name for name in names if name not in together]
    alone = why_alone(run) if together else ""
    why = {n: f"{n} compares several models, but {alone}" for n in together if alone}
    if why and not single:
        raise UserError("; ".join(why.values()))
    return single, [name for name in together if name not in why], why


def score_run(
    run: Run,
    data: Dataset,
    metrics: str | Sequence[str],
    settings: Settings,
    rows: tuple[int, int],
    oracle: Run | None = None,
) -> list[dict[str, Result]]:
    """Every member's results on `rows` = (train, test) images of the data set.

    A member that diverged has none. A metric that cannot be had has `why_not`. Codes
    that are too wide are read as principal components, see study/components.py.
    """
    single, together, why = chosen(run, metrics, oracle)
    check_sample(data, rows, seed=settings.seed)
    if not run.alive.any():
        dead = Result({}, why_not="every model of the run diverged")
        return [dict.fromkeys((*single, *together), dead) for _ in run.members]
    index, factors, names, rows = choose_sample(data, rows, seed=settings.seed)
    read = narrowed(run, data, index[: rows[0]])
    codes, logvars = posterior_table(read, data, index, settings.progress)
    is_grid = data.space.is_grid
    source = images_of(read, data, settings.progress) if is_grid else None
    asks = questions_of(run, data, settings)
    draws = oracle and drawn_of(run, oracle, data, rows[1], seed=settings.seed)
    spaces = oracle and spaces_of(run, oracle, data, rows[1], seed=settings.seed)
    train = None if logvars is None else logvars[:, : rows[0]]
    compared = population_results(run, together, codes[:, : rows[0]], train, settings)

    def member_results(member: int) -> dict[str, Result]:
        """`score_details` of one member; where none can be had, each says why."""
        try:
            return score_details(
                codes[member],
                factors,
                single,
                settings,
                num_train=rows[0],
                num_test=rows[1],
                factor_names=names,
                logvars=None if logvars is None else logvars[member],
                categorical=run.method.categorical,
                images=None if source is None else source[member],
                ask=asks[member],
                drawn=draws[member] if draws else None,
                attributes=run.method.attributes or (),
                spaces=spaces[member] if spaces else None,
            )
        except UserError as error:
            return {name: Result({}, why_not=str(error)) for name in single}

    found: list[dict[str, Result]] = []
    for member, alive in enumerate(run.alive):
        results: dict[str, Result] = {}
        if alive and single:
            results = member_results(member)
        refused = {n: Result({}, why_not=w) for n, w in why.items() if alive}
        found.append(results | compared[member] | refused)
    computed = [result for results in found for result in results.values()]
    if all(result.why_not for result in computed):
        raise UserError("; ".join(dict.fromkeys(r.why_not for r in computed)))
    return found


def run_notes(run: Run, results: Sequence[dict[str, Result]]) -> list[str]:
    """What `notes` says of all members, each sentence once; and how codes were read."""
    said = [note_of(run)] if note_of(run) else []
    return list(dict.fromkeys([*said, *(n for found in results for n in notes(found))]))


def table(
    run: Run,
    results: Sequence[dict[str, Result]],
    settings: Settings,
    rows: tuple[int, int],
) -> pd.DataFrame:
    """The results of `score_run` as `evaluate` returns them."""
    ran: dict[str, object] = {"score_seed": settings.seed, "num_train": rows[0]}
    ran |= {"num_test": rows[1], "backend": settings.backend}
    flat = [_values(found) for found in results]
    every = list(dict.fromkeys(name for values in flat for name in values))
    every = [name for name in every if "/" in name] or every
    lines = []
    for member, name in enumerate(run.members):
        alive = bool(run.alive[member])
        known = run.swept[member] | {"alive": alive}
        values = flat[member] if alive else dict.fromkeys(every, np.nan)
        why = {metric: result.why_not for metric, result in results[member].items()}
        for metric, value in values.items():
            result = results[member].get(metric.split("/")[0], Result({}))
            by = {"protocol": result.metadata.get("protocol", settings.protocol)}
            line = {"member": name, "metric": metric, "value": value} | known | ran
            note = {"note": why[metric]} if why.get(metric) else {}
            lines.append(line | by | note)
    return pd.DataFrame(lines)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The mean and the spread over seeds of what `evaluate` returns.

    Returns:
      A row per setting of the sweep and metric: what was swept, `metric`, `seeds`,
      `mean`, `sd` (of the seeds, divisor seeds - 1; NaN for one). Sweeps are in the
      order of their numbers.

    Raises:
      UserError: the table is not from `evaluate`.
    """
    if not isinstance(table, pd.DataFrame) or not {"metric", "value"} <= set(table):
        raise UserError("summary takes the table that evaluate returns")
    first, last = list(table).index("value"), list(table).index("alive")
    swept = [name for name in list(table)[first + 1 : last] if name != "seed"]
    keyed = table.assign(**{name: table[name].map(_hashable) for name in swept})
    found = keyed.groupby([*swept, "metric"], sort=False)["value"]
    wide = found.agg(seeds="count", mean="mean", sd="std").reset_index()
    return wide.sort_values(swept, kind="stable", ignore_index=True) if swept else wide


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def table_rows(found: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `table` as JSON can hold them: None for NaN."""
    rows = found.to_dict("records")
    return [{k: None if v != v else v for k, v in row.items()} for row in rows]


def _values(results: dict[str, Result]) -> dict[str, float]:
    """The flat values, NaN under its bare name for a metric that cannot be had."""
    flat: dict[str, float] = {}
    for name, result in results.items():
        flat |= {name: np.nan} if result.why_not else flatten({name: result})
    return flat
