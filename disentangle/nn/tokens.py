"""What a denoiser is told, as tokens (B, N, d) or as one vector (B, d).

Every network here takes {"code": (B, S), "keep": (B,)}: where `keep` is 0 the code is
not told, and a learned value stands in its place (Ho & Salimans 2022).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

from disentangle.nn.layers import Dense, ours
from disentangle.nn.net import Net, from_module

EACH = linen.initializers.variance_scaling(1.0, "fan_avg", "uniform", batch_axis=(0,))
HIDDEN = 64  # units of the hidden layers of a token's map


class Affine(linen.Module):
    """W S + b: a code enters linearly."""

    outputs: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """(B, S) -> (B, outputs)."""
        return _kept(self, Dense(self.outputs)(x["code"]), x["keep"])


class BlockTokens(linen.Module):
    """Token i = MLP_i(block i of the code): three layers each, shared by none.

    Attributes:
      blocks: (N,) numbers of the code in each block, S in all.
      size: d of a token.
    """

    blocks: tuple[int, ...]
    size: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """(B, S) -> (B, N, size)."""
        count, widest = len(self.blocks), max(self.blocks)
        h = in_blocks(x["code"], self.blocks)
        widths = (widest, HIDDEN, HIDDEN, self.size)
        for number in range(3):
            shape = (count, widths[number], widths[number + 1])
            kernel = self.param(f"kernel_{number}", EACH, shape)
            bias = self.param(f"bias_{number}", ours, (count, shape[2]))
            h = jnp.einsum("bnw,nwh->bnh", h, kernel) + bias[None]
            h = jax.nn.silu(h) if number < 2 else h
        return _kept(self, h, x["keep"])


class WordTokens(linen.Module):
    """Token i = MLP(vector of word i + vector of place i), one MLP for all.

    The code are the numbers of words, 0 .. words - 1. Places tell "red ... blue" from
    "blue ... red", also where tokens become one vector: their mean.

    Attributes:
      words: of the vocabulary.
      size: d of a token.
      mean: whether they become one vector.
    """

    words: int
    size: int
    mean: bool

    @linen.compact
    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """(B, N) -> (B, N, size), or (B, size) of the mean."""
        code = x["code"]
        hot = jax.nn.one_hot(code.astype(jnp.int32), self.words, dtype=jnp.float32)
        start = linen.initializers.normal(1.0)
        words = self.param("words", start, (self.words, HIDDEN))
        places = self.param("places", start, (code.shape[1], HIDDEN))
        h = jnp.einsum("bnv,vh->bnh", hot, words) + places[None]
        h = jax.nn.silu(Dense(HIDDEN)(h.reshape(-1, HIDDEN)))
        h = Dense(self.size)(h).reshape(*code.shape, self.size)
        return _kept(self, h.mean(1) if self.mean else h, x["keep"])


def _kept(module: linen.Module, told: jax.Array, keep: jax.Array) -> jax.Array:
    """`told` (B, ...) where `keep` (B,) is 1, the learned value where it is 0."""
    nothing = module.param("nothing", ours, told.shape[1:])
    share = keep.reshape(-1, *(1,) * (told.ndim - 1))
    return share * told + (1.0 - share) * nothing[None]


def in_blocks(code: jax.Array, blocks: Sequence[int]) -> jax.Array:
    """(B, S) -> (B, N, widest): the numbers of each block, zeros behind them."""
    bounds, widest = np.cumsum((0, *blocks)), max(blocks)
    parts = [
        jnp.pad(code[:, start : start + size], ((0, 0), (0, widest - size)))
        for start, size in zip(bounds, blocks, strict=False)
    ]
    return jnp.stack(parts, axis=1)


def _net(module: linen.Module, inputs: int) -> Net:
    return from_module(module, {"code": (inputs,), "keep": ()})


def affine(inputs: int, outputs: int) -> Net:
    """{"code": (B, inputs), "keep": (B,)} -> (B, outputs)."""
    return _net(Affine(outputs), inputs)


def block_tokens(blocks: tuple[int, ...], size: int) -> Net:
    """{"code": (B, sum of blocks), "keep": (B,)} -> (B, N, size)."""
    return _net(BlockTokens(blocks, size), sum(blocks))


def word_tokens(words: int, length: int, size: int, *, mean: bool = False) -> Net:
    """{"code": (B, length), "keep": (B,)} -> (B, length, size), or their mean."""
    return _net(WordTokens(words, size, mean), length)
