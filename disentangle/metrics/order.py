"""Are rows in random order? Estimators that split them take it for granted."""

import numpy as np

# Standard deviations of the number of changes; rows, and changes to be expected, below
# which nothing is told.
FAR, FEWEST, CHANGES = 5.0, 30, 8


def sorted_factor(factors: np.ndarray) -> int | None:
    """The factor whose neighbouring rows are equal most beyond chance, or None.

    In random order, two neighbours differ in a factor with probability q = 1 - sum_v
    p_v^2, p_v the share of rows with value v. A factor is told where its neighbours
    differ in fewer rows than N q by five standard deviations, at most
    sqrt(2 N q (1 - q)), or in less than half of N q where its values only rise or
    only fall. By chance that is a matter of one table in ten thousand, of small ones.

    Args:
      factors: (N, F) int, all rows in their order.
    """
    rows = len(factors)
    if rows < FEWEST:
        return None
    worst, place = 0.0, None
    for j, column in enumerate(factors.T):
        steps = np.diff(column)
        counts = np.unique(column, return_counts=True)[1]
        differ = 1.0 - float(np.sum((counts / rows) ** 2))
        expected = (rows - 1) * differ
        deviation = np.sqrt(2.0 * expected * (1.0 - differ))
        changes = int(np.count_nonzero(steps))
        one_way = (steps >= 0).all() or (steps <= 0).all()
        far = (expected - changes) / deviation if deviation > 0 else 0.0
        told = far > FAR or (one_way and changes < expected / 2)
        if expected >= CHANGES and told and far > worst:
            worst, place = far, j
    return place


def order_note(factors: np.ndarray, names: tuple[str, ...]) -> str:
    """What to tell of the rows' order, "" where they are in none."""
    place = sorted_factor(factors)
    if place is None:
        return ""
    return (
        f"the rows are not in random order (neighbours share their {names[place]!r} "
        "far more often than by chance): training and test rows are then different "
        "images, and scores are off; shuffle the rows of codes and factors together"
    )
