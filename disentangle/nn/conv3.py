"""Stride-1 3x3 convolution that is fast inside a loop, for one model and for many.

    y[i, o] = sum_{a, c} x[i - 1 + a, c] k[a, c, o]

with SAME padding, i and a running over both spatial axes and no kernel flipped. Three
products belong to a layer: y itself, the gradient in x, which is the same convolution
by the turned kernel, and the gradient in k. On a CPU XLA's convolution is the fastest
form of the first two, and in its loops by far the slowest of the third (jax issue
12868; `benchmarks/conv_forms.py`), which is one matrix product here: of the nine
shifted copies of x or of dy, whichever has fewer channels.

Under `vmap` over kernels, that is over models, a convolution becomes a grouped one;
there the first two are matrix products as well, which become batched ones. A kernel
that all share is no such case: the mapped axis goes into the batch.

Gradients of gradients, as a penalty on the gradient of a critic needs, are made of the
same three products. `jax.jvp` does not go through a `custom_vjp`.
"""

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

LAYOUT = ("NHWC", "HWIO", "NHWC")
Saved = tuple[jax.Array, jax.Array]


@jax.custom_vjp
def conv3(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution, stride 1, SAME padding.

    Args:
      x: (B, H, W, C_in) float32.
      kernel: (3, 3, C_in, C_out) float32.

    Returns:
      (B, H, W, C_out) float32.

    Raises:
      ValueError: for another kernel size, or channels that differ.
    """
    if kernel.shape[:2] != (3, 3):
        raise ValueError(f"conv3 takes kernels of 3x3, got {kernel.shape}")
    if x.ndim != 4 or x.shape[3] != kernel.shape[2]:
        raise ValueError(f"channels differ: input {x.shape}, kernel {kernel.shape}")
    return _correlate(x, kernel)


@jax.custom_vjp
def kernel_gradient(x: jax.Array, dy: jax.Array) -> jax.Array:
    """The gradient of <dy, conv3(x, k)> in k, which does not depend on k.

    Args:
      x: (B, H, W, C) float32.
      dy: (B, H, W, F) float32.

    Returns:
      (3, 3, C, F) float32.
    """
    c, f = x.shape[3], dy.shape[3]
    if c <= f:
        return _columns(_shifted(x), dy).reshape(3, 3, c, f)
    flat = _columns(x, _shifted(dy)).reshape(c, 3, 3, f)
    return flat.transpose(1, 2, 0, 3)[::-1, ::-1]


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Saved]:
    return conv3(x, kernel), (x, kernel)


def _backward(saved: Saved, dy: jax.Array) -> Saved:
    x, kernel = saved
    return conv3(dy, _turned(kernel)), kernel_gradient(x, dy)


def _gradient_forward(x: jax.Array, dy: jax.Array) -> tuple[jax.Array, Saved]:
    return kernel_gradient(x, dy), (x, dy)


def _gradient_backward(saved: Saved, bump: jax.Array) -> Saved:
    x, dy = saved
    return conv3(dy, _turned(bump)), conv3(x, bump)


conv3.defvjp(_forward, _backward)
kernel_gradient.defvjp(_gradient_forward, _gradient_backward)


@custom_vmap
def _correlate(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """XLA's convolution."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
    )


@_correlate.def_vmap
def _mapped(
    count: int, mapped: tuple[bool, bool], x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, bool]:
    """One model, or a kernel that all share: XLA's; else products."""
    x = x if mapped[0] else jnp.broadcast_to(x[None], (count, *x.shape))
    if not mapped[1] or count == 1:
        own = kernel[0] if mapped[1] else kernel
        y = _correlate(x.reshape(-1, *x.shape[2:]), own)
        return y.reshape(*x.shape[:2], *y.shape[1:]), True
    return jax.vmap(products)(x, kernel), True


def products(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as one matrix product of the nine shifted copies."""
    taps = _shifted(x)
    flat = taps.reshape(-1, taps.shape[3]) @ kernel.reshape(-1, kernel.shape[3])
    return flat.reshape(*x.shape[:3], kernel.shape[3])


def _shifted(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H, W, 9C), the pixels under each 3x3 window, row by row."""
    _, h, w, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [padded[:, a : a + h, b : b + w] for a in range(3) for b in range(3)]
    return jnp.concatenate(taps, axis=-1)


def _turned(kernel: jax.Array) -> jax.Array:
    """The kernel of the adjoint: turned by half a turn, its channels swapped."""
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2)


def _columns(a: jax.Array, b: jax.Array) -> jax.Array:
    """a^T b summed over all axes but the last: (..., m), (..., n) -> (m, n)."""
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    return jax.lax.dot_general(a, b, (((0,), (0,)), ((), ())))
