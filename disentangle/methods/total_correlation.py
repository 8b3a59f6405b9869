"""Estimates of log q(z) and log q(z_d) from a batch (Chen et al. 2018, appendix C).

q(z) = 1/N sum_n q(z|x_n) over the N images of the data set, of which a step sees B.
All three estimators below are sums over the batch in place of the data set; they
serve a gradient and are not measurements. **Never report their difference
E[log q(z) - sum_d log q(z_d)] as the total correlation**: from a batch that stands
well for the data set, `mws` gives TC + (D - 1) log N, 122 nats too much for ten
latents on dSprites, and `locatello` TC - (D - 1) log B; a published log of `mss`
ends at minus 31 nats, where no total correlation can be. The logs show
`moments.gaussian_total_correlation` instead.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError


class Densities(NamedTuple):
    """Estimated log-densities of B samples of the aggregate posterior, in nats."""

    joint: jax.Array  # (B,), log q(z_i)
    marginals: jax.Array  # (B, D), log q(z_id)


def log_normal(z: jax.Array, mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """log N(z; mean, exp(logvar)), entry by entry; the shapes broadcast."""
    squares = jnp.square(z - mean) * jnp.exp(-logvar)
    return -0.5 * (squares + logvar + jnp.log(2 * jnp.pi))


def log_posteriors(z: jax.Array, mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """log q(z_id | x_j) at [i, j, d]: three (B, D) -> (B, B, D).

    The squares are not multiplied out: z and mean differ by a few sigma where it
    matters, and sigma can be a hundredth of either.
    """
    return log_normal(z[:, None], mean[None], logvar[None])


def _weighted(log_q: jax.Array, log_w: jax.Array) -> Densities:
    """log sum_j w_ij q(z_i|x_j) and, per latent, log sum_j w_ij q(z_id|x_j)."""
    joint = jax.nn.logsumexp(log_w + log_q.sum(-1), axis=1)
    return Densities(joint, jax.nn.logsumexp(log_w[..., None] + log_q, axis=1))


def mws(log_q: jax.Array, size: int) -> Densities:
    """Minibatch weighted sampling: log 1/(N B) sum_j q(z_i|x_j) (Chen et al., S3).

    A lower bound in expectation. Where the batch is the whole data set it is exact
    but for its constant: log q(z) - log N, and as much for each latent.

    Args:
      log_q: (B, B, D), log q(z_id | x_j) at [i, j, d].
      size: N, images in the data set.
    """
    batch = log_q.shape[0]
    constant = jnp.full((1, batch), -math.log(size * batch), log_q.dtype)
    return _weighted(log_q, constant)


def mss(log_q: jax.Array, size: int) -> Densities:
    """Minibatch stratified sampling: log sum_j w_ij q(z_i|x_j) (Chen et al., S6).

    With `stratified_weights` the mean of exp(joint) over batches is q(z_i), and
    the same for each latent; the logarithm is biased downwards.

    Args:
      log_q: (B, B, D), log q(z_id | x_j) at [i, j, d].
      size: N, images in the data set; B where the batch has more than N.
    """
    weights = stratified_weights(log_q.shape[0], size)
    return _weighted(log_q, jnp.asarray(np.log(weights), log_q.dtype))


def locatello(log_q: jax.Array, size: int) -> Densities:
    """log sum_j q(z_i|x_j) without a constant (Locatello et al. 2019, their code).

    The gradient of `mws`.

    Args:
      log_q: (B, B, D), log q(z_id | x_j) at [i, j, d].
      size: not used.
    """
    del size
    return _weighted(log_q, jnp.zeros((1, 1), log_q.dtype))


def stratified_weights(batch: int, size: int) -> np.ndarray:
    """The weights of `mss`: (B, B), rows sum to 1.

    With M = B - 1: 1/N for the image z_i comes from, since that is one of N;
    (N - M) / (N M) for one other image; 1/M for the rest. The other image is the
    next one of the batch, which is as random as the batch is. The published code
    of the paper puts 1/N and (N - M) / (N M) into the first two *columns* instead,
    so an image's own density has weight 1/M, some N/B times too much; we follow
    the paper.

    Raises:
      UserError: for a batch of one image, which leaves nothing to weigh.
    """
    if batch < 2:
        raise UserError("the estimator 'mss' needs at least 2 images per batch")
    n, m = max(size, batch), batch - 1
    weights = np.full((batch, batch), 1 / m)
    rows = np.arange(batch)
    weights[rows, rows] = 1 / n
    weights[rows, (rows + 1) % batch] = (n - m) / (n * m)
    return weights


TC_ESTIMATORS: dict[str, Callable[[jax.Array, int], Densities]] = {
    "mws": mws,
    "mss": mss,
    "locatello": locatello,
}
