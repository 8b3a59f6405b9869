"""Styles of two generated pictures mixed: which layer each factor is told in."""

import dataclasses
from typing import ClassVar

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.space import FactorSpace
from disentangle.editing.equality import equal
from disentangle.editing.following import Following, following
from disentangle.records import ArrayRecord
from disentangle.study.judges import Judges
from disentangle.study.latent_spaces import latents_of, pictures_of, styles_of
from disentangle.training.run import Run

SHOWN = 5  # pictures of each source in a grid


@dataclasses.dataclass(frozen=True, eq=False)
class Mixing(ArrayRecord):
    """mixing.npz: pictures with the styles of two sources, of a run's first member.

    Attributes:
      first, second: (n, H, W, C) in [0, 1], the sources.
      splits: (S,) the first layer that has the second one's style.
      pictures: (S, n, n, H, W, C), of the first source i and the second one j.
      matrix: (L + 1, F) the share of the pictures whose factor k follows the second
        source where the layers from l on have its style, by oracles; None where there
        were none.
      pairs: (F,) how many pictures differ in the factor.
      factors: (F,) names.
    """

    FILE: ClassVar[str] = "mixing.npz"
    first: np.ndarray
    second: np.ndarray
    splits: np.ndarray
    pictures: np.ndarray
    matrix: np.ndarray | None = None
    pairs: np.ndarray | None = None
    factors: np.ndarray | None = None


def split_styles(
    first: np.ndarray, second: np.ndarray, start: int, stop: int, layers: int
) -> np.ndarray:
    """(n, L, W): the second one's style in the layers start .. stop - 1."""
    own = np.repeat(first[:, None], layers, axis=1)
    own[:, start:stop] = second[:, None]
    return own


def sources(
    run: Run, space: FactorSpace, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows z (count, size), and two styles w (count, W) for each; by a seed."""
    ways, rng = latents_of(run), np.random.default_rng(seed)
    sizes = np.asarray(space.sizes)
    factors = rng.integers(0, sizes, (2, count, len(sizes))).astype(np.int32)
    z = rng.normal(size=(2, count, ways.size)).astype(np.float32)
    styles = [styles_of(run, *part) for part in zip(z, factors, strict=True)]
    return z[0], styles[0], styles[1]


def mixing_of(run: Run, data: Dataset, *, seed: int = 0) -> Mixing:
    """The grids of mixing.npz, without a matrix."""
    z, first, second = sources(run, data.space, SHOWN, seed)
    layers = latents_of(run).layers
    splits = np.unique(np.linspace(0, layers, 4).round().astype(int))[1:-1]
    pairs = np.meshgrid(np.arange(SHOWN), np.arange(SHOWN), indexing="ij")
    i, j = (part.ravel() for part in pairs)
    drawn = [
        pictures_of(run, split_styles(first[i], second[j], at, layers, layers), z[i])
        for at in splits
    ]
    shape = (len(splits), SHOWN, SHOWN, *run.spec.shape)
    return Mixing(
        pictures_of(run, first, z),
        pictures_of(run, second, z),
        splits,
        np.stack(drawn).reshape(shape),
    )


def mixed(
    run: Run,
    data: Dataset,
    judges: Judges,
    spans: list[tuple[int, int]],
    count: int,
    *,
    seed: int = 0,
) -> list[Following]:
    """Which source factors follow where some layers have the second one's style.

    The factors of a source are what oracles read off it; one that they do not all
    read the same of both sources is left out there.

    Args:
      run: of a method that says what its pictures are drawn of; its first member.
      data: its data set.
      judges: oracles of it.
      spans: (start, stop) of the layers start .. stop - 1.
      count: pictures.
      seed: of what is drawn.

    Returns:
      A `Following` per span.
    """
    z, first, second = sources(run, data.space, count, seed)
    layers = latents_of(run).layers
    readings = [judges.read(pictures_of(run, w, z)) for w in (first, second)]
    sure = np.ones(readings[0].shape[1:], bool)
    for own in readings:
        sure &= equal(data.space, own, np.broadcast_to(own[:1], own.shape)).all(0)
    found = []
    for start, stop in spans:
        styles = split_styles(first, second, start, stop, layers)
        read = judges.read(pictures_of(run, styles, z))
        own, other = (part[0] for part in readings)
        found.append(following(data.space, read, own, other, sure))
    return found


def mixing_matrix(
    run: Run, data: Dataset, judges: Judges, count: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """M (L + 1, F), M[l, k] = P[factor k follows the second source, layers >= l its].

    M[0] is of the second source itself, M[L] of the first. Arguments as `mixed`.

    Returns:
      (M, (F,) how many pictures it is of).
    """
    layers = latents_of(run).layers
    spans = [(start, layers) for start in range(layers + 1)]
    found = mixed(run, data, judges, spans, count, seed=seed)
    return np.stack([one.second for one in found]), found[0].asked
