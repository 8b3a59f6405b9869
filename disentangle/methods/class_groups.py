"""Images of one class: partners from the split itself, also of a table without a grid.

A class is a combination of the values of some factors. Partners are looked for among
images that may be trained on (`triplets.candidates`), so combinations that are held out
stay unseen, and a data set needs no grid: MNIST's digits are a class too.
"""

import math

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch, Collate, Split, draw, named, take
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import static
from disentangle.methods.attributes import Attributes, parse
from disentangle.methods.triplets import candidates, pick

TOGETHER = "+"  # between the factors of a class of several


def classed() -> tuple[str, ...]:
    """The field `shared` of a method of classes."""
    found: tuple[str, ...] = static(
        (),
        "factors whose values are the class, 'FACTOR' or 'FACTOR:BINS' each; () is the "
        "first",
        distinct=True,
    )
    return found


def class_of(space: FactorSpace, names: tuple[str, ...]) -> Attributes:
    """The class that these factors make; () is the first factor.

    Raises:
      UserError: as `attributes.parse`.
    """
    return parse(space, names or space.names[:1])


def class_name(told: Attributes) -> str:
    """What the columns of a code that hold the class are called: "shape+size"."""
    return TOGETHER.join(told.names)


def same_class(told: Attributes, members: int, *, unrelated: bool = False) -> Collate:
    """Groups of images of one class, and images drawn independently of them.

    Image i is the one drawn, i + B, ..., i + (members - 1) B others of its class drawn
    uniformly from the split (`triplets.POOL` images of a larger one). An image that is
    alone in its class, or whose class is not known, is its own partner.

    Args:
      told: what the class is.
      members: images in a group, at least 2.
      unrelated: whether B further images of the whole split are in the batch, as
        "unrelated/images".

    Raises:
      UserError: fewer than 2 members.
    """
    if members < 2:
        raise UserError(f"method.members={members} must be at least 2")

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        among, other, *keys = jax.random.split(key, 1 + members)
        pool = candidates(split, among)
        own = told.of_images(split.data, index)
        rows = told.of_images(split.data, pool)
        alike = (own[:, None] == rows[None]).all(2) & (own >= 0).all(1)[:, None]
        images = [index]
        for one in keys:
            partner = pool[pick(alike, one)]
            images.append(jnp.where(alike.any(1), partner, index))
        batch = take(split.data, jnp.concatenate(images))
        if not unrelated:
            return batch
        further = draw(split, other, index.shape[0]).astype(index.dtype)
        return batch | named("unrelated", take(split.data, further))

    return collate


def class_count(told: Attributes) -> int:
    """K, how many classes there are."""
    return math.prod(told.sizes)


def class_numbers(told: Attributes, labels: jax.Array) -> jax.Array:
    """(B, A) labels -> (B,) int32 in 0 .. K - 1, -1 where one is missing."""
    number = jnp.zeros(labels.shape[:1], jnp.int32)
    for column, size in zip(labels.T, told.sizes, strict=True):
        number = number * size + column
    return jnp.where((labels >= 0).all(1), number, -1)
