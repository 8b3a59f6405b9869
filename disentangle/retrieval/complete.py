r"""Set completion: which picture goes with the others, each by one attribute of it.

The distance of a set's items O from a picture s is $\frac{1}{n} \sum_{i \in O}
d_{ij}(x_i, s)$, j the slot of s (Lin, Tran & Davis 2020, CSA-Net), d the squared
distance, which a matrix product gives; Vasileva et al. 2018 take its root. Four
questions, with exact answers (see data/outfits.py):

- fill in the blank: which of four pictures; "hard" ones differ in one value;
- compatibility: the area under the ROC curve of the mean distance over pairs of items,
  of sets that go together and of such that do not;
- recall at k: the hidden item among all combinations of what the others determine;
- agreement: how often what is looked at is the attribute that two slots share.

Ways to compare items of two slots: "learned", masks in closed form (masks.py); "owner",
the columns of the attribute they share, which nobody tells a model in earnest; "whole",
the code as it is; "attention", the codes of a method that compares by itself.
"""

import itertools
from typing import NamedTuple

import numpy as np

from disentangle.data import outfits
from disentangle.data.outfits import DIFFICULTIES, Blanks, Pairs, Sets
from disentangle.data.worlds import Rule, World
from disentangle.errors import UserError, unknown
from disentangle.retrieval import scores
from disentangle.retrieval.asking import Asking
from disentangle.retrieval.comparing import Compared, Space
from disentangle.retrieval.encoder import Encoder
from disentangle.retrieval.masks import Mask, mask
from disentangle.retrieval.outcome import EVERY, Outcome, Row, mean_rows

RECALLS = (1, 10, 30, 50)
ROWS = 500  # sets whose distances to all candidates are held at a time


class Questions(NamedTuple):
    """Sets to complete, and to judge, as tuples of a world.

    Attributes:
      world: the data set's.
      rule: which items go together.
      asked: the sets of which one item is hidden.
      blanks: difficulty -> four answers each.
      pairs: difficulty -> sets that go together and such that do not.
      candidates: slot -> (m,) tuples.
      answers: (n,) the row of the right one among its slot's.
      owner: (slots, slots) the column that two slots share, -1 of a slot with itself.
    """

    world: World
    rule: Rule
    asked: Sets
    blanks: dict[str, Blanks]
    pairs: dict[str, Pairs]
    candidates: list[np.ndarray]
    answers: np.ndarray
    owner: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """All images that must be encoded."""
        sets = [self.asked.items, *(found.items for found in self.pairs.values())]
        answers = [found.answers for found in self.blanks.values()]
        asked = np.unique(np.concatenate([part.ravel() for part in sets]))
        parts = [part.ravel() for part in (*answers, *self.candidates)]
        found, view = np.unique(np.concatenate(parts)), self.world.view
        return np.concatenate([view("query", asked), view("gallery", found)])

    def slot_of(self, tuples: np.ndarray) -> np.ndarray:
        """(...,) the slot of each tuple, -1 for a category that is in none."""
        of = self.world.attributes
        category = of.values(np.asarray(tuples))[..., of.column(self.rule.category)]
        table = np.full(of.sizes[of.column(self.rule.category)], -1)
        for i, slot in enumerate(self.rule.slots):
            table[list(slot)] = i
        return table[category]


def questions(world: World, asking: Asking) -> Questions:
    """The sets of a world, the same for every model.

    Args:
      world: of the data set.
      asking: how many, by which rule; an item that is hidden is of the split's test
        tuples.

    Raises:
      UserError: no such rule.
    """
    name = asking.rule or next(iter(world.rules), "")
    if name not in world.rules:
        raise unknown("rule of sets", name, world.rules)
    made, seed = world.rules[name], asking.seed
    asked = outfits.sets(world, made, asking.sets, split=asking.split, seed=seed)
    slots = range(len(made.slots))
    return Questions(
        world,
        made,
        asked,
        {k: outfits.blanks(world, made, asked, k, seed=seed) for k in DIFFICULTIES},
        {k: outfits.pairs(world, made, asked, k, seed=seed) for k in DIFFICULTIES},
        [outfits.candidates(world, made, slot) for slot in slots],
        outfits.answers(world, made, asked),
        outfits.shared(world, made),
    )


def check(asked: Questions, values: np.ndarray) -> None:
    """Raises UserError where no labelled image (values (n, A)) is of one of the slots.

    Masks of its pairs could not be found.
    """
    slots = asked.slot_of(asked.world.attributes.number(values))
    missing = [i for i in range(len(asked.rule.slots)) if i not in slots]
    if missing:
        raise UserError(
            f"none of the {len(values):,} labelled images is of slot {missing[0]} of "
            "the sets: give more labels"
        )


def set_completion(asked: Questions, encoder: Encoder, asking: Asking) -> Outcome:
    """How every way of comparing items does.

    Returns:
      Rows of the ways "chance", "learned", "owner", "whole" and, where the method has
      one, "attention"; scores "fitb easy", "fitb hard", "auc easy", "auc hard",
      "recall@1", ... and, of "learned" and "attention", "agreement". Arrays
      "attention <way>" (slots, slots, A): shares of what a pair looks at.
    """
    masks = learned(asked, encoder)
    rows, arrays = chance(asked), {}
    for way, space in _spaces(asked, encoder, masks).items():
        rows += _way_rows(asked, encoder, space, way, asking)
    looked = {"learned": mass(encoder, masks, len(asked.rule.slots))}
    if encoder.attention is not None:
        looked["attention"] = _of_slots(asked, encoder.attention)
    for way, table in looked.items():
        arrays[f"attention {way}"] = table
        rows.append(Row(way, EVERY, "agreement", agreement(table, asked.owner)))
    return Outcome(rows, arrays, notes=encoder.notes)


