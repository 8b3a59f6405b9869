"""D and C of an importance matrix (Eastwood & Williams 2018)."""

import numpy as np

# Keeps the entropy of an all-zero row defined: it becomes the uniform distribution.
EPSILON = 1e-11


def disentanglement(importance: np.ndarray) -> float:
    """D = sum_i rho_i D_i over codes i.

    D_i = 1 - H_F(R_i. / sum_j R_ij), entropy in base F; rho_i is code i's share of
    all importance.

    Args:
      importance: R (D, F) >= 0, codes by factors.

    Returns:
      In [0, 1]; 0 if nothing is important.
    """
    return float(np.sum(_shares(importance) * concentration(importance)))


def completeness(importance: np.ndarray) -> float:
    """C = sum_j weight_j C_j over factors j: disentanglement of the transpose.

    The entropy's base is the number of codes, so dead codes raise C.

    Args:
      importance: R (D, F) >= 0, codes by factors.

    Returns:
      In [0, 1]; 0 if nothing is important.
    """
    return disentanglement(importance.T)


def concentration(importance: np.ndarray) -> np.ndarray:
    """1 - normalised entropy of each row: 1 on one entry, 0 spread evenly.

    Args:
      importance: (A, B) >= 0.

    Returns:
      (A,) in [0, 1]. A zero row has 0. With B = 1 nothing can be spread: a row with
      any importance has 1.
    """
    choices = importance.shape[1]
    if choices == 1:
        return (importance[:, 0] > 0).astype(np.float64)
    p = importance + EPSILON
    p = p / p.sum(axis=1, keepdims=True)
    entropy = -np.sum(p * np.log(p), axis=1) / np.log(choices)
    return np.clip(1.0 - entropy, 0.0, 1.0)


def _shares(importance: np.ndarray) -> np.ndarray:
    """Each row's share of all importance, (A,); equal shares of nothing."""
    rows = importance.sum(axis=1)
    total = rows.sum()
    return rows / total if total > 0 else np.full(len(rows), 1.0 / len(rows))
