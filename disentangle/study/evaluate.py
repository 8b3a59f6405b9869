"""A run's scores: its images encoded once, every metric read from the codes."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from disentangle.data import load
from disentangle.data.dataset import Dataset
from disentangle.metrics import METRICS, POPULATION_METRICS, Population
from disentangle.metrics.base import Progress, Settings
from disentangle.metrics.score import choose_metrics, flatten, score_details
from disentangle.metrics.udr import gaussian_kl
from disentangle.training.run import Run

ENCODE_ROWS = 2000


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
    run: Run,
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
      run: from `train` or `load_run`.
      metrics: names in METRICS, or in POPULATION_METRICS for a run of several
        members whose codes are Gaussian, or "all" of those that can be had.
      data: the data set; None loads the one the run was trained on.
      num_train, num_test: images sampled to fit and to test estimators.
      seed: of the sampled images and of the estimators.
      backend, protocol, bootstrap, jobs: see `disentangle.metrics.Settings`.
      progress: called as progress(metric, done, total).

    Returns:
      One row a model and score: `member`, what it differs in, `alive`,
      `metric` ("dci/disentanglement", ...), `value`, `score_seed`,
      `num_train`, `num_test`, `backend`, `protocol`.
    """
    settings = Settings(
        seed,
        backend,
        protocol=protocol,
        bootstrap=bootstrap,
        jobs=jobs,
        progress=progress,
    )
    names = choose_metrics(metrics, alone=_why_alone(run))
    data = load_data(run.config["data"]) if data is None else data
    index = sample_index(data, num_train + num_test, seed=seed)
    factors = data.space.factors(index)
    codes, logvars = posterior_table(run, data, index)
    ran: dict[str, object] = {"score_seed": seed, "num_train": num_train}
    ran |= {"num_test": num_test, "backend": backend, "protocol": protocol}
    train = None if logvars is None else logvars[:, :num_train]
    together = population_scores(names, codes[:, :num_train], train, settings)
    single = [name for name in names if name in METRICS]
    rows = []
    for member, name in enumerate(run.members):
        scores: dict[str, float] = {}
        if single:
            results = score_details(
                codes[member],
                factors,
                single,
                settings,
                num_train=num_train,
                num_test=num_test,
                factor_names=data.space.names,
                logvars=None if logvars is None else logvars[member],
            )
            scores = flatten(results)
        scores |= {metric: float(values[member]) for metric, values in together.items()}
        known = {"member": name} | run.swept[member]
        known |= {"alive": bool(run.alive[member])}
        rows += [
            known | {"metric": metric, "value": value} | ran
            for metric, value in scores.items()
        ]
    return pd.DataFrame(rows)


def population_scores(
    names: Sequence[str],
    codes: np.ndarray,
    logvars: np.ndarray | None,
    settings: Settings,
) -> dict[str, np.ndarray]:
    """{"<metric>/<part>": (P,)} of those names that compare models.

    Args:
      names: from `choose_metrics`; other metrics are passed over.
      codes: (P, N, D) posterior means.
      logvars: (P, N, D), needed if any name is in POPULATION_METRICS.
      settings: as for all metrics.
    """
    chosen = [name for name in names if name in POPULATION_METRICS]
    if not chosen or logvars is None:
        return {}
    population = Population(codes, gaussian_kl(codes, logvars))
    return {
        f"{name}/{part}": values
        for name in chosen
        for part, values in POPULATION_METRICS[name](population, settings).parts.items()
    }


def _why_alone(run: Run) -> str:
    """Why the run's models cannot be compared with each other; "" if they can."""
    if len(run.members) < 2:
        return f"this run has one, {run.members[0]!r}: train several seeds"
    if run.method.posterior is None:
        name = run.config["method"]["name"]
        return f"by the KL of Gaussian codes, which method {name!r} has not"
    return ""
