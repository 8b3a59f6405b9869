"""How much information a finite table shows where there is none."""

import numpy as np

from disentangle.metrics.mutual_information import mutual_information

COLUMNS = 30  # shuffled columns a factor: enough for a mean and a deviation
DEVIATIONS = 4.0  # above the mean; a code that holds nothing passes 1 time in 10,000


def shuffled_floor(
    bins: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """What binned codes seem to know of factors whose rows were shuffled.

    The plug-in I(z; y) of N rows is above 0 also for independent z and y: by about
    (A - 1)(B - 1) / 2N nats where z has A values and y has B (Miller 1955). Here it is
    measured: rows of the factors are put into a random order until every factor has
    met COLUMNS codes. A value at or below the floor is no sign of information.

    Args:
      bins: (N, D) int >= 0, codes in bins.
      labels: (N, F) int >= 0, small numbers.
      seed: of the orders.

    Returns:
      (F,) float64 nats: mean + 4 standard deviations over codes and orders.
    """
    values = shuffled_information(bins, labels, seed=seed)
    spread = values.std(axis=0, ddof=1)
    return values.mean(axis=0) + DEVIATIONS * spread


def shuffled_information(
    bins: np.ndarray, labels: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """I(z; y) of each code with each factor in random orders: (n, F) nats.

    n is a multiple of the D codes, at least COLUMNS. Arguments as above.
    """
    rng = np.random.default_rng(seed)
    rounds = -(-COLUMNS // bins.shape[1])
    orders = (rng.permutation(len(labels)) for _ in range(rounds))
    return np.concatenate([mutual_information(bins, labels[o]) for o in orders])
