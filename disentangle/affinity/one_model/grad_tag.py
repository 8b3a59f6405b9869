"""Grad-TAG: the network of every group from the gradients of one.

D. Li, A. Sharma, H. R. Zhang: "Scalable Multitask Learning Using Gradient-based
Estimation of Task Affinity", KDD 2024; the linearisation for one target is GradEx
(D. Li et al., arXiv 2409.19458).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from disentangle.affinity.one_model.linearised import (
    Linearised,
    every_group,
    table_of,
)

NEWTON = 12  # steps; the loss is convex, the Hessian exact
SHARES = (1.0, 0.5, 0.25, 0.1, 0.0)  # of a Newton step, the best is taken
RELEASED_C, RELEASED_NORM, RELEASED_SHARE = 1e-4, 2.0, 0.7  # of the image script


def estimate(
    train: Linearised, held: Linearised, *, ridge: jax.typing.ArrayLike
) -> jax.Array:
    r"""The held-out losses of a network fitted on each group, linearised.

    $$
    \hat L_t(S) = L_t^{held}(z + A w_S), \qquad
    w_S = \arg\min_w \sum_{t \in S} L_t^{train}(z + A w) + \tfrac{\lambda}{2} |w|^2
    $$

    z are the outputs of the trained network, A its projected gradients. For squared
    errors the fit is a ridge regression, for cross-entropies a logistic one (of all
    classes), from z as the offset: at w = 0 it is the trained network. The released
    code leaves z out; see `released`.

    Args:
      train: of training images.
      held: of validation images, along the same directions.
      ridge: lambda > 0; what keeps w where the linearisation holds.

    Returns:
      (2^N - 1, N) predicted losses, row m - 1 the group of the bits of m; NaN outside
      of the group.

    Raises:
      UserError: more than 10 tasks.
    """
    groups = every_group(train.outputs.shape[0])
    weights = jax.lax.map(lambda g: _fit(train, g, ridge), jnp.asarray(groups))
    return table_of(jax.lax.map(held.at, weights), groups)


def _fit(train: Linearised, group: jax.Array, ridge: jax.typing.ArrayLike) -> jax.Array:
    """(d,) the minimum of the group's training loss, by Newton's method."""

    def total(w: jax.Array) -> jax.Array:
        return jnp.where(group, train.at(w), 0.0).sum() + 0.5 * ridge * (w @ w)

    def step(w: jax.Array, _: None) -> tuple[jax.Array, None]:
        slope, curvature = jax.grad(total)(w), jax.hessian(total)(w)
        move = jnp.linalg.solve(curvature, slope)
        tries = w[None] - jnp.asarray(SHARES)[:, None] * move[None]
        values = jax.lax.map(total, tries)
        return tries[jnp.nanargmin(values)], None

    start = jnp.zeros(train.slopes.shape[-1])
    return jax.lax.scan(step, start, None, length=NEWTON)[0]


def released(train: Linearised, held: Linearised, *, key: jax.Array) -> jax.Array:
    r"""`estimate` as the authors' released image script fits it.

    $$
    w_S = 2 \, \frac{w}{|w|}, \qquad w = \arg\min_w
    C \sum_{t \in S} \sum_x \log(1 + e^{y a_{tx} \cdot w}) + \tfrac{1}{2} |w|^2
    $$

    a are the projected gradients of the loss of each image, y = 1 with probability
    0.7 and else -1, drawn at random; C = 1e-4. There is no offset, and the length of
    w is set to 2 whatever the fit says. What is kept of the fit is thus a direction:
    the mean gradient of the group, nearly. The script is of binary labels; here a task
    may have several outputs, and the gradient is that of its loss.

    Args:
      train, held: as for `estimate`.
      key: of y.

    Returns:
      (2^N - 1, N) predicted losses, as `estimate`.

    Raises:
      UserError: more than 10 tasks.
    """
    groups = every_group(train.outputs.shape[0])
    images = train.outputs.shape[1]
    pull = jax.grad(lambda z: train.losses(z).sum())(train.outputs) * images
    features = jnp.einsum("tnk,tnkd->tnd", pull, train.slopes)
    chance = jax.random.bernoulli(key, RELEASED_SHARE, features.shape[:2])
    signed = jnp.where(chance, 1.0, -1.0)[..., None] * features
    fit = functools.partial(_released_fit, signed)
    weights = jax.lax.map(fit, jnp.asarray(groups))
    return table_of(jax.lax.map(held.at, weights), groups)


def _released_fit(signed: jax.Array, group: jax.Array) -> jax.Array:
    """(d,) the logistic fit of a group's signed features, at length 2."""

    def total(w: jax.Array) -> jax.Array:
        losses = jax.nn.softplus(signed @ w).sum(axis=1)
        return RELEASED_C * jnp.where(group, losses, 0.0).sum() + 0.5 * (w @ w)

    def step(w: jax.Array, _: None) -> tuple[jax.Array, None]:
        return w - jnp.linalg.solve(jax.hessian(total)(w), jax.grad(total)(w)), None

    start = jnp.zeros(signed.shape[-1])
    w = jax.lax.scan(step, start, None, length=NEWTON)[0]
    length = jnp.linalg.norm(w)
    return jnp.where(
        length > 0, RELEASED_NORM * w / jnp.where(length > 0, length, 1), w
    )
