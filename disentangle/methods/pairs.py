"""Images that go together: pairs that differ in few factors, groups that share some.

A partner is image arithmetic, `space.index` of the factors it should have, so
it is drawn inside the step and works for every space. It comes from the whole
grid, also where the images drawn are a subset (`data.train_size`, test images):
a subset seldom has the image that differs in just one factor.
"""

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, take
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.methods.tasks import refuse_constant

UNIFORM, ONE_OR_UNIFORM = 0, -1  # what `changed` says besides a number of factors


def pairs(space: FactorSpace, changed: int, distinct: bool) -> Collate:
    """Pairs (x1, x2) that share all but k factors (Locatello et al. 2020, section 5).

    Each x1 has one partner: k of the F factors, chosen uniformly, are drawn again.
    Image i is x1, image i + B its partner.

    Args:
      space: the factors; those with one value are never chosen.
      changed: k. 0 draws k for each pair, uniformly from 1 .. F - 1; -1 is what
        disentanglement_lib's code does at k = -1: one factor or, at even odds,
        such a k.
      distinct: False draws from all values of a factor, so that it keeps its own
        one time in K, as in the paper and its code; True from the other K - 1.

    Raises:
      UserError: no full grid, or unless k is -1, 0 or in 1 .. F - 1 (at least one
        factor is shared).
    """
    space.require_grid("a method of pairs of images")
    sizes = np.asarray(space.sizes, np.int32)
    varying = int((sizes > 1).sum())
    if varying < 2 or not ONE_OR_UNIFORM <= changed < varying:
        raise UserError(
            f"method.changed={changed} must be -1, 0 or in 1 .. {varying - 1}: "
            f"a pair shares at least one of the {varying} factors that vary"
        )

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        """The images drawn, then the partner of each: 2 B images."""
        count, which, value = jax.random.split(key, 3)
        factors = space.factors(index)
        k = _how_many(changed, varying, index.shape[0], count)
        order = jax.random.uniform(which, factors.shape)
        order = jnp.where(sizes[None] == 1, 2.0, order)  # behind all others
        chosen = order.argsort(1).argsort(1) < k[:, None]
        if distinct:
            others = np.maximum(sizes, 2)[None]
            step = jax.random.randint(value, factors.shape, 1, others)
            drawn = (factors + step) % sizes[None]
        else:
            drawn = jax.random.randint(value, factors.shape, 0, sizes[None])
        partner = space.index(jnp.where(chosen, drawn, factors))
        return take(split.data, jnp.concatenate([index, partner]))

    return collate


def _how_many(changed: int, varying: int, count: int, key: jax.Array) -> jax.Array:
    """(count,) the k of each pair."""
    if changed > 0:
        return jnp.full((count,), changed, jnp.int32)
    number, coin = jax.random.split(key)
    k = jax.random.randint(number, (count,), 1, varying)
    if changed == UNIFORM:
        return k
    return jnp.where(jax.random.bernoulli(coin, shape=(count,)), k, 1)


def groups(space: FactorSpace, shared: tuple[str, ...], members: int) -> Collate:
    """Groups of images with the same values of some factors (Bouchacourt et al. 2018).

    The other factors of each member but the first are drawn anew, independently
    and uniformly. Image i is the one drawn, images i + B, i + 2 B, ... the rest of
    its group.

    Args:
      space: the factors.
      shared: names of the factors that a group shares; () is the first one.
      members: images in a group, at least 2.

    Raises:
      UserError: no full grid, or on a name that is not a factor, one named twice, or
        fewer than 2.
    """
    space.require_grid("a method of groups of images")
    names = shared or space.names[:1]
    if len(set(names)) != len(names):
        raise UserError(f"a factor is named twice in {', '.join(names)}")
    if members < 2:
        raise UserError(f"method.members={members} must be at least 2")
    refuse_constant(space, names, "method.shared")
    kept = np.zeros(len(space.names), bool)
    kept[[space.position(name) for name in names]] = True
    sizes = np.asarray(space.sizes, np.int32)

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        factors = space.factors(index)[None]
        shape = (members - 1, *factors.shape[1:])
        drawn = jax.random.randint(key, shape, 0, sizes[None, None])
        rest = space.index(jnp.where(kept[None, None], factors, drawn))
        return take(split.data, jnp.concatenate([index, rest.reshape(-1)]))

    return collate
