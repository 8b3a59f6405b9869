"""Batches drawn inside the training step: a split of the images, and how to draw.

A step draws B image numbers; a `Collate` turns them into what the method
sees. Nothing crosses the host boundary. A method that needs pairs, labels or a
second independent batch brings its own `Collate`, not its own loop; the same
one serves test images.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.space import refuse_beyond_device
from disentangle.errors import UserError

PERMUTED = 2**24  # images of a grid that is permuted as a whole
PUBLISHED = "published"  # the split of a data set that is published in parts


# What a method sees, by name: "images" (B, H, W, C) float32 in [0, 1], "factors"
# (B, F) int32, where labels are missing "known" (B, F) bool (a missing one is 0 in
# "factors"), and what a `Collate` adds. The fields of further images are called after
# what they are, as "labelled/images": see `named` and `part`.
Batch = dict[str, jax.Array]


class Split(NamedTuple):
    """The images a sampler may draw; `subset=None` is all of them."""

    data: Dataset
    subset: jax.Array | None = None  # (n,) int32
    labelled: jax.Array | None = None  # (m,) int32: those with a label; None: all

    @property
    def size(self) -> int:
        """How many different images can be drawn."""
        return self.data.space.size if self.subset is None else self.subset.shape[0]


# collate(split, index (B,), key) -> Batch of B images, or of n B images where a method
# sees n images for each one drawn: image i + k B then goes with image i.
Collate = Callable[[Split, jax.Array, jax.Array], Batch]


def scaled(images: jax.Array, max_value: int) -> jax.Array:
    """uint8 (..., H, W, C) in {0..max_value} to float32 in [0, 1]."""
    return images.astype(jnp.float32) / jnp.float32(max_value)


def take(data: Dataset, index: jax.Array) -> Batch:
    """The batch of the images `index` (B,)."""
    images = scaled(data.images(index), data.max_value)
    batch = {"images": images, "factors": data.factors(index).astype(jnp.int32)}
    known = data.known(index)
    return batch if known is None else batch | {"known": known}


def named(name: str, batch: Batch) -> Batch:
    """The fields of a batch as those of further images: "images" -> "NAME/images"."""
    return {f"{name}/{field}": values for field, values in batch.items()}


def part(batch: Batch, name: str) -> Batch:
    """The fields that `named` gave this name, as a batch of their own."""
    start = f"{name}/"
    return {k.removeprefix(start): v for k, v in batch.items() if k.startswith(start)}


def draw(split: Split, key: jax.Array, count: int) -> jax.Array:
    """Image numbers (count,): independent, with replacement, uniform in the split.

    Over the whole grid this is the sampling of Locatello et al. 2019: factors
    independent and uniform, an endless stream.
    """
    where = jax.random.randint(key, (count,), 0, split.size)
    return where if split.subset is None else split.subset[where]


def alone(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, and nothing else: B images."""
    del key
    return take(split.data, index)


