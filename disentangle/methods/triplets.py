"""Triplets of images for edits, drawn inside the step: reference, positive, negative.

The positive has the labels of the reference but in one attribute, so that the edit from
one to the other is known. It is looked for among images that may be trained on: all of
them where they are at most `POOL`, else as many drawn at random. With few labels few
images have such a partner (of 1,000 in Shapes3D about two in three), and references are
drawn among those; where no image has one, every positive is its reference, and `paired`
says so.
"""

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, draw, take
from disentangle.methods.attributes import Attributes

POOL = 8192  # images among which partners are looked for
TRIES = 16  # references drawn for one that is used, at most
NEGATIVES = ("hard", "random")


def without_replacement(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """B different images of a subset: one of each B-th part of its order, turned.

    Of a whole grid, where an image is seldom drawn twice, those that were drawn.
    """
    count, size = index.shape[0], split.size
    if split.subset is None or size < count:
        return take(split.data, index)
    inside, turn = jax.random.split(key)
    edges = np.arange(count + 1) * size // count
    first = jnp.asarray(edges[:-1], jnp.int32)
    width = jnp.asarray(np.diff(edges), jnp.int32)
    rows = first + jax.random.randint(inside, (count,), 0, width)
    begin = jax.random.randint(turn, (), 0, size)
    return take(split.data, split.subset[(rows + begin) % size])


def triplets(attributes: Attributes, negatives: str) -> Collate:
    """References, positives, negatives: 3 B images, and `paired` (B,) bool.

    Args:
      attributes: whose labels decide.
      negatives: "random", as published: any image with other labels than the
        positive. "hard": a third of them random, a third with the labels of the
        reference (the edit is not made), a third that differ from the positive in one
        further attribute (too much is edited).
    """

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        among, more, chosen, other = jax.random.split(key, 4)
        pool = candidates(split, among)
        rows = attributes.of_images(split.data, pool)
        tries = max(1, min(TRIES, POOL // pool.shape[0]))
        further = draw(split, more, (tries - 1) * index.shape[0])
        drawn = jnp.concatenate([index, further.astype(index.dtype)])
        reference, paired = with_partner(attributes, split, drawn, rows, len(index))
        own = attributes.of_images(split.data, reference)
        positive = one_edit(own, rows, chosen)
        positive = jnp.where(paired, pool[positive], reference)
        target = attributes.of_images(split.data, positive)
        hard = negatives == "hard"
        negative = contrast(own, target, rows, other, hard=hard)
        negative = jnp.where(negative < 0, reference, pool[negative])
        images = jnp.concatenate([reference, positive, negative])
        return take(split.data, images) | {"paired": paired}

    return collate


def candidates(split: Split, key: jax.Array) -> jax.Array:
    """(P,) images: all of a split of at most POOL, else as many at random."""
    if split.size > POOL:
        return draw(split, key, POOL).astype(jnp.int32)
    whole = jnp.arange(split.size, dtype=jnp.int32)
    return whole if split.subset is None else split.subset.astype(jnp.int32)


def edits_of(own: jax.Array, rows: jax.Array) -> jax.Array:
    """(R, A), (P, A) -> (R, P, A) bool: the one attribute in which they differ.

    Nothing where they differ in none or in several, or its label is missing.
    """
    differs = own[:, None] != rows[None]
    there = (own >= 0)[:, None] & (rows >= 0)[None]
    return differs & there & (differs.sum(-1, keepdims=True) == 1)


def with_partner(
    attributes: Attributes,
    split: Split,
    drawn: jax.Array,
    rows: jax.Array,
    count: int,
) -> tuple[jax.Array, jax.Array]:
    """(count,) of the images drawn that have a partner, and whether they have.

    The first ones of those drawn, over and over where they are fewer.
    """
    own = attributes.of_images(split.data, drawn)
    paired = edits_of(own, rows).any((1, 2))
    order = jnp.argsort(~paired, stable=True)
    place = jnp.arange(count) % jnp.maximum(paired.sum(), 1)
    return drawn[order[place]], jnp.broadcast_to(paired.any(), (count,))


def one_edit(own: jax.Array, rows: jax.Array, key: jax.Array) -> jax.Array:
    """(B,) partners among the rows: a uniform attribute, then a uniform image."""
    which, image = jax.random.split(key)
    edits = edits_of(own, rows)
    attribute = pick(edits.any(1), which)
    at = jnp.take_along_axis(edits, attribute[:, None, None], axis=2)[..., 0]
    return pick(at, image)


def contrast(
    own: jax.Array, target: jax.Array, rows: jax.Array, key: jax.Array, *, hard: bool
) -> jax.Array:
    """(B,) negatives among the rows, -1 for the reference itself; see `triplets`."""
    keys = jax.random.split(key, 3)
    apart = target[:, None] != rows[None]
    random = pick(apart.any(-1), keys[0])
    if not hard:
        return random
    same = (own[:, None] == rows[None]).all(-1)
    undone = jnp.where(same.any(1), pick(same, keys[1]), -1)
    moved = (own != target)[:, None]
    over = (apart.sum(-1) == 1) & ~(apart & moved).any(-1)
    over = jnp.where(over.any(1), pick(over, keys[2]), random)
    third = jnp.arange(own.shape[0]) % 3
    return jnp.where(third == 0, random, jnp.where(third == 1, undone, over))


def pick(mask: jax.Array, key: jax.Array) -> jax.Array:
    """(B, P) bool -> (B,) int32: a uniform one of those that are True; 0 of none.

    The one with the largest mixed number: of (seed of the row, place) by the finaliser
    of MurmurHash3, which costs a tenth of as many random numbers.
    """
    seeds = jax.random.bits(key, (mask.shape[0],), jnp.uint32)
    mixed = jnp.arange(mask.shape[1], dtype=jnp.uint32)[None] * jnp.uint32(0x9E3779B1)
    mixed = mixed + seeds[:, None]
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = (mixed ^ (mixed >> jnp.uint32(shift))) * jnp.uint32(factor)
    mixed = (mixed ^ (mixed >> jnp.uint32(16))) >> jnp.uint32(1)
    ranked = jnp.where(mask, mixed.astype(jnp.int32), -1)
    return ranked.argmax(axis=1).astype(jnp.int32)
