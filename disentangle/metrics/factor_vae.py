"""The FactorVAE score (Kim & Mnih 2018), as Locatello et al. 2019 compute it."""

from typing import NamedTuple

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.interventions import (
    draw_factors,
    groups,
    local_variances,
    majority,
    smallest_group,
)
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import BOTH, Protocols

# A code whose standard deviation is smaller has collapsed to the prior.
COLLAPSED = 0.05
# The most images that are drawn for groups that the table has too few rows of.
MOST_IMAGES = 100_000


class Constants(NamedTuple):
    """Rows a vote, votes that decide, votes that are judged."""

    batch: int
    votes: int
    judged: int


CONSTANTS = {
    "locatello": Constants(64, 10_000, 5_000),
    "paper": Constants(200, 800, 800),
}


def factor_vae(table: Representation, settings: Settings) -> Result:
    r"""How well the stillest code names the factor that was held.

    $$
    \frac{1}{V} \sum_{v=1}^V [k_v = c(d_v)], \qquad
    d_v = \mathrm{argmin}_d
    \frac{\mathrm{Var}_{\text{batch}}(z_d)}{\mathrm{Var}_{\text{all}}(z_d)},
    \qquad c(d) = \text{the factor of most of } d\text{'s votes}
    $$

    A vote: a factor k, uniform; its value, that of a random row; `batch` rows of
    that value. It names the code d with the least v_d / g_d: v_d its variance in the
    batch, g_d over all training rows. Every code then stands for the factor of most
    of its votes; the score is the share of fresh votes that this gets right.

    Votes draw rows of the table (see `interventions`): those that decide training
    rows, those that are judged test rows. "locatello": batches of 64 rows, 10,000
    votes, 5,000 judged. "paper": batches of 200, 800 votes, 800 judged. Codes with
    sqrt(g_d) < 0.05 take no part, so scales matter there and nowhere else.

    Batches hold different rows, so that a vote is distributed as one of new images.
    Where a value has fewer rows than a batch, as many images are drawn from
    `table.images` as give every value one batch; where there is no such source, rows
    repeat, the score comes out low, and `metadata["note"]` says so.

    Args:
      table: training and test rows; `images` where values are rare.
      settings: reads `protocol`, `seed`.

    Returns:
      part `score` in [0, 1]; 1 / F is chance; 0 if no code takes part. Per factor
      `score`. Array `votes` (F, D), the deciding votes; `metadata` has the number of
      codes that take part.

    Raises:
      UserError: no test rows.
    """
    table.need_test_rows("factor_vae")
    batch, votes, judged = CONSTANTS[settings.protocol]
    factors, codes = table.factors.shape[1], table.codes.shape[1]
    scale = np.var(table.codes, axis=0, ddof=1, dtype=np.float64)
    active = np.sqrt(scale) >= COLLAPSED
    score, each, drawn = 0.0, np.zeros(factors), 0
    train = np.zeros((factors, codes), np.int64)
    if active.any():
        rng = np.random.default_rng(settings.seed)
        scale = scale[active]
        deciding, judging, drawn = _rows(table, batch, settings.seed)
        train[:, active] = _votes(
            deciding[0][:, active], deciding[1], scale, votes, batch, rng
        )
        test = _votes(judging[0][:, active], judging[1], scale, judged, batch, rng)
        score, each = majority(train[:, active], test)
    return Result(
        values={"score": score},
        per_factor={"score": tuple(each.tolist())},
        arrays={"votes": train},
        metadata={
            "definition": "accuracy of naming the factor that was held by the code "
            "whose normalised variance is least, majority vote",
            "estimator": "images drawn anew"
            if drawn
            else "rows of the table that share a factor value, different ones where "
            "there are enough",
            "batch": batch,
            "votes": votes,
            "judged_votes": judged,
            "active_codes": int(active.sum()),
            "least_deviation": COLLAPSED,
            "images_drawn": drawn,
            **({} if drawn else _bias(table, batch)),
        },
    )


Rows = tuple[np.ndarray, np.ndarray]  # codes (N, D), factors (N, F)


def _rows(table: Representation, batch: int, seed: int) -> tuple[Rows, Rows, int]:
    """Codes and factors that decide and that judge, and how many were drawn anew."""
    train, test = (table.codes, table.factors), (table.test_codes, table.test_factors)
    fewest = min(smallest_group(table.factors), smallest_group(table.test_factors))
    if table.images is None or fewest >= batch:
        return train, test, 0
    each = batch * max(table.images.sizes)
    if 2 * each > MOST_IMAGES:
        return train, test, 0
    rng = np.random.default_rng(seed)
    # Every value equally often, in both halves.
    halves = [
        np.stack([rng.permutation(np.arange(each) % k) for k in table.images.sizes], 1)
        for _ in range(2)
    ]
    codes = table.images.encode(np.concatenate(halves))
    return (codes[:each], halves[0]), (codes[each:], halves[1]), 2 * each


def _bias(table: Representation, batch: int) -> dict[str, object]:
    """What to tell of a table whose values have few rows; nothing where they have."""
    fewest = min(smallest_group(table.factors), smallest_group(table.test_factors))
    if fewest >= batch:
        return {}
    return {
        "note": f"a factor value has {fewest:,} rows only and a vote takes {batch}, so "
        "rows repeat and the score comes out low: give more rows, or evaluate the run"
    }


def _votes(
    codes: np.ndarray,
    factors: np.ndarray,
    scale: np.ndarray,
    votes: int,
    batch: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """How many of a factor's votes name each code, (F, D)."""
    rows, found = np.arange(len(codes)), np.zeros((factors.shape[1], len(scale)), int)
    for k, count in draw_factors(factors.shape[1], votes, rng):
        local = local_variances(codes, groups(factors[:, k]), rows, count, batch, rng)
        named = np.argmin(local / scale, axis=1)
        found[k] = np.bincount(named, minlength=len(scale))
    return found


METRIC = Metric(
    factor_vae,
    {
        "score": Part(
            "FactorVAE",
            "FactorVAE score, 0 to 1: accuracy of naming the factor that was held by "
            "the code dimension that varies least.",
        )
    },
    protocols=Protocols(BOTH),
)
