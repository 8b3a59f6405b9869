"""Stride-2 convolutions as matrix products: the project's one primitive.

Both operations use TensorFlow's SAME padding for even sizes, which for a 4x4
kernel is one pixel on each side (PyTorch: kernel_size=4, stride=2, padding=1)
and for a 2x2 kernel none:

    conv            y[i, o]          = sum_{a,c} x[2i - p + a, c] k[a, c, o]
    conv_transpose  y[2i - p + a, o] = sum_c     x[i, c]          k[a, c, o]

with p = 1 for 4x4 and 0 for 2x2, and i, a running over both spatial axes. No
kernel is flipped, so a PyTorch weight is ours with its axes reordered.

`conv_transpose` is the adjoint of `conv` with the kernel's channel axes swapped,
so the six products of two layers and their gradients are three functions:
`_down` (the strided convolution), `_up` (its adjoint) and `_kernel_gradient`.
Each is a handful of `dot_general`s on a space-to-depth layout, never an XLA
convolution: those are slow in XLA's CPU loops (jax issue 12868) and become
grouped convolutions under `vmap` over models.
"""

import jax
import jax.numpy as jnp

_PADDING = {4: 1, 2: 0}


@jax.custom_vjp
def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Strided convolution, stride 2, SAME padding.

    Args:
      x: (B, H, W, C_in) float32, H and W even.
      kernel: (k, k, C_in, C_out) float32, k = 4 or 2.

    Returns:
      (B, H/2, W/2, C_out) float32.

    Raises:
      ValueError: for another kernel size, odd H or W, or channels that differ.
    """
    _check(x, kernel)
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"conv needs an even height and width, got {x.shape}")
    return _down(x, kernel)


@jax.custom_vjp
def conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Transposed convolution, stride 2: the adjoint of `conv`.

    Args:
      x: (B, H, W, C_in) float32.
      kernel: (k, k, C_in, C_out) float32, k = 4 or 2.

    Returns:
      (B, 2H, 2W, C_out) float32.

    Raises:
      ValueError: for another kernel size, or channels that differ.
    """
    _check(x, kernel)
    return _up(x, _swap(kernel))


def _conv_forward(x: jax.Array, kernel: jax.Array):
    return conv(x, kernel), (x, kernel)


def _conv_backward(saved: tuple[jax.Array, jax.Array], dy: jax.Array):
    x, kernel = saved
    return _up(dy, kernel), _kernel_gradient(x, dy, kernel.shape[0])


def _transpose_forward(x: jax.Array, kernel: jax.Array):
    return conv_transpose(x, kernel), (x, kernel)


def _transpose_backward(saved: tuple[jax.Array, jax.Array], dy: jax.Array):
    x, kernel = saved
    return _down(dy, _swap(kernel)), _swap(_kernel_gradient(dy, x, kernel.shape[0]))


conv.defvjp(_conv_forward, _conv_backward)
conv_transpose.defvjp(_transpose_forward, _transpose_backward)


def _check(x: jax.Array, kernel: jax.Array) -> None:
    """Refuses shapes that the forms below would get silently wrong."""
    if kernel.shape[0] not in _PADDING or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernels are 4x4 or 2x2, got {kernel.shape}")
    if x.ndim != 4 or x.shape[3] != kernel.shape[2]:
        raise ValueError(f"channels differ: input {x.shape}, kernel {kernel.shape}")


def _swap(kernel: jax.Array) -> jax.Array:
    return kernel.transpose(0, 1, 3, 2)


def _patches(x: jax.Array, k: int) -> jax.Array:
    """(B, H, W, C) -> (B, H/2, W/2, k*k*C), the pixels under each window."""
    _, h, w, _ = x.shape
    p = _PADDING[k]
    x = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    taps = [x[:, i : i + h : 2, j : j + w : 2] for i in range(k) for j in range(k)]
    return jnp.concatenate(taps, axis=-1)


def _down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    k, _, _, c_out = kernel.shape
    return jnp.tensordot(_patches(x, k), kernel.reshape(-1, c_out), 1)


def _up(y: jax.Array, kernel: jax.Array) -> jax.Array:
    """(B, H, W, C_out) -> (B, 2H, 2W, C_in), the adjoint of `_down` in x."""
    k, _, c_in, c_out = kernel.shape
    b, h, w, _ = y.shape
    taps = jnp.tensordot(y, kernel.reshape(-1, c_out), ((3,), (1,)))
    taps = taps.reshape(b, h, w, k // 2, 2, k // 2, 2, c_in)
    summed = jnp.zeros((b, h + k // 2 - 1, w + k // 2 - 1, 2, 2, c_in), y.dtype)
    for i in range(k // 2):
        for j in range(k // 2):
            summed = summed.at[:, i : i + h, j : j + w].add(taps[:, :, :, i, :, j])
    out = summed.transpose(0, 1, 3, 2, 4, 5)
    p = _PADDING[k]
    out = out.reshape(b, 2 * h + 2 * p, 2 * w + 2 * p, c_in)
    return out[:, p : p + 2 * h, p : p + 2 * w]


def _kernel_gradient(x: jax.Array, dy: jax.Array, k: int) -> jax.Array:
    """(B, H, W, C_in), (B, H/2, W/2, C_out) -> (k, k, C_in, C_out)."""
    flat = jnp.tensordot(_patches(x, k), dy, ((0, 1, 2), (0, 1, 2)))
    return flat.reshape(k, k, x.shape[3], dy.shape[3])
