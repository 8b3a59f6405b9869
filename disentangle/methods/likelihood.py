"""Observation models p(x | z), as negative log likelihoods in nats an image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax


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
    entropy = optax.sigmoid_binary_cross_entropy(logits, images)
    return entropy.sum((1, 2, 3)).mean()


def gaussian(logits: jax.Array, images: jax.Array) -> jax.Array:
    """-log p(x | z), pixels Gaussian with mean sigmoid(logits) and sigma 1.

    `sum_pixels [(x - s(l))^2 / 2 + log(2 pi) / 2]`, mean over the batch; the
    constant is kept so that values are nats.

    Returns:
      Scalar, nats per image.
    """
    squares = jnp.square(images - jax.nn.sigmoid(logits))
    return (0.5 * (squares + jnp.log(2 * jnp.pi))).sum((1, 2, 3)).mean()


LIKELIHOODS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "bernoulli": bernoulli,
    "gaussian": gaussian,
}
