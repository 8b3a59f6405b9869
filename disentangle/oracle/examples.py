"""The images and labels of one seed: what is trained on, stopped on, tested on.

Validation and test images are fixed by `held.split_seed`; every seed trains on other
images, none of them held. Noise and missing labels are of the training images alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.pooled import check_pooled, pooled
from disentangle.data.samplers import shuffled
from disentangle.errors import UserError
from disentangle.methods.tasks import Task, parse
from disentangle.oracle.network import Batch
from disentangle.oracle.regime import Held, Regime, per_task

OWN = 2**32  # added to a seed, so that its order is not that of the split


class Examples(NamedTuple):
    """Images, and where the labels of each task are.

    Attributes:
      images: (n, S, S, C) float32, less the mean of the seed's training pixels and
        divided by their standard deviation.
      factors: (n, F) int32.
      source: (n, N) int32, the image whose label is taken for task t: the image
        itself, or another one where the label is noise.
      known: (n, N) bool, which labels there are.
    """

    images: jax.Array
    factors: jax.Array
    source: jax.Array
    known: jax.Array

    def batch(self, index: jax.Array) -> Batch:
        """The images `index` (B,) with their labels."""
        factors = self.factors[self.source[index].T]
        return Batch(self.images[index], factors, self.known[index].T)

    @property
    def size(self) -> int:
        """How many images there are."""
        return self.images.shape[0]


class Parts(NamedTuple):
    """The examples of a seed.

    Attributes:
      train, validation, test: see above.
      mean, spread: () float32, of the training pixels.
    """

    train: Examples
    validation: Examples
    test: Examples
    mean: jax.Array
    spread: jax.Array

    def standardised(self, images: jax.Array) -> jax.Array:
        """Pooled images as the networks of this seed see them."""
        return (images - self.mean) / self.spread


def check_data(regime: Regime, held: Held, data: Dataset) -> tuple[Task, ...]:
    """The tasks of a regime on a data set.

    Raises:
      UserError: a task that there is not; numbers per task that are too many or too
        few; more labels than images; fewer images than are asked for; images that
        cannot be pooled.
    """
    tasks = parse(data.space, regime.tasks)
    check_pooled(data.shape, regime.pixels)
    for count in per_task("labels", regime.labels, len(tasks), regime.train_size):
        if count > regime.train_size:
            raise UserError(
                f"labels={count} are more than train_size={regime.train_size} images"
            )
    per_task("label_noise", regime.label_noise, len(tasks), 0.0)
    wanted = regime.train_size + held.validation_size + held.test_size
    if wanted > data.space.size:
        raise UserError(
            f"train_size + validation_size + test_size = {wanted:,} images, but "
            f"{data.name} has {data.space.size:,}"
        )
    return tasks


def parts_of(regime: Regime, held: Held, data: Dataset, seed: int) -> Parts:
    """The examples of one seed.

    Raises:
      UserError: as `check_data`; also where a task has no label in one of the parts.
    """
    tasks = check_data(regime, held, data)
    index = training_index(regime, held, data.space.size, seed)
    kept = shuffled(
        data.space.size,
        0,
        held.validation_size + held.test_size,
        seed=held.split_seed,
    )
    rows = (index, kept[: held.validation_size], kept[held.validation_size :])
    images = [pooled(data, part, regime.pixels) for part in rows]
    mean, spread = images[0].mean(), jnp.maximum(images[0].std(), 1e-6)
    found = [
        _examples((part - mean) / spread, data, index, tasks)
        for part, index in zip(images, rows, strict=True)
    ]
    found[0] = spoiled(found[0], regime, seed)
    for name, part in zip(("training", "validation", "test"), found, strict=True):
        for task, known in zip(tasks, np.asarray(part.known).T, strict=True):
            if not known.any():
                raise UserError(
                    f"task {task.name!r} has no label in the {part.size:,} {name} "
                    "images: take more of them"
                )
    train, validation, test = found
    return Parts(train, validation, test, mean, spread)


def training_index(regime: Regime, held: Held, total: int, seed: int) -> np.ndarray:
    """(n,) the images that a seed trains on, in its own order; none of those held.

    The first n of one order per seed: a smaller `train_size` is a part of a larger.
    """
    count = held.validation_size + held.test_size
    kept = shuffled(total, 0, count, seed=held.split_seed)
    order = shuffled(total, 0, regime.train_size + count, seed=OWN + seed)
    return order[~np.isin(order, kept)][: regime.train_size]


def spoiled(examples: Examples, regime: Regime, seed: int) -> Examples:
    """The training examples with the regime's noise and gaps in their labels.

    A noisy label is that of another training image, drawn once per seed: how often a
    value comes stays what it was. The labelled images of a task are the first ones.
    """
    rows, tasks = examples.source.shape
    draw = np.random.default_rng([OWN + seed, 1])
    source = np.asarray(examples.source).copy()
    noise = per_task("label_noise", regime.label_noise, tasks, 0.0)
    for task, share in enumerate(noise):
        other = draw.integers(0, rows, rows)
        source[:, task] = np.where(draw.random(rows) < share, other, source[:, task])
    counts = per_task("labels", regime.labels, tasks, rows)
    known = np.asarray(examples.known)
    known = np.take_along_axis(known, source, 0)
    known &= np.arange(rows)[:, None] < np.asarray(counts)[None]
    return examples._replace(
        source=jnp.asarray(source, jnp.int32), known=jnp.asarray(known)
    )


def _examples(
    images: jax.Array, data: Dataset, index: np.ndarray, tasks: tuple[Task, ...]
) -> Examples:
    """Images with labels that are all their own."""
    factors = jnp.asarray(np.asarray(data.factors(index)), jnp.int32)
    rows, known = np.arange(len(index)), data.known(index)
    has = [
        np.ones(len(index), bool) if known is None else known[:, task.columns].all(1)
        for task in tasks
    ]
    source = np.repeat(rows[:, None], len(tasks), 1)
    return Examples(
        images, factors, jnp.asarray(source, jnp.int32), jnp.asarray(np.stack(has, 1))
    )