def with_second(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, then as many drawn independently of them: 2 B images."""
    second = draw(split, key, index.shape[0])
    return take(split.data, jnp.concatenate([index, second.astype(index.dtype)]))


def with_others(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, and as many of each data set beside them (`Dataset.others`).

    Those of the data set "target" are the fields "target/images", "target/factors".
    """
    batch = take(split.data, index)
    for number, (name, other) in enumerate(sorted(split.data.others.items())):
        own = jax.random.fold_in(key, number)
        rows = draw(Split(other), own, index.shape[0])
        batch |= named(name, take(other, rows))
    return batch


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """(the first B images, the other B images) of a batch of 2 B images.

    What belongs to further images ("labelled/images") is in neither.
    """
    half = batch["images"].shape[0] // 2
    own = {field: values for field, values in batch.items() if "/" not in field}
    first = {field: values[:half] for field, values in own.items()}
    return first, {field: values[half:] for field, values in own.items()}


def split_data(
    data: Dataset, train_size: int | None, test_size: int, *, seed: int = 0
) -> tuple[Split, np.ndarray]:
    """A training split and test indices, disjoint but for a whole grid.

    Args:
      data: the data set.
      train_size: images to train on; None trains on the whole grid (the endless
        stream), from which the test images are then a sample, and on all images of a
        table that are not test images.
      test_size: number of test images.
      seed: chooses the split; the same seed gives nested training subsets
        (the first n of one permutation, see `shuffled`), so label budgets are
        comparable.

    Returns:
      (split, test_index (test_size,) int64).

    Raises:
      UserError: if sizes are not positive or exceed the data set, or it has more
        images than the device can count.
    """
    total = data.space.size
    wanted = test_size + (train_size or 0)
    if test_size < 1 or (train_size is not None and train_size < 1):
        raise UserError(
            f"train_size={train_size} and test_size={test_size} must be at least 1"
        )
    if wanted > total:
        raise UserError(
            f"train_size + test_size = {wanted} images, but {data.name} has {total}"
        )
    refuse_beyond_device(data.space)
    test_index = np.sort(shuffled(total, total - test_size, total, seed=seed))
    if train_size is None and data.space.is_grid:
        return Split(data), test_index
    rest = total - test_size
    if not (train_size or rest):
        raise UserError(f"all {total} images of {data.name} are test images")
    order = shuffled(total, 0, train_size or rest, seed=seed)
    return _of_images(data, order), test_index


def split_published(
    data: Dataset, train_size: int, test_size: int, *, seed: int
) -> tuple[Split, np.ndarray]:
    """The training part that a data set was published with, and some test images.

    Args:
      data: of published parts (`Dataset.parts`).
      train_size: images to train on, the first of a permutation; 0 is all of the part.
      test_size: at most how many of the test images.
      seed: of the permutations.

    Raises:
      UserError: no published parts, or fewer training images than asked for.
    """
    count, first = data.parts
    if not count:
        raise UserError(
            f"split={PUBLISHED!r}: {data.name} is not published in parts for training "
            "and tests"
        )
    if train_size > count:
        raise UserError(
            f"train_size={train_size:,} must be at most {count:,}, the published "
            f"training images of {data.name}"
        )
    order = shuffled(count, 0, train_size or count, seed=seed)
    total = len(data) - first
    tested = first + shuffled(total, 0, min(test_size, total), seed=seed)
    return _of_images(data, order), np.sort(tested)


def _of_images(data: Dataset, order: np.ndarray) -> Split:
    """The split of these images, with those that have a label."""
    known = data.known(order)
    labelled = None if known is None else order[known.any(axis=1)]
    if labelled is not None:
        labelled = jnp.asarray(labelled, jnp.int32)
    return Split(data, jnp.asarray(order, jnp.int32), labelled)


def shuffled(total: int, start: int, stop: int, *, seed: int) -> np.ndarray:
    """Entries start .. stop - 1 of a permutation of 0 .. total - 1 that a seed fixes.

    Up to `PERMUTED` it is NumPy's. Above, nothing of size `total` is made: a Feistel
    network of 8 rounds permutes the next power of 4, and a number that falls outside
    of the range goes through it again until it is inside (Black and Rogaway 2002),
    which is a permutation again. Both ways a longer part contains the shorter one.

    Returns:
      (stop - start,) int64.
    """
    generator = np.random.default_rng(seed)
    if total <= PERMUTED:
        return generator.permutation(total)[start:stop]
    bits = ((total - 1).bit_length() + 1) // 2
    keys = generator.integers(0, 2**64, 8, np.uint64)
    found = _feistel(np.arange(start, stop, dtype=np.uint64), keys, bits)
    while (outside := found >= total).any():
        found[outside] = _feistel(found[outside], keys, bits)
    return found.astype(np.int64)


def _feistel(values: np.ndarray, keys: np.ndarray, bits: int) -> np.ndarray:
    """A permutation of the uint64 below 4^bits; the round is splitmix64's mixer."""
    mask = np.uint64(2**bits - 1)
    left, right = values >> np.uint64(bits), values & mask
    for key in keys:
        mixed = right + key
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(31))) & mask)
    return (left << np.uint64(bits)) | right
