"""WSEPIN: weighted separability and informativeness (Do & Tran 2020)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.labels import by_content
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import NOT_THERE, Protocols
from disentangle.metrics.quantised import WIDEST

# Numbers in one chunk of draws by rows.
CHUNK = 2**20


def wsepin(
    table: Representation, settings: Settings, *, samples: int = 1_000
) -> Result:
    r"""WSEPIN = sum_i rho_i I(x; z_i | z_-i),  rho_i = I(x; z_i) / sum_i I(x; z_i).

    $$
    \mathrm{WSEPIN} = \sum_i \rho_i \, I(x; z_i | z_{-i}), \qquad
    \rho_i = \frac{I(x; z_i)}{\sum_k I(x; z_k)}
    $$

    SEPIN_i = I(x; z) - I(x; z_-i) = I(x; z_i | z_-i) is what code i tells of the image
    that the other codes do not: no more than I(x; z_i), and less where codes share
    what they know (Do & Tran 2020, Sec. 4.2; no factor is looked at). With
    q(z) = 1/N sum_n q(z | x_n) over the training rows, each

    $$
    I(x; z_S) = \mathbb{E}_x \mathbb{E}_{q(z|x)} [\log q(z_S | x) - \log q(z_S)] \geq 0
    $$

    of a set S of codes is the mean over one draw from the posterior of each of
    `samples` rows, all sets from the same draws. Draws are in logarithms throughout
    (the authors cut densities at 1e-8).

    x is one of N rows, so no I exceeds log N: where N is so small, or posteriors so
    narrow, that even the other codes tell the row, SEPIN is 0 although nothing is
    shared. Compare tables of the same N.

    Args:
      table: training rows with `logvars`.
      settings: reads `seed`, `threads`, `progress`.
      samples: the most draws.

    Returns:
      parts `score` (WSEPIN) and `unweighted` (the mean of SEPIN_i), from 0 (up to the
      error of the draws) to log N, in nats, higher is better. Per code `sepin` and
      `informativeness` I(x; z_i). If no code tells anything `score` is 0.

    Raises:
      UserError: the table has no log-variances, or a categorical latent.
    """
    if table.logvars is None or table.categorical:
        raise UserError(
            "wsepin needs logvars, the log-variances of the Gaussian posteriors whose "
            "means all codes are: certain codes tell everything of an image"
        )
    order = by_content(table.codes)
    back = np.argsort(order)
    alone, others, together = _information(
        table.codes[:, order], table.logvars[:, order], settings, samples
    )
    sepin = (together - others)[back]
    alone = alone[back]
    total = alone.sum()
    weights = alone / total if total > 0 else alone
    return Result(
        values={
            "score": float(np.sum(weights * sepin)),
            "unweighted": float(np.mean(sepin)),
        },
        per_code={
            "sepin": tuple(sepin.tolist()),
            "informativeness": tuple(alone.tolist()),
        },
        metadata={
            "definition": "mean over codes of what each alone adds about the image, "
            "I(x; z_i | other codes), weighted by I(x; z_i), in nats",
            "estimator": "densities of sampled q(z|x) rows",
            "samples": min(samples, len(table.codes)),
        },
    )


def _information(
    means: np.ndarray, logvars: np.ndarray, settings: Settings, samples: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """I(x; z_i) (D,), I(x; z_-i) (D,) and I(x; z), each at least 0."""
    rng = np.random.default_rng(settings.seed)
    spread = np.clip(logvars.astype(np.float64), -WIDEST, WIDEST)
    centre = means.astype(np.float64)
    rows = rng.permutation(len(centre))[:samples]
    noise = rng.standard_normal((len(rows), centre.shape[1]))
    draws = centre[rows] + np.exp(spread[rows] / 2) * noise
    # log q(z_i | x) of each draw's own row.
    own = -0.5 * (noise**2 + spread[rows] + np.log(2 * np.pi))
    size = max(1, CHUNK // len(centre))
    starts = range(0, len(rows), size)
    found = in_threads(
        lambda start: _log_mixtures(draws[start : start + size], centre, spread),
        starts,
        settings,
        "wsepin",
    )
    alone, others, together = (
        np.concatenate(part) for part in zip(*found, strict=True)
    )
    whole = own.sum(axis=1)
    return (
        np.maximum(np.mean(own - alone, axis=0), 0.0),
        np.maximum(np.mean(whole[:, None] - own - others, axis=0), 0.0),
        float(max(np.mean(whole - together), 0.0)),
    )


def _log_mixtures(
    draws: np.ndarray, centre: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log q of draws (S, D): of each code (S, D), of all others (S, D), of all (S,)."""
    width = np.exp(-spread / 2)
    height = -0.5 * (spread + np.log(2 * np.pi))
    each = [
        height[:, i] - 0.5 * ((draws[:, i, None] - centre[:, i]) * width[:, i]) ** 2
        for i in range(draws.shape[1])
    ]
    whole = np.sum(each, axis=0)
    alone = np.stack([_log_mean(density) for density in each], axis=1)
    others = np.stack([_log_mean(whole - density) for density in each], axis=1)
    return alone, others, _log_mean(whole)


def _log_mean(density: np.ndarray) -> np.ndarray:
    """log of the mean of exp of the rows of (S, N): (S,)."""
    top = density.max(axis=1)
    found: np.ndarray = top + np.log(np.mean(np.exp(density - top[:, None]), axis=1))
    return found


METRIC = Metric(
    wsepin,
    {
        "score": Part(
            "WSEPIN",
            "Weighted separated information, in nats, 0 to the logarithm of the rows: "
            "what a code dimension tells of the image that the others do not, by how "
            "much it tells. No factor is looked at.",
        ),
        "unweighted": Part("SEPIN", "The same, all code dimensions counted alike."),
    },
    uses_factors=False,
    protocols=Protocols(("paper",), NOT_THERE),
)