def chance(asked: Questions) -> list[Row]:
    """What a guess has: 1/4, 1/2, k of all candidates, 1 of all attributes."""
    sizes = np.array([len(found) for found in asked.candidates])[asked.asked.hidden]
    parts = {f"fitb {k}": 0.25 for k in DIFFICULTIES}
    parts |= {f"auc {k}": 0.5 for k in DIFFICULTIES}
    parts |= {f"recall@{k}": float(np.minimum(k / sizes, 1).mean()) for k in RECALLS}
    parts["agreement"] = 1.0 / len(asked.world.attributes.names)
    return [Row("chance", EVERY, name, value) for name, value in parts.items()]


def learned(asked: Questions, encoder: Encoder) -> dict[tuple[int, int], Mask]:
    """(i, j) -> the mask of each pair of slots i < j, from the labelled images."""
    of = asked.world.attributes
    codes = encoder.encode(encoder.labels)
    labels = of.labels(encoder.labels)
    slots = asked.slot_of(of.number(labels))
    found = {}
    rows = [np.flatnonzero(slots == slot) for slot in range(len(asked.rule.slots))]
    for i, j in itertools.combinations(range(len(rows)), 2):
        first, second = rows[i], rows[j]
        column = labels[:, asked.owner[i, j]]
        found[i, j] = mask(codes[first], codes[second], column[first], column[second])
    return found


def mass(
    encoder: Encoder, masks: dict[tuple[int, int], Mask], slots: int
) -> np.ndarray:
    """(slots, slots, A) the share of a mask's mass that an attribute's columns have.

    Columns of no attribute have the rest; 0 where a mask looks at nothing.
    """
    found = np.zeros((slots, slots, len(encoder.chunks)))
    for (i, j), one in masks.items():
        total = max(float(one.mass.sum()), 1e-30)
        shares = [one.mass[columns].sum() / total for columns in encoder.chunks]
        found[i, j] = found[j, i] = shares
    return found


def agreement(looked: np.ndarray, owner: np.ndarray) -> float:
    """The share of ordered pairs of slots that look most at what they share.

    Args:
      looked: (slots, slots, A) shares.
      owner: (slots, slots) columns, -1 of a slot with itself.
    """
    pairs = owner >= 0
    right = (looked.argmax(2) == owner) & (looked.max(2) > 0)
    return float(right[pairs].mean())


def _of_slots(asked: Questions, attention: np.ndarray) -> np.ndarray:
    """(slots, slots, A) the mean attention over the categories of two slots."""
    slots = asked.rule.slots
    return np.stack(
        [
            np.stack([attention[np.ix_(one, other)].mean((0, 1)) for other in slots])
            for one in slots
        ]
    )


def _spaces(
    asked: Questions, encoder: Encoder, masks: dict[tuple[int, int], Mask]
) -> dict[str, Space]:
    """way -> where items of two categories are compared."""
    slot = {c: i for i, slot in enumerate(asked.rule.slots) for c in slot}

    def by_mask(codes: np.ndarray, own: int, other: int) -> np.ndarray:
        i, j = slot[own], slot[other]
        one = masks[min(i, j), max(i, j)]
        return (codes - one.middle * (i < j)) * np.sqrt(one.weights)

    def by_owner(codes: np.ndarray, own: int, other: int) -> np.ndarray:
        return encoder.respect(codes, int(asked.owner[slot[own], slot[other]]))

    found: dict[str, Space] = {"learned": by_mask, "owner": by_owner}
    found["whole"] = lambda codes, own, other: encoder.compared(codes)
    if encoder.pair is not None:
        found["attention"] = encoder.pair
    return found


def _way_rows(
    asked: Questions, encoder: Encoder, space: Space, way: str, asking: Asking
) -> list[Row]:
    """Every score of one way of comparing."""
    at = Compared(encoder.encode, asked.world, asked.rule, space)
    parts = {
        f"fitb {kind}": scores.chosen_first(at.answers(blanks), blanks.right)
        for kind, blanks in asked.blanks.items()
    }
    parts |= {f"recall@{k}": np.empty(len(asked.answers)) for k in RECALLS}
    for slot, tuples in enumerate(asked.candidates):
        here = np.flatnonzero(asked.asked.hidden == slot)
        for start in range(0, len(here), ROWS):
            rows = here[start : start + ROWS]
            distances = at.candidates(asked.asked.items[rows], slot, tuples)
            for k in RECALLS:
                parts[f"recall@{k}"][rows] = scores.tied_hit(
                    distances, asked.answers[rows], k
                )
    means = mean_rows(way, {EVERY: parts}, asking.bootstrap, seed=asking.seed)
    found = means[: len(parts)]  # there is one group, itself the mean
    for kind, pairs in asked.pairs.items():
        value, error = scores.roc_auc(-at.sets(pairs.items), pairs.compatible)
        half = 1.96 * error if asking.bootstrap else float("nan")
        found.append(Row(way, EVERY, f"auc {kind}", value, value - half, value + half))
    return found
