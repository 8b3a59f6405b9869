"""An affinity estimator: the plain inner product of the tasks' gradients."""

import jax

from disentangle.affinity.probe import Probe, gram


def estimate(probe: Probe) -> jax.Array:
    """Z[i, j] = g_i . g_j, of the shared gradients; (N, N), symmetric."""
    return gram(probe)
