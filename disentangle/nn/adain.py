r"""Instance norm, and maps that take their statistics from a style.

$$
\mathrm{IN}(x) = \frac{x - \mu(x)}{\sqrt{\sigma^2(x) + \epsilon}}, \qquad
\mathrm{AdaIN}(x, s, b) = s \, \mathrm{IN}(x) + b
$$

with mu and sigma^2 the mean and variance (not the unbiased one) over the pixels of one
channel of one image (Ulyanov et al. 2016; Huang & Belongie 2017, Eq. 8). Behind AdaIN a
channel has the mean b and the standard deviation |s|, whatever x was, up to the factor
sigma / sqrt(sigma^2 + epsilon); a constant channel becomes b.

`Style` makes s and b of a vector by one affine map, s = 1 + what it gives, so that maps
start near their normalised form. Karras et al. 2019 do that; in Huang et al. 2018
(MUNIT) s is what the layer gives, without the 1.
"""

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.layers import ours
from disentangle.nn.weights import Linear

EPSILON = 1e-6


def instance_norm(x: jax.Array) -> jax.Array:
    """Each channel of each image to mean 0 and variance 1: (B, H, W, C) -> same."""
    centred = x - x.mean((1, 2), keepdims=True)
    return centred * jax.lax.rsqrt(
        jnp.square(centred).mean((1, 2), keepdims=True) + EPSILON
    )


def restyled(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """x scale + shift of every channel, of maps that are normalised already.

    Args:
      x: (B, H, W, C).
      scale: (B, C).
      shift: (B, C).

    Returns:
      (B, H, W, C).
    """
    return x * scale[:, None, None] + shift[:, None, None]


def adaptive_instance_norm(
    x: jax.Array, scale: jax.Array, shift: jax.Array
) -> jax.Array:
    """AdaIN: `instance_norm`, then `restyled`; arguments as there."""
    return restyled(instance_norm(x), scale, shift)


class InstanceNorm(linen.Module):
    """`instance_norm`, then a scale, 1 at the start, and a bias for each channel."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H, W, C)."""
        scale = 1.0 + self.param("scale", ours, x.shape[-1:])
        bias = self.param("bias", ours, x.shape[-1:])
        return instance_norm(x) * scale[None, None, None] + bias[None, None, None]


class Style(linen.Module):
    """The affine map of a style vector to the scale and shift of maps.

    Attributes:
      features: channels C of the maps.
      kind: of the kernel, a name in `weights.WEIGHTS`.
    """

    features: int
    kind: str = "plain"

    @linen.compact
    def __call__(self, style: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(B, n) -> scale (B, C), 1 plus the map's first half, and shift (B, C)."""
        both = Linear(2 * self.features, self.kind, gain=1.0, name="affine")(style)
        scale, shift = jnp.split(both, 2, axis=1)
        return 1.0 + scale, shift


class AdaIN(linen.Module):
    """`adaptive_instance_norm` by a style vector (`Style`).

    Attributes:
      kind: of the kernel, a name in `weights.WEIGHTS`.
    """

    kind: str = "plain"

    @linen.compact
    def __call__(self, x: jax.Array, style: jax.Array) -> jax.Array:
        """(B, H, W, C) and (B, n) -> (B, H, W, C)."""
        scale, shift = Style(x.shape[3], self.kind, name="style")(style)
        return adaptive_instance_norm(x, scale, shift)
