"""R_s: how far codes are from labels, the supervised losses of Locatello et al. 2020.

"Disentangling factors of variation using few labels" (ICLR 2020), section 4, and
its code. Code i is compared with factor i, so there must be as many codes as
factors; further codes are free. All are sums over the factors and means over the
batch; the paper's code takes the mean in "cov" and "embed", the sum in the others,
so that its weight of those is ours divided by its batch size, 64.

Where labels are missing, the mean of a factor is over the images whose label is known;
a factor without any in the batch adds 0.

Not taken over: its "l2" without a scale subtracts (B, F) from (B, 1, F), which
compares every image with the labels of every other.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.methods.base import Params
from disentangle.methods.likelihood import softplus

Known = jax.Array | None


class LabelLoss(NamedTuple):
    """One R_s, for the factors of one space."""

    # loss(params, means (B, D), labels (B, F) int32, known (B, F) bool | None) -> ();
    # known None: all labels are
    loss: Callable[..., jax.Array]
    init: Callable[[jax.Array], Params] | None = None  # of what it learns itself


def unit(labels: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    """Labels 0 .. K - 1 as k / K, (B, F) float32 in [0, 1).

    By K, as the paper's code has it, and not by K - 1: 1 is never reached.
    """
    return labels.astype(jnp.float32) / np.asarray(sizes, np.float32)[None]


def total(values: jax.Array, known: Known) -> jax.Array:
    """Sum over factors of the mean over images: (B, F) -> ()."""
    if known is None:
        return values.sum(1).mean()
    return known_means(values, known).sum()


def known_means(values: jax.Array, known: jax.Array) -> jax.Array:
    """The mean of each column over its known rows, 0 without any: (B, ...) -> (...)."""
    count = jnp.maximum(known.sum(0), 1).astype(jnp.float32)
    return jnp.where(known, values, 0.0).sum(0) / count


def xent(sizes: tuple[int, ...]) -> LabelLoss:
    """Cross-entropy of sigmoid(mu_i) with the label in [0, 1): the paper's choice."""

    def loss(
        params: Params, means: jax.Array, labels: jax.Array, known: Known = None
    ) -> jax.Array:
        del params
        logits = means[:, : len(sizes)]
        values = softplus(logits) - unit(labels, sizes) * logits
        return total(values, known)

    return LabelLoss(loss)


def l2(sizes: tuple[int, ...]) -> LabelLoss:
    """Squared distance of sigmoid(mu_i) from the label in [0, 1)."""

    def loss(
        params: Params, means: jax.Array, labels: jax.Array, known: Known = None
    ) -> jax.Array:
        del params
        guess = jax.nn.sigmoid(means[:, : len(sizes)])
        return total(jnp.square(guess - unit(labels, sizes)), known)

    return LabelLoss(loss)


def scaled_l2(sizes: tuple[int, ...]) -> LabelLoss:
    """Squared distance of b mu_i from the label 0 .. K - 1, b learned, at first 1."""

    def loss(
        params: Params, means: jax.Array, labels: jax.Array, known: Known = None
    ) -> jax.Array:
        guess = params["scale"] * means[:, : len(sizes)]
        return total(jnp.square(guess - labels.astype(jnp.float32)), known)

    return LabelLoss(loss, lambda key: {"scale": jnp.ones((), jnp.float32)})


def cov(sizes: tuple[int, ...]) -> LabelLoss:
    """sum_{i != j} Cov(mu_i, label_j)^2 over the batch, labels 0 .. K - 1.

    All D codes take part. It asks that codes do not follow other codes' factors, not
    that they follow their own.
    """

    def loss(
        params: Params, means: jax.Array, labels: jax.Array, known: Known = None
    ) -> jax.Array:
        """The sum of squared covariances; of a factor, over its known labels."""
        del params
        y = labels.astype(jnp.float32)
        if known is None:
            c = (means - means.mean(0)[None]).T @ (y - y.mean(0)[None]) / y.shape[0]
        else:
            y = jnp.where(known, y - known_means(y, known)[None], 0.0)
            count = jnp.maximum(known.sum(0), 1).astype(jnp.float32)
            c = means.T @ y / count[None]  # y sums to 0: the mean of z drops out
        own = np.eye(means.shape[1], len(sizes), dtype=bool)
        return jnp.where(own, 0.0, jnp.square(c)).sum()

    return LabelLoss(loss)


def embed(sizes: tuple[int, ...]) -> LabelLoss:
    """Softmax over a factor's K values, each a learned place on the line of its code.

    Cross-entropy of the logits -(mu_i - e_ik)^2, so the order of the values is free.
    The places start like TensorFlow's weights, uniform within sqrt(3 / K). Its code
    can also learn a temperature; here it is 1.
    """

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, len(sizes))
        place = lambda k, size: jax.random.uniform(
            k, (size,), jnp.float32, -((3 / size) ** 0.5), (3 / size) ** 0.5
        )
        return {
            f"places_{i}": place(k, n)
            for i, (k, n) in enumerate(zip(keys, sizes, strict=True))
        }

    def loss(
        params: Params, means: jax.Array, labels: jax.Array, known: Known = None
    ) -> jax.Array:
        found = jnp.float32(0.0)
        for i in range(len(sizes)):
            distance = means[:, i, None] - params[f"places_{i}"][None]
            entropy = optax.softmax_cross_entropy_with_integer_labels(
                -jnp.square(distance), labels[:, i]
            )
            own = known if known is None else known[:, i]
            found += entropy.mean() if own is None else known_means(entropy, own)
        return found

    return LabelLoss(loss, init)


LABEL_LOSSES: dict[str, Callable[[tuple[int, ...]], LabelLoss]] = {
    "xent": xent,
    "l2": l2,
    "scaled_l2": scaled_l2,
    "cov": cov,
    "embed": embed,
}
