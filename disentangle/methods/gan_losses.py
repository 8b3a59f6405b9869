"""The losses of generative adversarial networks, as functions of a critic's scores.

Scores are (B,): of real images with their condition, of generated ones, and, where the
critic is shown mismatches, of real images with a condition that they do not have.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from disentangle.methods.likelihood import softplus


class Scores(NamedTuple):
    """What a critic says of one batch, (B,) each.

    Attributes:
      real: of images with their own condition.
      fake: of generated images with the condition they were made for.
      wrong: of images with a condition they do not have; None: not shown.
      is_wrong: (B,) bool, where that condition really is another; None: all.
    """

    real: jax.Array
    fake: jax.Array
    wrong: jax.Array | None = None
    is_wrong: jax.Array | None = None


def mean_where(values: jax.Array, chosen: jax.Array | None) -> jax.Array:
    """() the mean of the chosen values, 0 where there is none."""
    if chosen is None:
        return values.mean()
    count = jnp.maximum(chosen.sum(dtype=jnp.float32), 1.0)
    return jnp.where(chosen, values, 0.0).sum() / count


def of_wrong(term: Callable[[jax.Array], jax.Array], scores: Scores) -> jax.Array:
    """() E term(D(x, wrong c)), or 0 where no mismatches are shown."""
    if scores.wrong is None:
        return jnp.float32(0.0)
    return mean_where(term(scores.wrong), scores.is_wrong)


def least_squares_critic(
    scores: Scores, *, a: float = -1.0, b: float = 1.0
) -> jax.Array:
    """E[(D(x, c) - b)^2] + E[(D(G, c) - a)^2] + E[(D(x, wrong c) - a)^2].

    Mao et al. 2017, Eq. 2 without its halves, and the wrong-class term. With
    a = -1, b = 1 the best D is (p_r - p_g - p_w) / (p_r + p_g + p_w).
    """
    real = jnp.square(scores.real - b).mean()
    fake = jnp.square(scores.fake - a).mean()
    return real + fake + of_wrong(lambda d: jnp.square(d - a), scores)


def least_squares_generator(fake: jax.Array, *, c: float = 0.0) -> jax.Array:
    """E[(D(G, c) - c)^2] (Mao et al. 2017, Eq. 2 without its half)."""
    return jnp.square(fake - c).mean()


def logistic_critic(scores: Scores, *, smooth: float = 1.0) -> jax.Array:
    """-E log s(D(x, c)) - E log(1 - s(D(G, c))) - E log(1 - s(D(x, wrong c))).

    s is the sigmoid (Goodfellow et al. 2014, Eq. 1; Reed et al. 2016, Alg. 1). A
    `smooth` below 1 is the target of real images (one-sided label smoothing).
    """
    real = smooth * softplus(-scores.real) + (1.0 - smooth) * softplus(scores.real)
    return real.mean() + softplus(scores.fake).mean() + of_wrong(softplus, scores)


def stacked_critic(scores: Scores, *, smooth: float = 1.0) -> jax.Array:
    """(R + F / 2 + W / 2) / 2, R, F and W the three terms of `logistic_critic`.

    Of StackGAN (Zhang et al. 2017): mismatches and generated images count half each.
    """
    real = logistic_critic(Scores(scores.real, scores.fake), smooth=smooth)
    fake = softplus(scores.fake).mean()
    return 0.5 * (real - 0.5 * fake + 0.5 * of_wrong(softplus, scores))


def logistic_generator(fake: jax.Array) -> jax.Array:
    """-E log s(D(G, c)): the loss that does not saturate (Goodfellow et al. 2014)."""
    return softplus(-fake).mean()


def wasserstein_critic(scores: Scores) -> jax.Array:
    """-(E D(x, c) - E D(G, c)) - (E D(x, c) - E D(x, wrong c)).

    Arjovsky et al. 2017, Eq. 2; the second part where mismatches are shown.
    """
    value = scores.fake.mean() - scores.real.mean()
    if scores.wrong is None:
        return value
    return value + of_wrong(lambda d: d, scores) - scores.real.mean()


def wasserstein_generator(fake: jax.Array) -> jax.Array:
    """-E D(G, c)."""
    return -fake.mean()


def hinge_critic(scores: Scores) -> jax.Array:
    """E max(0, 1 - D(x, c)) + E max(0, 1 + D(G, c)) + E max(0, 1 + D(x, wrong c)).

    Lim & Ye 2017; Miyato et al. 2018, Eq. 16, and the wrong-class term. The generator's
    is that of the Wasserstein loss (Eq. 17).
    """
    above = lambda d: jax.nn.relu(1.0 + d)
    real = jax.nn.relu(1.0 - scores.real).mean()
    return real + above(scores.fake).mean() + of_wrong(above, scores)


def squared_lengths(gradient: jax.Array) -> jax.Array:
    """(B,) |g|^2 of a gradient (B, ...)."""
    return jnp.square(gradient).reshape(gradient.shape[0], -1).sum(1)


def r1(gradient: jax.Array) -> jax.Array:
    """E |grad_x D(x)|^2 / 2 on real images (Mescheder et al. 2018, Eq. 9)."""
    return 0.5 * squared_lengths(gradient).mean()


def one_sided(gradient: jax.Array) -> jax.Array:
    """E max(0, |grad D| - 1)^2 (Gulrajani et al. 2017, section 4, one-sided)."""
    length = jnp.sqrt(squared_lengths(gradient) + 1e-12)
    return jnp.square(jnp.maximum(length - 1.0, 0.0)).mean()


class GanLoss(NamedTuple):
    """Both players' losses.

    Attributes:
      critic: of Scores -> ().
      generator: of the scores (B,) of generated images -> ().
    """

    critic: Callable[[Scores], jax.Array]
    generator: Callable[[jax.Array], jax.Array]


GAN_LOSSES: dict[str, GanLoss] = {
    "logistic": GanLoss(logistic_critic, logistic_generator),
    "least_squares": GanLoss(least_squares_critic, least_squares_generator),
    "wasserstein": GanLoss(wasserstein_critic, wasserstein_generator),
    "hinge": GanLoss(hinge_critic, wasserstein_generator),
}
