"""Sets of images that go together, drawn inside the step, and how they are compared.

A `data.worlds.Rule` says which attribute items of two slots of a set share. A step
draws items to be found, for each one item of every other slot that shares what it
should with it, and items of its category that do not fit. What the other items share
among each other is left open: no loss here looks at it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.attributes import Attributes as Grid
from disentangle.data.outfits import shared
from disentangle.data.samplers import Batch, Collate, Split, take
from disentangle.data.space import FactorSpace
from disentangle.data.worlds import WORLDS, Rule, World
from disentangle.errors import UserError, unknown
from disentangle.methods.attributes import Attributes, parse
from disentangle.methods.triplets import candidates, pick
from disentangle.nn import Net


class Slots(NamedTuple):
    """What makes a set."""

    attributes: Attributes
    category: int  # the attribute that tells slots apart
    slots: tuple[tuple[int, ...], ...]  # (n,) categories of each
    owner: np.ndarray  # (n, n) the attribute that two slots share, -1 on the diagonal

    @property
    def categories(self) -> int:
        """C, the number of categories."""
        return self.attributes.sizes[self.category]

    @property
    def slot_of(self) -> np.ndarray:
        """(C,) the slot of each category, -1 for none."""
        table = np.full(self.categories, -1, np.int32)
        for i, own in enumerate(self.slots):
            table[list(own)] = i
        return table


def rule_of(space: FactorSpace, name: str) -> Slots:
    """The rule of sets of a space.

    Args:
      space: of a data set with queries (data/worlds.py), or another full grid: sets
        then have an item of each value of the first factor for which there are enough
        others.
      name: of a rule of the data set; "" is the usual one.

    Raises:
      UserError: no such rule, or factors of which no set can be made.
    """
    world = next((w for w in WORLDS.values() if w.attributes.space == space), None)
    if world is None:
        world = _made(space)
    if name and name not in world.rules:
        raise unknown("rule of sets", name, world.rules)
    if not world.rules:
        raise UserError(
            "no set of these images goes together: a data set without rules"
        )
    rule = world.rules[name or next(iter(world.rules))]
    attributes = parse(space, ())
    place = lambda own: attributes.names.index(own)
    table = shared(world, rule)
    columns = np.array([place(own) for own in world.attributes.names])
    owner = np.where(table < 0, -1, columns[table]).astype(np.int32)
    return Slots(attributes, place(rule.category), rule.slots, owner)


def _made(space: FactorSpace) -> World:
    """A world of a grid that has none, with one rule."""
    space.require_grid("a method of sets")
    for name, n in zip(space.names, space.sizes, strict=True):
        others = tuple(other for other in space.names if other != name)
        needed = n - 1 + n % 2
        if n >= 3 and needed <= len(others):
            slots = tuple((value,) for value in range(n))
            rules = {"sets": Rule(name, slots, others[:needed])}
            return World(Grid(space, space.names), (0,), (0,), (0,), rules=rules)
    sizes = zip(space.names, space.sizes, strict=True)
    listed = ", ".join(f"{name} ({size})" for name, size in sizes)
    raise UserError(
        "no set of these images goes together: it needs a factor of n >= 3 values, an "
        "item each, and n - 1 (n odd: n) other factors that items share; these are "
        f"{listed}"
    )


def sets(slots: Slots, negatives: int) -> Collate:
    """Items to be found, sets that they complete, and items that do not fit.

    The batch has (1 + n + m) B images: the B items that were drawn, one of each of the
    n slots (that of an item's own slot is the item), m negatives. "slot" (B,) is the
    slot of the item, "told" (B,) whether there is such a set.
    """

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        among, *keys = jax.random.split(key, 1 + len(slots.slots) + negatives)
        pool = candidates(split, among)
        rows = slots.attributes.of_images(split.data, pool)
        own = slots.attributes.of_images(split.data, index)
        slot = jnp.asarray(slots.slot_of)[own[:, slots.category]]
        told = (slot >= 0) & (own >= 0).all(1)
        images = [index]
        for i, fits in enumerate(fitting(slots, own, slot, rows)):
            told &= fits.any(1) | (slot == i)
            images.append(jnp.where(slot == i, index, pool[pick(fits, keys[i])]))
        wrong = unfit(slots, own, slot, rows)
        told &= wrong.any(1)
        for one in keys[len(slots.slots) :]:
            images.append(pool[pick(wrong, one)])
        batch = take(split.data, jnp.concatenate(images))
        return batch | {"slot": jnp.maximum(slot, 0), "told": told}

    return collate


def fitting(
    slots: Slots, own: jax.Array, slot: jax.Array, rows: jax.Array
) -> list[jax.Array]:
    """n arrays (B, P) bool: rows of slot i that share with an item what they should."""
    found = []
    belongs = jnp.asarray(slots.slot_of)[rows[:, slots.category]]
    for i in range(len(slots.slots)):
        column = jnp.asarray(slots.owner[i])[slot]  # (B,)
        value = jnp.take_along_axis(own, column[:, None], axis=1)
        found.append((belongs == i)[None] & (rows.T[column] == value))
    return found


def unfit(slots: Slots, own: jax.Array, slot: jax.Array, rows: jax.Array) -> jax.Array:
    """(B, P) bool: rows of an item's category that differ in what it is found by."""
    category = slots.category
    same = rows[:, category][None] == own[:, category][:, None]
    owned = np.zeros((len(slots.slots), len(slots.attributes.sizes)), bool)
    for i, columns in enumerate(slots.owner):
        owned[i, columns[columns >= 0]] = True
    differs = rows[None] != own[:, None]
    there = (rows >= 0).all(1)[None]
    return same & there & (differs & jnp.asarray(owned)[slot][:, None]).any(2)


class Items(NamedTuple):
    """The codes of a batch of `sets`, and their categories."""

    found: jax.Array  # (B, D) of the items to be found
    others: jax.Array  # (n - 1, B, D) of the other slots
    wrong: jax.Array  # (m, B, D)
    own: jax.Array  # (B,) category of what is to be found
    theirs: jax.Array  # (n - 1, B)


def items(slots: Slots, codes: jax.Array, labels: jax.Array, slot: jax.Array) -> Items:
    """A batch taken apart: the item's own slot is left out."""
    n, count = len(slots.slots), slot.shape[0]
    apart = codes.reshape(-1, count, codes.shape[1])
    category = labels[:, slots.category].reshape(-1, count)
    others = (slot[None] + jnp.arange(1, n)[:, None]) % n  # (n - 1, B)
    rows = jnp.broadcast_to(jnp.arange(count)[None], others.shape)
    return Items(
        apart[0],
        apart[1 + others, rows],
        apart[1 + n :],
        category[0],
        category[1 + others, rows],
    )


def distances(pair: Any, found: Items) -> tuple[jax.Array, jax.Array]:
    """(B, n - 1) squared distances of the item from the others, (B, m, n - 1) of wrong.

    Args:
      pair: (codes (B, D), own (B,), other (B,)) -> (B, E).
      found: the batch.
    """
    near, far = [], []
    for codes, category in zip(found.others, found.theirs, strict=True):
        other = pair(codes, category, found.own)
        square = lambda x, other=other: ((x - other) ** 2).sum(1)
        near.append(square(pair(found.found, found.own, category)))
        wrong = [square(pair(x, found.own, category)) for x in found.wrong]
        far.append(jnp.stack(wrong, axis=1))
    return jnp.stack(near, axis=1), jnp.stack(far, axis=2)


def masks_net(count: int, width: int, read: Callable[..., jax.Array]) -> Net:
    """Masks as a network: `read` of "table" (count, D), from N(0.9, 0.7) as in CSN.

    Args:
      count, width: rows of the table, and D.
      read: (table, what is asked for (B, ...)) -> (B, D).
    """

    def init(key: jax.Array) -> dict[str, jax.Array]:
        return {"table": 0.9 + 0.7 * jax.random.normal(key, (count, width))}

    return Net(init, lambda params, asked: read(params["table"], asked))


def told_mean(values: jax.Array, told: jax.Array) -> jax.Array:
    """() the mean of (B,) over the sets there are, 0 without any."""
    count = jnp.maximum(told.sum(), 1).astype(jnp.float32)
    return jnp.where(told, values, 0.0).sum() / count


def pair_number(own: jax.Array, other: jax.Array, categories: int) -> jax.Array:
    """(B,) the number of an unordered pair of categories, below C (C + 1) / 2."""
    low, high = jnp.minimum(own, other), jnp.maximum(own, other)
    return low * (2 * categories - low + 1) // 2 + high - low
