"""Information of Gaussian codes q(z|x) about factors, sampled (Chen et al. 2018)."""

import numpy as np

from disentangle.metrics.base import Settings
from disentangle.metrics.parallel import in_threads

# Numbers in one chunk of samples by mixture components.
CHUNK = 2**21
# Log-variances beyond are taken as this: exp must stay a float.
WIDEST = 80.0


def posterior_information(
    means: np.ndarray,
    logvars: np.ndarray,
    labels: np.ndarray,
    settings: Settings,
    *,
    samples: int = 10_000,
    metric: str = "mig",
) -> np.ndarray:
    """I(z_i; y_j) = H(z_i) - sum_v p(v) H(z_i | y_j = v), at least 0, in nats.

    H are differential entropies of mixtures of the rows' posteriors, q(z_i) = 1/N
    sum_n q(z_i | x_n) over all rows and q(z_i | v) over the rows with y_j = v, each
    estimated as the mean of -log q at one draw z_i ~ q(z_i | x_n) a row, of at most
    `samples` rows (Chen et al. 2018, App. C). Each draw's own component is in its
    mixture, so posteriors must be wider than the distance of neighbouring means
    within a value's rows: else every code seems to know every factor.

    Args:
      means, logvars: (N, D), one Gaussian a row and code.
      labels: (N, F) dense.
      settings: reads `seed`, `threads`, `progress`.
      samples: the most draws an entropy is estimated from.
      metric: the name under which progress is told.

    Returns:
      (D, F) float64.
    """
    rng = np.random.default_rng(settings.seed)
    spread = np.clip(logvars.astype(np.float64), -WIDEST, WIDEST)
    centre = means.astype(np.float64)
    # One draw per row for all codes: a code's number does not depend on its column.
    draw = centre + np.exp(spread / 2) * rng.standard_normal(len(means))[:, None]
    order = rng.permutation(len(means))

    def row(i: int) -> np.ndarray:
        columns = (draw[order, i], centre[order, i], spread[order, i])
        return _code_information(*columns, labels[order], samples)

    rows = in_threads(row, range(means.shape[1]), settings, metric)
    return np.maximum(np.stack(rows), 0.0)


def _code_information(
    draw: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
    labels: np.ndarray,
    samples: int,
) -> np.ndarray:
    """I of one code and every factor (F,); all arguments (N,), labels (N, F)."""
    marginal = mixture_entropy(draw[:samples], centre, spread)
    conditional = np.zeros(labels.shape[1])
    for j, column in enumerate(labels.T):
        for value in np.unique(column):
            rows = column == value
            entropy = mixture_entropy(draw[rows][:samples], centre[rows], spread[rows])
            conditional[j] += np.mean(rows) * entropy
    return marginal - conditional


def mixture_entropy(draws: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> float:
    """Mean of -log 1/N sum_n N(z; centre_n, exp(spread_n)) over the draws z.

    Args:
      draws: (S,).
      centre, spread: (N,) means and log-variances of the components.

    Returns:
      Nats.
    """
    width = np.exp(-spread / 2)
    height = -0.5 * spread - 0.5 * np.log(2 * np.pi)
    total = 0.0
    size = max(1, CHUNK // len(centre))
    for start in range(0, len(draws), size):
        chunk = draws[start : start + size, None] - centre
        chunk *= width
        chunk *= chunk
        chunk *= -0.5
        chunk += height
        top = chunk.max(axis=1)
        chunk -= top[:, None]
        np.exp(chunk, out=chunk)
        total += float(np.sum(top + np.log(chunk.mean(axis=1))))
    return -total / len(draws)
