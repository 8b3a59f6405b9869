"""The loss of each stage of ADDE, of codes and labels alone: see adde.py."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.methods.adde_losses import (
    compositional_triplet,
    consistency,
    cross_entropy,
    l2_normalise,
    memory_block,
    semi_hard_triplet,
)
from disentangle.methods.base import Logs
from disentangle.methods.prototypes import off_block, one_hot
from disentangle.methods.subspaces import unit

Logits = tuple[jax.Array, ...]


class Images(NamedTuple):
    """What the networks and the labels say of B images."""

    codes: jax.Array  # r, (B, A, d)
    logits: Logits  # A arrays (B, K_a)
    labels: jax.Array  # y, (B, A) int32, -1 where one is missing

    def part(self, start: int, stop: int) -> "Images":
        """Some of them."""
        rows = slice(start, stop)
        logits = tuple(x[rows] for x in self.logits)
        return Images(self.codes[rows], logits, self.labels[rows])


class Choices(NamedTuple):
    """What is not a number: see the settings of ADDE."""

    sizes: tuple[int, ...]  # (A,) K_a
    memory: str
    missing: str
    tie: str
    length: str


def attributes_loss(
    seen: Images, hyper: Any, choices: Choices
) -> tuple[jax.Array, Logs]:
    """Stage 1: cross-entropies, triplets of every attribute and of whole rows."""
    entropy = entropies(seen.logits, seen.labels)
    each = jax.vmap(
        lambda labels, chunk: semi_hard_triplet(
            labels, chunk, hyper.margin, choices.missing
        ),
        in_axes=(1, 1),
    )
    own = each(seen.labels, l2_normalise(seen.codes)).sum()
    whole = semi_hard_triplet(
        seen.labels, unit(seen.codes, choices.length), hyper.margin, choices.missing
    )
    value = (
        hyper.entropy * entropy
        + hyper.attribute_triplet * own
        + hyper.whole_triplet * whole
    )
    return value, {
        "entropy": entropy,
        "attribute_triplet": own,
        "whole_triplet": whole,
    }


def edits_loss(
    seen: Images,
    edited: Images,
    matrix: jax.Array,
    paired: jax.Array,
    hyper: Any,
    choices: Choices,
) -> tuple[jax.Array, Logs]:
    """Stage 2: L_cls, L_lt, L_c, L_ct and L_mem.

    Args:
      seen: references, positives and negatives, 3 B images.
      edited: r' of the references, what the classifiers say of it, and the labels of
        the positives.
      matrix: M, (A d, S).
      paired: () bool; where not, a positive is its reference, and what compares the
        two is 0.
      hyper: the weights and margins.
      choices: the rest.
    """
    count = seen.codes.shape[0] // 3
    reference, positive, negative = (
        seen.part(i * count, (i + 1) * count) for i in range(3)
    )
    entropy = sum(
        (
            entropies(one.logits, one.labels)
            for one in (reference, positive, negative, edited)
        ),
        start=jnp.float32(0.0),
    )
    r, r_new, r_pos, r_neg = (
        unit(one.codes, choices.length)
        for one in (reference, edited, positive, negative)
    )
    label = semi_hard_triplet(
        jnp.concatenate([reference.labels, positive.labels, negative.labels]),
        jnp.concatenate([r, r_new, r_neg]),
        hyper.margin,
        choices.missing,
    )
    compose = compositional_triplet(r_new, r_pos, r_neg, hyper.edit_margin)
    first = edited if choices.tie == "edited" else positive
    tied = sum(
        (tie(matrix, one, choices) for one in (first, reference, negative)),
        start=jnp.float32(0.0),
    )
    outside = memory_block(
        matrix, jnp.asarray(off_block(choices.sizes, seen.codes.shape[2]))
    )
    label, compose = (jnp.where(paired, x, 0.0) for x in (label, compose))
    value = (
        hyper.entropy * entropy
        + hyper.label_triplet * label
        + hyper.compositional * compose
        + hyper.consistency * tied
        + hyper.off_block * outside
    )
    return value, {
        "entropy": entropy,
        "label_triplet": label,
        "compositional": compose,
        "consistency": tied,
        "off_block": outside,
        "paired": paired.astype(jnp.float32),
    }


def entropies(logits: Logits, labels: jax.Array) -> jax.Array:
    """() the cross-entropies of all attributes, added up; nats."""
    each = [cross_entropy(part, labels[:, a]) for a, part in enumerate(logits)]
    return jnp.stack(each).sum()


def tie(matrix: jax.Array, seen: Images, choices: Choices) -> jax.Array:
    """mean |M v - r|; with missing="ignore" the chunk of a missing label counts 0.

    As published such a chunk is pulled to 0, as v has nothing there.
    """
    codes, wanted = seen.codes, one_hot(choices.sizes, seen.labels)
    if choices.missing == "ignore":  # there r is M v itself, whose difference is 0
        own = (wanted @ matrix.T).reshape(codes.shape)
        codes = jnp.where((seen.labels >= 0)[..., None], codes, own)
    return consistency(matrix, codes.reshape(len(codes), -1), wanted)
