"""Observation models p(x | z), as negative log likelihoods in nats per image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


@jax.custom_jvp
def softplus(x: jax.Array) -> jax.Array:
    """log(1 + e^x), written for no overflow; its derivative is the sigmoid.

    The values of `jax.nn.softplus`, without autodiff going through the
    exponentials again: the loss of an image is one such term a pixel.
    """
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


softplus.defjvps(lambda tangent, value, x: tangent * jax.nn.sigmoid(x))


def pixel_sum(values: jax.Array) -> jax.Array:
    """Sum over the pixels and channels of each image: (B, H, W, C) -> (B,).

    As a product with ones: after an exp or log, XLA on the CPU makes a slow
    reduction of `.sum()` (benchmarks/README.md has the step before and after).
    """
    flat = values.reshape(values.shape[0], -1)
    return flat @ jnp.ones((flat.shape[1],), values.dtype)


def bernoulli(logits: jax.Array, images: jax.Array) -> jax.Array:
    """-log p(x | z), pixels independent Bernoulli with mean sigmoid(logits).

    `-sum_pixels [x log s(l) + (1 - x) log(1 - s(l))]`, mean over the batch;
    for grey or colour x in [0, 1] this is the cross-entropy that the field
    calls the Bernoulli loss (Locatello et al. 2019), not a likelihood.

    Args:
      logits: (B, H, W, C).
      images: (B, H, W, C) in [0, 1].

    Returns:
      Scalar, nats per image.
    """
    return pixel_sum(softplus(logits) - images * logits).mean()


def gaussian(logits: jax.Array, images: jax.Array) -> jax.Array:
    """-log p(x | z), pixels Gaussian with mean sigmoid(logits) and sigma 1.

    `sum_pixels [(x - s(l))^2 / 2 + log(2 pi) / 2]`, mean over the batch; the
    constant is kept so that values are nats.

    Returns:
      Scalar, nats per image.
    """
    squares = jnp.square(images - jax.nn.sigmoid(logits))
    return pixel_sum(0.5 * (squares + jnp.log(2 * jnp.pi))).mean()


LIKELIHOODS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "bernoulli": bernoulli,
    "gaussian": gaussian,
}
