"""Critics: networks that look at codes, (B, D) -> logits, or at images."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn.generators import halvings, widths
from disentangle.nn.layers import Dense
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Down


class Discriminator(linen.Module):
    """Dense layers with a leaky ReLU of slope 0.2 below zero, then the logits.

    Attributes:
      hidden: widths of the dense layers before the logits.
      outputs: how many logits.
    """

    hidden: tuple[int, ...]
    outputs: int = 2

    @linen.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, D) -> logits (B, outputs)."""
        for width in self.hidden:
            z = jax.nn.leaky_relu(Dense(width)(z), 0.2)
        return Dense(self.outputs)(z)


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


def perceptron(inputs: int, hidden: tuple[int, ...], outputs: int) -> Net:
    """Dense layers, all but the last with a leaky ReLU: (B, inputs) to outputs."""
    return from_module(Discriminator(tuple(hidden), outputs), (inputs,))


class ImageCritic(linen.Module):
    """4x4 stride-2 convolutions, each with a leaky ReLU of slope 0.2; then flat.

    Attributes:
      width: channels of the first convolution; those after it have more.
      kind: of the kernels, a name in `weights.WEIGHTS`.
    """

    width: int
    kind: str

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, C) in [-1, 1] -> features (B, n)."""
        n, rows, columns = halvings(x.shape[1:])
        below, right = rows * 2**n - x.shape[1], columns * 2**n - x.shape[2]
        x = jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))
        for features in widths(n, self.width):
            x = jax.nn.leaky_relu(Down(features, self.kind)(x, train), 0.2)
        return x.reshape(x.shape[0], -1)


def dcgan(shape: tuple[int, int, int], width: int) -> Net:
    """The discriminator of Radford et al. 2016, narrower and without batch norm."""
    return from_module(ImageCritic(width, "plain"), shape)


def spectral(shape: tuple[int, int, int], width: int) -> Net:
    """The same with spectral norms (Miyato et al. 2018)."""
    return from_module(ImageCritic(width, "spectral"), shape)


def equalised(shape: tuple[int, int, int], width: int) -> Net:
    """The same with equalised rates (Karras et al. 2018)."""
    return from_module(ImageCritic(width, "equalised"), shape)


CRITICS: dict[str, Any] = {
    "dcgan": dcgan,
    "spectral": spectral,
    "equalised": equalised,
}


def image_critic(name: str, shape: tuple[int, int, int], width: int) -> Net:
    """A critic of images from the table, without its last layer.

    Args:
      name: a key of CRITICS.
      shape: (H, W, C) of one image, of any size; C may count maps of a condition.
      width: channels of the first convolution.

    Returns:
      A Net, (B, H, W, C) float32 -> features (B, n) float32.

    Raises:
      UserError: the critic does not exist, or images have no pixels.
    """
    if name not in CRITICS:
        raise unknown("critic", name, CRITICS)
    if min(shape) < 1:
        raise UserError(f"images of shape {shape} have no pixels")
    return CRITICS[name](shape, width)
