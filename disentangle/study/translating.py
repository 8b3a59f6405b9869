"""Images of two domains drawn as each other's, by methods with a `Translation`."""

import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.editing.equality import equal
from disentangle.editing.following import Following, following
from disentangle.errors import UserError
from disentangle.methods.domains import TARGET
from disentangle.methods.ways import Translation
from disentangle.records import ArrayRecord
from disentangle.study.judges import Judges, pictures
from disentangle.training import encode
from disentangle.training.run import Run

SHOWN = 6  # images of each domain in a grid


@dataclasses.dataclass(frozen=True, eq=False)
class Translations(ArrayRecord):
    """translations.npz: images of both domains, as a run's first member draws them.

    Of domain d and n images of each; grey images are in colour where the other
    domain's are.

    Attributes:
      domains: (2,) in words.
      images: (2, n, H, W, C) in [0, 1].
      reconstructions: (2, n, H, W, C), drawn again within their domain.
      translations: (2, n, n, H, W, C), of the content of image i of domain d and the
        style of image j of the other one, in that one.
    """

    FILE: ClassVar[str] = "translations.npz"
    domains: np.ndarray
    images: np.ndarray
    reconstructions: np.ndarray
    translations: np.ndarray


def ways_of(run: Run) -> Translation:
    """What a run offers of two domains; UserError where its method has none."""
    ways = run.method.translation
    if ways is None:
        name = run.config["method"]["name"]
        raise UserError(f"method {name!r} does not translate between two domains")
    return ways


def translated(
    run: Run, images: np.ndarray, exemplars: np.ndarray, source: int, target: int
) -> np.ndarray:
    """The first member's pictures of the images' content in the exemplars' style.

    Args:
      run: of a method with a `Translation`.
      images: (n, H, W, C) in [0, 1], of the domain `source`.
      exemplars: (n, H, W, C) in [0, 1], of the domain `target`.
      source, target: 0 or 1; the same: within the domain.

    Returns:
      (n, H, W, C) in [0, 1], of the domain `target`.
    """
    return drawn(
        run, codes_of(run, images, source), codes_of(run, exemplars, target), target
    )


@float32()
def codes_of(run: Run, images: np.ndarray, domain: int) -> np.ndarray:
    """(n, D) codes of the first member, content and then style."""
    ways = ways_of(run)
    found = encode.batched(
        ways.encode[domain], run.params, np.asarray(images, np.float32), 1
    )
    return np.asarray(found[0])


@float32()
def drawn(
    run: Run, contents: np.ndarray, styles: np.ndarray, target: int
) -> np.ndarray:
    """Pictures of the content of codes (n, D), in the style of others (n, D)."""
    ways = ways_of(run)
    codes = np.array(contents)
    codes[:, -ways.styles :] = styles[:, -ways.styles :]
    count = len(run.members)
    return encode.decoded(ways.decode[target], run.params, codes, count)[0]


def domain_images(
    run: Run, data: Dataset, count: int, *, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images of both domains, drawn by `seed`, and their factors.

    Returns:
      ([(count, H, W, C) in [0, 1]] x 2, [(count, F) int] x 2).

    Raises:
      UserError: a data set that is not beside the first, or no image of a value.
    """
    ways, rng = ways_of(run), np.random.default_rng(seed)
    images, factors = [], []
    for domain in (0, 1):
        own = data
        if not ways.factor and domain:
            if TARGET not in data.others:
                raise UserError(f"no data set {TARGET!r} is beside {data.name}")
            own = data.others[TARGET]
        rows = np.arange(len(own))
        if ways.factor:
            column = own.space.position(ways.factor)
            has = np.asarray(own.factors(rows))[:, column] == ways.values[domain]
            known = own.known(rows)
            rows = rows[has if known is None else has & known[:, column]]
        if not len(rows):
            raise UserError(f"{own.name} has no image of {ways.names[domain]}")
        index = rng.choice(rows, count)
        images.append(pictures(own, index))
        factors.append(np.asarray(own.factors(index)))
    return images, factors


def translations_of(run: Run, data: Dataset, *, seed: int = 0) -> Translations:
    """What translations.npz holds; errors as `domain_images`."""
    images, _ = domain_images(run, data, SHOWN, seed=seed)
    pairs = np.meshgrid(np.arange(SHOWN), np.arange(SHOWN), indexing="ij")
    i, j = (part.ravel() for part in pairs)
    again = [translated(run, own, own, d, d) for d, own in enumerate(images)]
    across = [translated(run, images[d][i], images[1 - d][j], d, 1 - d) for d in (0, 1)]
    channels = max(own.shape[-1] for own in images)
    colour = lambda part: np.broadcast_to(part, (*part.shape[:-1], channels))
    stack = lambda parts: np.stack([colour(part) for part in parts])
    shape = (2, SHOWN, SHOWN, *images[0].shape[1:3], channels)
    return Translations(
        np.array(ways_of(run).names),
        stack(images),
        stack(again),
        stack(across).reshape(shape),
    )


class Allocation(NamedTuple):
    """Of translations from one domain to the other, by oracles.

    Attributes:
      exemplar: which factors follow the exemplar of the style, and which the content.
      random: the same of styles drawn from N(0, I), for which nothing is an exemplar:
        `first` alone says something.
      same_content: (F,) share of pairs of pictures with one content and two exemplars'
        styles in which oracles read a factor alike: 1 where the content tells it, as
        it was or as another value, which an unpaired translation is free to choose.
      same_style: (F,) the same of one exemplar's style and two contents.
      hit: (2,) share of pictures that show the other domain's value, with the style of
        an exemplar and with a random one; NaN of two data sets.
    """

    exemplar: Following
    random: Following
    same_content: np.ndarray
    same_style: np.ndarray
    hit: tuple[float, float]


def allocation(
    run: Run, data: Dataset, judges: Judges, source: int, count: int, *, seed: int = 0
) -> Allocation:
    """How the first member of a run shares factors between content and style.

    Args:
      run: of a method with a `Translation` between two values of a factor.
      data: its data set.
      judges: oracles of it.
      source: the domain that is translated, 0 or 1.
      count: pictures.
      seed: of pictures and random styles.

    Raises:
      UserError: two data sets, whose factors no oracle here reads.
    """
    ways = ways_of(run)
    if not ways.factor:
        raise UserError("oracles read the factors of one data set, and these are two")
    images, factors = domain_images(run, data, count, seed=seed)
    target, column = 1 - source, data.space.position(ways.factor)
    contents = codes_of(run, images[source], source)
    styles = codes_of(run, images[target], target)
    other = np.random.default_rng(seed + 1).normal(size=styles.shape)
    found, hits, seen = [], [], []
    for given in (styles, other.astype(np.float32)):
        readings = judges.read(drawn(run, contents, given, target))
        found.append(following(data.space, readings, factors[source], factors[target]))
        shows = (readings[:, :, column] == ways.values[target]).all(0)
        hits.append(float(shows.mean()))
        seen.append(readings)
    next_style = judges.read(drawn(run, contents, np.roll(styles, 1, axis=0), target))
    next_content = judges.read(drawn(run, np.roll(contents, 1, axis=0), styles, target))
    same = [
        equal(data.space, other, seen[0]).all(0).mean(0)
        for other in (next_style, next_content)
    ]
    return Allocation(found[0], found[1], same[0], same[1], (hits[0], hits[1]))
