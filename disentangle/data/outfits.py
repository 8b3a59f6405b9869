"""Sets of pictures that belong together, and questions about them with exact answers.

A `Rule` says which attribute two slots share. Hide an item: every other item says one
of its attributes, and no item says two, so that whoever compares whole pictures fails
and the attribute to look at is known for every pair of slots.
"""

from typing import NamedTuple

import numpy as np

from disentangle import errors
from disentangle.data import counted
from disentangle.data.worlds import TEST, TRAIN, Rule, World

DIFFICULTIES = ("easy", "hard")


class Sets(NamedTuple):
    """Compatible sets, an item of each hidden.

    Attributes:
      items: (n, slots) tuples.
      hidden: (n,) slots.
    """

    items: np.ndarray
    hidden: np.ndarray


class Blanks(NamedTuple):
    """Fill in the blank: which of four completes a set.

    Attributes:
      items: (n, slots) tuples; that of the hidden slot is the right answer.
      hidden: (n,) slots.
      answers: (n, 4) tuples, one of them right.
      right: (n,) which.
    """

    items: np.ndarray
    hidden: np.ndarray
    answers: np.ndarray
    right: np.ndarray


class Pairs(NamedTuple):
    """Sets that are compatible, and as many that are not.

    Attributes:
      items: (2 n, slots) tuples.
      compatible: (2 n,) bool.
    """

    items: np.ndarray
    compatible: np.ndarray


