"""A run's scores: its images encoded once, every metric read from the codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from disentangle.data import load
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.metrics import METRICS, POPULATION_METRICS, Population
from disentangle.metrics.base import Progress, Result, Settings
from disentangle.metrics.protocols import used
from disentangle.metrics.score import choose_metrics, flatten, score_details
from disentangle.metrics.table import code_table as metrics_table
from disentangle.metrics.udr import gaussian_kl
from disentangle.training.run import Run, as_run, compare_data

ENCODE_ROWS = 2000
MOST_ROWS = 10**7  # a table of more would fill the memory


def load_data(section: dict[str, Any]) -> Dataset:
    """The data set of a config's `data` section."""
    return load(
        section["name"],
        path=section["path"] or None,
        source=section["source"] or None,
    )


def sample_index(data: Dataset, count: int, *, seed: int) -> np.ndarray:
    """`count` image indices, uniform with replacement (Locatello et al. 2019)."""
    return np.random.default_rng(seed).integers(0, len(data), count)


def check_rows(num_train: int, num_test: int) -> None:
    """Raises UserError for numbers of images that cannot be scored."""
    for name, value, least in (("num_train", num_train, 2), ("num_test", num_test, 1)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not least <= value <= MOST_ROWS:
            raise UserError(
                f"{name}={value!r} must be a whole number from {least} to {MOST_ROWS:,}"
            )


def check_sample(data: Dataset, rows: tuple[int, int], *, seed: int) -> None:
    """Raises UserError if these rows of the data set cannot be scored.

    Known from the factors alone, before anything is trained or encoded.
    """
    check_rows(*rows)
    factors = data.space.factors(sample_index(data, sum(rows), seed=seed))
    metrics_table(
        np.zeros((len(factors), 1)),
        factors,
        num_train=rows[0],
        num_test=rows[1],
        factor_names=data.space.names,
    )


def code_table(run: Run, data: Dataset, index: np.ndarray) -> np.ndarray:
    """The codes (P, N, D) of the images `index` (N,)."""
    parts = [
        run.encode(data.images(jnp.asarray(index[i : i + ENCODE_ROWS], jnp.int32)))
        for i in range(0, len(index), ENCODE_ROWS)
    ]
    return np.concatenate(parts, axis=1)


def posterior_table(
    run: Run, data: Dataset, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes (P, N, D) and their log-variances, None where codes are no Gaussians."""
    if run.method.posterior is None:
        return code_table(run, data, index), None
    parts = [
        run.posterior(data.images(jnp.asarray(index[i : i + ENCODE_ROWS], jnp.int32)))
        for i in range(0, len(index), ENCODE_ROWS)
    ]
    means, logvars = zip(*parts, strict=True)
    return np.concatenate(means, axis=1), np.concatenate(logvars, axis=1)


def evaluate(
    run: Run | str | Path,
    metrics: str | Sequence[str] = ("dci", "mig"),
    *,
    data: Dataset | None = None,
    num_train: int = 10_000,
    num_test: int = 5_000,
    seed: int = 0,
    backend: str = "reference",
    protocol: str = "locatello",
    bootstrap: int = 0,
    jobs: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores every member of a run.

    Args:
      run: from `train` or `load_run`, or the path of its workdir.
      metrics: names in METRICS, or in POPULATION_METRICS for a run of several
        members whose codes are Gaussian, or "all" of those that can be had.
      data: the data set; None loads the one the run was trained on.
      num_train, num_test: images sampled to fit and to test estimators.
      seed: of the sampled images and of the estimators.
      backend, protocol, bootstrap, jobs: see `disentangle.metrics.Settings`.
      progress: called as progress(metric, done, total).

    Returns:
      One row per model and score: `member`, `metric` ("dci/disentanglement", ...),
      `value`, what the member differs in, `alive`, `score_seed`, `num_train`,
      `num_test`, `backend`, and `protocol`, the one it was really computed by.
      `summary` has means and sds over seeds.
    """
    settings = Settings(
        seed,
        backend,
        protocol=protocol,
        bootstrap=bootstrap,
        jobs=jobs,
        progress=progress,
    )
    run = as_run(run)
    choose_metrics(metrics, alone=_why_alone(run))
    data = load_data(run.config["data"]) if data is None else data
    compare_data(run, data)
    rows = (num_train, num_test)
    return table(run, score_run(run, data, metrics, settings, rows), settings, rows)


def score_run(
    run: Run,
    data: Dataset,
    metrics: str | Sequence[str],
    settings: Settings,
    rows: tuple[int, int],
) -> list[dict[str, Result]]:
    """Every member's results on `rows` = (train, test) images of the data set."""
    names = choose_metrics(metrics, alone=_why_alone(run))
    check_sample(data, rows, seed=settings.seed)
    index = sample_index(data, sum(rows), seed=settings.seed)
    codes, logvars = posterior_table(run, data, index)
    train = None if logvars is None else logvars[:, : rows[0]]
    together = population_results(names, codes[:, : rows[0]], train, settings)
    single = [name for name in names if name in METRICS]
    found = []
    for member, compared in enumerate(together):
        results: dict[str, Result] = {}
        if single:
            results = score_details(
                codes[member],
                data.space.factors(index),
                single,
                settings,
                num_train=rows[0],
                num_test=rows[1],
                factor_names=data.space.names,
                logvars=None if logvars is None else logvars[member],
            )
        found.append(results | compared)
    return found


def table(
    run: Run,
    results: Sequence[dict[str, Result]],
    settings: Settings,
    rows: tuple[int, int],
) -> pd.DataFrame:
    """The results of `score_run` as `evaluate` returns them."""
    ran: dict[str, object] = {"score_seed": settings.seed, "num_train": rows[0]}
    ran |= {"num_test": rows[1], "backend": settings.backend}
    lines = []
    for member, label in enumerate(run.members):
        known = run.swept[member] | {"alive": bool(run.alive[member])}
        for name, result in results[member].items():
            by = {"protocol": result.ran.get("protocol", settings.protocol)}
            lines += [
                {"member": label, "metric": metric, "value": value} | known | ran | by
                for metric, value in flatten({name: result}).items()
            ]
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


def population_results(
    names: Sequence[str],
    codes: np.ndarray,
    logvars: np.ndarray | None,
    settings: Settings,
) -> list[dict[str, Result]]:
    """A dict a model: metric -> its Result, of those names that compare models.

    Args:
      names: from `choose_metrics`; other metrics are passed over.
      codes: (P, N, D) posterior means.
      logvars: (P, N, D), needed if any name is in POPULATION_METRICS.
      settings: as for all metrics.
    """
    chosen = [name for name in names if name in POPULATION_METRICS]
    found: list[dict[str, Result]] = [{} for _ in codes]
    if not chosen or logvars is None:
        return found
    population = Population(codes, gaussian_kl(codes, logvars))
    for name in chosen:
        compared = POPULATION_METRICS[name](population, settings)
        for member, results in enumerate(found):
            parts = {k: float(values[member]) for k, values in compared.parts.items()}
            ran = used(name, settings.protocol) | compared.ran
            results[name] = Result(parts, ran=ran)
    return found


def _why_alone(run: Run) -> str:
    """Why the run's models cannot be compared with each other; "" if they can."""
    if len(run.members) < 2:
        return f"this run has one, {run.members[0]!r}: train several seeds"
    if run.method.posterior is None:
        name = run.config["method"]["name"]
        return f"by the KL of Gaussian codes, which method {name!r} has not"
    return ""
