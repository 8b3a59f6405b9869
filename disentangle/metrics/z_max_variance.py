"""Z-max variance: metric II of Kim et al. 2019 (Relevance Factor VAE)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Images, Representation, Result, Settings
from disentangle.metrics.interventions import groups, majority
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols

MOST, VOTES = 100, 800
# Different values of the free factor that a table's groups must hold, or all there are.
ENOUGH = 10


def z_max_variance(table: Representation, settings: Settings) -> Result:
    r"""How well the liveliest code names the one factor that was free.

    $$
    \frac{1}{V} \sum_{v=1}^V [k_v = c(d_v)], \qquad
    d_v = \mathrm{argmax}_d
    \frac{\mathrm{Var}_{k_v \text{ free}}(z_d)}{\mathrm{Var}_{\text{all}}(z_d)}
    $$

    A vote: a factor k; the other factors drawn and held; an image of every value of k
    (of 100 values where there are more). It names the code d with the largest
    v_d / g_d: v_d its variance over these images, g_d over all training rows. Every
    code stands for the factor of most of its votes; the score is the share of the
    same votes that this gets right. 800 votes, as many for every factor (the authors'
    `eval_disentangle_metric2`; they take g_d from 5,000 images).

    The images come from `table.images`, about 18,000 for dSprites. Without such a
    source they are the rows of the table that agree in all factors but k, one for
    each value there is. A table is refused where, for some factor, the group of the
    median row has fewer than 10 different values of it, and not all there are: of a
    large grid only pairs of rows agree, and the variances of pairs say little. By
    `python -m benchmarks.interventions`, on dSprites' grid with five encoders, groups
    of 10 or all values cost at most 0.01 of the score, of 6 up to 0.03, of 3 up to
    0.19, of 2 up to 0.31; of 10, but half of those of few values, up to 0.09. Constant
    codes take no part.

    Args:
      table: training rows; `images`, or rows that fill their grid.
      settings: reads `seed`.

    Returns:
      part `score` in [0, 1], 0 if all codes are constant. Array `votes` (F, D).

    Raises:
      UserError: the table's groups are too small, and it has no source of images.
    """
    rng = np.random.default_rng(settings.seed)
    scale = np.var(table.codes, axis=0, ddof=1, dtype=np.float64)
    active = (np.ptp(table.codes, axis=0) > 0) & (scale > 0)
    if table.images is not None:
        local = _drawn(table.images, rng)
    else:
        local = _found(table, rng)
    votes = np.zeros((len(local), len(scale)), np.int64)
    if active.any():
        for k, variances in enumerate(local):
            named = np.argmax(variances[:, active] / scale[active], axis=1)
            votes[k, active] = np.bincount(named, minlength=int(active.sum()))
    drawn = table.images is not None
    return Result(
        values={"score": majority(votes, votes)[0] if votes.any() else 0.0},
        arrays={"votes": votes},
        metadata={
            "definition": "accuracy of naming the factor that alone was free by the "
            "code whose normalised variance is largest, majority vote",
            "estimator": ("images drawn anew" if drawn else "rows of the table")
            + ", one of every value of the free factor; judged on the same votes",
            "most_images": MOST,
            "votes": VOTES,
        },
    )


def _counts(factors: int) -> list[int]:
    """How many of the votes are on each factor; the first have the rest; 1 at least."""
    return [max(1, VOTES // factors + (k < VOTES % factors)) for k in range(factors)]


def _drawn(images: Images, rng: np.random.Generator) -> list[np.ndarray]:
    """Variances (votes, D) a factor, of images drawn and encoded at once."""
    asked, shapes = [], []
    for k, votes in enumerate(_counts(len(images.sizes))):
        values = min(images.sizes[k], MOST)
        factors = rng.integers(0, images.sizes, (votes, len(images.sizes)))
        factors = np.repeat(factors[:, None], values, axis=1)
        for vote in factors:
            vote[:, k] = rng.choice(images.sizes[k], values, replace=False)
        asked.append(factors.reshape(-1, len(images.sizes)))
        shapes.append((votes, values, -1))
    codes = images.encode(np.concatenate(asked))
    parts = np.split(codes, np.cumsum([len(rows) for rows in asked])[:-1])
    return [
        np.var(part.reshape(shape), axis=1, ddof=1, dtype=np.float64)
        for part, shape in zip(parts, shapes, strict=True)
    ]


def _found(table: Representation, rng: np.random.Generator) -> list[np.ndarray]:
    """Variances (votes, D) a factor, of rows of the table."""
    order = rng.permutation(len(table.factors))
    rows = order[np.unique(table.factors[order], axis=0, return_index=True)[1]]
    factors, codes = table.factors[rows], table.codes[rows]
    found = []
    for k, votes in enumerate(_counts(factors.shape[1])):
        others = groups(np.delete(factors, k, axis=1))
        _check_groups(table, k, others.size)
        free = np.flatnonzero(others.size > 1)
        variances = []
        for row in free[rng.integers(0, len(free), votes)]:
            start = others.start[row]
            members = others.order[start : start + others.size[row]]
            taken = rng.permutation(members)[:MOST]
            variances.append(np.var(codes[taken], axis=0, ddof=1, dtype=np.float64))
        found.append(np.stack(variances))
    return found


def _check_groups(table: Representation, k: int, values: np.ndarray) -> None:
    """Raises UserError where the groups of the free factor k are too small.

    Args:
      values: (N,) how many values of k the group of each different row has.
    """
    there = len(np.unique(table.factors[:, k]))
    needed, median = min(ENOUGH, there), float(np.median(values))
    if median < needed:
        raise UserError(
            "z_max_variance needs images that differ in one factor alone: with all "
            f"factors but {table.factor_names[k]!r} held, the rows of this table have "
            f"{median:g} of its {there} values (median), and {needed} is the least; "
            "evaluate the run, which draws such images, or give more rows of the grid"
        )


METRIC = Metric(
    z_max_variance,
    {
        "score": Part(
            "Z-max var",
            "Z-max variance, 0 to 1: accuracy of naming the only factor that was free "
            "by the code dimension that varies most.",
        )
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