def owners(n: int) -> np.ndarray:
    """(n, n) which of the n - 1 (n odd: n) attributes two slots share; -1 for oneself.

    The circle method: slots i, j < m - 1 of m, the even one of n and n + 1, meet in
    round (i + j) m/2 modulo m - 1, slot i and the last in round i. Every row holds
    every attribute at most once.
    """
    m = n + n % 2
    i = np.arange(m)
    table = (i[:, None] + i) * (m // 2) % (m - 1)
    table[-1], table[:, -1] = i, i
    table[i, i] = -1
    return table[:n, :n]


def shared(world: World, rule: Rule) -> np.ndarray:
    """(slots, slots) the column of the attribute that two slots share; -1 for oneself.

    Raises:
      UserError: fewer or more attributes than the rule's slots need, or too few slots.
    """
    n = len(rule.slots)
    needed = n - 1 + n % 2
    if n < 3 or len(rule.attributes) != needed:
        raise errors.UserError(
            f"{n} slots need {needed} attributes and at least 3 slots, not "
            f"{len(rule.attributes)}."
        )
    columns = [world.attributes.column(name) for name in rule.attributes]
    return np.where(owners(n) < 0, -1, np.array(columns)[owners(n)])


def owned(world: World, rule: Rule, slot: int) -> np.ndarray:
    """(n - 1,) columns of what the other items say of a slot's item, sorted."""
    row = shared(world, rule)[slot]
    return np.sort(row[row >= 0])


def sets(
    world: World,
    rule: Rule,
    count: int,
    *,
    split: str = "rand",
    part: int = TEST,
    seed: int = 0,
) -> Sets:
    """Compatible sets: shared values and all that is free independent and uniform.

    Of a split with a hole the hidden item is a tuple of its `part`, and for TRAIN every
    item is.
    """
    parts, n = world.parts(split), len(rule.slots)
    items: np.ndarray = np.empty((0, n), np.int64)
    hidden: np.ndarray = np.empty(0, np.int64)
    block = 0
    while len(items) < count:
        values = _free(world, rule, count, f"sets {block}", seed)
        for i, j, column in _pairs(world, rule):
            values[:, j, column] = values[:, i, column]
        drawn = world.attributes.number(values)
        chosen = counted.below(f"hidden {block}", seed, count, [n])[:, 0]
        fits = np.ones(count, bool)
        if split != "rand":
            inside = parts[drawn] == part
            fits = inside.all(1) if part == TRAIN else inside[np.arange(count), chosen]
        items = np.concatenate([items, drawn[fits]])
        hidden = np.concatenate([hidden, chosen[fits]])
        block += 1
    return Sets(items[:count], hidden[:count])


def is_compatible(world: World, rule: Rule, items: np.ndarray) -> np.ndarray:
    """(..., slots) tuples -> (...,) bool: categories fit, and what is shared agrees."""
    values = world.attributes.values(np.asarray(items))
    category = values[..., world.attributes.column(rule.category)]
    fits = [np.isin(category[..., i], slot) for i, slot in enumerate(rule.slots)]
    for i, j, column in _pairs(world, rule):
        fits.append(values[..., i, column] == values[..., j, column])
    return np.all(fits, axis=0)


def candidates(world: World, rule: Rule, slot: int) -> np.ndarray:
    """(m,) tuples, a gallery of the slot: one of each combination of owned values.

    The last owned attribute is fastest; what is free is mixed.
    """
    columns = owned(world, rule, slot)
    sizes = [world.attributes.sizes[column] for column in columns]
    m = int(np.prod(sizes))
    values = _free(world, rule, m, f"candidates of {slot}", 0)[:, slot]
    values[:, columns] = np.stack(np.unravel_index(np.arange(m), sizes), -1)
    return world.attributes.number(values)


def answers(world: World, rule: Rule, asked: Sets) -> np.ndarray:
    """(n,) rows of `candidates` of the hidden slots, read from the other items."""
    table = shared(world, rule)
    values = world.attributes.values(asked.items)
    rows: np.ndarray = np.empty(len(asked.hidden), np.int64)
    for slot in range(len(rule.slots)):
        here = asked.hidden == slot
        columns = owned(world, rule, slot)
        said = [values[here, np.flatnonzero(table[slot] == c)[0], c] for c in columns]
        sizes = [world.attributes.sizes[column] for column in columns]
        rows[here] = np.ravel_multi_index(said, sizes)
    return rows


def blanks(
    world: World, rule: Rule, asked: Sets, kind: str, *, seed: int = 0
) -> Blanks:
    """Four answers to each set: the hidden item and three of the same slot.

    Args:
      world: of the data set.
      rule: of the sets.
      asked: the sets.
      kind: "easy": the others have three other combinations of owned values, and their
        own free ones; "hard": each is the hidden item with one owned value changed.
      seed: of the draws.
    """
    if kind not in DIFFICULTIES:
        raise errors.unknown("difficulty", kind, DIFFICULTIES)
    count = len(asked.hidden)
    right = counted.below(f"{kind} places", seed, count, [4])[:, 0]
    found: np.ndarray = np.empty((count, 4), np.int64)
    for slot in range(len(rule.slots)):
        here = np.flatnonzero(asked.hidden == slot)
        item = asked.items[here, slot]
        stream = f"{kind} answers of {slot}"
        wrong = (_other if kind == "easy" else _one_off)(
            world, rule, slot, item, stream, seed
        )
        order = (np.arange(4) - right[here, None]) % 4  # the right one comes first
        every = np.concatenate([item[:, None], wrong], axis=1)
        found[here] = np.take_along_axis(every, order, axis=1)
    return Blanks(asked.items, asked.hidden, found, right)


def pairs(world: World, rule: Rule, asked: Sets, kind: str, *, seed: int = 0) -> Pairs:
    """The sets, and as many that are not compatible.

    "easy": items of the right categories, all else independent (and at least one shared
    value differs); "hard": one pair of slots does not share its value any more.
    """
    if kind not in DIFFICULTIES:
        raise errors.unknown("difficulty", kind, DIFFICULTIES)
    count = len(asked.items)
    values = world.attributes.values(asked.items)
    if kind == "easy":
        values = _free(world, rule, count, "easy pairs", seed)
    every = np.array(_pairs(world, rule))
    which = counted.below(f"{kind} broken", seed, count, [len(every)])[:, 0]
    _, item, column = every[which].T
    size = np.array(world.attributes.sizes)[column]
    rows = np.arange(count)
    drawn = counted.numbers(f"{kind} shifts", seed, (count,)) % (size - 1).astype("u8")
    moved = (values[rows, item, column] + 1 + drawn.astype(np.int64)) % size
    whole = is_compatible(world, rule, world.attributes.number(values))
    values[rows[whole], item[whole], column[whole]] = moved[whole]
    broken = world.attributes.number(values)
    compatible = np.arange(2 * count) < count
    return Pairs(np.concatenate([asked.items, broken]), compatible)


def _pairs(world: World, rule: Rule) -> list[tuple[int, int, int]]:
    """(i, j, column) of every pair of slots i < j."""
    table = shared(world, rule)
    rows, columns = np.triu_indices(len(rule.slots), 1)
    return [
        (int(i), int(j), int(table[i, j])) for i, j in zip(rows, columns, strict=True)
    ]


def _free(world: World, rule: Rule, count: int, what: str, seed: int) -> np.ndarray:
    """(count, slots, A) values of items of the right categories, else uniform."""
    sizes, n = world.attributes.sizes, len(rule.slots)
    values = counted.below(what, seed, count * n, sizes).reshape(count, n, len(sizes))
    column = world.attributes.column(rule.category)
    for i, slot in enumerate(rule.slots):
        pick = counted.below(f"{what}, slot {i}", seed, count, [len(slot)])[:, 0]
        values[:, i, column] = np.array(slot)[pick]
    return values


def _other(
    world: World, rule: Rule, slot: int, item: np.ndarray, what: str, seed: int
) -> np.ndarray:
    """(n, 3) items of three other combinations of owned values."""
    columns = owned(world, rule, slot)
    sizes = [world.attributes.sizes[column] for column in columns]
    total, count = int(np.prod(sizes)), len(item)
    own = np.ravel_multi_index(world.attributes.values(item)[:, columns].T, sizes)
    third = (total - 1) // 3  # each from a third of the others, so that all differ
    steps = counted.below(what, seed, count, [third] * 3) + third * np.arange(3) + 1
    others = np.stack(np.unravel_index((own[:, None] + steps) % total, sizes), -1)
    values = _free(world, rule, 3 * count, f"{what}, free", seed)[:, slot]
    values[:, columns] = others.reshape(3 * count, len(columns))
    return world.attributes.number(values).reshape(count, 3)


def _one_off(
    world: World, rule: Rule, slot: int, item: np.ndarray, what: str, seed: int
) -> np.ndarray:
    """(n, 3) the items with one owned value changed, of one attribute after another."""
    columns = owned(world, rule, slot)
    own = world.attributes.values(item)
    first = counted.below(f"{what}, first", seed, len(item), [len(columns)])[:, 0]
    found = []
    for k in range(3):
        column = columns[(first + k) % len(columns)]
        size = np.array(world.attributes.sizes)[column]
        again = k // len(columns)  # the same attribute once more: another value
        drawn = counted.numbers(what, seed, (len(item),)) % (size - 1).astype("u8")
        step = 1 + (drawn.astype(np.int64) + again) % (size - 1)
        values, rows = own.copy(), np.arange(len(item))
        values[rows, column] = (values[rows, column] + step) % size
        found.append(world.attributes.number(values))
    return np.stack(found, axis=1)
