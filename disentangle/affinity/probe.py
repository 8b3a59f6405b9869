"""What every affinity estimator sees: all task losses and gradients at one point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.affinity.needs import PLAIN, USUAL, Needs
from disentangle.affinity.point import Losses, Move, Point
from disentangle.errors import UserError


class Probe(NamedTuple):
    """N task losses, their gradients, and the losses after a step on each task.

    Attributes:
      losses: (N,) the task losses L_j.
      gradients: like the shared parameters, each leaf with a leading axis N: the
        gradient of L_i with respect to them, i the SOURCE; None if not needed.
      after: (N, N) [source, target], L_j(theta_s - eta grad L_i): same batch, heads
        frozen; None if not needed. Under jit it costs nothing where it is not used.
      joint: the gradients (of the shared parameters, of the private ones) of the sum
        of the losses, from the same forward pass: the training gradient. It costs
        nothing where it is not used.
      learning_rate: eta of the lookahead step; a scalar, traced or not.
      looks: by the name of a move, (N, N) [source, target] losses after it; `after`
        is that of "plain".
      point: what more may be measured from.
      chunk: how many tasks run side by side.
    """

    losses: jax.Array
    gradients: Any
    after: Any
    joint: tuple[Any, Any]
    learning_rate: jax.typing.ArrayLike
    looks: Mapping[str, jax.Array]
    point: Point
    chunk: int


def probe(
    losses_fn: Losses,
    shared: Any,
    private: Any,
    *,
    learning_rate: jax.typing.ArrayLike,
    chunk: int = 1,
    needs: Needs = USUAL,
    halves: tuple[Losses, Losses] | None = None,
    update: Callable[[Any], Any] | None = None,
    drift: Callable[[], Any] | None = None,
    key: jax.Array | None = None,
) -> Probe:
    """One shared forward pass; for each task a vector-Jacobian product and lookaheads.

    Both are computed in one loop over the tasks. Each gradient is used while it is in
    the cache, and on a CPU this is faster than one `vmap` over the cotangents (
    `benchmarks/affinity_overhead.py` prints what a sample costs).

    Args:
      losses_fn: (shared, private) -> (N,) task losses of one batch.
      shared: pytree of the parameters all tasks use.
      private: pytree of the heads.
      learning_rate: eta, the length of the lookahead step.
      chunk: how many tasks run side by side. 1, a loop, suits convolutions on a CPU
        (kernels with a batch axis are slow there); N suits dense networks.
      needs: what is computed; by default gradients and the paper's lookahead.
      halves, update, drift, key: of the `Point`, for the estimators that need them.

    Returns:
      The Probe.
    """
    point = Point(losses_fn, shared, private, learning_rate, halves, update, drift, key)
    losses, pullback = jax.vjp(losses_fn, shared, private)
    gradients, looks = None, {}
    if needs.gradients:

        def look(one_hot: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
            gradient = pullback(one_hot)[0]
            return gradient, {
                name: losses_fn(move(point, gradient), private)
                for name, move in needs.moves.items()
            }

        one_hots = jnp.eye(losses.shape[0], dtype=losses.dtype)
        gradients, looks = over_tasks(look, one_hots, chunk)
    joint = pullback(jnp.ones_like(losses))
    after = looks.get(PLAIN)
    return Probe(losses, gradients, after, joint, learning_rate, looks, point, chunk)


def over_tasks(function: Callable[[Any], Any], items: Any, chunk: int) -> Any:
    """`function` of every item of a leading axis, `chunk` of them side by side."""
    # batch_size=1 would still vmap (with an axis of one), and slow convolutions down.
    return jax.lax.map(function, items, batch_size=chunk if chunk > 1 else None)


def gram(probe: Probe) -> jax.Array:
    """The inner products g_i . g_j of the shared gradients: (N, N), symmetric."""
    n = probe.losses.shape[0]
    rows = [leaf.reshape(n, -1) for leaf in jax.tree.leaves(probe.gradients)]
    products = [jnp.matmul(g, g.T, precision=jax.lax.Precision.HIGHEST) for g in rows]
    return sum(products[1:], start=products[0])


def after(probe: Probe, name: str, move: Move) -> jax.Array:
    """(N, N) [source, target], the losses after a move along each source's gradient.

    Taken from the probe where its needs named the move, else measured now.
    """
    if name in probe.looks:
        return probe.looks[name]
    point = probe.point

    def look(gradient: Any) -> jax.Array:
        return point.losses(move(point, gradient), point.private)

    return over_tasks(look, probe.gradients, probe.chunk)


def offered(point: Point, field: str, words: str) -> Any:
    """An optional field of the point.

    Raises:
      UserError: it has none; `words` say who has.
    """
    found = point._asdict()[field]
    if found is None:
        raise UserError(f"this estimator needs {words}, which this point does not have")
    return found
