"""Pieces of codes that two images exchange, and who exchanges with whom (DNA-GAN)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, take
from disentangle.methods.attributes import Attributes
from disentangle.methods.triplets import candidates, pick


def one_hots(told: Attributes, labels: jax.Array) -> jax.Array:
    """(B, A) labels -> (B, S), those of all attributes; 0 for a missing one."""
    parts = [
        jax.nn.one_hot(labels[:, a], size, dtype=jnp.float32)
        for a, size in enumerate(told.sizes)
    ]
    return jnp.concatenate(parts, axis=1)


def opposites(told: Attributes) -> Collate:
    """Pairs (A, B): A has a dominant value of attribute i, B its recessive one, 0.

    Of every image drawn a uniform attribute i is taken among those in which another
    image of the split is on the other side (`triplets.POOL` images of a larger split),
    and a uniform one of these images. 2 B images, the As first; "attribute" (B,) is i.
    In the place of an image that has no such partner stands one of the batch that has,
    with its own; where none has, images are their own partners.
    """

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        among, which, image, stead = jax.random.split(key, 4)
        pool = candidates(split, among)
        own = told.of_images(split.data, index)
        rows = told.of_images(split.data, pool)
        there = (own >= 0)[:, None] & (rows >= 0)[None]
        across = there & ((own > 0)[:, None] != (rows > 0)[None])  # (B, P, A)
        attribute = pick(across.any(1), which)
        at = jnp.take_along_axis(across, attribute[:, None, None], axis=2)[..., 0]
        has = at.any(1)
        partner = jnp.where(has, pool[pick(at, image)], index)
        value = jnp.take_along_axis(own, attribute[:, None], axis=1)[:, 0]
        every = jnp.broadcast_to(has[None], (len(index), len(index)))
        row = jnp.where(has | ~has.any(), jnp.arange(len(index)), pick(every, stead))
        index, partner, attribute, value = (
            part[row] for part in (index, partner, attribute, value)
        )
        dominant = jnp.where(value > 0, index, partner)
        recessive = jnp.where(value > 0, partner, index)
        batch = take(split.data, jnp.concatenate([dominant, recessive]))
        return batch | {"attribute": attribute}

    return collate


class Offspring(NamedTuple):
    """The codes of a batch and what is made of them, A over B: (2 B, D) each."""

    kept: jax.Array  # of A1 and B1: B's piece i is zero
    swapped: jax.Array  # of A2 and B2: piece i is the other's


def offspring(codes: jax.Array, owner: np.ndarray, which: jax.Array) -> Offspring:
    """Annihilates and swaps.

    Args:
      codes: (2 B, D), of A over B.
      owner: (D,) the attribute of each column.
      which: (B,) the attribute i of each pair.
    """
    piece = jnp.asarray(owner)[None] == which[:, None]
    a, b = jnp.split(codes, 2)
    b = jnp.where(piece, 0.0, b)
    swap = lambda own, other: jnp.where(piece, other, own)
    return Offspring(jnp.concatenate([a, b]), jnp.concatenate([swap(a, b), swap(b, a)]))


def exchanged(labels: jax.Array, which: jax.Array) -> jax.Array:
    """(2 B, A) labels of A over B -> those of A2 over B2: i is the other's."""
    column = jnp.arange(labels.shape[1])[None] == which[:, None]
    a, b = jnp.split(labels, 2)
    return jnp.concatenate([jnp.where(column, b, a), jnp.where(column, a, b)])
