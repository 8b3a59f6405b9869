"""Supervised tasks read off a factor space, each with a loss of trivial value 1.

A task is written `factor` or `factor:kind`. The default kind follows the
factor: categorical -> classification, ordinal -> regression, circular ->
circular. Losses are divided by the loss of the best constant prediction over
the factor grid, so 1 is "knows nothing" and tasks can be added and compared
(the affinity of Fifty et al. 2021 depends on the scale of the source loss).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError, unknown
from disentangle.methods.label_losses import known_means

DEFAULT_KINDS = {
    "categorical": "classification",
    "ordinal": "regression",
    "circular": "circular",
    "real": "regression",
}


class Task(NamedTuple):
    """One task: how wide its prediction is, and its loss."""

    name: str
    outputs: int  # K
    # loss(predictions (B, K), factors (B, F), known (B, F) bool | None) -> (), the mean
    # over the images whose label is known, 0 where there is none; None: all are
    loss: Callable[..., jax.Array]
    columns: tuple[int, ...]  # factors that the label is made of


Known = jax.Array | None


def mean(values: jax.Array, known: Known, columns: tuple[int, ...]) -> jax.Array:
    """(B,) -> (): the mean over the images that have all labels in `columns`."""
    if known is None:
        return values.mean()
    return known_means(values, known[:, columns].all(1))


def classification(space: FactorSpace, factor: str) -> Task:
    """Softmax cross-entropy over the K values, divided by its trivial value.

    That is log K on a grid, and in a table the entropy of the values there are.
    """
    column, size = space.position(factor), space[factor].size
    shares = space[factor].weights if space[factor].counts else None
    uneven = 0.0 if shares is None else -float((shares * np.log(shares)).sum())

    def loss(
        predictions: jax.Array, factors: jax.Array, known: Known = None
    ) -> jax.Array:
        labels = factors[:, column]
        entropy = optax.softmax_cross_entropy_with_integer_labels(predictions, labels)
        return mean(entropy, known, (column,)) / (uneven or jnp.log(jnp.float32(size)))

    return Task(factor, size, loss, (column,))


def regression(space: FactorSpace, factor: str) -> Task:
    """Squared error of the standardised value: trivially its variance, 1."""
    column = space.position(factor)
    values = np.asarray(space[factor].values, np.float64)
    centre, spread = values.mean(), values.std()
    if space[factor].counts:  # of the images of a table, not of its values
        shares = space[factor].weights
        centre = float(shares @ values)
        spread = float(np.sqrt(shares @ (values - centre) ** 2))
    targets = ((values - centre) / spread).astype(np.float32)

    def loss(
        predictions: jax.Array, factors: jax.Array, known: Known = None
    ) -> jax.Array:
        target = jnp.asarray(targets)[factors[:, column]]
        return mean(jnp.square(predictions[:, 0] - target), known, (column,))

    return Task(factor, 1, loss, (column,))


def circular(space: FactorSpace, factor: str) -> Task:
    """Squared distance to (cos m t, sin m t), divided by its variance.

    m is the symmetry of the image (`Factor.symmetry`): an angle that cannot
    be seen is not asked for. On dSprites m is 4, 2, 1 for square, ellipse and
    heart.
    """
    symmetry = space[factor].symmetry
    others = () if symmetry is None else (symmetry.by,)
    return _circle(space, factor, lambda f: space.angle(factor, f), others)


def raw_circular(space: FactorSpace, factor: str) -> Task:
    """`circular` with m = 1 whatever the symmetry: the natural bad task.

    On dSprites two thirds of its variance cannot be predicted.
    """
    turn = space[factor].steps_per_turn
    column = space.position(factor)

    def angle(factors: jax.Array) -> jax.Array:
        assert turn is not None  # _circle has refused what is not circular
        step = jnp.float32(2 * np.pi / turn)
        return factors[..., column].astype(jnp.float32) * step

    return _circle(space, factor, angle)


def _circle(
    space: FactorSpace,
    factor: str,
    angle: Callable[[jax.Array], jax.Array],
    others: tuple[str, ...] = (),
) -> Task:
    """The task of an angle that is read off `factor` and the factors `others`."""
    if space[factor].kind != "circular":
        raise UserError(f"factor {factor!r} is {space[factor].kind}, not circular")

    def target(factors: jax.Array) -> jax.Array:
        turn = angle(factors)
        return jnp.stack([jnp.cos(turn), jnp.sin(turn)], -1)

    variance = _grid_variance(space, factor, target)
    if not variance > 1e-12:
        raise UserError(
            f"task {factor!r}: by the symmetry of its images every value of the "
            "factor is the same angle, so there is nothing to learn about it"
        )

    def loss(
        predictions: jax.Array, factors: jax.Array, known: Known = None
    ) -> jax.Array:
        squares = jnp.square(predictions - target(factors)).sum(-1)
        return mean(squares, known, columns) / jnp.float32(variance)

    columns = tuple(space.position(name) for name in (factor, *others))
    return Task(factor, 2, loss, columns)


def _grid_variance(space: FactorSpace, factor: str, target: Callable) -> float:
    """E |t - E t|^2 over the grid of the factors the target depends on."""
    factors = [factor]
    symmetry = space[factor].symmetry
    if symmetry is not None:
        factors.append(symmetry.by)
    grids = np.meshgrid(*(np.arange(space[f].size) for f in factors), indexing="ij")
    table = np.zeros((grids[0].size, len(space.names)), np.int32)
    for name, grid in zip(factors, grids, strict=True):
        table[:, space.position(name)] = grid.ravel()
    targets = np.asarray(target(jnp.asarray(table)), np.float64)
    return float(np.square(targets - targets.mean(0)).sum(-1).mean())


KINDS = {
    "classification": classification,
    "regression": regression,
    "circular": circular,
    "raw_circular": raw_circular,
}


def parse(space: FactorSpace, names: tuple[str, ...]) -> tuple[Task, ...]:
    """Tasks from their written names; () is every factor of the space.

    Raises:
      UserError: on a factor or kind that does not exist, or a repeated task.
    """
    if len(set(names)) != len(names):
        raise UserError(f"a task is named twice in {', '.join(names)}")
    space.require_labels("a method that learns tasks")
    return tuple(_parse_one(space, name) for name in names or space.names)


def _parse_one(space: FactorSpace, name: str) -> Task:
    factor, _, kind = name.partition(":")
    if factor not in space.names:
        raise unknown("task", factor, space.names)
    kind = kind or DEFAULT_KINDS[space[factor].kind]
    if kind not in KINDS:
        raise unknown("kind of task", kind, KINDS)
    refuse_constant(space, (factor,), f"task {name!r}")
    return KINDS[kind](space, factor)._replace(name=name)


def refuse_constant(space: FactorSpace, factors: Sequence[str], use: str) -> None:
    """Raises UserError where a factor that is to be learned or told has one value."""
    for factor in factors:
        values = space[factor].values
        if len(set(values)) < 2:
            varying = [f.name for f in space.items if len(set(f.values)) > 1]
            raise UserError(
                f"{use}: factor {factor!r} has one value, {values[0]:g}, in all "
                f"images, so there is nothing to learn about it; these vary: "
                f"{', '.join(varying) or 'none'}"
            )
