"""Critics: networks that look at codes, (B, D) -> logits."""

import jax
from flax import linen

from disentangle.nn.layers import Dense
from disentangle.nn.net import Net, from_module


class Discriminator(linen.Module):
    """Dense layers with a leaky ReLU of slope 0.2 below zero, then two logits.

    Attributes:
      hidden: widths of the dense layers before the logits.
    """

    hidden: tuple[int, ...]

    @linen.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, D) -> logits (B, 2)."""
        for width in self.hidden:
            z = jax.nn.leaky_relu(Dense(width)(z), 0.2)
        return Dense(2)(z)


def discriminator(latents: int, hidden: tuple[int, ...]) -> Net:
    """The two-class network of FactorVAE (Kim & Mnih 2018, appendix A).

    Args:
      latents: D, width of a code.
      hidden: widths of the hidden layers; (1000,) * 6 in FactorVAE and in Locatello
        et al. 2019, (1000,) * 5 in the RF-VAE authors' code.

    Returns:
      A Net, (B, D) float32 -> logits (B, 2) float32.
    """
    return from_module(Discriminator(tuple(hidden)), (latents,))
