"""Batches drawn inside the training step: a pool of images, and how to draw.

A step draws B picture numbers; an `Arrange` turns them into what the method
sees. Nothing crosses the host boundary. A method that needs pairs, labels or a
second independent batch brings its own arrangement, not its own loop; the same
arrangement serves test images.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError


class Batch(NamedTuple):
    """B images with their ground-truth factors."""

    images: jax.Array  # (B, H, W, C) float32 in [0, 1]
    factors: jax.Array  # (B, F) int32
    labelled: "Batch | None" = None  # more images, whose factors a loss may read


class Pool(NamedTuple):
    """The images a sampler may draw; `subset=None` is the whole grid."""

    data: Dataset
    subset: jax.Array | None = None  # (n,) int32

    @property
    def size(self) -> int:
        """How many different images can be drawn."""
        return len(self.data) if self.subset is None else self.subset.shape[0]


# arrange(pool, index (B,), key) -> Batch of B rows, or of n B rows where a method
# sees n images for each one drawn: row i + k B then goes with row i.
Arrange = Callable[[Pool, jax.Array, jax.Array], Batch]


def scaled(images: jax.Array, peak: int) -> jax.Array:
    """uint8 (..., H, W, C) in {0..peak} to float32 in [0, 1]."""
    return images.astype(jnp.float32) / jnp.float32(peak)


def take(data: Dataset, index: jax.Array) -> Batch:
    """The batch of the images `index` (B,)."""
    images = scaled(data.images(index), data.peak)
    return Batch(images, data.space.factors(index).astype(jnp.int32))


def draw(pool: Pool, key: jax.Array, count: int) -> jax.Array:
    """Picture numbers (count,): independent, with replacement, uniform in the pool.

    Over the whole grid this is the sampling of Locatello et al. 2019: factors
    independent and uniform, an endless stream.
    """
    where = jax.random.randint(key, (count,), 0, pool.size)
    return where if pool.subset is None else pool.subset[where]


def alone(pool: Pool, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, and nothing else: B rows."""
    del key
    return take(pool.data, index)


def with_second(pool: Pool, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, then as many drawn independently of them: 2 B rows."""
    second = draw(pool, key, index.shape[0])
    return take(pool.data, jnp.concatenate([index, second.astype(index.dtype)]))


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """(the first B rows, the other B rows) of a batch of 2 B rows."""
    rows = batch.images.shape[0] // 2
    part = lambda start: Batch(
        batch.images[start : start + rows], batch.factors[start : start + rows]
    )
    return part(0), part(rows)


def split(
    data: Dataset, train_size: int | None, test_size: int, *, seed: int = 0
) -> tuple[Pool, np.ndarray]:
    """A training pool and test indices, disjoint when the pool is a subset.

    Args:
      data: the data set.
      train_size: labelled images to train on; None trains on the whole grid
        (the endless stream), from which the test images are then a sample.
      test_size: number of test images.
      seed: chooses the split; the same seed gives nested training subsets
        (the first n of one permutation), so label budgets are comparable.

    Returns:
      (pool, test_index (test_size,) int64).

    Raises:
      UserError: if sizes are not positive or exceed the data set.
    """
    total = len(data)
    wanted = test_size + (train_size or 0)
    if test_size < 1 or (train_size is not None and train_size < 1):
        raise UserError(
            f"train_size={train_size} and test_size={test_size} must be at least 1"
        )
    if wanted > total:
        raise UserError(
            f"train_size + test_size = {wanted} images, but {data.name} has {total}"
        )
    order = np.random.default_rng(seed).permutation(total)
    test_index = np.sort(order[total - test_size :])
    if train_size is None:
        return Pool(data), test_index
    return Pool(data, jnp.asarray(order[:train_size], jnp.int32)), test_index
