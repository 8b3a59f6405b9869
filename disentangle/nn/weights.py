"""Kernels as the layers of GANs multiply with them: plain, spectral, equalised.

`weight` is called in a compact module and gives the kernel of one layer:

* "plain": the parameter itself, started by `net.glorot_uniform`;
* "spectral": divided by its largest singular value (`spectral_norm`);
* "equalised": started as N(0, 1) and multiplied by He's constant at every use, so that
  Adam moves all layers at one rate relative to their size (Karras et al. 2018, 4.1).
  With a `rate` r it is started as N(0, 1 / r^2) and multiplied by r as well, as is the
  bias of `Linear`: the same layer, which Adam moves r times as fast.

Batch norm is Linen's (`linen.BatchNorm`, with a state); averages of parameters are
`Method.averages`.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.conv import conv, conv_transpose
from disentangle.nn.conv3 import conv3
from disentangle.nn.layers import normal, ours

WEIGHTS = ("plain", "spectral", "equalised")
HE = math.sqrt(2.0)  # gain of a layer with a ReLU behind it


def spectral_norm(
    kernel: jax.Array, u: jax.Array, *, steps: int = 1
) -> tuple[jax.Array, jax.Array]:
    """The kernel over its largest singular value (Miyato et al. 2018, Alg. 1).

    With W the kernel as a matrix (n_in, n_out), its window among the inputs:
    v = W u / |W u|, u' = W^T v / |W^T v|, sigma = v^T W u', no gradient through u'
    and v; one step per training step is enough, as W moves slowly.

    Args:
      kernel: (..., n_in, n_out).
      u: (n_out,) of length 1, from the step before.
      steps: of the power iteration.

    Returns:
      (kernel / sigma, u').
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    held = jax.lax.stop_gradient(matrix)
    v = _unit(held @ u)
    for _ in range(steps):
        u = _unit(v @ held)
        v = _unit(held @ u) if steps > 1 else v
    sigma = v @ (matrix @ u)
    return kernel / jnp.maximum(sigma, 1e-12), u


def _unit(x: jax.Array) -> jax.Array:
    return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)


def he_constant(shape: tuple[int, ...], gain: float = HE) -> float:
    """gain / sqrt(fan-in) of a kernel (..., n_in, n_out): He et al. 2015."""
    return gain / math.sqrt(math.prod(shape[:-1]))


def weight(
    module: linen.Module,
    shape: tuple[int, ...],
    kind: str,
    train: bool,
    *,
    gain: float = HE,
    rate: float = 1.0,
) -> jax.Array:
    """The kernel that a layer multiplies with.

    Args:
      module: the layer, within its compact method.
      shape: (..., n_in, n_out).
      kind: a name in WEIGHTS.
      train: moves the state of "spectral", the collection "spectral".
      gain: of He's constant, of "equalised" alone.
      rate: how fast Adam moves "equalised", relative to 1.
    """
    if kind == "equalised":
        drawn = module.param("kernel", normal(1.0 / rate), shape)
        return drawn * (he_constant(shape, gain) * rate)
    kernel = module.param("kernel", ours, shape)
    if kind == "plain":
        return kernel

    def start() -> jax.Array:
        return _unit(jax.random.normal(module.make_rng("params"), shape[-1:]))

    u = module.variable("spectral", "u", start)
    kernel, new = spectral_norm(kernel, u.value)
    if train:
        u.value = new
    return kernel


class Linear(linen.Module):
    """Affine map of the last axis, of any number of axes.

    Attributes:
      features: of the output.
      kind: of the kernel, a name in WEIGHTS.
      gain: of He's constant, of "equalised"; 1 where no ReLU follows.
      rate: how fast Adam moves the layer, of "equalised".
    """

    features: int
    kind: str = "plain"
    gain: float = HE
    rate: float = 1.0

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(..., n) -> (..., features)."""
        shape = (x.shape[-1], self.features)
        kernel = weight(self, shape, self.kind, train, gain=self.gain, rate=self.rate)
        bias = self.param("bias", ours, (self.features,))
        bias = bias if self.rate == 1.0 else bias * self.rate
        flat = x.reshape(-1, x.shape[-1]) @ kernel + bias[None]
        return flat.reshape(*x.shape[:-1], self.features)


class Down(linen.Module):
    """4x4 convolution of stride 2, (B, H, W, C) -> (B, H/2, W/2, features)."""

    features: int
    kind: str = "plain"

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Convolve and add the bias."""
        return _through(self, conv, 4, x, train)


class Up(linen.Module):
    """4x4 transposed convolution of stride 2, (B, H, W, C) -> (B, 2H, 2W, f)."""

    features: int
    kind: str = "plain"

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Convolve transposed and add the bias."""
        return _through(self, conv_transpose, 4, x, train)


class Conv3(linen.Module):
    """3x3 convolution of stride 1, (B, H, W, C) -> (B, H, W, features)."""

    features: int
    kind: str = "plain"

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Convolve and add the bias."""
        return _through(self, conv3, 3, x, train)


def _through(
    layer: Any,
    convolve: Callable[[jax.Array, jax.Array], jax.Array],
    window: int,
    x: jax.Array,
    train: bool,
) -> jax.Array:
    """A layer's convolution with its kernel and bias."""
    bias = layer.param("bias", ours, (layer.features,))
    shape = (window, window, x.shape[-1], layer.features)
    kernel = weight(layer, shape, layer.kind, train)
    return convolve(x, kernel) + bias[None, None, None]
