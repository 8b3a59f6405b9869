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
Each is one matrix product on a space-to-depth layout, never an XLA convolution:
their kernel gradients are slow in XLA's CPU loops (jax issue 12868), and they become
grouped convolutions under `vmap` over models, where products become batched ones.
A 4x4 kernel at stride 2 is a 2x2 one on blocks of 2x2 pixels of the padded image, so
the product has inner size 4C and outer size 4F; with few channels (the images) all
sixteen taps are gathered instead. `benchmarks/README.md` has what else was tried.
Chosen on a CPU; "Populations" there says how fast it is on a GPU, where products are
TF32, as everywhere in JAX, unless `jax_default_matmul_precision` is "highest".
"""

import jax
import jax.numpy as jnp

_FEW = 8  # below this many channels all sixteen taps are gathered at once
_TAPS = ((0, 0), (0, 1), (1, 0), (1, 1))


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


Saved = tuple[jax.Array, jax.Array]  # what the gradient needs: input and kernel


def _conv_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Saved]:
    return conv(x, kernel), (x, kernel)


def _conv_backward(saved: Saved, dy: jax.Array) -> Saved:
    x, kernel = saved
    return _up(dy, kernel), _kernel_gradient(x, dy, kernel.shape[0])


def _transpose_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Saved]:
    return conv_transpose(x, kernel), (x, kernel)


def _transpose_backward(saved: Saved, dy: jax.Array) -> Saved:
    x, kernel = saved
    return _down(dy, _swap(kernel)), _swap(_kernel_gradient(dy, x, kernel.shape[0]))


conv.defvjp(_conv_forward, _conv_backward)
conv_transpose.defvjp(_transpose_forward, _transpose_backward)


def _check(x: jax.Array, kernel: jax.Array) -> None:
    """Refuses shapes that the forms below would get silently wrong."""
    if kernel.shape[0] not in (2, 4) or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernels are 4x4 or 2x2, got {kernel.shape}")
    if x.ndim != 4 or x.shape[3] != kernel.shape[2]:
        raise ValueError(f"channels differ: input {x.shape}, kernel {kernel.shape}")


def _swap(kernel: jax.Array) -> jax.Array:
    return kernel.transpose(0, 1, 3, 2)


def _down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """(B, H, W, C), (k, k, C, F) -> (B, H/2, W/2, F), the strided convolution."""
    k, _, c, f = kernel.shape
    b, h, w, _ = x.shape
    if k == 2:
        return _rows(_blocks(x), kernel.reshape(4 * c, f))
    if c < _FEW:
        return _rows(_patches(x), _interleave(kernel).reshape(16 * c, f))
    products = _rows(_padded_blocks(x), _blocks_to_taps(kernel))
    products = products.reshape(b, h // 2 + 1, w // 2 + 1, 2, 2, f)
    taps = [products[:, i : i + h // 2, j : j + w // 2, i, j] for i, j in _TAPS]
    return sum(taps[1:], taps[0])


def _up(y: jax.Array, kernel: jax.Array) -> jax.Array:
    """(B, H, W, F), (k, k, C, F) -> (B, 2H, 2W, C), the adjoint of `_down` in x."""
    k, _, c, f = kernel.shape
    b, h, w, _ = y.shape
    if k == 2:
        blocks = _rows(y, kernel.reshape(4 * c, f).T)
        return _depth_to_space(blocks.reshape(b, h, w, 2, 2, c))
    if c < _FEW:
        taps = _rows(y, _interleave(kernel).reshape(16 * c, f).T)
        taps = taps.reshape(b, h, w, 2, 2, 4 * c)
        padded = [_shift(taps[:, :, :, i, j], i, j) for i, j in _TAPS]
        blocks = sum(padded[1:], padded[0])
    else:
        blocks = _rows(_quads(y), _taps_to_blocks(kernel))
    blocks = blocks.reshape(b, h + 1, w + 1, 2, 2, c)
    return _depth_to_space(blocks)[:, 1:-1, 1:-1]


def _kernel_gradient(x: jax.Array, dy: jax.Array, k: int) -> jax.Array:
    """(B, H, W, C), (B, H/2, W/2, F) -> (k, k, C, F), the adjoint in the kernel."""
    c, f = x.shape[3], dy.shape[3]
    if k == 2:
        return _columns(_blocks(x), dy).reshape(2, 2, c, f)
    if c < _FEW:
        flat = _columns(_patches(x), dy)
        return _interleave(flat.reshape(4, 4, c, f))
    flat = _columns(_padded_blocks(x), _quads(dy))
    return (
        flat.reshape(2, 2, c, 2, 2, f).transpose(3, 0, 4, 1, 2, 5).reshape(4, 4, c, f)
    )


def _rows(a: jax.Array, matrix: jax.Array) -> jax.Array:
    """a @ matrix over the last axis, as one two-dimensional product."""
    flat = a.reshape(-1, a.shape[-1]) @ matrix
    return flat.reshape(*a.shape[:-1], matrix.shape[-1])


def _columns(a: jax.Array, b: jax.Array) -> jax.Array:
    """a^T b summed over all axes but the last: (..., m), (..., n) -> (m, n).

    Flat on purpose: with three contracting axes XLA transposes `a` in memory first,
    which on the CPU costs more than the product.
    """
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    return jax.lax.dot_general(a, b, (((0,), (0,)), ((), ())))


def _shift(blocks: jax.Array, i: int, j: int) -> jax.Array:
    """One row and column more: (B, H, W, ...) moved down by i and right by j."""
    rest = ((0, 0),) * (blocks.ndim - 3)
    return jnp.pad(blocks, ((0, 0), (i, 1 - i), (j, 1 - j), *rest))


def _blocks(x: jax.Array) -> jax.Array:
    """Space to depth: (B, 2H, 2W, C) -> (B, H, W, 4C), channels (row, column, C)."""
    b, h, w, c = x.shape
    blocks = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, h // 2, w // 2, 4 * c)


def _depth_to_space(blocks: jax.Array) -> jax.Array:
    """(B, H, W, 2, 2, C) -> (B, 2H, 2W, C)."""
    b, h, w, _, _, c = blocks.shape
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c)


def _patches(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H/2, W/2, 16C), the pixels under each 4x4 window.

    Their order is that of `_interleave`: the four blocks of the window, each
    contiguous, which is less work than sixteen single pixels.
    """
    _, h, w, _ = x.shape
    blocks = _blocks(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
    taps = [blocks[:, i : i + h // 2, j : j + w // 2] for i, j in _TAPS]
    return jnp.concatenate(taps, axis=-1)


def _interleave(kernel: jax.Array) -> jax.Array:
    """Swaps the order of a kernel's pixels between rows first and blocks first.

    (4, 4, C, F) by (row, column), a row being (tap, row in the block), to (4, 4, C,
    F) by (tap row, tap column), (block row, block column); its own inverse.
    """
    return _split(kernel).transpose(0, 2, 1, 3, 4, 5).reshape(kernel.shape)


def _padded_blocks(x: jax.Array) -> jax.Array:
    """Space to depth of x padded by one: (B, H, W, C) -> (B, H/2+1, W/2+1, 4C).

    Channel (r, s, c) at block (I, J) is x[2I - 1 + r, 2J - 1 + s, c], zero outside.
    """
    pixels = [x[:, 1 - r :: 2, 1 - s :: 2] for r, s in _TAPS]
    moves = [(1 - r, 1 - s) for r, s in _TAPS]
    return _side_by_side(pixels, moves)


def _quads(y: jax.Array) -> jax.Array:
    """(B, H, W, F) -> (B, H+1, W+1, 4F), the outputs that touch each padded block.

    Channel (i, j, f) at block (I, J) is y[I - i, J - j, f], zero outside.
    """
    return _side_by_side([y] * 4, list(_TAPS))


def _side_by_side(maps: list[jax.Array], moves: list[tuple[int, int]]) -> jax.Array:
    """Four maps (B, H, W, C), each moved, as channels of one (B, H+1, W+1, 4C).

    A sum of disjoint pads, which XLA makes one loop; concatenation takes the CPU one
    loop for each piece and one for the whole, three times the time.
    """
    c = maps[0].shape[-1]
    padded = [
        jnp.pad(piece, ((0, 0), (i, 1 - i), (j, 1 - j), (n * c, (3 - n) * c)))
        for n, (piece, (i, j)) in enumerate(zip(maps, moves, strict=True))
    ]
    return sum(padded[1:], padded[0])


def _split(kernel: jax.Array) -> jax.Array:
    """(4, 4, C, F) -> (tap row, block row, tap column, block column, C, F)."""
    return kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])


def _blocks_to_taps(kernel: jax.Array) -> jax.Array:
    """(4, 4, C, F) -> (4C, 4F): a block's share in the four outputs it touches."""
    _, _, c, f = kernel.shape
    return _split(kernel).transpose(1, 3, 4, 0, 2, 5).reshape(4 * c, 4 * f)


def _taps_to_blocks(kernel: jax.Array) -> jax.Array:
    """The transpose of `_blocks_to_taps`, laid out so that products read along it."""
    _, _, c, f = kernel.shape
    return _split(kernel).transpose(0, 2, 5, 1, 3, 4).reshape(4 * f, 4 * c)
