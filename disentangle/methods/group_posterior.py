"""Posteriors of images that share latents: one Gaussian made of the members'.

The three ways in use differ in the precision they give n members of variance v:
1 / v, n / v or 1 / v.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Gaussians = tuple[jax.Array, jax.Array]  # means, log-variances


def arithmetic(mean: jax.Array, logvar: jax.Array) -> Gaussians:
    """Mean of the means, mean of the variances (GVAE, Hosoya 2019).

    Args:
      mean: (n, B, D) of n members each.
      logvar: (n, B, D).

    Returns:
      ((B, D), (B, D)), the group's mean and log-variance.
    """
    count = jnp.log(jnp.float32(mean.shape[0]))
    return mean.mean(0), jax.nn.logsumexp(logvar, axis=0) - count


def product(mean: jax.Array, logvar: jax.Array) -> Gaussians:
    """The product of the densities, normalised (ML-VAE, Bouchacourt et al. 2018).

    1 / v = sum_i 1 / v_i and mu = v sum_i mu_i / v_i: the evidence of
    the members adds up.
    """
    weight = jax.nn.softmax(-logvar, axis=0)
    return (weight * mean).sum(0), -jax.nn.logsumexp(-logvar, axis=0)


def geometric(mean: jax.Array, logvar: jax.Array) -> Gaussians:
    """The geometric mean of the densities, normalised: n times `product`'s variance.

    1 / v is the mean of the 1 / v_i. disentanglement_lib's ML-VAE computes this
    where Locatello et al. 2020 write a product.
    """
    group, spread = product(mean, logvar)
    return group, spread + jnp.log(jnp.float32(mean.shape[0]))


AVERAGES: dict[str, Callable[[jax.Array, jax.Array], Gaussians]] = {
    "arithmetic": arithmetic,
    "product": product,
    "geometric": geometric,
}


def share(
    average: str, mean: jax.Array, logvar: jax.Array, shared: jax.Array, members: int
) -> Gaussians:
    """Every member's posterior, with the group's where a latent is shared.

    Args:
      average: a key of AVERAGES.
      mean: (n B, D); images i, i + B, ... are the n members of group i.
      logvar: (n B, D).
      shared: (B, D) bool, or (1, D) where all groups share the same latents.
      members: n.

    Returns:
      ((n B, D), (n B, D)).
    """
    by_group = lambda x: x.reshape(members, -1, x.shape[-1])
    common = AVERAGES[average](by_group(mean), by_group(logvar))
    choose = lambda own, group: jnp.where(shared[None], group[None], by_group(own))
    return (
        choose(mean, common[0]).reshape(mean.shape),
        choose(logvar, common[1]).reshape(mean.shape),
    )
