r"""The losses of ADDE, on arrays: Hou, Vig, Donoser & Bazzani, ICCV 2021.

"Learning attribute-driven disentangled representations for interactive fashion
retrieval", as their released code computes them, where text and code differ. Codes r
hold one chunk of d numbers per attribute, (A d,); the memory M (A d, S) holds a
prototype of each of the S values of all attributes in its columns. Labels are whole
numbers, -1 where one is missing.

Nothing here normalises what it is given: the paper compares n(r) = r / |r|, see
`l2_normalise`. A batch without anything to compare has loss 0 and gradient 0, where the
released code gives NaN.
"""

import jax
import jax.numpy as jnp
import optax

from disentangle.errors import unknown

MISSING = ("class", "ignore")
SHORTEST = 1e-12  # of a vector that is divided by its length
SHIFT = 1e-6  # of every difference, so that a distance of 0 has a gradient


def l2_normalise(x: jax.Array) -> jax.Array:
    """n(x) = x / max(|x|, 1e-12) along the last axis; finite at 0, as its gradient."""
    square = (x * x).sum(-1, keepdims=True)
    is_long = square > SHORTEST**2
    return x / jnp.where(is_long, jnp.sqrt(jnp.where(is_long, square, 1.0)), SHORTEST)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """-log softmax(logits)[label], the mean over the rows that have a label.

    Args:
      logits: (B, K).
      labels: (B,) in 0 .. K - 1, or -1.

    Returns:
      () nats; 0 without any label.
    """
    known = labels >= 0
    entropy = optax.softmax_cross_entropy_with_integer_labels(
        logits, jnp.maximum(labels, 0)
    )
    count = jnp.maximum(known.sum(), 1).astype(logits.dtype)
    return jnp.where(known, entropy, 0.0).sum() / count


def semi_hard_triplet(
    labels: jax.Array,
    embeddings: jax.Array,
    margin: float = 0.5,
    missing: str = "class",
) -> jax.Array:
    r"""Semi-hard triplets (Schroff et al. 2015) of squared distances D.

    $$
    \frac{1}{|P|} \sum_{(a, p) \in P} \max(0, m + D_{ap} - D_{an(a, p)})
    $$

    P are the ordered pairs a != p of one label, n(a, p) the nearest row of another
    label that is further from a than p; where there is none, the furthest of another
    label. The loss of a pair without a row of another label is m + D_ap.

    Args:
      labels: (B,), or (B, A) where rows are of one label if all A numbers agree.
      embeddings: (B, D).
      margin: m.
      missing: "class", as published: -1 is a label like any other; "ignore": rows
        with a -1 take no part.

    Returns:
      () the mean over P; 0 where P is empty.

    Raises:
      UserError: another `missing`.
    """
    if missing not in MISSING:
        raise unknown("way to treat missing labels", missing, MISSING)
    rows = labels.reshape(len(labels), -1)
    there = (rows >= 0).all(1) | (missing == "class")
    both = there[:, None] & there[None, :]
    same = (rows[:, None] == rows[None, :]).all(2)
    apart = ~jnp.eye(len(rows), dtype=bool)
    distances = jnp.where(apart, squared_distances(embeddings), 0.0)
    negative = both & ~same
    # Per anchor: its negatives by distance, then the first beyond each positive.
    far = jnp.where(negative, distances, jnp.inf)
    order = jnp.argsort(far, axis=1)
    ascending = jnp.take_along_axis(far, order, axis=1)
    beyond = jax.vmap(lambda s, d: jnp.searchsorted(s, d, side="right"))
    count = negative.sum(1, keepdims=True)
    place = jnp.clip(jnp.minimum(beyond(ascending, distances), count - 1), 0)
    chosen = jnp.take_along_axis(order, place, axis=1)
    to_negative = jnp.take_along_axis(distances, chosen, axis=1)
    to_negative = jnp.where(count > 0, to_negative, 0.0)
    pairs = both & same & apart
    hinge = jnp.where(pairs, jax.nn.relu(margin + distances - to_negative), 0.0)
    return hinge.sum() / jnp.maximum(pairs.sum(), 1).astype(hinge.dtype)


def squared_distances(x: jax.Array) -> jax.Array:
    """D_ij = max(0, |x_i|^2 + |x_j|^2 - 2 x_i . x_j), (B, D) -> (B, B)."""
    products = jnp.matmul(x, x.T, precision=jax.lax.Precision.HIGHEST)
    squares = (x * x).sum(1)
    return jax.nn.relu(squares[:, None] + squares[None, :] - 2.0 * products)


def compositional_triplet(
    edited: jax.Array, positive: jax.Array, negative: jax.Array, margin: float = 0.5
) -> jax.Array:
    """mean max(0, d(r', r_pos) - d(r', r_neg) + m), d(x, y) = |x - y + 1e-6|.

    Args:
      edited: (B, D) codes r' after an edit.
      positive: (B, D) codes of images that have the labels of the edit.
      negative: (B, D) codes of images that do not.
      margin: m.

    Returns:
      () the mean over the batch.
    """
    distance = lambda x, y: jnp.sqrt(((x - y + SHIFT) ** 2).sum(-1))
    to_positive, to_negative = distance(edited, positive), distance(edited, negative)
    return jax.nn.relu(to_positive - to_negative + margin).mean()


def consistency(memory: jax.Array, codes: jax.Array, onehots: jax.Array) -> jax.Array:
    """mean |M v - r|: codes are where the prototypes of their values are.

    The paper calls the sum of three of these terms a consistency triplet; there is no
    hinge in it. With an indicator v_pos - v_ref its first term equals its second.

    Args:
      memory: M, (A d, S).
      codes: r, (B, A d).
      onehots: v, (B, S), 1 at the values of an image; a missing one is all 0.

    Returns:
      () the mean over the batch and the A d dimensions.
    """
    return jnp.abs(onehots @ memory.T - codes).mean()


def memory_block(memory: jax.Array, off_block: jax.Array) -> jax.Array:
    """sum |M| where `off_block` (A d, S) is 1: a prototype in another's subspace."""
    return jnp.abs(off_block * memory).sum()


def outfit_ranking(
    item_distances_positive: jax.Array,
    item_distances_negatives: jax.Array,
    margin: float = 0.3,
) -> jax.Array:
    """max(0, D_p - min_j D_j + m), D the mean over the items of an outfit.

    Lin, Tran & Davis, "Fashion outfit complementary item retrieval" (CSA-Net, CVPR
    2020): the mean over items comes first, then the hardest negative, then one hinge.

    Args:
      item_distances_positive: (n,) of the outfit's items to the item that fits.
      item_distances_negatives: (m, n) to each of m items that do not.
      margin: m.

    Returns:
      () for one outfit.
    """
    hardest = item_distances_negatives.mean(1).min()
    return jax.nn.relu(item_distances_positive.mean() - hardest + margin)
