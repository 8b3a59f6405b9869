"""Codes with a chunk of d numbers per attribute: how they are compared and edited."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from disentangle.data import counted
from disentangle.data.samplers import Split, take
from disentangle.methods import prototypes
from disentangle.methods.adde_losses import l2_normalise
from disentangle.methods.attributes import Attributes
from disentangle.methods.base import Params, Subspaces
from disentangle.methods.prototypes import Evidence

EXAMPLES = 10_000  # training images that prototypes are read off
AT_ONCE = 250
UNKNOWN = ("predicted", "nothing")  # what an edit takes away without an old label

Describe = Callable[[jax.Array], tuple[jax.Array, tuple[jax.Array, ...]]]


def evidence(
    split: Split,
    attributes: Attributes,
    describe: Describe,
    kernels: tuple[jax.Array, ...],
) -> Evidence:
    """What prototypes are read off: up to `EXAMPLES` of the training images.

    Those of a subset are the first ones of its order, which is random; those of a whole
    grid are spread evenly over it.

    Args:
      split: the training images.
      attributes: their labels.
      describe: images (b, H, W, C) -> codes (b, A, d), logits (b, K_a) of each
        attribute.
      kernels: (d, K_a) of the classifiers.
    """
    count = min(split.size, EXAMPLES)
    if split.subset is None:
        index = jnp.asarray(counted.spread(split.size, count), jnp.int32)
    else:
        index = split.subset[:count]
    size = min(AT_ONCE, count)
    whole = jnp.arange(-(-count // size) * size) % count
    parts = index[whole].reshape(-1, size)

    def part(index: jax.Array) -> tuple[jax.Array, jax.Array]:
        codes, logits = describe(take(split.data, index)["images"])
        return codes, predictions(logits)

    found = jax.lax.map(part, parts)
    codes, predicted = (x.reshape(-1, *x.shape[2:])[:count] for x in found)
    labels = attributes.of_images(split.data, index)
    return Evidence(codes, labels, predicted, kernels)


def predictions(logits: tuple[jax.Array, ...]) -> jax.Array:
    """A arrays (B, K_a) -> (B, A) int32, the likeliest values."""
    return jnp.stack([part.argmax(1).astype(jnp.int32) for part in logits], axis=1)


def log_probabilities(logits: tuple[jax.Array, ...]) -> jax.Array:
    """A arrays (B, K_a) -> (B, S)."""
    return jnp.concatenate([jax.nn.log_softmax(part) for part in logits], axis=1)


def unit(codes: jax.Array, length: str) -> jax.Array:
    """Codes (B, A, d) of length 1, (B, A d): the whole, or every chunk of sqrt(1 / A).

    Args:
      codes: as the encoder gives them.
      length: "code", as published: an attribute of longer chunks counts more; or
        "chunk": all attributes count the same.
    """
    if length == "chunk":
        codes = l2_normalise(codes)
    return l2_normalise(codes.reshape(codes.shape[0], -1))


def chunked(
    attributes: Attributes,
    classify: Callable[[Params, jax.Array], tuple[jax.Array, ...]],
    memory: Callable[[Params], jax.Array] | None = None,
    unknown_old: str = "predicted",
    length: str = "code",
) -> Subspaces:
    """The attribute view of codes (B, A d).

    Args:
      attributes: the A attributes.
      classify: (params, codes (B, A, d)) -> A logits (B, K_a).
      memory: params -> M (A d, S); None: codes cannot be edited.
      unknown_old: one of UNKNOWN.
      length: what has length 1 where whole codes are compared, see `unit`.
    """
    sizes = attributes.sizes
    apart = lambda codes: codes.reshape(codes.shape[0], len(sizes), -1)

    def edit(
        params: Params,
        codes: jax.Array,
        old: jax.Array,
        new: jax.Array,
        alpha: jax.Array,
        *,
        mode: str,
    ) -> jax.Array:
        assert memory is not None
        if unknown_old == "predicted":
            seen = predictions(classify(params, apart(codes)))
            old = jnp.where(old < 0, seen, old)
        matrix = memory(params)
        return prototypes.edited(matrix, sizes, codes, old, new, alpha, mode=mode)

    return Subspaces(
        attributes.names,
        sizes,
        attributes.labels,
        alike=lambda params, codes, a: l2_normalise(apart(codes)[:, a]),
        compared=lambda params, codes: unit(apart(codes), length),
        classify=lambda params, codes: log_probabilities(
            classify(params, apart(codes))
        ),
        edit=edit if memory else None,
    )
