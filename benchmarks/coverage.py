"""How often the 95 % intervals of `--bootstrap` hold the expected score, per metric.

    python -m benchmarks.coverage                       # every metric: ten minutes
    python -m benchmarks.coverage --metrics mig,sap

Tables of 600 rows (400 train, 200 test) with factors of 3, 5 and 4 values and four
noisy codes that mix them. The expected score is the mean over 40 tables; each of 20
others gets its interval from 25 resamples. Metrics that fit for seconds (LONG) get
fewer and smaller tables unless the sizes are given. A line per part: how many of the
tables' intervals hold the expected score, and the CPU seconds of the metric. Intervals
of 95 % hold it in less than 15 of 20 tables, or 5 of 8, once in a thousand. Arguments:
--metrics, --protocol, --tables, --rows, --resamples, --truth.
"""

import time
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from benchmarks.command import execute, flags_of, natural
from disentangle.metrics import METRICS, Settings, read_representation
from disentangle.metrics.base import Representation
from disentangle.metrics.bootstrap import Compute, intervals
from disentangle.metrics.protocols import BOTH
from disentangle.metrics.score import choose_metrics

SIZES = (3, 5, 4)


class Sizes(NamedTuple):
    """Rows of a table, tables with an interval, resamples of each, tables of truth."""

    rows: int = 600
    tables: int = 20
    resamples: int = 25
    truth: int = 40


# Metrics of half a second to six per table.
LONG = ("dci", "dci_es", "snc_nk", "downstream", "fairness")


def sizes_of(metric: str) -> Sizes:
    """What can be waited for: a minute, of `downstream` six."""
    return Sizes(300, 8, 5, 12) if metric in LONG else Sizes()


def protocols_of(metric: str) -> tuple[str, ...]:
    """The protocols to ask for that give different numbers."""
    known = METRICS[metric].protocols
    differ = known is not None and known.has == BOTH and not known.why
    return BOTH if differ else BOTH[:1]


def table(seed: int, rows: int) -> Representation:
    """Four codes: each factor's own and a mixture, in noise; none is dead."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, k, rows) for k in SIZES], axis=1)
    mixing = np.random.default_rng(99).normal(scale=0.6, size=(3, 4))
    clean = np.hstack([factors, np.zeros((rows, 1))]) + factors @ mixing
    codes = clean + 0.6 * rng.normal(size=clean.shape)
    spreads = rng.normal(-1.0, 0.2, codes.shape)
    return read_representation(codes, factors, logvars=spreads)


def least(tables: int, level: float = 0.95, once_in: int = 1000) -> int:
    """The fewest of `tables` that a right interval covers but once in `once_in`."""
    return int(binom.ppf(1 / once_in, tables, level))


def covered(
    compute: Compute, sizes: Sizes, protocol: str = "locatello"
) -> dict[str, int]:
    """part -> how many of the tables' intervals hold the expected score."""
    chosen = Settings(backend="fast", bootstrap=sizes.resamples, protocol=protocol)
    means: dict[str, list[float]] = {}
    for seed in range(sizes.truth):
        found = compute(table(10_000 + seed, sizes.rows), chosen)
        for part, value in found.values.items():
            means.setdefault(part, []).append(value)
    hits = dict.fromkeys(means, 0)
    for seed in range(sizes.tables):
        drawn = table(seed, sizes.rows)
        parts = compute(drawn, chosen).values
        around = intervals(compute, drawn, chosen, parts)
        assert set(around) == set(parts)
        for part, (low, high) in around.items():
            assert low <= parts[part] <= high, part
            # The mean of `truth` tables is itself known to a few parts only.
            slack = 2 * np.std(means[part]) / np.sqrt(sizes.truth) + 1e-9
            hits[part] += low - slack <= np.mean(means[part]) <= high + slack
    return hits


def main() -> None:
    """Prints a row per part."""
    parser = flags_of(__doc__)
    parser.add_argument("--metrics", default="all")
    parser.add_argument("--protocol", default="locatello")
    for name in Sizes._fields:
        parser.add_argument(f"--{name}", type=natural)
    given = vars(parser.parse_args())
    asked = {name: given[name] for name in Sizes._fields if given[name]}
    for name in choose_metrics(given["metrics"]):
        sizes = sizes_of(name)._replace(**asked)
        start = time.process_time()
        found = covered(METRICS[name].compute, sizes, given["protocol"])
        seconds = time.process_time() - start
        print(f"{name}: {sizes}, {given['protocol']}, {seconds:.0f} CPU s")
        for part, hits in found.items():
            few = ", too few" if hits < least(sizes.tables) else ""
            print(f"  {part}: {hits} of {sizes.tables}{few}", flush=True)


if __name__ == "__main__":
    execute(main)
