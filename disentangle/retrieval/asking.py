"""How the three tasks are asked: of which split, how often, of which gallery."""

from dataclasses import dataclass, replace

import numpy as np

from disentangle.data import counted
from disentangle.data.attributes import Attributes
from disentangle.data.samplers import shuffled
from disentangle.data.worlds import World, world
from disentangle.errors import UserError, shown, unknown

GALLERIES = ("tuples", "mini", "full")
MOST = {"queries": 10**6, "triplets": 10**6, "searches": 10**5, "sets": 10**6}


@dataclass(frozen=True)
class Asking:
    """What is asked of every model alike.

    Attributes:
      split: "rand", or a hole of the data set's world: only targets, anchors and
        hidden items of its test tuples are asked for.
      gallery: "tuples", one image per combination of attributes; "mini", a small part
        of it; or "full", every image of the data set, with all factors as attributes.
        Of sets the candidates are the same for all three.
      labels: images whose labels are known to prototypes, classifiers and masks: the
        first that a model was trained on, then others of a fixed order, so that larger
        budgets contain smaller ones. 0 is all.
      queries: edits of each attribute.
      triplets: of each attribute and kind.
      searches: queries of the mean average precision.
      sets: to complete, at least two.
      seed: of what is drawn: triplets, sets and intervals. Edits are not drawn.
      bootstrap: resamples for 95 % intervals over queries; 0 is none.
      rule: which items go together, a rule of the data set's world; "" is the usual
        one.

    Raises:
      UserError: a number out of its range, or a gallery that is not there.
    """

    split: str = "rand"
    gallery: str = "tuples"
    labels: int = 1_000
    queries: int = 2_000
    triplets: int = 10_000
    searches: int = 1_000
    sets: int = 10_000
    seed: int = 0
    bootstrap: int = 200
    rule: str = ""

    def __post_init__(self) -> None:
        if self.gallery not in GALLERIES:
            raise unknown("gallery", self.gallery, GALLERIES)
        for name, least, most in (
            ("labels", 0, 10**7),
            *((name, 1 + (name == "sets"), most) for name, most in MOST.items()),
            ("seed", 0, 2**32 - 1),
            ("bootstrap", 0, 10**5),
        ):
            value = vars(self)[name]
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if (
                not whole
                or not least <= value <= most
                or (name, value)
                == (
                    "bootstrap",
                    1,
                )
            ):
                raise UserError(
                    f"{name}={shown(value)} must be a whole number from {least} to "
                    f"{most:,}" + ", not 1" * (name == "bootstrap")
                )


def world_of(name: str, space: object, asking: Asking) -> World:
    """The world of a data set, as the gallery asks for it.

    Args:
      name: of the data set.
      space: its factors, which must be all of the world's.
      asking: whose split and gallery must be the world's.

    Raises:
      UserError: a data set without queries, a part of one, or a split it does not have.
    """
    found = world(name)
    if found.attributes.space != space:
        raise UserError(
            f"queries are asked of all images of {name}, and these are others"
        )
    found.parts(asking.split)  # refuses a split that is not there
    if asking.gallery == "full":
        if asking.split != "rand":
            raise UserError(
                f"the full gallery has no split {asking.split!r}: its attributes are "
                "all factors"
            )
        return full(found)
    return found


def full(asked: World) -> World:
    """A world whose attributes are all factors: every image is a tuple of its own."""
    space = asked.attributes.space
    every = Attributes(space, space.names)
    return replace(
        asked,
        attributes=every,
        gallery=(0,),
        query=(0,),
        validation=(0,),
        held=(),
        holes={},
    )


def tuples_of(asked: World, asking: Asking) -> np.ndarray:
    """(G,) tuples of the gallery, in a fixed random order: no tie favours a value."""
    every = (
        asked.mini() if asking.gallery == "mini" else np.arange(asked.attributes.tuples)
    )
    return every[np.argsort(counted.numbers("gallery", 0, (len(every),)))]


def labelled(
    name: str, asking: Asking, trained: np.ndarray | None = None
) -> np.ndarray:
    """(n,) images whose labels are known: training images of the data set's world.

    Of the full gallery any image: its world holds no view out. A model that was trained
    on n images and is asked with n labels has read n labels in all, not other ones too.

    Args:
      name: of the data set.
      asking: how many, of which split.
      trained: the images that a model was trained on, in their order, which come first;
        None is all.

    Raises:
      UserError: more labels than there are training images.
    """
    found = world(name)
    allowed = found.training(asking.split)
    if asking.gallery == "full":
        allowed = np.arange(found.attributes.space.size)
    count = asking.labels or len(allowed)
    if count > len(allowed):
        raise UserError(
            f"labels={count:,} are more than the {len(allowed):,} training images of "
            f"the split {asking.split!r}"
        )
    others = allowed[shuffled(len(allowed), 0, count, seed=0)]
    if trained is None:
        return others
    own = trained[np.isin(trained, allowed)][:count]
    return np.concatenate([own, others[~np.isin(others, own)]])[:count]
