"""What is asked of a data set whose edited pictures exist: attributes, views, holes.

A world says which factors are attributes, in which nuisance states pictures are asked
about and found (never trained on), which tuples `comp` holds out, and which sets of
pictures belong together. Nothing here is drawn at random.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from disentangle import errors
from disentangle.data import counted, dsprites, fashion_sprites, shapes3d
from disentangle.data.attributes import Attributes
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import Split, shuffled

TRAIN, VALIDATION, TEST = range(3)
VIEWS = ("gallery", "query", "validation")
_STEP = 7  # views of neighbouring tuples are this many states apart


class Hole(NamedTuple):
    """Tuples held out: those whose named values sum to 0 (test) or 1 (validation).

    Attributes:
      names: of the attributes.
      modulus: of the sum.
    """

    names: tuple[str, ...]
    modulus: int


class Rule(NamedTuple):
    """Which pictures make a set: the 1-factorisation of the complete graph K_n.

    n slots, each of some categories. For n even, each of n - 1 attributes owns a
    perfect matching of the slots, and matched items share its value; so every pair of
    items shares one attribute, and the others say of a hidden item every owned
    attribute, each through one of them. For n odd it is that of K_(n + 1) without its
    last slot.

    Attributes:
      category: the attribute that tells slots apart.
      slots: (n,) values of the category in each.
      attributes: the owners, in the order of `outfits.owners`.
    """

    category: str
    slots: tuple[tuple[int, ...], ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """A data set and what may be asked of it.

    Attributes:
      attributes: its attributes.
      gallery: nuisance states of the pictures that are searched, one per tuple: of
        tuple t it is number 7 t modulo their number.
      query: the same, of the pictures that are asked about.
      validation: the same, for choosing a model.
      held: states that are never trained on, whatever the tuple.
      holes: by the name of the split.
      rules: of sets, by name; the first is the usual one.
    """

    attributes: Attributes
    gallery: tuple[int, ...]
    query: tuple[int, ...]
    validation: tuple[int, ...]
    held: tuple[int, ...] = ()
    holes: dict[str, Hole] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)

    def view(self, which: str, tuples: np.ndarray) -> np.ndarray:
        """(...,) tuples -> (...,) int32 images of one of `VIEWS`."""
        found = {"gallery": self.gallery, "query": self.query}
        found["validation"] = self.validation
        if which not in found:
            raise errors.unknown("view", which, VIEWS)
        tuples = np.asarray(tuples)
        states = np.array(found[which])[_STEP * tuples % len(found[which])]
        return self.attributes.index(tuples, states)

    def parts(self, split: str) -> np.ndarray:
        """(T,) int8, to which of TRAIN, VALIDATION, TEST each tuple belongs.

        "rand" holds no tuple out: its test pictures are other views.

        Raises:
          UserError: no split of this name, with a guess.
        """
        tuples = np.arange(self.attributes.tuples)
        if split == "rand":
            return np.full(len(tuples), TRAIN, np.int8)
        if split not in self.holes:
            raise errors.unknown("split", split, ("rand", *self.holes))
        hole = self.holes[split]
        columns = [self.attributes.column(name) for name in hole.names]
        rest = self.attributes.values(tuples)[:, columns].sum(1) % hole.modulus
        kinds = np.full(hole.modulus, TRAIN, np.int8)
        kinds[:2] = TEST, VALIDATION
        return kinds[rest]

    def tuples(self, split: str, part: int = TEST) -> np.ndarray:
        """(n,) tuples of a part; of "rand" all of them, for every part."""
        parts = self.parts(split)
        return (
            np.arange(len(parts)) if split == "rand" else np.flatnonzero(parts == part)
        )

    def training(self, split: str) -> np.ndarray:
        """(n,) images, sorted, that may be trained on: no test tuple and no view."""
        tuples = self.tuples(split, TRAIN)
        states = np.setdiff1d(np.arange(self.attributes.states), self.held)
        allowed = np.zeros(self.attributes.space.size, bool)
        allowed[self.attributes.index(tuples[:, None], states)] = True
        for which in VIEWS:
            allowed[self.view(which, tuples)] = False
        return np.flatnonzero(allowed)

    def mini(self) -> np.ndarray:
        """(n,) tuples of a small gallery: even values, of attributes of more than 4."""
        values = self.attributes.values(np.arange(self.attributes.tuples))
        large = np.array(self.attributes.sizes) > 4
        return np.flatnonzero(~(values[:, large] % 2).any(1))


_SHAPES3D = World(
    Attributes(
        shapes3d.SPACE, ("floor_hue", "wall_hue", "object_hue", "scale", "shape")
    ),
    gallery=(7,),
    query=(2,),
    validation=(12,),
    held=(2, 7, 12),
    holes={
        "comp": Hole(("object_hue", "scale", "shape"), 8),
        "hues": Hole(("floor_hue", "wall_hue", "object_hue"), 10),
    },
    rules={
        "k4": Rule(
            "shape", ((0,), (1,), (2,), (3,)), ("floor_hue", "wall_hue", "object_hue")
        )
    },
)


def _turned(by: int, offset: int) -> tuple[int, ...]:
    """dSprites: (624,) different states, an orientation and a place in a 4x4 bin."""
    return tuple((i + by) % 39 * 16 + (i + offset) % 16 for i in range(39 * 16))


_DSPRITES = World(
    Attributes(
        dsprites.SPACE, ("shape", "scale", "x_position", "y_position"), (1, 1, 4, 4)
    ),
    gallery=_turned(0, 0),
    query=_turned(13, 5),
    validation=_turned(26, 10),
    held=tuple(range(39 * 16, 40 * 16)),  # orientation 39 is the image of 0
    holes={"comp": Hole(("scale", "x_position", "y_position"), 8)},
    rules={
        "k3": Rule("shape", ((0,), (1,), (2,)), ("scale", "y_position", "x_position"))
    },
)
_FASHION = World(
    Attributes(
        fashion_sprites.SPACE,
        ("category", "colour", "pattern", "length", "part", "scene"),
    ),
    # States are rotation, light, placement (4). Placements 2 and 3 are held out: by the
    # pixels alone one finds the tuple under other light, but not at another placement.
    gallery=(2 * 12 + 1 * 4 + 3,),
    query=tuple(4 * i + 2 for i in range(15)),
    validation=tuple(4 * (i + 5) % 60 + 2 for i in range(15)),
    held=tuple(i for i in range(60) if i % 4 > 1),
    holes={
        "comp": Hole(("category", "colour", "pattern"), 6),
        "pairs": Hole(("category", "pattern"), 6),
    },
    rules={
        # top, bottom, dress, shoe
        "k4": Rule(
            "category", ((0, 1), (3, 4), (2,), (5,)), ("pattern", "length", "colour")
        ),
        "k6": Rule(
            "category",
            tuple((c,) for c in range(6)),
            ("colour", "pattern", "length", "part", "scene"),
        ),
    },
)

WORLDS: dict[str, World] = {
    "dsprites": _DSPRITES,
    "shapes3d": _SHAPES3D,
    "fashion_sprites": _FASHION,
}


def world(name: str) -> World:
    """The world of a data set; UserError, with a guess, where it has none."""
    if name not in WORLDS:
        raise errors.unknown("data set with queries", name, WORLDS)
    return WORLDS[name]


def split_world(
    data: Dataset, split: str, train_size: int, test_size: int, *, seed: int = 0
) -> tuple[Split, np.ndarray]:
    """A training split of a world, and validation images, which are never trained on.

    Args:
      data: a data set that has a world.
      split: "rand" or one of the world's holes.
      train_size: images to train on, the first of a permutation, so that larger label
        budgets contain smaller ones; 0 is all.
      test_size: at most how many images of the view "validation", of the split's
        validation tuples.
      seed: of the permutation.

    Returns:
      (split, test_index (n,) int64).

    Raises:
      UserError: no world, no such split, or fewer training images than asked for.
    """
    asked = world(data.name)
    if data.space != asked.attributes.space:
        raise errors.UserError(
            f"split={split!r} needs all images of {data.name}, and these are others."
        )
    allowed = asked.training(split)
    if not 0 <= train_size <= len(allowed):
        raise errors.UserError(
            f"train_size={train_size} must be at most {len(allowed)}, the training "
            f"images of the split {split!r} of {data.name}."
        )
    order = shuffled(len(allowed), 0, train_size or len(allowed), seed=seed)
    tuples = asked.tuples(split, VALIDATION)
    tested = asked.view("validation", tuples[counted.spread(len(tuples), test_size)])
    subset = jnp.asarray(allowed[order], jnp.int32)
    return Split(data, subset), np.sort(tested).astype(np.int64)
