"""Linen layers on the project's own convolution.

They only declare their parameters (`ours`); `net.start_values` gives them values.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.conv import conv, conv_transpose


@flax.struct.dataclass
class Declared(linen.meta.AxisMetadata):
    """A parameter that the project starts itself; Linen hands the layer its value.

    Attributes:
      value: of the parameter's shape.
      spread: the deviation of a normal start; 0 is `net.glorot_uniform`'s.
    """

    value: Any
    spread: float = flax.struct.field(pytree_node=False, default=0.0)

    def unbox(self) -> Any:
        """The parameter."""
        return self.value

    def replace_boxed(self, val: Any) -> "Declared":
        """The same mark on another value."""
        return Declared(val, self.spread)

    def add_axis(self, index: int, params: dict[Any, Any]) -> "Declared":
        """The mark does not depend on the axes."""
        del index, params
        return self

    def remove_axis(self, index: int, params: dict[Any, Any]) -> "Declared":
        """The mark does not depend on the axes."""
        del index, params
        return self


def ours(key: jax.Array, shape: Sequence[int]) -> Any:
    """The initialiser of our layers: marks what `net.start_values` is to start.

    All other parameters of a module, as those of `linen.LayerNorm`, keep the
    initialisers that they have.
    """
    del key
    return Declared(jnp.zeros(shape, jnp.float32))


def normal(spread: float) -> Callable[[jax.Array, Sequence[int]], Any]:
    """The initialiser that marks what starts as N(0, spread^2)."""
    return lambda key, shape: Declared(jnp.zeros(shape, jnp.float32), spread)


class Conv(linen.Module):
    """Stride-2 convolution plus bias, (B, H, W, C) -> (B, H/2, W/2, features)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", ours, shape)
        bias = self.param("bias", ours, (self.features,))
        return conv(x, kernel) + bias[None, None, None]


class ConvTranspose(linen.Module):
    """Stride-2 transposed convolution plus bias, (B, H, W, C) -> (B, 2H, 2W, f)."""

    features: int
    window: int = 4

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve transposed and add the bias."""
        shape = (self.window, self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", ours, shape)
        bias = self.param("bias", ours, (self.features,))
        return conv_transpose(x, kernel) + bias[None, None, None]


class Dense(linen.Module):
    """Affine map of the last axis, (B, n) -> (B, features)."""

    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Multiply and add the bias."""
        kernel = self.param("kernel", ours, (x.shape[-1], self.features))
        bias = self.param("bias", ours, (self.features,))
        return x @ kernel + bias[None]
